package syncstate

import (
	"errors"
	"fmt"

	"github.com/livestore-go/livestore/event"
)

// Same says how upstream names our own events, and so how they are known again.
type Same uint8

const (
	// SameIdentity is between session and leader: an event is ours when it has our identity. Numbers are composite.
	SameIdentity Same = iota
	// SameGlobal is between leader and sync backend: an event is ours when it is equal on the wire ([event.Global.Equal]).
	// Numbers are plain global ones, and client-only events never get there.
	SameGlobal
)

// confirms says whether upstream's event is the pending one, confirmed as it stands here.
func (s Same) confirms(pending, upstream *event.Client) bool {
	if s == SameGlobal {
		return !pending.Num.IsClientOnly() && pending.Global().Equal(upstream.Global())
	}
	return !pending.ID.IsZero() && pending.ID == upstream.ID && pending.Num == upstream.Num
}

// repeats says whether upstream's event is the one known here, ours or not.
func (s Same) repeats(known, upstream *event.Client) bool {
	if s == SameGlobal {
		return known.Global().Equal(upstream.Global())
	}
	return known.ID == upstream.ID && known.Num == upstream.Num
}

// Upstream is what upstream says in one step.
type Upstream struct {
	// RollbackTo is set when upstream rebased: what lies after this position in its log is withdrawn, events that it had
	// confirmed included. A sync backend never withdraws.
	RollbackTo *event.SeqNum
	// Events follow RollbackTo, or the upstream head when that is nil: ascending and without a gap. After a RollbackTo they
	// must be everything up to the head that upstream had reached when it rebased; a page of it would make events
	// disappear that are about to come.
	Events []event.Client
	// SetAside names commits that upstream has set aside, or at a leader those that the backend will not have. Those that are pending
	// here leave pending. Of a commit that the backend will not have it must have nothing.
	SetAside []event.CommitID
	// Generation is upstream's own counter after this step, 0 for a sync backend, which has none.
	Generation int64
}

// RollbackError says that upstream wants to roll back to where it can not: past what it has confirmed, or at all, when it
// is a sync backend.
type RollbackError struct {
	Upstream event.SeqNum // the upstream head
	To       event.SeqNum
	Same     Same
}

func (e *RollbackError) Error() string {
	if e.Same == SameGlobal {
		return fmt.Sprintf("syncstate: the sync backend withdraws events after %s, which it has confirmed up to %s: it is not the backend it was",
			e.To, e.Upstream)
	}
	return fmt.Sprintf("syncstate: upstream rolls back to %s, but has confirmed nothing after %s: boot anew", e.To, e.Upstream)
}

// GapError says that events are missing between what is known of upstream and an event it sent. Pull again from Head.
type GapError struct {
	Head   event.SeqNum // what the event had to follow
	Got    event.SeqNum // the event
	Parent event.SeqNum // its parent
}

func (e *GapError) Error() string {
	return fmt.Sprintf("syncstate: upstream event %s (parent %s) does not follow %s: pull again from there", e.Got, e.Parent, e.Head)
}

// RepeatError says that upstream sent an event at a position that it had passed already. [Overlap] takes such events off.
type RepeatError struct {
	Head event.SeqNum // the position upstream had reached
	Got  event.SeqNum // the event
}

func (e *RepeatError) Error() string {
	return fmt.Sprintf("syncstate: upstream event %s comes again: upstream was at %s already", e.Got, e.Head)
}

// NumberError says that upstream sent a number that can not be one.
type NumberError struct {
	Num event.SeqNum
	Why string
}

func (e *NumberError) Error() string {
	return fmt.Sprintf("syncstate: upstream sent the number %s: %s", e.Num, e.Why)
}

// ErrMore says that [Merge] can not decide on the pending events it was given: call it again with more of them, or all.
var ErrMore = errors.New("syncstate: more pending events are needed to decide")

// validate checks what came from outside and returns the highest generation in it.
func (up *Upstream) validate(h Heads, same Same) (generation int64, err error) {
	if up.Generation < 0 || up.Generation > MaxNum {
		num := event.SeqNum{Generation: up.Generation}
		return 0, &NumberError{Num: num, Why: badNumber(num)}
	}
	head, generation := h.Upstream, up.Generation
	if up.RollbackTo != nil && *up.RollbackTo != h.Upstream {
		if same == SameGlobal || up.RollbackTo.ComparePosition(h.Upstream) >= 0 {
			return 0, &RollbackError{Upstream: h.Upstream, To: *up.RollbackTo, Same: same}
		}
		if why := badNumber(*up.RollbackTo); why != "" {
			return 0, &NumberError{Num: *up.RollbackTo, Why: why}
		}
		head, generation = *up.RollbackTo, max(generation, up.RollbackTo.Generation)
	}
	for i := range up.Events {
		e := &up.Events[i]
		why := badNumber(e.Num)
		if why == "" && same == SameGlobal && (e.Num.Client != 0 || e.Num.Generation != 0) {
			why = "a sync backend knows plain global numbers only"
		}
		switch {
		case why != "":
			return 0, &NumberError{Num: e.Num, Why: why}
		case e.Num.ComparePosition(head) <= 0:
			return 0, &RepeatError{Head: head, Got: e.Num}
		case !follows(head, e):
			return 0, &GapError{Head: head, Got: e.Num, Parent: e.Parent}
		}
		head, generation = e.Num, max(generation, e.Num.Generation)
	}
	return generation, nil
}
