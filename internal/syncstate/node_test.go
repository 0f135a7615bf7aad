package syncstate_test

import (
	"errors"
	"fmt"
	"slices"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/syncstate"
)

// node carries out what the core says on a log in memory, the way a session or a leader does.
type node struct {
	same  syncstate.Same
	heads syncstate.Heads
	base  event.SeqNum // position before the first event of the log
	log   []event.Client

	// applies says whether a commit applies when it is replayed. Nil says it does.
	applies func(commit []event.Client) bool
	// named holds every number this node gave, with the event it gave it to.
	named map[event.SeqNum]event.ID
}

func newNode(same syncstate.Same, heads syncstate.Heads) *node {
	return &node{same: same, heads: heads, base: heads.Local, named: map[event.SeqNum]event.ID{}}
}

// pending returns what lies above the upstream head.
func (n *node) pending() []event.Client {
	i := len(n.log)
	for i > 0 && n.log[i-1].Num.ComparePosition(n.heads.Upstream) > 0 {
		i--
	}
	return n.log[i:]
}

// number gives events, of which only the scope is set in Num, the next local numbers.
func (n *node) number(events []event.Client) []event.Client {
	h := n.heads
	out := slices.Clone(events)
	for i := range out {
		scope := event.ScopeSynced
		if out[i].Num.IsClientOnly() {
			scope = event.ScopeClientOnly
		}
		out[i].Num, out[i].Parent = h.Next(scope)
		h.Local = out[i].Num
	}
	return out
}

// commit numbers events and takes them. A number given twice is an error.
func (n *node) commit(events []event.Client) ([]event.Client, error) {
	events = n.number(events)
	if err := n.name(events); err != nil {
		return nil, err
	}
	return events, n.push(events)
}

func (n *node) name(events []event.Client) error {
	for _, e := range events {
		if id, ok := n.named[e.Num]; ok {
			return fmt.Errorf("number %s given to %s was given to %s before", e.Num, e.ID, id)
		}
		n.named[e.Num] = e.ID
	}
	return nil
}

func (n *node) push(batch []event.Client) error {
	heads, err := syncstate.Push(n.heads, batch)
	if err != nil {
		return err
	}
	return n.become(heads, append(slices.Clip(n.log), batch...))
}

// become takes the node to a new log, if that keeps R2 and the generation does not fall.
func (n *node) become(heads syncstate.Heads, log []event.Client) error {
	if heads.Generation < n.heads.Generation {
		return fmt.Errorf("the generation fell from r%d to r%d", n.heads.Generation, heads.Generation)
	}
	n.heads, n.log = heads, log
	return syncstate.Check(n.heads, n.pending())
}

// outcome is what a merge did to a node.
type outcome struct {
	result   syncstate.Result
	replayed [][]event.Client // commits replayed, with their new numbers
	failed   [][]event.Client // commits that no longer applied, with their old numbers
}

// merge carries out what upstream says. Window is how many pending events to offer at first; the rest is offered when it is asked for.
func (n *node) merge(up syncstate.Upstream, window int) (outcome, error) {
	pending := n.pending()
	res, err := syncstate.Merge(n.heads, pending[:min(window, len(pending))], up, n.same)
	if errors.Is(err, syncstate.ErrMore) && window < len(pending) {
		res, err = syncstate.Merge(n.heads, pending, up, n.same)
	}
	if err != nil {
		return outcome{}, err
	}
	out := outcome{result: res}
	switch r := res.(type) {
	case syncstate.Advance:
		if len(r.New) > 0 && r.Confirmed < len(pending) {
			return out, fmt.Errorf("an advance with new events leaves %d pending", len(pending)-r.Confirmed)
		}
		if err := n.become(r.Heads, append(slices.Clip(n.log), r.New...)); err != nil {
			return out, err
		}
		if got, want := len(n.pending()), len(pending)-r.Confirmed; got != want {
			return out, fmt.Errorf("%d events are pending after the advance, want %d", got, want)
		}
	case syncstate.Rebase:
		log, err := n.undo(r.RollbackTo)
		if err != nil {
			return out, err
		}
		log = append(log, r.New...)
		kept := r.Kept
		for _, commit := range r.Replay {
			numbered := r.Next(commit)
			if n.applies != nil && !n.applies(numbered) {
				r.Renumber.SetAside()
				out.failed = append(out.failed, commit)
				continue
			}
			r.Keep()
			if err := n.name(numbered); err != nil {
				return out, err
			}
			log = append(log, numbered...)
			kept += len(numbered)
			out.replayed = append(out.replayed, numbered)
		}
		if h := r.Renumber.Heads(); h.Generation <= n.heads.Generation {
			return out, fmt.Errorf("a rebase left the generation at r%d", h.Generation)
		}
		if err := n.become(r.Renumber.Heads(), log); err != nil {
			return out, err
		}
		if got := len(n.pending()); got != kept {
			return out, fmt.Errorf("%d events are pending after the rebase, want %d", got, kept)
		}
	}
	return out, nil
}

// undo returns a copy of the log up to a position, which must be in it.
func (n *node) undo(to event.SeqNum) ([]event.Client, error) {
	if to == n.base {
		return nil, nil
	}
	i := slices.IndexFunc(n.log, func(e event.Client) bool { return e.Num == to })
	if i < 0 {
		return nil, fmt.Errorf("roll back to %s, which is not in the log", to)
	}
	return slices.Clone(n.log[:i+1]), nil
}
