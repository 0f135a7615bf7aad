package leader

import (
	"errors"
	"fmt"
	"slices"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/breaker"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/syncstate"
	"github.com/livestore-go/livestore/provider"
	"github.com/livestore-go/livestore/state"
)

// backend is what the leader knows of the sync backend, beyond the upstream head.
type backend struct {
	id         string         // identity of the backend; empty before the first pull
	head       int64          // the last event that it is known to have
	pushing    bool           // a push is under way
	pushed     int64          // last event the backend answered as stored; its echo in the pull stream confirms it
	parked     int64          // nothing is pushed until the upstream head is here: what ServerAhead said
	doubt      bool           // it is not known whether the last push was stored: pull first
	halted     error          // why events of the backend are not applied
	waits      bool           // the log keeps events of it that do not apply in this version of the app, or has since it was opened
	changed    bool           // it was another one, and has not shown since then that it is the one it was
	rejectedID event.CommitID // which commit that is; it may have other numbers by now
	rejected   error          // why the backend does not take the next commit
	narrowTo   int64          // … up to here

	breaker breaker.Breaker // of the loop of pushes that come too late
	tried   bool            // something was pushed since the breaker's last turn
}

// BackendChangedError says that the backend is another one than the store has synced with, or was set back. Sync stops and
// every event stays.
type BackendChangedError struct {
	StoreID string
	Err     error
}

func (e *BackendChangedError) Error() string {
	return fmt.Sprintf("store %s: the sync backend is not the one it was, and sync stops: %v; nothing is lost: Store.Rebase goes on with "+
		"the backend as it is now, and ResumeSync when the old one is back", e.StoreID, e.Err)
}

func (e *BackendChangedError) Unwrap() error { return e.Err }

// Cursor returns where to pull from and whose events: from one event before the upstream head, so that the overlap shows whether
// the backend is still the same.
func (m *Machine) Cursor() provider.Cursor {
	return provider.Cursor{BackendID: m.backend.id, After: max(0, m.heads.Upstream.Global-1)}
}

// Doubt says whether the driver has to pull anew, from Cursor to the backend's head, before anything can be pushed.
func (m *Machine) Doubt() bool { return m.backend.doubt }

// Halted says why events of the backend are not applied, nil when they are.
func (m *Machine) Halted() error { return m.backend.halted }

// Retry lets an event be tried again that did not apply: the backend may have been set back to before it. It returns why the backend can
// not be pulled from at all.
func (m *Machine) Retry() error {
	if _, event := errors.AsType[*EventError](m.backend.halted); event {
		m.backend.halted = nil
	}
	return m.backend.halted
}

// Rejected says why the backend does not take the next pending event, nil when it has not said so.
func (m *Machine) Rejected() error { return m.backend.rejected }

// Parked says whether pushes wait for events that the backend has said it has.
func (m *Machine) Parked() bool { return m.backend.parked > m.heads.Upstream.Global }

// pendingEvents returns how many synced events the backend has not confirmed.
func (m *Machine) pendingEvents() int { return int(m.heads.Local.Global - m.heads.Upstream.Global) }

// BackendHead returns the last event that the backend is known to have: beyond the upstream head there are some to pull.
func (m *Machine) BackendHead() int64 { return max(m.backend.head, m.heads.Upstream.Global) }

// BackendAt says that the backend has events up to a head.
func (m *Machine) BackendAt(head int64) { m.backend.head = max(m.backend.head, head) }

// Resume forgets why sync has stopped: what stopped it is tried again.
func (m *Machine) Resume() {
	m.backend.halted, m.backend.rejected = nil, nil
	m.backend.breaker.Progress()
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
	if n := len(events); n > 0 {
		m.BackendAt(events[n-1].SeqNum)
	}
	pulled, err := m.overlap(after, pulled, caughtUp)
	if err != nil {
		return err
	}
	if err := m.catchUp(); err != nil { // it says nothing about these events
		return err
	}
	if len(pulled) > 0 || backendID != m.backend.id {
		if err := m.mergeBackend(backendID, pulled); err != nil {
			return err
		}
	}
	if caughtUp && !m.backend.pushing {
		// All it has is here now. What it had said of more, or of having stored what did not come, holds no longer: it was set back.
		m.backend.doubt, m.backend.parked, m.backend.pushed, m.backend.head = false, 0, 0, m.heads.Upstream.Global
	}
	if caughtUp {
		m.backend.changed = false
	}
	if caughtUp && m.backend.waits { // it is in the log now, or the backend has it no more
		if err := m.transact((*step).forgetWaiting); err != nil {
			return err
		}
		m.backend.waits = false
	}
	return nil
}

// mergeBackend merges events that the log does not have yet. When one of them does not apply, those before it do, and sync halts.
func (m *Machine) mergeBackend(backendID string, events []event.Client) error {
	var res syncstate.Result
	err := m.transact(func(s *step) (err error) {
		if backendID != m.backend.id {
			if err := m.log.SetBackendID(backendID); err != nil {
				return err
			}
		}
		res, err = s.merge(events)
		return err
	})
	if err == nil {
		m.backend.id = backendID
		m.merged(res)
		return nil
	}
	num, ok := refusedAt(err)
	if !ok {
		return err
	}
	i := slices.IndexFunc(events, func(e event.Client) bool { return e.Num == num })
	if i < 0 { // it is one that the log has: state could not follow
		return err
	}
	if i > 0 {
		if err := m.mergeBackend(backendID, events[:i]); err != nil {
			return err
		}
	}
	m.keepWaiting(backendID, events[i:])
	return m.halt(&EventError{StoreID: m.cfg.StoreID, ClientID: m.log.Meta().ClientID, Num: num.Global, Err: err})
}

// refusedAt returns the number of the event that a step ended with because it does not apply.
func refusedAt(err error) (event.SeqNum, bool) {
	if e, ok := errors.AsType[*materialize.Error](err); ok {
		return e.Num, true
	}
	if e, ok := errors.AsType[*state.UnknownEventError](err); ok {
		return e.Num, true
	}
	return event.SeqNum{}, false
}

// EventError says that an event of the sync backend does not apply here, though it did at its author: this app is older, or wrong. It and
// what follows it is pulled again when an app that can apply it opens the store.
type EventError struct {
	StoreID  string
	ClientID string
	Num      int64
	Err      error
}

func (e *EventError) Error() string {
	return fmt.Sprintf("store %s (client %s): event e%d of the sync backend does not apply, sync stops; update the app: %v",
		e.StoreID, e.ClientID, e.Num, e.Err)
}

func (e *EventError) Unwrap() error { return e.Err }

func (m *Machine) halt(err error) error {
	m.backend.halted = err
	if _, changed := errors.AsType[*BackendChangedError](err); changed {
		m.backend.changed = true
	}
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

// merge brings what the backend says into log and state. It returns what that came to.
func (s *step) merge(events []event.Client) (syncstate.Result, error) {
	m := s.m
	pending, err := m.pending(len(events) + maxStep)
	if err != nil {
		return nil, err
	}
	up := syncstate.Upstream{Events: events}
	res, err := syncstate.Merge(s.heads, pending, up, syncstate.SameGlobal)
	if errors.Is(err, syncstate.ErrMore) {
		if pending, err = m.pending(0); err != nil {
			return nil, err
		}
		res, err = syncstate.Merge(s.heads, pending, up, syncstate.SameGlobal)
	}
	if err != nil {
		return nil, err
	}
	switch r := res.(type) {
	case syncstate.Advance:
		err = s.advance(r)
	case syncstate.Rebase:
		err = s.rebase(r)
	}
	return res, err
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
func (s *step) rebase(r syncstate.Rebase) error { return s.replay(r, &link.Publish{}) }

// replay is a rebase, with what p says already.
func (s *step) replay(r syncstate.Rebase, p *link.Publish) error {
	m := s.m
	if err := s.undoTo(r.RollbackTo); err != nil {
		return err
	}
	to := r.RollbackTo
	p.RollbackTo, p.Events = &to, slices.Clip(r.New) // what is appended must not get into the events behind them
	if err := s.applyNew(r.New); err != nil {
		return err
	}
	for _, commit := range r.Replay {
		if err := s.again(r.Renumber, commit, p); err != nil {
			return err
		}
	}
	s.heads = r.Heads()
	m.backend.pushed = 0
	s.publish(*p)
	return nil
}

// again applies and logs a commit under new numbers, or sets it aside when it does not apply any more.
func (s *step) again(numbers *syncstate.Renumber, commit []event.Client, p *link.Publish) error {
	events := numbers.Next(commit)
	why, err := refused(s.m.state.Apply(events))
	if err != nil {
		return err
	}
	if why != "" {
		numbers.SetAside()
		return s.setAside(commit[0].ID.Commit, commit, why, p)
	}
	numbers.Keep()
	told := len(s.unknown)
	if err := s.append(events, numbers.Heads()); err != nil {
		return err
	}
	s.unknown = s.unknown[:told] // they have been in the log before
	p.Events = append(p.Events, events...)
	return nil
}

// undoTo undoes state and log to a position. Where they are there, it does nothing.
func (s *step) undoTo(to event.SeqNum) error {
	m := s.m
	err := m.state.RollbackTo(to)
	if errors.Is(err, materialize.ErrUndoMissing) {
		err = s.rebuild(to)
	}
	if err == nil {
		err = m.log.DeleteAfter(to)
	}
	if err == nil {
		s.base = m.state.Head()
	}
	return err
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
	if at := engine.Head().Num; at != upTo {
		return fmt.Errorf("leader of store %s: state was to be rebuilt up to %s and is up to %s", m.cfg.StoreID, upTo, at)
	}
	return engine.Conn().Begin()
}
