package sim

import (
	"context"
	"errors"
	"slices"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/room"
)

// shelf is the log of the server: what it has taken outlives the server. Its disk fails when the schedule says so.
type shelf struct {
	*book
	b       *backend
	created []string // of the events
	fails   int      // operations until one fails, 0 for none
	dies    bool     // and the server with it
	dead    bool     // it has: nothing comes of what it does now
	bad     error    // what must never be
}

// errDisk is what the server is told by its disk.
var errDisk = errors.New("the disk of the server failed")

// BackendID implements [room.Log].
func (*shelf) BackendID() string { return backendID }

// Head implements [room.Log].
func (s *shelf) Head(context.Context) (int64, error) {
	if s.failed() {
		return 0, errDisk
	}
	return s.b.head(), nil
}

// Append implements [room.Log]. One that fails may have been made or not.
func (s *shelf) Append(_ context.Context, parent int64, batch []room.Event) error {
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
	s.append(batch)
	s.count("server: accepted")
	return nil
}

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
	s.tracef("  append %s", spanGlobal(events))
}

// Read implements [room.Log].
func (s *shelf) Read(_ context.Context, after int64, limit, maxBytes int) ([]room.Event, error) {
	if s.failed() {
		return nil, errDisk
	}
	var out []room.Event
	size := 0
	for i := max(after, 0); i < s.b.head() && len(out) < limit; i++ {
		e := room.Event{Global: s.b.events[i], CreatedAt: s.created[i]}
		if size += room.EventSize(e); len(out) > 0 && size > maxBytes {
			break
		}
		out = append(out, e)
	}
	if len(out) > 1 && s.rng.IntN(3) == 0 {
		out = out[:1+s.rng.IntN(len(out))] // a log may give fewer
	}
	return out, nil
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
