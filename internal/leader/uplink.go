package leader

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/breaker"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/syncstate"
	"github.com/livestore-go/livestore/provider"
)

// How long the uplink waits.
const (
	retryFirst  = 10 * time.Millisecond // before what has failed is tried again; doubles
	retryLast   = 30 * time.Second
	retryPaused = time.Minute      // before what has been refused is tried again
	answerLimit = 90 * time.Second // for the next page of a pull that has not caught up; a provider may notice earlier, and reconnect
	echoLimit   = 5 * time.Second  // for events that the backend says it has, before they are pulled anew
	steady      = 10 * time.Second // after which a round that had caught up counts as one that worked
	forever     = 1 << 62 * time.Nanosecond
)

// uplink drives the machine's backend steps: one goroutine that pulls, one that pushes while a pull has caught up, and one that watches
// the connection. What ends a pull, or leaves the outcome of a push open, leads to a new pull.
type uplink struct {
	l      *Leader
	client provider.Client
	logger *slog.Logger
	work   chan struct{} // one slot: there may be something to push
	nudge  chan struct{} // one slot: a wait is over
	gate   chan struct{} // one slot: whoever holds the rounds back

	got           atomic.Int64 // the last event that a live pull has brought
	pulls, pushes backoff
	gaps          breaker.Breaker // of rounds that bring a little and then a gap; the pulling goroutine's
	broken        bool            // a round has ended, and none has caught up since; the pulling goroutine's, like pulls

	mu       sync.Mutex // guards what follows; held for a moment only
	state    link.Uplink
	paused   bool                    // by the app
	held     bool                    // something else has the connection for itself: see hold
	resumes  int                     // how often the app has resumed
	began    int                     // resumes when the last round began, or was not let begin
	round    context.CancelCauseFunc // ends the round under way
	listens  bool                    // the round under way only listens: an event does not apply
	ended    chan struct{}           // closed when no round is under way
	reported string                  // what was logged last
	slow     string                  // why the last push had to wait
	gap      string                  // the last gap
}

func newUplink(l *Leader, client provider.Client) *uplink {
	u := &uplink{
		l: l, client: client, logger: l.m.cfg.Logger.With("store", l.m.cfg.StoreID),
		work: make(chan struct{}, 1), nudge: make(chan struct{}, 1), gate: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	close(u.ended)
	return u
}

// run keeps the leader and the backend together until ctx is done.
func (u *uplink) run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { u.watch(ctx) })
	for ctx.Err() == nil {
		err := u.pull(ctx)
		if ctx.Err() != nil {
			return
		}
		u.wait(ctx, err)
	}
}

// watch says how the connection is.
func (u *uplink) watch(ctx context.Context) {
	for {
		var changed <-chan struct{}
		u.say(func(s *link.Uplink) {
			var status provider.Status
			status, changed = u.connection(s)
			if status.Err != nil && s.Paused != link.PausedEvent && s.Paused != link.PausedBackend { // they say what matters more
				s.Why = status.Err.Error()
			}
			if _, refused := errors.AsType[*provider.RefusedError](status.Err); refused && s.Paused == "" {
				s.Paused = link.PausedCredentials
			} else if status.Connected && s.Paused == link.PausedCredentials {
				s.Paused, s.Why = "", ""
				u.hurry()
			}
		})
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// connection takes over whether there is a connection. It is asked under the lock, so that nothing older is said after something newer.
func (u *uplink) connection(s *link.Uplink) (provider.Status, <-chan struct{}) {
	status, changed := u.client.Status()
	if s.Connected != status.Connected {
		s.Connected, s.Since = status.Connected, u.l.m.now()
		if s.Connected && s.Paused == "" {
			s.Why = "" // why there was no connection
		}
	}
	s.CaughtUp = s.CaughtUp && status.Connected
	return status, changed
}

// say changes what the sessions hear of the uplink.
func (u *uplink) say(f func(*link.Uplink)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.set(f)
}

// set is say for who holds the lock.
func (u *uplink) set(f func(*link.Uplink)) {
	f(&u.state)
	u.l.m.feed.setUplink(u.state)
}

// wake says that there may be something to push.
func (u *uplink) wake() {
	select {
	case u.work <- struct{}{}:
	default:
	}
}

// idle waits until there may be something to push, until d has passed since a time, which is now when it is zero. It says whether it has.
func (u *uplink) idle(ctx context.Context, since *time.Time, d time.Duration) bool {
	if since.IsZero() {
		*since = time.Now()
	}
	t := time.NewTimer(d - time.Since(*since))
	defer t.Stop()
	select {
	case <-u.work:
		return false
	case <-t.C:
		*since = time.Time{}
		return true
	case <-ctx.Done():
		return false
	}
}

// rest waits for d, or until the app wants it to go on.
func (u *uplink) rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-u.nudge:
	case <-ctx.Done():
	}
}

// hurry ends a wait between two rounds.
func (u *uplink) hurry() {
	select {
	case u.nudge <- struct{}{}:
	default:
	}
}

// caughtUp says that all has been pulled that the backend had when the round began.
func (u *uplink) caughtUp() {
	if u.broken {
		u.broken = false
		u.logger.Info("sync with the backend goes on")
	}
	u.gaps.Progress()
	u.say(func(s *link.Uplink) {
		s.CaughtUp, s.Pulled = true, true
		if u.pushes.d == 0 || s.Paused == link.PausedEvent {
			s.Why = ""
		}
		if s.Paused != link.PausedByApp && s.Paused != link.PausedRejected { // of which a pull says nothing
			s.Paused = ""
		}
		s.HaltedAt, s.HaltedWhy = event.SeqNum{}, "" // it applies by now, or is not there any more
	})
}

// report says why sync does not go on, and logs it when that is news.
func (u *uplink) report(pause link.Pause, err error) {
	u.say(func(s *link.Uplink) {
		u.connection(s)
		if u.paused { // which the app knows
			return
		}
		s.Paused, s.Why = pause, err.Error()
		if text := string(pause) + err.Error(); text != u.reported {
			u.reported = text
			u.logger.Warn("sync with the backend", "paused", string(pause), "err", err)
		}
	})
}

// wait waits until the next round may begin, after one that ended with err.
func (u *uplink) wait(ctx context.Context, err error) {
	resumed := false
	u.say(func(s *link.Uplink) {
		s.CaughtUp = false
		resumed = u.resumes != u.began
	})
	u.broken = true
	if resumed { // since the round began: whatever it has ended with is tried again
		return
	}
	var d time.Duration
	pause := u.reason(err)
	switch pause {
	case link.PausedByApp:
		d = forever
	case link.PausedBackend:
		u.say(func(s *link.Uplink) { s.HaltedAt, s.HaltedWhy = event.SeqNum{}, "" }) // which was another backend's
		u.report(pause, err)
		d = forever
	case link.PausedCredentials:
		u.report(pause, err)
		d = retryPaused
	case link.PausedProtocol:
		u.report(pause, err)
		d = max(u.pulls.next(), u.gaps.Wait())
	default:
		u.say(func(s *link.Uplink) {
			if s.Paused == "" { // or it says already what matters
				s.Why = err.Error()
			}
		})
		if _, doubt := errors.AsType[*doubtError](err); doubt || errors.Is(err, errBehind) {
			u.logger.Info("pull from the backend anew", "err", err)
			return
		}
		d = max(u.pulls.next(), u.gaps.Wait())
		u.logger.Info("sync with the backend is interrupted", "err", err)
	}
	u.rest(ctx, d)
}

// reason says for which reason sync pauses after a round that ended with err; for none when it is tried again at once.
func (u *uplink) reason(err error) link.Pause {
	_, changed := errors.AsType[*BackendChangedError](err)
	_, identity := errors.AsType[*provider.IdentityError](err)
	_, refused := errors.AsType[*provider.RefusedError](err)
	_, gap := errors.AsType[*syncstate.GapError](err)
	_, broken := errors.AsType[*provider.ProtocolError](err)
	switch {
	case errors.Is(err, errPaused):
		return link.PausedByApp
	case changed, identity:
		return link.PausedBackend
	case refused:
		return link.PausedCredentials
	case gap, broken:
		// Once is an accident of the network or of the order in which the backend does things. Twice is what it has.
		u.gaps.Turn()
		last := u.gap
		u.gap = err.Error()
		if last == u.gap {
			return link.PausedProtocol
		}
	}
	return ""
}

// backoff doubles from retryFirst to retryLast.
type backoff struct{ d time.Duration }

func (b *backoff) next() time.Duration {
	b.d = min(max(retryFirst, 2*b.d), retryLast)
	return b.d
}

func (b *backoff) reset() { b.d = 0 }
