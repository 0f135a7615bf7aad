package leader

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/syncstate"
	"github.com/livestore-go/livestore/state"
)

// defaultPush is how many events a push to the sync backend holds, unless the config says otherwise.
const defaultPush = 50

// backend is what the leader knows of the sync backend, beyond the upstream head.
type backend struct {
	id      string // identity of the backend; empty before the first pull
	pushing bool   // a push is under way
	pushed  int64  // last event the backend answered as stored; its echo in the pull stream confirms it
	parked  int64  // nothing is pushed until the upstream head is here: what ServerAhead said
	doubt   bool   // it is not known whether the last push was stored: pull first
	halted  error  // why events of the backend are not applied
}

// ServerAheadError says that the backend has events that this client has not pulled. Nothing was stored.
type ServerAheadError struct{ Head int64 }

func (e *ServerAheadError) Error() string {
	return fmt.Sprintf("the sync backend is ahead, at e%d: pull first", e.Head)
}

// BackendChangedError says that the backend is another one than the store has synced with, or was set back. Sync stops and
// every event stays.
type BackendChangedError struct {
	StoreID string
	Err     error
}

func (e *BackendChangedError) Error() string {
	return fmt.Sprintf("store %s: the sync backend is not the one it was, sync stops: %v", e.StoreID, e.Err)
}

func (e *BackendChangedError) Unwrap() error { return e.Err }

// Cursor returns where to pull from and whose events: from one event before the upstream head, so that the overlap shows whether
// the backend is still the same.
func (m *Machine) Cursor() (backendID string, after int64) {
	return m.backend.id, max(0, m.heads.Upstream.Global-1)
}

// Doubt says whether the driver has to pull anew, from Cursor to the backend's head, before anything can be pushed.
func (m *Machine) Doubt() bool { return m.backend.doubt }

// Halted says why events of the backend are not applied, nil when they are.
func (m *Machine) Halted() error { return m.backend.halted }

// NextBackendPush returns the next pending events for the backend, false when there are none or something has to come first.
func (m *Machine) NextBackendPush() (backendID string, batch []event.Global, err error) {
	b := &m.backend
	if b.pushing || b.doubt || b.halted != nil || b.parked > m.heads.Upstream.Global {
		return "", nil, nil
	}
	after := event.SeqNum{Global: max(m.heads.Upstream.Global, b.pushed)}
	if after.Global == m.heads.Upstream.Global {
		after = m.heads.Upstream
	}
	var last event.CommitID
	for e, err := range m.log.Read(after, 0) {
		if err != nil {
			return "", nil, err
		}
		if e.Num.IsClientOnly() {
			continue
		}
		// A commit is pushed whole, however large: the backend takes a batch whole, so nothing gets between its events (R4).
		if len(batch) >= cmp.Or(m.cfg.MaxPush, defaultPush) && e.ID.Commit != last {
			break
		}
		batch, last = append(batch, e.Global()), e.ID.Commit
	}
	b.pushing = len(batch) > 0
	return b.id, batch, nil
}

// BackendPushed takes the answer to the push of a batch.
func (m *Machine) BackendPushed(batch []event.Global, err error) {
	b := &m.backend
	b.pushing = false
	ahead, isAhead := errors.AsType[*ServerAheadError](err)
	switch {
	case err == nil:
		b.pushed = max(b.pushed, batch[len(batch)-1].SeqNum)
	case isAhead:
		b.pushed, b.parked = 0, ahead.Head
	default:
		b.pushed, b.doubt = 0, true
	}
}

// BackendPulled applies what the backend has after a global number, in its order. That may lie before the upstream head: what is repeated
// is compared with the log. caughtUp says that the events reach the head that the backend had after the last push was answered.
//
// A gap is an error of syncstate: pull again. An event that does not materialize halts sync: the store goes on, nothing is
// lost, and the event is pulled again when a schema that can apply it opens the store.
func (m *Machine) BackendPulled(backendID string, after int64, events []event.Global, caughtUp bool) error {
	if m.backend.halted != nil {
		return m.backend.halted
	}
	if m.backend.id != "" && backendID != m.backend.id {
		return m.halt(&BackendChangedError{StoreID: m.cfg.StoreID, Err: fmt.Errorf("its identity is %s and was %s", backendID, m.backend.id)})
	}
	pulled := make([]event.Client, len(events))
	for i, e := range events {
		pulled[i] = e.Client()
	}
	pulled, err := m.overlap(after, pulled, caughtUp)
	if err != nil {
		return err
	}
	if err := m.catchUp(); err != nil { // it says nothing about these events
		return err
	}
	if len(pulled) > 0 || backendID != m.backend.id {
		err = m.transact(func(s *step) error {
			if backendID != m.backend.id {
				if err := m.log.SetBackendID(backendID); err != nil {
					return err
				}
			}
			return s.merge(pulled)
		})
		_, refused := errors.AsType[*materialize.Error](err)
		_, unknown := errors.AsType[*state.UnknownEventError](err)
		if refused || unknown {
			return m.halt(fmt.Errorf("store %s: an event of the sync backend does not apply; update the app: %w", m.cfg.StoreID, err))
		}
		if err != nil {
			return err
		}
		m.backend.id = backendID
	}
	if caughtUp {
		m.backend.doubt = false
	}
	return nil
}

func (m *Machine) halt(err error) error {
	m.backend.halted = err
	return err
}

// overlap takes off what the log has already, and finds out when it is not the same.
func (m *Machine) overlap(after int64, pulled []event.Client, caughtUp bool) ([]event.Client, error) {
	last := m.heads.Upstream.Global // caught up, the backend has all that it had confirmed
	if !caughtUp {
		if len(pulled) == 0 {
			return nil, nil
		}
		last = min(last, pulled[len(pulled)-1].Num.Global)
	}
	if len(pulled) > 0 && pulled[0].Parent.Global != after {
		return nil, &syncstate.GapError{Head: event.SeqNum{Global: after}, Got: pulled[0].Num, Parent: pulled[0].Parent}
	}
	var known []event.Client
	for e, err := range m.log.Read(event.SeqNum{Global: after, Client: maxClient}, 0) {
		if err != nil {
			return nil, err
		}
		if e.Num.Global > last {
			break
		}
		if !e.Num.IsClientOnly() {
			known = append(known, e)
		}
	}
	rest, err := syncstate.Overlap(known, pulled, syncstate.SameGlobal)
	if err != nil {
		return nil, m.halt(&BackendChangedError{StoreID: m.cfg.StoreID, Err: err})
	}
	return rest, nil
}

// maxClient is past every client-only event of a global position.
const maxClient = syncstate.MaxNum

// merge brings what the backend says into log and state.
func (s *step) merge(events []event.Client) error {
	m := s.m
	pending, err := m.pending(len(events) + maxStep)
	if err != nil {
		return err
	}
	up := syncstate.Upstream{Events: events}
	res, err := syncstate.Merge(s.heads, pending, up, syncstate.SameGlobal)
	if errors.Is(err, syncstate.ErrMore) {
		if pending, err = m.pending(0); err != nil {
			return err
		}
		res, err = syncstate.Merge(s.heads, pending, up, syncstate.SameGlobal)
	}
	if err != nil {
		return err
	}
	switch r := res.(type) {
	case syncstate.Advance:
		return s.advance(r)
	case syncstate.Rebase:
		return s.rebase(r)
	}
	return nil
}

// pending returns the first n events after the upstream head, all when n is 0.
func (m *Machine) pending(n int) ([]event.Client, error) {
	var out []event.Client
	for e, err := range m.log.Read(m.heads.Upstream, n) {
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func (s *step) advance(r syncstate.Advance) error {
	if err := s.applyNew(r.New); err != nil {
		return err
	}
	heads := s.heads
	s.heads = r.Heads
	if len(r.New) > 0 {
		s.publish(link.Publish{Events: r.New})
	} else if r.Heads.Upstream != heads.Upstream {
		s.published = append(s.published, link.Publish{}) // the new backend head
	}
	return nil
}

// applyNew applies and logs events of other clients.
func (s *step) applyNew(events []event.Client) error {
	for i := range events {
		if err := s.m.state.Apply(events[i : i+1]); err != nil {
			return err
		}
	}
	if len(events) == 0 {
		return nil
	}
	return s.append(events, s.heads)
}

// rebase brings the pending events onto what the backend has in their place. It is one transaction and one publish.
func (s *step) rebase(r syncstate.Rebase) error {
	m := s.m
	err := m.state.RollbackTo(r.RollbackTo)
	if errors.Is(err, materialize.ErrUndoMissing) {
		err = s.rebuild(r.RollbackTo)
	}
	if err != nil {
		return err
	}
	if err := m.log.DeleteAfter(r.RollbackTo); err != nil {
		return err
	}
	s.base = m.state.Head()
	to := r.RollbackTo
	p := link.Publish{RollbackTo: &to, Events: r.New}
	if err := s.applyNew(r.New); err != nil {
		return err
	}
	for _, commit := range r.Replay {
		events := r.Next(commit)
		why, err := refused(m.state.Apply(events))
		if err != nil {
			return err
		}
		if why != "" {
			r.Renumber.SetAside()
			if err := s.setAside(commit[0].ID.Commit, commit, why, &p); err != nil {
				return err
			}
			continue
		}
		r.Keep()
		if err := s.append(events, r.Heads()); err != nil {
			return err
		}
		p.Events = append(p.Events, events...)
	}
	s.heads = r.Heads()
	m.backend.pushed = 0
	s.publish(p)
	return nil
}

// rebuild replaces state by one that stands at a position, because its undo entries do not reach back there.
func (s *step) rebuild(upTo event.SeqNum) error {
	m := s.m
	if err := m.closeState(); err != nil {
		return err
	}
	engine, err := m.rebuild(upTo)
	if err != nil {
		return err
	}
	m.state = engine
	return engine.Conn().Begin()
}
