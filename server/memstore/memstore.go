// Package memstore keeps the logs of stores in memory: for tests and demos.
//
// When the process ends everything is gone. Clients that have synced keep what they have, refuse the new log, which has another backend
// id, and stop syncing.
package memstore

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/livestore-go/livestore/server"
)

// ErrClosed says that the storage or the log was closed before.
var ErrClosed = errors.New("memstore: it is closed")

// Storage holds logs. It may be used from any goroutine.
type Storage struct {
	mu     sync.Mutex
	logs   map[string]*events
	closed bool
}

var _ server.Storage = (*Storage)(nil)

// New returns a storage without any log.
func New() *Storage { return &Storage{logs: map[string]*events{}} }

// Open opens the log of a store, and makes it with a new backend id the first time. A log stays when it is closed, until the
// storage is.
func (s *Storage) Open(ctx context.Context, storeID string) (server.Log, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := server.CheckStoreID(storeID); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	l := s.logs[storeID]
	if l == nil {
		l = &events{backendID: server.NewBackendID()}
		s.logs[storeID] = l
	}
	return &log{events: l}, nil
}

// Close forgets everything. Closing twice is allowed.
func (s *Storage) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.logs {
		l.mu.Lock()
		l.all, l.closed = nil, true
		l.mu.Unlock()
	}
	s.logs, s.closed = nil, true
	return nil
}

// events are the log of one store.
type events struct {
	backendID string

	mu     sync.RWMutex
	all    []server.Event
	closed bool
}

func (l *events) head() int64 {
	if len(l.all) == 0 {
		return 0
	}
	return l.all[len(l.all)-1].SeqNum
}

// log is one user's handle of a log.
type log struct {
	events *events
	closed atomic.Bool
}

// check says why the log can not be used; the lock is held.
func (l *log) check(ctx context.Context) error {
	if l.closed.Load() || l.events.closed {
		return ErrClosed
	}
	return ctx.Err()
}

// BackendID implements [server.Log].
func (l *log) BackendID() string { return l.events.backendID }

// Head implements [server.Log].
func (l *log) Head(ctx context.Context) (int64, error) {
	l.events.mu.RLock()
	defer l.events.mu.RUnlock()
	if err := l.check(ctx); err != nil {
		return 0, err
	}
	return l.events.head(), nil
}

// Append implements [server.Log].
func (l *log) Append(ctx context.Context, parent int64, batch []server.Event) error {
	own := slices.Clone(batch)
	for i := range own {
		own[i].Args = slices.Clone(own[i].Args) // they may be part of a frame, which is larger
	}
	l.events.mu.Lock()
	defer l.events.mu.Unlock()
	if err := l.check(ctx); err != nil {
		return err
	}
	if head := l.events.head(); head != parent {
		return &server.HeadError{Head: head}
	}
	l.events.all = append(l.events.all, own...)
	return nil
}

// Read implements [server.Log].
func (l *log) Read(ctx context.Context, after int64, limit, maxBytes int) ([]server.Event, error) {
	l.events.mu.RLock()
	defer l.events.mu.RUnlock()
	if err := l.check(ctx); err != nil {
		return nil, err
	}
	all := l.events.all
	from, found := slices.BinarySearchFunc(all, after, func(e server.Event, n int64) int {
		return int(min(1, max(-1, e.SeqNum-n)))
	})
	if found {
		from++
	}
	bytes, to := 0, from
	for to < len(all) && to-from < max(limit, 1) {
		bytes += server.EventSize(all[to])
		if to > from && bytes > maxBytes {
			break
		}
		to++
	}
	return slices.Clone(all[from:to]), nil
}

// Close implements [server.Log].
func (l *log) Close() error {
	l.closed.Store(true)
	return nil
}
