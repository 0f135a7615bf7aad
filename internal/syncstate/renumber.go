package syncstate

import "github.com/livestore-go/livestore/event"

// Renumber gives the commits that a [Rebase] replays their numbers, one after the other and all in one generation. A
// commit that is set aside leaves no hole: the next one gets its numbers.
type Renumber struct {
	heads Heads
	next  event.SeqNum // head after the commit under way
	open  bool         // a commit is under way
}

// NewRenumber returns a Renumber that begins after h.Local, in the generation after the counter. A [Rebase] brings its
// own. This one is for commits on a head they were not made on: of a session that boots anew from a snapshot, or
// out of a journal.
func NewRenumber(h Heads) *Renumber {
	h.Generation++
	return &Renumber{heads: h}
}

// Next returns the events of a commit as they are numbered after all that was kept so far. It changes nothing by itself:
// say Keep when they applied, SetAside when they did not.
func (r *Renumber) Next(commit []event.Client) []event.Client {
	out := make([]event.Client, len(commit))
	head := r.heads.Local
	for i := range commit {
		out[i] = commit[i]
		out[i].Num, out[i].Parent = head.Next(scopeOf(commit[i].Num), r.heads.Generation)
		head = out[i].Num
	}
	r.next, r.open = head, true
	return out
}

// Keep takes the commit that Next has numbered last as applied.
func (r *Renumber) Keep() {
	if r.open {
		r.heads.Local = r.next
	}
	r.open = false
}

// SetAside leaves out the commit that Next has numbered last.
func (r *Renumber) SetAside() { r.open = false }

// Heads returns the heads after all that was kept so far.
func (r *Renumber) Heads() Heads { return r.heads }
