package leader

import (
	"errors"
	"slices"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
)

// keepWaiting keeps what the backend has sent from an event on that does not apply in this version of the app. The next version has it
// then before it has reached the backend. A disk that is full keeps nothing, and the backend still has it all.
func (m *Machine) keepWaiting(backendID string, events []event.Client) {
	w := eventlog.Waiting{BackendID: backendID}
	for _, e := range events {
		w.Events = append(w.Events, e.Global())
	}
	kept, err := m.log.ReadWaiting()
	if err == nil && kept.BackendID == backendID && slices.EqualFunc(kept.Events, w.Events, event.Global.Equal) {
		return // a round that is tried again and again writes nothing
	}
	if err := m.transact(func(*step) error { return m.log.SetWaiting(w) }); err != nil {
		m.cfg.Logger.Warn("events that do not apply yet are not kept: they are pulled again", "store", m.cfg.StoreID, "err", err)
		return
	}
	m.backend.waits = true
}

// tryWaiting takes what waits into the log, as far as it applies now: it is there as if it had been pulled just before the store closed.
// The store opens also where that does not work, for the backend has it all. Before a first event was confirmed nothing is taken: the app
// may have another backend by now.
func (m *Machine) tryWaiting() error {
	w, err := m.log.ReadWaiting()
	if err != nil || len(w.Events) == 0 {
		return err
	}
	m.backend.waits = true
	if m.backend.id != w.BackendID || w.Events[0].ParentSeqNum != m.heads.Upstream.Global {
		return nil
	}
	events := make([]event.Client, len(w.Events))
	for i, e := range w.Events {
		events[i] = e.Client()
	}
	err = m.mergeBackend(w.BackendID, events)
	if _, halted := errors.AsType[*EventError](err); err == nil || halted { // which the first round says too, if it is still there
		return nil
	}
	m.cfg.Logger.Warn("events that had waited for another version of the app are not taken now: they are pulled",
		"store", m.cfg.StoreID, "err", err)
	return m.catchUp()
}

// forgetWaiting forgets what waits: it is in the log now, or nowhere any more.
func (s *step) forgetWaiting() error {
	if !s.m.backend.waits {
		return nil
	}
	return s.m.log.SetWaiting(eventlog.Waiting{})
}
