package leader

import (
	"errors"

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
	if err := m.transact(func(*step) error { return m.log.SetWaiting(w) }); err != nil {
		m.cfg.Logger.Warn("events that do not apply yet are not kept: they are pulled again", "store", m.cfg.StoreID, "err", err)
		return
	}
	m.backend.waits = true
}

// tryWaiting takes what waits into the log, as far as it applies now. It is there as if it had been pulled just before the store closed.
func (m *Machine) tryWaiting() error {
	w, err := m.log.ReadWaiting()
	if err != nil || len(w.Events) == 0 {
		return err
	}
	m.backend.waits = true
	if w.Events[0].ParentSeqNum != m.heads.Upstream.Global || m.backend.id != "" && m.backend.id != w.BackendID {
		return m.transact((*step).forgetWaiting)
	}
	events := make([]event.Client, len(w.Events))
	for i, e := range w.Events {
		events[i] = e.Client()
	}
	err = m.mergeBackend(w.BackendID, events)
	if _, halted := errors.AsType[*EventError](err); halted {
		return nil // the first round says so too, or the backend has something else there by then
	}
	return err
}

// forgetWaiting forgets what waits: it is in the log now, or nowhere any more.
func (s *step) forgetWaiting() error {
	if !s.m.backend.waits {
		return nil
	}
	return s.m.log.SetWaiting(eventlog.Waiting{})
}
