package sim

import (
	"errors"
	"fmt"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/syncstate"
	"github.com/livestore-go/livestore/provider"
)

// uplink is the connection of the leader to the sync backend.
type uplink struct {
	batch []event.Global   // pushed, and not answered yet
	late  [][]event.Global // whose answer was given up, and which may arrive yet
	at    int64            // last event that was pulled on this connection
	open  bool
	doubt bool   // it is not known whether a push arrived
	ahead int64  // where the backend said it is when it refused one
	began int    // answers to pushes when the connection began
	pages []page // pulled, and not taken yet
	last  page   // taken last
}

// page is a part of a pull.
type page struct {
	after    int64
	events   []event.Global
	caughtUp bool
	gap      bool
}

const backendID = "backend"

// connect begins a pull anew.
func (w *world) connect() {
	w.up.at, w.up.open, w.up.began, w.up.pages = w.leader.Cursor().After, true, w.backend.answers, nil
}

// fetch asks for up to n more events.
func (w *world) fetch(n int) {
	u, b := &w.up, w.backend
	end := min(u.at+int64(n), b.head())
	u.pages = append(u.pages, page{after: u.at, events: b.events[u.at:end:end], caughtUp: end == b.head()})
	u.at = end
}

// take gives the oldest page to the leader.
func (w *world) take(p page) error {
	// It is known to reach far enough only when it was pulled after the last push was answered.
	caughtUp := p.caughtUp && w.up.began == w.backend.answers && w.up.batch == nil
	w.tracef("  %d events of the backend, caught up %t, gap %t", len(p.events), caughtUp, p.gap)
	w.classifyPage(p)
	err := w.leader.BackendPulled(backendID, p.after, p.events, caughtUp)
	var gap *syncstate.GapError
	switch {
	case p.gap && errors.As(err, &gap):
		w.count("backend: gap")
		w.up.open = false
		return nil
	case err != nil:
		return fmt.Errorf("pull from the backend: %w", err)
	}
	if caughtUp {
		w.up.doubt = false
	}
	w.up.last = p
	return w.stands()
}

func (w *world) classifyPage(p page) {
	h := w.leader.Heads()
	var events []event.Client
	for _, e := range p.events {
		if e.SeqNum > h.Upstream.Global {
			events = append(events, e.Client())
		}
	}
	if len(events) < len(p.events) {
		w.count("leader: overlap")
	}
	pending, err := eventsAfter(w.log, h.Upstream)
	if err != nil {
		return
	}
	res, err := syncstate.Merge(h, pending, syncstate.Upstream{Events: events}, syncstate.SameGlobal)
	if err != nil {
		return
	}
	w.merged("leader", res, false)
}

// pushUp begins a push.
func (w *world) pushUp() (bool, error) {
	_, batch, err := w.leader.NextBackendPush()
	if err != nil || len(batch) == 0 {
		return false, err
	}
	switch from := batch[0].ParentSeqNum; {
	case w.up.doubt:
		return true, failf("the leader pushes e%d, and has not pulled since a push whose answer was lost (R3)", batch[0].SeqNum)
	case w.leader.Heads().Upstream.Global < w.up.ahead:
		return true, failf("the leader pushes e%d, and has not pulled up to e%d, where the backend said it is (R3)", batch[0].SeqNum, w.up.ahead)
	case from > w.backend.head():
		return true, failf("the leader pushes e%d, and the backend never had e%d", batch[0].SeqNum, from)
	}
	w.up.batch = batch
	w.tracef("  push e%d…e%d to the backend", batch[0].SeqNum, batch[len(batch)-1].SeqNum)
	return true, nil
}

// arrive lets the backend take or refuse a batch.
func (w *world) arrive(batch []event.Global) error {
	err := w.backend.push(batch)
	if _, bad := errors.AsType[*failure](err); bad {
		return err
	}
	if err != nil {
		w.count("backend: ahead")
	} else {
		w.count("backend: accepted")
	}
	return nil
}

// answerUp ends the push under way.
func (w *world) answerUp(how int) error {
	batch := w.up.batch
	w.up.batch = nil
	var err error
	switch how {
	case 0: // as it should be
		err = w.backend.push(batch)
		if _, bad := errors.AsType[*failure](err); bad {
			return err
		}
		if err != nil {
			w.count("backend: ahead")
			ahead, ok := errors.AsType[*provider.ServerAheadError](err)
			if !ok {
				return err
			}
			w.up.ahead = ahead.Head
		} else {
			w.count("backend: accepted")
		}
	case 1: // it arrived, and the answer did not
		if err := w.arrive(batch); err != nil {
			return err
		}
		err = errLost
		w.count("backend: answer lost")
	case 2: // it did not arrive
		err = errLost
		w.count("backend: push lost")
	case 3: // it may arrive yet
		w.up.late = append(w.up.late, batch)
		err = errLost
		w.count("backend: push late")
	}
	w.tracef("  answer: %v", err)
	w.up.doubt = w.up.doubt || how > 0
	w.backend.answers++
	w.leader.BackendPushed(batch, err)
	if w.leader.Doubt() {
		w.count("leader: doubt")
		w.up.open = false // pull anew from the cursor
	}
	return nil
}
