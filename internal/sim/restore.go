package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/wire"
	"github.com/livestore-go/livestore/provider"
)

// drawServer is apart from everything else that is drawn for a fleet.
const drawServer = 1<<60 + 1<<20

// drawServer draws where the log of the server lies, and whether it may be set back.
func (f *fleet) drawServer() (err error) {
	r := rand.New(rand.NewPCG(f.seed, drawServer+uint64(len(f.fleets))))
	onDisk := r.IntN(3) == 0
	f.sets = r.IntN(6) == 0
	if !onDisk {
		return nil
	}
	s := f.server.shelf
	f.count("server: a log in SQLite")
	if s.drawer, err = newDrawer(f.store, s.b, nil); err != nil {
		return err
	}
	return s.drawer.close()
}

// restore puts an older copy of the log of the server in its place, or a new one. All who are connected find themselves alone.
func (f *fleet) restore(*peer) (bool, error) {
	s := f.server.shelf
	pushes := len(s.b.ends)
	if !f.sets || pushes == 0 {
		return false, nil
	}
	left, id := pushes-1-min(f.rng.IntN(pushes), f.rng.IntN(pushes)), s.b.id
	switch f.rng.IntN(5) {
	case 0:
		left, id = 0, fmt.Sprint(backendID, f.nth("backend"))
		f.count("fault: backend made anew")
	case 1:
		if f.rng.IntN(3) == 0 {
			left = pushes
		}
		id = fmt.Sprint(backendID, f.nth("backend"))
		f.count("fault: backend restored under another id")
	default:
		f.count("fault: backend restored from an older backup")
	}
	f.crashServer()
	if err := f.replace(id, left); err != nil {
		return true, err
	}
	if f.rng.IntN(2) == 0 {
		return true, f.startServer()
	}
	return true, nil
}

// replace gives the server a log with the first pushes of the one it has.
func (f *fleet) replace(id string, pushes int) error {
	s := f.server.shelf
	old, head := s.b, int64(0)
	if pushes > 0 {
		head = old.ends[pushes-1]
	}
	b, err := newBackend(newest)
	if err != nil {
		return err
	}
	b.id, b.ends = id, slices.Clone(old.ends[:pushes])
	for _, e := range old.events[:head] {
		if err := b.append(e); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
	}
	f.tracef("  the log of the server is %s with %d events, and was %s with %d", id, head, old.id, old.head())
	_ = old.state.Conn().Close()
	s.b, s.created = b, s.created[:head:head]
	f.logs = append(f.logs, b)
	f.server.changed = true
	if s.drawer == nil {
		return nil
	}
	s.drawer.disk.Close()
	if s.drawer, err = newDrawer(f.store, b, s.created); err != nil {
		return err
	}
	if s.full {
		s.drawer.fill(0)
	}
	return s.drawer.close()
}

// shared is how many events two logs begin with together.
func shared(a, b []event.Global) (n int64) {
	for n < int64(min(len(a), len(b))) && a[n].Equal(b[n]) {
		n++
	}
	return n
}

// stray lets somebody come who means another backend.
func (f *fleet) stray(*peer) (bool, error) {
	if len(f.readers) == mostReaders || f.server.room == nil {
		return false, nil
	}
	log := f.server.shelf.b
	ids := []string{"elsewhere"}
	for _, b := range f.logs {
		if b.id != log.id {
			ids = append(ids, b.id)
		}
	}
	r := &reader{pipe: &pipe{no: f.nth("pipe"), dialect: wire.E4}, id: wire.NumberID(0), means: ids[f.rng.IntN(len(ids))]}
	var m wire.ClientMessage = &wire.Pull{
		ID: r.id, StoreID: f.store, Live: f.rng.IntN(2) == 0, Cursor: &wire.Cursor{BackendID: r.means, After: f.rng.Int64N(log.head() + 1)},
	}
	if f.rng.IntN(2) == 0 {
		m = &wire.Push{ID: r.id, StoreID: f.store, BackendID: r.means, Batch: []event.Global{{
			SeqNum: log.head() + 1, ParentSeqNum: log.head(), Name: itemCounted.Name(), Args: []byte(`{}`), ClientID: "stray", SessionID: "x",
		}}}
	}
	f.readers = append(f.readers, r)
	f.server.connect(r.pipe)
	r.pipe.send(m, false)
	return true, nil
}

// refused takes the answer to somebody who means another backend.
func (r *reader) refused(f *fleet, m wire.ServerMessage) error {
	exit, ok := m.(*wire.Exit)
	if !ok || len(exit.Failure) == 0 {
		return failf("the server answers somebody who means backend %q with %s", r.means, describeServer(m))
	}
	other, ok := errors.AsType[*wire.BackendIDMismatchError](exit.Failure[0].Err)
	if !ok || other.Expected != r.pipe.log.id || other.Received != r.means {
		return failf("the server, which is %q, answers somebody who means backend %q: %s", r.pipe.log.id, r.means, describeServer(m))
	}
	f.count("reader: means another backend")
	f.gone(r)
	return nil
}

// identity is what a client is told that means another backend.
func (p *peer) identity(e *wire.BackendIDMismatchError) (err, bad error) {
	if !p.fleet.server.changed || p.pipe == nil || e.Expected != p.pipe.log.id || e.Received == e.Expected {
		return nil, failf("the server says to %s that it is %q, and not %q", p.client, e.Expected, e.Received)
	}
	p.count("peer: told that the backend is another one")
	return &provider.IdentityError{StoreID: p.store, Backend: e.Expected, Received: e.Received}, nil
}
