package livestore

import (
	"cmp"
	"context"
	"iter"
	"sync"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/session"
)

// SyncStatus says how far a store is, and how it stands with its sync backend. Two boundaries lie between a commit and all the other
// clients: the leader takes it, then the backend confirms it.
type SyncStatus struct {
	LocalHead    event.SeqNum // last event committed or pulled by this session
	LeaderHead   event.SeqNum // last event that the leader has in the eventlog and this session has applied
	UpstreamHead event.SeqNum // last event that the sync backend has confirmed and this session has applied; e0 without a provider
	BackendHead  event.SeqNum // last event that the backend (the old one when PausedBackend) is known to have; it is pulled up to UpstreamHead

	Pending     int // events of this session that the leader has not yet taken
	Unconfirmed int // synced events that the backend has not yet confirmed, those in Pending included; all of them without a provider
	SetAside    int // commits set aside

	Connected bool        // there is a connection to the backend
	CaughtUp  bool        // on this connection, everything has been pulled that the backend had when it began
	Paused    PauseReason // why sync waits for somebody; empty when it does not
	Why       string      // the last error of sync in words, empty when all is well

	// HaltedAt is the event of the backend that does not apply here, e0 when there is none: see [PausedEvent]. It stays until the event
	// applies, or is not there any more.
	HaltedAt event.SeqNum
}

// Synced says that this session has everything the backend has, and the backend everything that was committed here, as far as both are
// known at this moment. It is false without a connection, whatever is pending, and without a sync provider.
func (s SyncStatus) Synced() bool {
	return s.Connected && s.CaughtUp && s.Paused == "" && s.Pending == 0 && s.Unconfirmed == 0 &&
		s.BackendHead.Global <= s.UpstreamHead.Global
}

// PauseReason says in a few words why sync does not go on by itself. Nothing is lost meanwhile, and commits go on being admitted.
type PauseReason = link.Pause

const (
	// PausedByApp: by [Store.PauseSync].
	PausedByApp = link.PausedByApp
	// PausedCredentials: the backend refuses the credentials. The provider asks again by itself, wsprovider once a minute, and
	// ResumeSync does at once.
	PausedCredentials = link.PausedCredentials
	// PausedBackend: the backend is another one than the store has synced with, or was set back to an earlier state. Nothing is pushed to
	// it and nothing is deleted. That ends when the old one is back and [Store.ResumeSync] is called, or with [Store.Rebase], which goes
	// on with the backend as it is and keeps every event.
	PausedBackend = link.PausedBackend
	// PausedEvent: an event of the backend does not apply here, or is unknown and the schema says to fail: this app is older than the
	// one that committed it, or has a materializer with a fault. What comes before the event is applied. The event and what came with it
	// is kept, and not applied; the backend's head is followed. Nothing is pushed, for what is pending would have to
	// be rebased onto what does not apply. Reads go on, and commits as [Options] say with WhenHalted. When a schema that can apply the
	// event opens the store, it is applied there, also offline, and sync goes on by itself; ResumeSync and every new connection try the
	// event again.
	PausedEvent = link.PausedEvent
	// PausedRejected: the backend will not store a pending commit, because of its size or by a rule of its own; or the commit has an event
	// that is not in the schema, as after a downgrade of the app, and is not pushed by it. It and what was committed after it waits, while
	// events of others are still pulled. It is tried again once a minute, and by ResumeSync; [Store.SetAsideRejected] takes the commit
	// out of the way.
	PausedRejected = link.PausedRejected
	// PausedProtocol: what the backend sends has gaps, at the same place each time. It is pulled again, at most twice a minute.
	PausedProtocol = link.PausedProtocol
)

// SyncStatus returns how far the store is.
func (s *Store) SyncStatus() SyncStatus {
	in := s.session.Status()
	return SyncStatus{
		LocalHead: in.LocalHead, LeaderHead: in.LeaderHead, UpstreamHead: in.UpstreamHead,
		BackendHead: event.SeqNum{Global: max(in.Uplink.Head, in.UpstreamHead.Global)},
		Pending:     in.Pending, Unconfirmed: int(in.LocalHead.Global - in.UpstreamHead.Global), SetAside: in.SetAside,
		Connected: in.Uplink.Connected, CaughtUp: in.Uplink.CaughtUp, Paused: in.Uplink.Paused, Why: cmp.Or(in.Uplink.Why, in.Why),
		HaltedAt: in.Uplink.HaltedAt,
	}
}

// HaltPolicy says what becomes of commits while an event of the sync backend does not apply here: [Options] have it as WhenHalted.
type HaltPolicy = session.HaltPolicy

const (
	// AcceptCommits admits them. They are kept on this client, and pushed when sync goes on; those that do not apply any more behind what
	// is pulled then are set aside.
	AcceptCommits = session.AcceptCommits
	// RefuseCommits refuses them with a *[HaltedError], as [SetAside.Retry] is: for an app that would rather be updated than have commits
	// that rest on an old state. Client-only events are refused too.
	RefuseCommits = session.RefuseCommits
)

// WatchSyncStatus iterates over the status: the current one at once, and from then on each time it has changed. A slow loop
// misses some. It ends when ctx is done or the store is closed.
func (s *Store) WatchSyncStatus(ctx context.Context) iter.Seq[SyncStatus] {
	return watchStatus(ctx, s, s.SyncStatus, func(a, b SyncStatus) bool { return a == b })
}

// NetworkStatus says how the connection to the sync backend is.
type NetworkStatus struct {
	Connected bool
	Since     time.Time // when that changed last; zero when there has not been a connection yet, and without a sync provider
	Paused    bool      // by [Store.PauseSync]
	Why       string    // the last error in words, empty when all is well
}

// NetworkStatus returns how the connection to the sync backend is. [Store.WatchSyncStatus] tells when it changes.
func (s *Store) NetworkStatus() NetworkStatus {
	up := s.session.Status().Uplink
	return NetworkStatus{Connected: up.Connected, Since: up.Since, Paused: up.Paused == PausedByApp, Why: up.Why}
}

// ErrNoProvider says that the store has no sync provider: its adapter was not given one.
var ErrNoProvider = session.ErrNoProvider

// PauseSync stops sync of this client with the backend, for all its sessions: for tests, demos and tools. Nothing is pushed or pulled
// any more; the connection stays. When it returns nil, nothing is under way any more. The app goes on as usual. A pause ends with
// ResumeSync, and with the last session.
func (s *Store) PauseSync(ctx context.Context) error {
	_, err := s.sync(ctx, link.PauseSync)
	return err
}

// ResumeSync goes on with sync, whatever has paused it: what has failed is tried again at once.
func (s *Store) ResumeSync(ctx context.Context) error {
	_, err := s.sync(ctx, link.ResumeSync)
	return err
}

// SetAsideRejected sets aside the commit that the backend rejects, when [SyncStatus] says [PausedRejected], and goes on with what was
// committed after it. What the commit has changed is undone, here and in all sessions; [Store.SetAside] lists it, with the reason, and
// [SetAside.Retry] commits it again. It returns false when nothing is rejected.
func (s *Store) SetAsideRejected(ctx context.Context) (bool, error) {
	return s.sync(ctx, link.SetAsideRejected)
}

func (s *Store) sync(ctx context.Context, act link.SyncAct) (bool, error) {
	if s.isClosed() {
		return false, s.errClosed()
	}
	return s.session.Sync(ctx, act)
}

// awaitSync waits for the first pull, see Options.InitialSync.
func (s *Store) awaitSync(ctx context.Context, limit time.Duration) error {
	if limit == 0 || !s.session.Status().Synced {
		return nil
	}
	wait, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	read := func() session.Status { return s.session.Status() }
	for st := range watchStatus(wait, s, read, func(a, b session.Status) bool { return a == b }) {
		if st.Uplink.Paused != "" || st.Uplink.Pulled && st.UpstreamHead.Global >= st.Uplink.Head {
			break
		}
	}
	return ctx.Err()
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
