package sim

import (
	"github.com/livestore-go/livestore/event"
)

// foreign lets another client commit.
func (w *world) foreign() (bool, error) {
	if !w.synced {
		return false, nil
	}
	for range 1 + w.rng.IntN(3) {
		tag := w.newID("f")
		d := w.draft(nil, part{tag, 0, 1})
		if d.Definition().Scope() == event.ScopeClientOnly {
			d = w.safe(part{tag, 0, 1})
		}
		args, err := d.Args("")
		if err != nil {
			return true, err
		}
		e := event.Global{
			Name: d.Definition().Name(), Args: args, SeqNum: w.backend.head() + 1, ParentSeqNum: w.backend.head(), ClientID: "them", SessionID: "x",
		}
		if err := w.backend.append(e); err != nil {
			w.count("foreign: does not apply") // so its author did not commit it
		} else {
			w.count("foreign: appended")
			w.tracef("  e%d %s %s", e.SeqNum, e.Name, e.Args)
		}
	}
	return true, nil
}

func (w *world) backendPush() (bool, error) {
	if !w.synced || w.up.batch != nil {
		return false, nil
	}
	return w.pushUp()
}

func (w *world) backendAnswer() (bool, error) {
	if w.up.batch == nil {
		return false, nil
	}
	how := max(0, w.rng.IntN(8)-4)
	if err := w.answerUp(how); err != nil {
		return true, err
	}
	return true, w.stands()
}

func (w *world) backendLate() (bool, error) {
	if len(w.up.late) == 0 {
		return false, nil
	}
	batch := w.up.late[0]
	w.up.late = w.up.late[1:]
	return true, w.arrive(batch)
}

func (w *world) backendPull() (bool, error) {
	if !w.synced {
		return false, nil
	}
	if !w.up.open {
		w.connect()
	}
	w.fetch(1 + w.rng.IntN(6))
	return true, nil
}

func (w *world) backendPage() (bool, error) {
	if len(w.up.pages) == 0 || !w.up.open {
		return false, nil
	}
	p := w.up.pages[0]
	w.up.pages = w.up.pages[1:]
	return true, w.take(p)
}

// backendAgain delivers a page twice.
func (w *world) backendAgain() (bool, error) {
	p := w.up.last
	if len(p.events) == 0 {
		return false, nil
	}
	w.count("backend: page twice")
	p.caughtUp = false
	return true, w.take(p)
}

// backendGap leaves events out.
func (w *world) backendGap() (bool, error) {
	if !w.synced || w.backend.head() < w.leader.Heads().Upstream.Global+2 {
		return false, nil
	}
	w.connect()
	from := w.leader.Heads().Upstream.Global
	after := max(0, from-w.rng.Int64N(2)) // asked for from the head on, or from the event before it
	return true, w.take(page{after: after, events: w.backend.events[from+1:], gap: true})
}

func (w *world) backendReconnect() (bool, error) {
	if !w.synced {
		return false, nil
	}
	w.connect()
	return true, nil
}

// backendRound does all that can be done with the backend at once.
func (w *world) backendRound() (bool, error) {
	if !w.synced {
		return false, nil
	}
	return w.roundUp()
}
