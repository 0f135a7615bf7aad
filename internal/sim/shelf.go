package sim

import (
	"context"
	"errors"
	"slices"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/room"
)

// shelf is the log of the server: what it has taken outlives the server. It is imitated, or with a drawer the real one on a disk of its
// own; then b is what it must hold. Its disk fails when the schedule says so.
type shelf struct {
	*book
	b       *backend
	created []string // of the events
	drawer  *drawer  // nil when the log is imitated

	fails int   // operations until one fails, 0 for none
	dies  bool  // and the server with it
	dead  bool  // it has: nothing comes of what it does now
	full  bool  // nothing more can be stored
	bad   error // what must never be
}

// Errors that the server is told by its disk, when that is imitated.
var (
	errDisk = errors.New("the disk of the server failed")
	errFull = errors.New("the disk of the server is full")
)

// BackendID implements [room.Log].
func (s *shelf) BackendID() string {
	if s.drawer != nil {
		return s.drawer.log.BackendID()
	}
	return s.b.id
}

// Head implements [room.Log].
func (s *shelf) Head(ctx context.Context) (int64, error) {
	if s.drawer != nil {
		return s.drawerHead(ctx)
	}
	if s.failed() {
		return 0, errDisk
	}
	return s.b.head(), nil
}

// Append implements [room.Log]. One that fails may have been made or not.
func (s *shelf) Append(ctx context.Context, parent int64, batch []room.Event) error {
	if s.drawer != nil {
		return s.drawerAppend(ctx, parent, batch)
	}
	if s.dead {
		return errDisk
	}
	if s.failed() {
		made := s.rng.IntN(2) == 0
		s.tracef("  append after e%d fails, made: %t", parent, made)
		s.count("server: append failed")
		if made && parent == s.b.head() {
			s.append(batch)
			s.count("server: append failed, and was made")
		}
		return errDisk
	}
	if parent != s.b.head() {
		return &room.HeadError{Head: s.b.head()}
	}
	if s.full {
		s.count("server: full disk refuses a push")
		return errFull
	}
	s.append(batch)
	s.count("server: accepted")
	return nil
}

// append notes a batch that the log has.
func (s *shelf) append(batch []room.Event) {
	events := make([]event.Global, len(batch))
	for i, e := range batch {
		events[i] = e.Global
		events[i].Args = slices.Clone(e.Args) // so it shows when somebody writes to them
		s.created = append(s.created, e.CreatedAt)
	}
	if err := s.b.push(events); err != nil && s.bad == nil {
		s.bad = err
	}
	s.b.ends = append(s.b.ends, s.b.head())
	s.tracef("  append %s", spanGlobal(events))
}

// Read implements [room.Log].
func (s *shelf) Read(ctx context.Context, after int64, limit, maxBytes int) (out []room.Event, err error) {
	if s.drawer != nil {
		out, err = s.drawerRead(ctx, after, limit, maxBytes)
	} else {
		out, err = s.read(after, limit, maxBytes)
	}
	if len(out) > 1 && s.rng.IntN(3) == 0 {
		out = out[:1+s.rng.IntN(len(out))] // a log may give fewer
	}
	return out, err
}

func (s *shelf) read(after int64, limit, maxBytes int) ([]room.Event, error) {
	if s.failed() {
		return nil, errDisk
	}
	var out []room.Event
	size := 0
	for i := max(after, 0); i < s.b.head() && len(out) < limit; i++ {
		e := s.event(i)
		if size += room.EventSize(e); len(out) > 0 && size > maxBytes {
			break
		}
		out = append(out, e)
	}
	return out, nil
}

// event is what the log has after a number.
func (s *shelf) event(after int64) room.Event {
	return room.Event{Global: s.b.events[after], CreatedAt: s.created[after]}
}

// Close implements [room.Log].
func (*shelf) Close() error { return nil }

// failed says whether this operation fails.
func (s *shelf) failed() bool {
	if s.dead {
		return true
	}
	if s.fails == 0 {
		return false
	}
	s.fails--
	if s.fails > 0 {
		return false
	}
	s.dead = s.dies
	return true
}

// arm lets the disk fail soon: once, or with dies for good, and the server with it.
func (s *shelf) arm(n int, dies bool) {
	s.fails, s.dies = n, dies
	s.count("server: disk fails")
	if s.drawer != nil {
		s.drawer.arm(1+s.rng.IntN(6*n), dies)
	}
}

// armed says whether the disk is about to fail.
func (s *shelf) armed() bool {
	if d := s.drawer; d != nil {
		return d.disk.off > 0 || d.once > 0
	}
	return s.fails > 0
}

// disarm lets the disk be well.
func (s *shelf) disarm() {
	s.fails, s.full = 0, false
	if s.drawer != nil {
		s.drawer.disarm()
	}
}

// fill lets the disk be full.
func (s *shelf) fill() {
	s.full = true
	s.count("server: disk full")
	if s.drawer != nil {
		s.drawer.fill(s.rng.Int64N(9000) * s.rng.Int64N(2))
	}
}

// empty lets it have space again.
func (s *shelf) empty() {
	s.full = false
	if s.drawer != nil {
		s.drawer.disk.SetFree(-1)
	}
}

// troubled says whether the disk of a server has ever been made to fail: then clients may be told that it did.
func (b *book) troubled() bool {
	return b.counts["server: disk fails"]+b.counts["server: disk full"] > 0
}
