package leader

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/syncstate"
	"github.com/livestore-go/livestore/provider"
)

// defaultPush is how many events a push to the sync backend holds, unless the config says otherwise.
const defaultPush = 50

// NextBackendPush returns the next pending events for the backend, none when there are none or something has to come first.
func (m *Machine) NextBackendPush() (backendID string, batch []event.Global, err error) {
	b := &m.backend
	if b.pushing || b.doubt || b.halted != nil || b.rejected != nil || m.Parked() {
		return "", nil, nil
	}
	after := event.SeqNum{Global: max(m.heads.Upstream.Global, b.pushed)}
	if after.Global == m.heads.Upstream.Global {
		after = m.heads.Upstream
	}
	var last event.CommitID
	size, limit := 0, m.cfg.Limits
	whole := 0 // events up to the last commit boundary
	for e, err := range m.log.Read(after, 0) {
		if err != nil {
			return "", nil, err
		}
		if e.Num.IsClientOnly() {
			continue
		}
		if e.ID.Commit != last {
			whole = len(batch)
			// A commit is pushed whole where that is allowed: the backend takes a batch whole, so nothing gets between its events.
			if whole >= cmp.Or(m.cfg.MaxPush, defaultPush) || b.narrowTo > 0 && whole > 0 {
				break
			}
		}
		if !m.knows(e.Name) {
			if whole == 0 {
				b.rejected, b.rejectedID = &HeldError{StoreID: m.cfg.StoreID, Num: e.Num.Global, Name: e.Name}, e.ID.Commit
				return "", nil, nil
			}
			batch = batch[:whole]
			break
		}
		n := sizeOnWire(&e)
		if limit.Bytes > 0 && n > limit.Bytes && len(batch) == 0 {
			b.rejectedID = e.ID.Commit
			b.rejected = &provider.RejectedError{
				StoreID: m.cfg.StoreID, Num: e.Num.Global, Name: e.Name,
				Why: fmt.Sprintf("it has %d bytes, and at most %d go to a sync backend", n, limit.Bytes),
			}
			return "", nil, nil
		}
		if limit.Events > 0 && len(batch) == limit.Events || limit.Bytes > 0 && size+n > limit.Bytes {
			if whole > 0 {
				batch = batch[:whole]
			}
			break
		}
		size += n
		batch, last = append(batch, e.Global()), e.ID.Commit
	}
	b.pushing = len(batch) > 0
	b.tried = b.tried || b.pushing
	return b.id, batch, nil
}

// knows says whether the schema knows an event. Of one that it does not, nobody can say whether it still applies: a newer version of the
// app has committed it, and since then it may have been brought onto events that exclude it. Pushed, it would stop every client
// of that version for good.
func (m *Machine) knows(name string) bool {
	if m.state == nil {
		return true
	}
	_, ok := m.state.Schema().Definition(name)
	return ok
}

// HeldError says that a pending event, which another version of the app has committed, is not pushed: this one does not know it.
type HeldError struct {
	StoreID string
	Num     int64 // global number of the event
	Name    string
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("store %s: pending event e%d %s is not in the schema, and waits with all that comes after it: "+
		"open the store with a version of the app that knows it, or set its commit aside", e.StoreID, e.Num, e.Name)
}

// envelope is what an event takes on the wire beside its arguments, names and ids: keys, numbers, metadata, and its part of the message.
const envelope = 512

// sizeOnWire is at least the size of an event as the sync protocol writes it, in bytes.
func sizeOnWire(e *event.Client) int {
	return envelope + len(e.Name) + len(e.Args) + len(e.ClientID) + len(e.SessionID)
}

// BackendPushed takes the answer to the push of a batch.
func (m *Machine) BackendPushed(batch []event.Global, err error) {
	b := &m.backend
	b.pushing = false
	ahead, isAhead := errors.AsType[*provider.ServerAheadError](err)
	identity, isOther := errors.AsType[*provider.IdentityError](err)
	_, isRejected := errors.AsType[*provider.RejectedError](err)
	_, isRefused := errors.AsType[*provider.RefusedError](err)
	if err != nil {
		b.pushed = 0
	}
	switch {
	case err == nil:
		b.pushed = max(b.pushed, batch[len(batch)-1].SeqNum)
		if b.pushed >= b.narrowTo {
			b.narrowTo = 0
		}
		m.BackendAt(b.pushed)
	case isAhead && ahead.Head <= m.heads.Upstream.Global && batch[0].ParentSeqNum < m.heads.Upstream.Global:
		// What it had before this push has come before its answer.
	case isAhead && ahead.Head > m.heads.Upstream.Global:
		b.parked = ahead.Head
		m.BackendAt(ahead.Head)
	case isOther:
		_ = m.halt(&BackendChangedError{StoreID: m.cfg.StoreID, Err: identity})
	case isRejected && b.narrowTo == 0 && m.severalCommits(batch):
		b.narrowTo = batch[len(batch)-1].SeqNum
	case isRejected:
		b.rejected, b.rejectedID = err, m.commitAt(batch[0].SeqNum)
	case isRefused: // nothing was stored
	default: // also when the backend is ahead, and yet not beyond what has been pulled from it
		b.doubt = true
	}
}

// severalCommits says whether a batch holds events of more than one commit, or of one that can not be found any more.
func (m *Machine) severalCommits(batch []event.Global) bool {
	first, last := batch[0].SeqNum, batch[len(batch)-1].SeqNum
	var commit event.CommitID
	for e, err := range m.log.Read(event.SeqNum{Global: first - 1, Client: maxClient}, 0) {
		switch {
		case err != nil || e.Num.Global > last:
			return err != nil
		case e.Num.Global == first && !e.Num.IsClientOnly():
			commit = e.ID.Commit
		case e.ID.Commit != commit && !e.Num.IsClientOnly():
			return true
		}
	}
	return false
}

// SetAsideRejected sets aside the commit that the backend rejects, so that what comes after it can be pushed. It returns false when none
// is rejected. A commit of which the backend has stored the first events already is set aside from the next one on.
func (m *Machine) SetAsideRejected() (bool, error) {
	if m.backend.rejected == nil {
		return false, nil
	}
	found := false
	err := m.transact(func(s *step) (err error) {
		if found, err = s.setAsidePending(m.backend.rejectedID, m.backend.rejected.Error()); err == nil && !found {
			return errNothing
		}
		return err
	})
	return found && err == nil, err
}

// setAsidePending takes a commit out of what is pending, and sets it aside. It returns false when the commit is not pending.
func (s *step) setAsidePending(id event.CommitID, why string) (bool, error) {
	m := s.m
	pending, err := m.pending(0)
	if err != nil {
		return false, err
	}
	commit := slices.DeleteFunc(slices.Clone(pending), func(e event.Client) bool { return e.ID.Commit != id })
	if len(commit) == 0 {
		return false, nil
	}
	res, err := syncstate.Merge(s.heads, pending, syncstate.Upstream{SetAside: []event.CommitID{id}}, syncstate.SameGlobal)
	if err != nil {
		return false, err
	}
	r, ok := res.(syncstate.Rebase)
	if !ok {
		return false, fmt.Errorf("leader of store %s: set aside commit %s: it is not pending", m.cfg.StoreID, id)
	}
	var p link.Publish
	if err := s.undoTo(r.RollbackTo); err != nil {
		return false, err
	}
	if err := s.setAside(id, commit, why, &p); err != nil {
		return false, err
	}
	return true, s.replay(r, &p)
}

// commitAt returns the commit of the synced event with a number.
func (m *Machine) commitAt(num int64) (id event.CommitID) {
	for e, err := range m.log.Read(event.SeqNum{Global: num - 1, Client: maxClient}, 1) {
		if err == nil {
			id = e.ID.Commit
		}
	}
	return id
}
