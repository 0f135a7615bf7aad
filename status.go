package livestore

import (
	"context"
	"iter"
	"sync"

	"github.com/livestore-go/livestore/event"
)

// SyncStatus says how far a store is.
type SyncStatus struct {
	LocalHead   event.SeqNum // last event committed or pulled by this session
	LeaderHead  event.SeqNum // last event the leader has in the eventlog and this session has applied
	BackendHead event.SeqNum // last event the sync backend has confirmed; e0 without a sync provider
	Pending     int          // events the leader has not yet taken
	SetAside    int          // commits set aside
}

// SyncStatus returns how far the store is.
func (s *Store) SyncStatus() SyncStatus {
	return SyncStatus(s.session.Status())
}

// WatchSyncStatus iterates over the status: the current one at once, and from then on each time it has changed. A slow loop
// misses some. It ends when ctx is done or the store is closed.
func (s *Store) WatchSyncStatus(ctx context.Context) iter.Seq[SyncStatus] {
	return watchStatus(ctx, s, s.SyncStatus, func(a, b SyncStatus) bool { return a == b })
}

// watchStatus iterates over what read returns, as it changes.
func watchStatus[T any](ctx context.Context, s *Store, read func() T, same func(a, b T) bool) iter.Seq[T] {
	return func(yield func(T) bool) {
		slot := s.status.add()
		defer s.status.remove(slot)
		for last, first := *new(T), true; ctx.Err() == nil && !s.isClosed(); first = false {
			if now := read(); first || !same(last, now) {
				if last = now; !yield(now) {
					return
				}
			}
			select {
			case <-slot:
			case <-s.closed:
			case <-ctx.Done():
			}
		}
	}
}

func (s *Store) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

// fanout wakes everybody who watches the status.
type fanout struct {
	mu    sync.Mutex // held for a moment only: the session wakes under its own lock
	slots map[chan struct{}]struct{}
}

func (f *fanout) add() chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.slots == nil {
		f.slots = make(map[chan struct{}]struct{})
	}
	slot := make(chan struct{}, 1)
	f.slots[slot] = struct{}{}
	return slot
}

func (f *fanout) remove(slot chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.slots, slot)
}

func (f *fanout) wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for slot := range f.slots {
		signalSlot(slot)
	}
}
