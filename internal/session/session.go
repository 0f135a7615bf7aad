// Package session is the processor of one session: it admits commits, keeps the session's state in memory, hands its
// commits to the leader and follows what the leader publishes.
//
// [Machine] is the step machine: deterministic, without goroutine, channel, clock or randomness of its own. [Session] is its
// thin driver: a lock around the machine, a goroutine that pushes and one that pulls.
package session

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/state"
)

// Request is what a store asks an adapter to open.
type Request struct {
	StoreID    string
	Schema     *state.Schema
	MaxPending int // events the leader has not yet taken; a commit beyond it is refused
	WhenHalted HaltPolicy
	// CheckWrites has the leader compare what each event writes there with what it has written here.
	CheckWrites bool
	Logger      *slog.Logger
	OnBoot      func(stage string, done, total int) // how far the state is brought to the log; may be nil
	// SyncPayload goes to the sync backend with every connection. It is JSON; nil means none.
	SyncPayload jsontext.Value
}

// Config is what an adapter opens a session with.
type Config struct {
	Request
	ClientID  string
	SessionID string
	Leader    link.Leader
	Journal   Journal
	Durable   bool         // the adapter keeps what it is given: stage Persisted can come
	Synced    bool         // there is a sync provider: stage Confirmed can come
	MaxEvent  int          // bytes of a synced event that the sync backend takes, 0 for any
	Boot      BootReport   // how the leader came to the state
	OnClose   func() error // what the adapter has to release when the session has ended; may be nil
}

// ErrClosed says that the store was closed.
var ErrClosed = errors.New("livestore: the store is closed")

// Session drives a machine. All methods may be called from any goroutine.
type Session struct {
	cfg    Config
	ctx    context.Context // of the two goroutines
	cancel context.CancelFunc
	done   sync.WaitGroup
	wake   chan struct{} // one slot: there may be something to push
	closed chan struct{}
	once   sync.Once
	result error // of Close

	mu       sync.Mutex // guards what follows; held for one step, never for a wait
	m        *Machine
	onReset  func()
	onStatus func()
	closing  bool
	stopPull context.CancelFunc // of the pull under way; nil before the first
	idle     chan struct{}      // closed when everything is taken; nil when nobody waits
	moved    chan struct{}      // closed at the next step; nil when nobody waits
}

// Open boots a session: it fetches a snapshot from the leader and starts the two goroutines that keep up with it.
func Open(ctx context.Context, cfg Config) (*Session, error) {
	m := NewMachine(cfg)
	snap, err := cfg.Leader.Boot(ctx, m.BootRequest())
	if err != nil {
		return nil, fmt.Errorf("boot session: %w", err)
	}
	if err := m.Booted(snap); err != nil {
		return nil, fmt.Errorf("boot session: %w", err)
	}
	s := &Session{cfg: cfg, m: m, wake: make(chan struct{}, 1), closed: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.done.Go(s.push)
	s.done.Go(s.pull)
	return s, nil
}

// StoreID returns the id of the store.
func (s *Session) StoreID() string { return s.cfg.StoreID }

// ClientID returns the id of the client: one installation sharing local data.
func (s *Session) ClientID() string { return s.cfg.ClientID }

// SessionID returns the id of the session, stable over restarts and distinct among the sessions of a client.
func (s *Session) SessionID() string { return s.cfg.SessionID }

// Boot says how the leader of the session came to the state when it was opened.
func (s *Session) Boot() BootReport { return s.cfg.Boot }

// OnChange calls row with each row of the state that changes, before it does, and reset after a step that may have changed any: the
// session has booted anew. Of a change that is rolled back in the same step it may be told. Both run under the session's lock: they must
// not block and must not call the session.
func (s *Session) OnChange(row func(*sqlite.Row), reset func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m.OnRow(row)
	s.onReset = reset
}

// OnStatus calls f, under the session's lock, after each step that may have changed Status or SetAside.
func (s *Session) OnStatus(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onStatus = f
}

// Commit admits drafts as one commit. When it returns an error nothing happened.
func (s *Session) Commit(ctx context.Context, drafts []event.Draft) (*Commit, error) {
	return s.commit(ctx, drafts, event.CommitID{})
}

func (s *Session) commit(ctx context.Context, drafts []event.Draft, retry event.CommitID) (*Commit, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return nil, ErrClosed
	}
	c, err := s.m.Commit(drafts, retry)
	if err != nil {
		if s.m.Lost() != nil {
			s.stepped(true) // it could not even be undone
		}
		return nil, fmt.Errorf("commit to store %s (client %s, session %s): %w", s.cfg.StoreID, s.cfg.ClientID, s.cfg.SessionID, err)
	}
	c.mu = &s.mu
	s.stepped(false)
	return c, nil
}

// stepped tells everyone of a step, and whether it has replaced the state. The caller holds the lock.
func (s *Session) stepped(reset bool) {
	if reset && s.onReset != nil {
		s.onReset()
	}
	if s.onStatus != nil {
		s.onStatus()
	}
	if s.idle != nil && s.m.Idle() {
		close(s.idle)
		s.idle = nil
	}
	if s.moved != nil {
		close(s.moved)
		s.moved = nil
	}
	if s.m.Lost() != nil && s.stopPull != nil {
		s.stopPull() // who pulls is who boots anew
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// push hands commits to the leader, one request at a time.
func (s *Session) push() {
	retry := backoff{}
	for {
		s.mu.Lock()
		wait := s.m.PushWait()
		s.mu.Unlock()
		if wait > 0 && !s.hold(wait) {
			return
		}
		s.mu.Lock()
		req, ok := s.m.NextPush()
		s.mu.Unlock()
		if !ok {
			select {
			case <-s.wake:
				continue
			case <-s.ctx.Done():
				return
			}
		}
		reply, err := s.cfg.Leader.Push(s.ctx, req)
		s.mu.Lock()
		s.m.Pushed(reply, err)
		s.stepped(false)
		s.mu.Unlock()
		if err == nil {
			retry.reset()
		} else if !s.pause(&retry, "push to leader", err) {
			return
		}
	}
}

// pull follows what the leader publishes, and boots anew when it can not.
func (s *Session) pull() {
	var retry, boots backoff
	var booted time.Time
	for s.ctx.Err() == nil {
		err := s.pullOnce()
		if err == nil {
			retry.reset()
			continue
		}
		wait := &retry
		if _, anew := errors.AsType[*bootedError](err); anew {
			wait = &boots // a pull that succeeds now and then does not make a loop of boots a good one
			if time.Since(booted) >= steady {
				boots.reset()
			}
			booted = time.Now()
		}
		if !s.pause(wait, "follow leader", err) {
			return
		}
	}
}

// steady is how long a session follows its leader before it counts as one that need not boot anew all the time.
const steady = 10 * time.Second

// pullOnce applies what the leader published next. An error is a reason to pause; one of them is that it had to boot anew.
func (s *Session) pullOnce() error {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	s.mu.Lock()
	req, lost := s.m.PullRequest(), s.m.Lost()
	s.stopPull = cancel
	s.mu.Unlock()
	if lost != nil {
		return s.reboot(lost)
	}
	reply, err := s.cfg.Leader.Pull(ctx, req)
	if err != nil {
		s.mu.Lock()
		lost := s.m.Lost()
		s.mu.Unlock()
		if lost != nil && ctx.Err() != nil && s.ctx.Err() == nil {
			return s.reboot(lost) // a step has found it so, and ended the pull
		}
		return err
	}
	if reply.Lost {
		err := s.reboot(errLost)
		if reply.Anew && errors.Is(err, errLost) {
			return nil // it has booted, and nothing is wrong
		}
		return err
	}
	if reply.Uplink != nil {
		defer s.uplinked(*reply.Uplink) // after the events: it is newer than they are
	}
	for _, p := range reply.Published {
		s.mu.Lock() // once a step, so that reads and commits get in between
		err := s.m.Pulled(p)
		s.stepped(false)
		s.mu.Unlock()
		if err != nil {
			return s.reboot(err)
		}
	}
	return nil
}

func (s *Session) uplinked(u link.Uplink) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m.Uplinked(u)
	s.stepped(false)
}

var errLost = errors.New("the leader no longer has what it published after this session's cursor")

// reboot fetches a new snapshot. What it returns is why, or why it did not succeed: the next time it waits longer.
func (s *Session) reboot(why error) error {
	s.mu.Lock()
	req := s.m.BootRequest()
	s.mu.Unlock()
	snap, err := s.cfg.Leader.Boot(s.ctx, req)
	if err != nil {
		return fmt.Errorf("boot anew: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.m.Booted(snap)
	s.stepped(true)
	if err != nil {
		return fmt.Errorf("boot anew: %w", err)
	}
	return &bootedError{why}
}

// bootedError says that the session has booted anew, and why it had to.
type bootedError struct{ why error }

func (e *bootedError) Error() string { return fmt.Sprintf("booted anew: %v", e.why) }

func (e *bootedError) Unwrap() error { return e.why }

// pause waits before the next try. It returns false when the session ends.
func (s *Session) pause(b *backoff, act string, err error) bool {
	if s.ctx.Err() != nil {
		return false
	}
	d := b.next()
	s.cfg.Logger.Warn(act, "store", s.cfg.StoreID, "session", s.cfg.SessionID, "err", err, "again in", d)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// backoff doubles from 10 ms to 5 s.
type backoff struct{ d time.Duration }

func (b *backoff) next() time.Duration {
	b.d = min(max(10*time.Millisecond, 2*b.d), 5*time.Second)
	return b.d
}

func (b *backoff) reset() { b.d = 0 }

// Close takes no more commits, waits until the leader has taken all that were admitted or ctx is done, and ends the session. On a
// durable adapter, commits the leader has not taken stay in the journal and are taken at the next boot.
func (s *Session) Close(ctx context.Context) error {
	s.once.Do(func() {
		s.result = s.close(ctx)
		close(s.closed)
	})
	<-s.closed
	return s.result
}

func (s *Session) close(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	s.m.Hurry() // who closes does not wait for a push that came too late before
	s.stepped(false)
	idle := make(chan struct{})
	if s.m.Idle() {
		close(idle)
	} else {
		s.idle = idle
	}
	s.mu.Unlock()
	var err error
	select {
	case <-idle:
	case <-ctx.Done():
		err = fmt.Errorf("close store %s: commits stay with the session: %w", s.cfg.StoreID, ctx.Err())
	}
	s.cancel()
	s.done.Wait()
	s.mu.Lock()
	err = errors.Join(err, s.m.Close())
	if s.onStatus != nil {
		s.onStatus()
	}
	s.mu.Unlock()
	if s.cfg.OnClose != nil {
		err = errors.Join(err, s.cfg.OnClose())
	}
	return err
}

// Reader reads the state of a session inside [Session.View].
type Reader struct{ s *Session }

// View calls f with a reader of the state as it stands between two steps. f runs under the session's lock: it must not
// block and must not call the session.
func (s *Session) View(f func(*Reader) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m.closed {
		return ErrClosed
	}
	return f(&Reader{s})
}

// Enter takes the session's lock for a moment that needs no [Reader]: what [Session.View] says holds until Leave. When the session is
// closed it takes nothing and returns [ErrClosed].
func (s *Session) Enter() error {
	s.mu.Lock()
	if s.m.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	return nil
}

// Leave ends what Enter began.
func (s *Session) Leave() { s.mu.Unlock() }

// Query runs a read. fn gets the cursor before its first row.
func (r *Reader) Query(st state.Statement, fn func(state.Rows) error) error {
	return r.s.m.Query(st, fn)
}

// Reads returns what a read reads of each table.
func (r *Reader) Reads(sql string) ([]sqlite.TableRead, error) { return r.s.m.Reads(sql) }

// Events iterates the log of this client after a position, in order, with the session's own pending events last. A rebase
// during the iteration may show an event at its old number and again at its new one.
func (s *Session) Events(ctx context.Context, after event.SeqNum) iter.Seq2[event.Client, error] {
	const page = 1000
	return func(yield func(event.Client, error) bool) {
		for {
			s.mu.Lock()
			epoch, cursor := s.m.epoch, s.m.cursor
			s.mu.Unlock()
			reply, err := s.cfg.Leader.Events(ctx, link.EventsRequest{After: after, Limit: page})
			if err != nil {
				yield(event.Client{}, fmt.Errorf("read events of store %s: %w", s.cfg.StoreID, err))
				return
			}
			for _, e := range reply.Events {
				if !yield(e, nil) {
					return
				}
				after = e.Num
			}
			if len(reply.Events) == page {
				continue
			}
			s.mu.Lock()
			moved := s.m.heads.Upstream.ComparePosition(after) > 0 // the leader has taken more since it answered
			pending := s.m.Pending(after)
			s.mu.Unlock()
			if moved && len(reply.Events) == 0 { // or its log has become shorter, and the session has heard of it, or is about to
				if err := s.await(ctx, func(m *Machine) bool { return m.epoch != epoch || m.cursor != cursor }); err != nil {
					yield(event.Client{}, err)
					return
				}
			}
			if moved {
				continue
			}
			for _, e := range pending {
				if !yield(e, nil) {
					return
				}
			}
			return
		}
	}
}
