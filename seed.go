package livestore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/livestore-go/livestore/event"
)

// sow seeds the store that Open opens, and closes it when that fails: also when f panics, as nobody else has the store.
func (s *Store) sow(ctx context.Context, adapter Adapter, f func(*Store) error) (err error) {
	done := false
	defer func() {
		if !done {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := s.seed(ctx, adapter, f); err != nil {
		return fmt.Errorf("seed store %s: %w", s.StoreID(), err)
	}
	done = true
	return nil
}

// seed fills an empty eventlog. It returns when the state of this session has the seed, whoever sowed it.
func (s *Store) seed(ctx context.Context, adapter Adapter, f func(*Store) error) error {
	if f == nil {
		return nil
	}
	unlock, err := seeding.lock(ctx, seedKey{adapter, s.StoreID()})
	if err != nil {
		return err
	}
	defer unlock()
	for _, err := range s.Events(ctx, nil) {
		if err != nil {
			return err
		}
		return s.await(ctx, func(st SyncStatus) bool { return st.LocalHead != event.SeqNum{} })
	}
	if err := f(s); err != nil {
		return err
	}
	return s.await(ctx, func(st SyncStatus) bool { return st.Pending == 0 }) // now other sessions find it in the eventlog
}

// await waits until the status is as wanted.
func (s *Store) await(ctx context.Context, wanted func(SyncStatus) bool) error {
	for st := range s.WatchSyncStatus(ctx) {
		if wanted(st) {
			return nil
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.errClosed()
}

// seeding keeps the sessions of one client from seeding a store at the same time.
var seeding seedLocks

type seedKey struct {
	adapter Adapter
	storeID string
}

// seedLocks is a lock for each key, which exists while somebody holds it or waits for it.
type seedLocks struct {
	mu    sync.Mutex
	locks map[seedKey]*seedLock
}

type seedLock struct {
	users int
	slot  chan struct{} // full while somebody holds the lock
}

func (l *seedLocks) lock(ctx context.Context, key seedKey) (unlock func(), err error) {
	l.mu.Lock()
	if l.locks == nil {
		l.locks = make(map[seedKey]*seedLock)
	}
	lock := l.locks[key]
	if lock == nil {
		lock = &seedLock{slot: make(chan struct{}, 1)}
		l.locks[key] = lock
	}
	lock.users++
	l.mu.Unlock()
	select {
	case lock.slot <- struct{}{}:
		return func() { <-lock.slot; l.leave(key, lock) }, nil
	case <-ctx.Done():
		l.leave(key, lock)
		return nil, ctx.Err()
	}
}

func (l *seedLocks) leave(key seedKey, lock *seedLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lock.users--; lock.users == 0 {
		delete(l.locks, key)
	}
}
