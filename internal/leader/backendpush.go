package leader

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/livestore-go/livestore/event"
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
			if whole >= cmp.Or(m.cfg.MaxPush, defaultPush) {
				break
			}
		}
		n := WireSize(&e)
		if limit.Bytes > 0 && n > limit.Bytes && len(batch) == 0 {
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
	return b.id, batch, nil
}

// wireSize is what an event takes on the wire beside its arguments, names and ids: keys, numbers, metadata, and its part of the message.
const wireSize = 512

// WireSize is at least the size of an event as the sync protocol writes it, in bytes.
func WireSize(e *event.Client) int {
	return wireSize + len(e.Name) + len(e.Args) + len(e.ClientID) + len(e.SessionID)
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
		m.BackendAt(b.pushed)
	case isAhead && ahead.Head > m.heads.Upstream.Global:
		b.parked = ahead.Head
		m.BackendAt(ahead.Head)
	case isOther:
		_ = m.halt(&BackendChangedError{StoreID: m.cfg.StoreID, Err: identity})
	case isRejected:
		b.rejected = err
	case isRefused: // nothing was stored
	default: // also when the backend is ahead, and yet not beyond what has been pulled from it
		b.doubt = true
	}
}
