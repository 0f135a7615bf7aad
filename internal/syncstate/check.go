package syncstate

import (
	"fmt"

	"github.com/livestore-go/livestore/event"
)

// ViolationError says that a node's own heads and pending events contradict rule R2. It is a defect of this program,
// never the fault of anything outside, and the store must stop. Under build tag invariants it is a panic.
type ViolationError struct {
	Heads  Heads
	What   string       // what is violated
	Num    event.SeqNum // the pending event it was found at, e0 when it is in the heads
	Parent event.SeqNum // its parent
}

func (e *ViolationError) Error() string {
	if e.Num == (event.SeqNum{}) {
		return fmt.Sprintf("syncstate: invariant violated at heads %s: %s", e.Heads, e.What)
	}
	return fmt.Sprintf("syncstate: invariant violated at heads %s, pending event %s (parent %s): %s", e.Heads, e.Num, e.Parent, e.What)
}

// Check verifies R2 on a node: the upstream head is not after the local head, and pending, which must be all of it,
// ascends and chains from one to the other, in generations that never fall and never pass the counter, with no
// identity twice. The error is a *[ViolationError]. It costs one pass over pending.
func Check(h Heads, pending []event.Client) error {
	if err := checkHeads(h); err != nil {
		return err
	}
	if err := checkPending(h, pending); err != nil {
		return err
	}
	if last := lastNum(h.Upstream, pending); last != h.Local {
		return &ViolationError{Heads: h, What: fmt.Sprintf("the last pending event is %s, not the local head", last)}
	}
	return nil
}

func checkHeads(h Heads) *ViolationError {
	order := h.Upstream.ComparePosition(h.Local)
	var what string
	switch {
	case badNumber(h.Local) != "":
		what = "local head: " + badNumber(h.Local)
	case badNumber(h.Upstream) != "":
		what = "upstream head: " + badNumber(h.Upstream)
	case order > 0:
		what = "the upstream head is after the local head"
	case order == 0 && h.Upstream != h.Local:
		what = "the heads are at one position in two generations"
	case h.Local.Generation > h.Generation || h.Upstream.Generation > h.Generation:
		what = "a head is of a later generation than the counter"
	default:
		return nil
	}
	return &ViolationError{Heads: h, What: what}
}

// checkPending verifies what holds for every prefix of pending too.
func checkPending(h Heads, pending []event.Client) *ViolationError {
	head, generation := h.Upstream, int64(0)
	ids := make(map[event.ID]struct{}, len(pending))
	for i := range pending {
		e := &pending[i]
		_, twice := ids[e.ID]
		what := ""
		switch {
		case !follows(head, e):
			what = fmt.Sprintf("does not follow %s", head)
		case e.Num.Generation < generation:
			what = fmt.Sprintf("is of an earlier generation than the event before it, r%d", generation)
		case e.Num.Generation > h.Generation:
			what = "is of a later generation than the counter"
		case beyond(h, e.Num) != "":
			what = beyond(h, e.Num)
		case twice && !e.ID.IsZero():
			what = fmt.Sprintf("has the identity %s of another pending event", e.ID)
		}
		if what != "" {
			return &ViolationError{Heads: h, What: what, Num: e.Num, Parent: e.Parent}
		}
		ids[e.ID] = struct{}{}
		head, generation = e.Num, e.Num.Generation
	}
	return nil
}

// verify is what Push and Merge do before they believe their own node: everything under build tag invariants, and what
// costs nothing otherwise.
func verify(h Heads, pending []event.Client) error {
	err := checkHeads(h)
	if err == nil {
		if invariants {
			err = checkPending(h, pending)
		} else if len(pending) > 0 {
			err = checkEnds(h, pending)
		}
	}
	if err == nil {
		return nil
	}
	return violated(err)
}

// checkEnds verifies the first and the last pending event only.
func checkEnds(h Heads, pending []event.Client) *ViolationError {
	first, last := &pending[0], &pending[len(pending)-1]
	if !follows(h.Upstream, first) {
		return &ViolationError{Heads: h, What: fmt.Sprintf("does not follow %s", h.Upstream), Num: first.Num, Parent: first.Parent}
	}
	if what := beyond(h, last.Num); what != "" {
		return &ViolationError{Heads: h, What: what, Num: last.Num, Parent: last.Parent}
	}
	return nil
}

// beyond says how a pending number contradicts the local head, empty when it does not.
func beyond(h Heads, n event.SeqNum) string {
	switch order := n.ComparePosition(h.Local); {
	case order > 0:
		return "is after the local head"
	case order == 0 && n != h.Local:
		return "is at the local head in another generation"
	}
	return ""
}

// violated panics under build tag invariants, so that the stack shows who did it.
func violated(err *ViolationError) error {
	if invariants {
		panic(err)
	}
	return err
}

func lastNum(before event.SeqNum, events []event.Client) event.SeqNum {
	if len(events) == 0 {
		return before
	}
	return events[len(events)-1].Num
}
