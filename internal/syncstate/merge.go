package syncstate

import (
	"slices"

	"github.com/livestore-go/livestore/event"
)

// Result is what a [Merge] comes to: an [Advance] or a [Rebase].
type Result interface{ result() }

// Advance goes on without undoing anything: confirm the prefix, then apply and log what is new.
type Advance struct {
	// Confirmed is how many pending events, from the first, are confirmed as they stand.
	Confirmed int
	// New events come after all that is here. When there are any, nothing is left pending.
	New []event.Client
	// Heads are the heads afterwards.
	Heads Heads
}

// Rebase numbers pending events anew. In this order: confirm the prefix; undo state and log to RollbackTo; apply and
// log New; apply each commit of Replay, and nothing else, again with the numbers that [Renumber.Next] gives it, and say Keep
// or SetAside; the heads afterwards are [Renumber.Heads].
type Rebase struct {
	// Confirmed is how many pending events, from the first, are confirmed as they stand. They are not undone.
	Confirmed int
	// Kept is how many of the pending events after those stay pending as they stand. They are not undone either, for upstream may be
	// about to confirm them. There are some only when upstream set aside a commit behind them.
	Kept int
	// RollbackTo is the last event that is not undone. It may lie below the upstream head: then upstream rebased, and events it
	// had confirmed are undone too.
	RollbackTo event.SeqNum
	// New events are upstream's, to be applied after RollbackTo. There may be own ones among them, pending or confirmed before,
	// under the numbers they have now.
	New []event.Client
	// Delivered are the pending events that are in New. They are confirmed.
	Delivered []event.ID
	// SetAside are the commits that left pending because upstream set them aside.
	SetAside []event.CommitID
	// Replay is what is left of pending, commit by commit, with its old numbers. A commit of which upstream has delivered
	// or confirmed a part is here with the rest of it.
	Replay [][]event.Client

	*Renumber
}

func (Advance) result() {}
func (Rebase) result()  {}

// Merge decides what to do with what upstream says.
//
// Pending are the events after h.Upstream, ascending. It need not be all of them: a prefix is enough as long as nothing has to be
// rebased and it reaches past what up confirms; when it is not enough the error is [ErrMore] and nothing has happened.
//
// Errors about what upstream sent: *[GapError], *[RepeatError], *[RollbackError], *[NumberError]. A *[ViolationError] says that
// h and pending contradict each other.
func Merge(h Heads, pending []event.Client, up Upstream, same Same) (Result, error) {
	if err := verify(h, pending); err != nil {
		return nil, err
	}
	generation, err := up.validate(h, same)
	if err != nil {
		return nil, err
	}
	generation = max(generation, h.Generation)

	whole := lastNum(h.Upstream, pending) == h.Local
	withdrawn := up.RollbackTo != nil && *up.RollbackTo != h.Upstream
	confirmed, delivered := 0, 0
	if !withdrawn {
		confirmed, delivered = confirm(pending, &up, same)
		if confirmed == len(pending) && !whole {
			return nil, ErrMore
		}
	}
	left, rest := pending[confirmed:], up.Events[delivered:]
	aside := firstAside(left, up.SetAside) // what is before it can stay where it is
	// Upstream takes nothing of a generation before its counter, so what is pending in one is stuck unless it is renumbered.
	stale := same == SameIdentity && len(left) > 0 && left[0].Num.Generation < up.Generation

	if !withdrawn && (len(left) == 0 || len(rest) == 0 && !stale && aside == len(left) && (whole || len(up.SetAside) == 0)) {
		upstream := lastNum(lastNum(h.Upstream, pending[:confirmed]), rest)
		return Advance{
			Confirmed: confirmed, New: rest,
			Heads: Heads{Local: lastNum(h.Local, rest), Upstream: upstream, Generation: generation},
		}, nil
	}
	if !whole {
		return nil, ErrMore
	}

	r := Rebase{Confirmed: confirmed, New: rest}
	upstream := lastNum(h.Upstream, pending[:confirmed])
	if withdrawn {
		upstream = *up.RollbackTo
	} else if len(rest) == 0 && !stale {
		r.Kept = aside
	}
	r.RollbackTo = lastNum(upstream, left[:r.Kept])
	r.replay(left[r.Kept:], up.SetAside, same)
	r.Renumber = NewRenumber(Heads{Local: lastNum(r.RollbackTo, rest), Upstream: lastNum(upstream, rest), Generation: generation})
	return r, nil
}

// confirm returns how many pending events the events of upstream confirm, and how many events that took.
func confirm(pending []event.Client, up *Upstream, same Same) (confirmed, events int) {
	if same == SameIdentity {
		n := 0
		for n < min(len(pending), len(up.Events)) && same.confirms(&pending[n], &up.Events[n]) {
			n++
		}
		return n, n
	}
	for {
		// Client-only events confirm with the synced ones around them …
		next := confirmed
		for next < len(pending) && pending[next].Num.IsClientOnly() {
			next++
		}
		if next < len(pending) && events < len(up.Events) && same.confirms(&pending[next], &up.Events[events]) {
			confirmed, events = next+1, events+1
			continue
		}
		// … except those of a commit whose next synced event is still pending: they move with it. And a commit that is set
		// aside goes whole.
		if next < len(pending) && !pending[next].ID.IsZero() {
			for next > confirmed && pending[next-1].ID.Commit == pending[next].ID.Commit {
				next--
			}
		}
		return confirmed + firstAside(pending[confirmed:next], up.SetAside), events
	}
}

// firstAside returns the index of the first event of a commit that is set aside, len(events) when there is none.
func firstAside(events []event.Client, setAside []event.CommitID) int {
	if len(setAside) == 0 {
		return len(events)
	}
	for i := range events {
		if slices.Contains(setAside, events[i].ID.Commit) {
			return i
		}
	}
	return len(events)
}

// replay sorts what was pending into what upstream delivered, what it set aside, and what is left.
func (r *Rebase) replay(pending []event.Client, setAside []event.CommitID, same Same) {
	var here map[event.ID]struct{}
	if same == SameIdentity {
		here = make(map[event.ID]struct{}, len(r.New))
		for i := range r.New {
			if id := r.New[i].ID; !id.IsZero() {
				here[id] = struct{}{}
			}
		}
	}
	left := make([]event.Client, 0, len(pending))
	for i := range pending {
		e := &pending[i]
		if _, ok := here[e.ID]; ok {
			r.Delivered = append(r.Delivered, e.ID)
		} else if c := e.ID.Commit; slices.Contains(setAside, c) {
			if !slices.Contains(r.SetAside, c) {
				r.SetAside = append(r.SetAside, c)
			}
		} else {
			left = append(left, *e)
		}
	}
	for len(left) > 0 {
		n := 1
		for n < len(left) && !left[0].ID.IsZero() && left[n].ID.Commit == left[0].ID.Commit {
			n++
		}
		r.Replay = append(r.Replay, left[:n:n])
		left = left[n:]
	}
}
