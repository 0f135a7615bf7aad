package leader

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/syncstate"
	"github.com/livestore-go/livestore/provider"
)

// How long the uplink waits.
const (
	retryFirst  = 10 * time.Millisecond // before what has failed is tried again; doubles
	retryLast   = 30 * time.Second
	retryPaused = time.Minute      // before what has been refused is tried again
	answerLimit = 30 * time.Second // for the next page of a pull that has not caught up
	echoLimit   = 5 * time.Second  // for events that the backend says it has, before they are pulled anew
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

	pulls, pushes backoff

	mu       sync.Mutex // guards what follows; held for a moment only
	state    link.Uplink
	paused   bool          // by the app
	round    func()        // ends the round under way
	ended    chan struct{} // closed when no round is under way
	reported string        // what was logged last
	gap      string        // the last gap
}

func newUplink(l *Leader, client provider.Client) *uplink {
	u := &uplink{
		l: l, client: client, logger: l.m.cfg.Logger.With("store", l.m.cfg.StoreID),
		work: make(chan struct{}, 1), nudge: make(chan struct{}, 1), ended: make(chan struct{}),
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
		status, changed := u.client.Status()
		u.say(func(s *link.Uplink) {
			if s.Connected != status.Connected || s.Since.IsZero() {
				s.Connected, s.Since = status.Connected, u.l.m.now()
			}
			if !status.Connected {
				s.CaughtUp = false
			}
			if status.Err != nil {
				s.Why = status.Err.Error()
			}
			if _, refused := errors.AsType[*provider.RefusedError](status.Err); refused && s.Paused == "" {
				s.Paused = link.PausedCredentials
			} else if status.Connected && s.Paused == link.PausedCredentials {
				s.Paused, s.Why = "", ""
			}
		})
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// say changes what the sessions hear of the uplink.
func (u *uplink) say(f func(*link.Uplink)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	f(&u.state)
	u.l.m.feed.setUplink(u.state)
}

// errPaused ends a round that the app has paused, errBehind one in which the events that the backend has did not come, errStalled one
// whose pull got no answer, and errDoubt one whose push has an outcome that is not known.
var (
	errPaused  = errors.New("paused by the app")
	errBehind  = errors.New("the sync backend has events that it does not send")
	errStalled = errors.New("the sync backend is connected, and does not answer a pull")
	errDoubt   = errors.New("it is not known whether a push was stored")
)

// begin starts a round, unless the app has paused sync.
func (u *uplink) begin(ctx context.Context) (context.Context, func(), bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.paused {
		return nil, nil, false
	}
	ctx, cancel := context.WithCancelCause(ctx)
	u.round = func() { cancel(errPaused) }
	ended := make(chan struct{})
	u.ended = ended
	return ctx, func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.round = nil
		close(ended)
	}, true
}

// pull is one round: a live pull from the upstream head on, and pushes once it has caught up. It returns why it ended.
func (u *uplink) pull(ctx context.Context) (err error) {
	ctx, end, ok := u.begin(ctx)
	if !ok {
		return errPaused
	}
	defer end()
	var cursor provider.Cursor
	var halted error
	g := gathering{u: u}
	if err := u.l.do(ctx, func() {
		cursor, halted, g.pending = u.l.m.Cursor(), u.l.m.Halted(), u.l.m.pendingEvents()
	}); err != nil || halted != nil {
		return cmp.Or(err, halted)
	}
	g.at = cursor.After
	ctx, cancel := context.WithCancelCause(ctx)
	var pusher sync.WaitGroup
	defer func() {
		cancel(err)
		pusher.Wait()
	}()
	caughtUp := false
	stalled := u.stall(cancel)
	defer stalled.Stop()
	for page, err := range u.client.Pull(ctx, cursor, true) {
		if err != nil {
			return cmp.Or(context.Cause(ctx), err)
		}
		reached := !caughtUp && page.Remaining == 0
		if err := g.add(ctx, page, caughtUp, reached); err != nil {
			return err
		}
		stalled.Reset(answerLimit)
		if caughtUp || reached {
			stalled.Stop()
		}
		if reached {
			caughtUp = true
			u.caughtUp()
			pusher.Go(func() {
				if err := u.push(ctx); err != nil {
					cancel(err)
				}
			})
		}
		u.wake()
	}
	return cmp.Or(context.Cause(ctx), error(&provider.ProtocolError{StoreID: u.l.m.cfg.StoreID, Why: "a live pull has ended"}))
}

// gathering is what a pull has brought and the log does not have yet.
type gathering struct {
	u       *uplink
	at      int64 // the last event that the log has been given
	events  []event.Global
	bytes   int
	pending int // events that each step has to rebase
}

// What is gathered at most before it is merged.
const (
	gatherEvents = 5000
	gatherBytes  = 16 << 20
)

// add brings a page into the log. While there is more to come and every step has to rebase what is pending, it gathers as many events
// as are pending first: so the rebases cost no more than all the events together, however far the backend is ahead.
func (g *gathering) add(ctx context.Context, page provider.Page, live, reached bool) error {
	if n := len(page.Events); n > 0 {
		u := g.u
		u.say(func(s *link.Uplink) { s.Head = max(s.Head, page.Events[n-1].SeqNum+int64(max(0, page.Remaining))) })
	}
	if g.events == nil {
		g.events = page.Events
	} else {
		g.events = append(g.events, page.Events...)
	}
	for _, e := range page.Events {
		g.bytes += len(e.Args)
	}
	if !live && !reached && len(g.events) < min(g.pending, gatherEvents) && g.bytes < gatherBytes {
		return nil
	}
	events := g.events
	g.events, g.bytes = nil, 0
	return g.take(ctx, page, events, reached)
}

// take brings events into the log, in steps that sessions can follow (R10): of a hundred events, or of as many as a rebase replays.
func (g *gathering) take(ctx context.Context, page provider.Page, events []event.Global, reached bool) error {
	u := g.u
	for {
		n := min(len(events), max(maxStep, g.pending))
		last := n == len(events)
		var err error
		before := u.l.m.feed.at()
		if derr := u.l.do(ctx, func() {
			u.l.m.BackendAt(g.at + int64(len(events)) + int64(max(0, page.Remaining)))
			err = u.l.m.BackendPulled(page.BackendID, g.at, events[:n], reached && last)
			head := u.l.m.BackendHead()
			g.pending = u.l.m.pendingEvents()
			u.say(func(s *link.Uplink) { s.Head = head })
		}); derr != nil {
			return derr
		}
		if err != nil {
			return err
		}
		if n > 0 {
			g.at = events[n-1].SeqNum
		}
		if u.l.m.feed.at() != before || reached && last {
			u.pulls.reset()
		}
		if events = events[n:]; last {
			return nil
		}
	}
}

// stall ends a round when the backend sends no page though it is connected. The round stops it when it has caught up.
func (u *uplink) stall(cancel context.CancelCauseFunc) *time.Timer {
	var t *time.Timer
	armed := make(chan struct{})
	t = time.AfterFunc(answerLimit, func() {
		<-armed
		if status, _ := u.client.Status(); status.Connected {
			cancel(errStalled)
		} else {
			t.Reset(answerLimit)
		}
	})
	close(armed)
	return t
}

// push hands pending events to the backend, for as long as their outcome is known.
func (u *uplink) push(ctx context.Context) error {
	u.rest(ctx, u.pushes.d) // after a push whose outcome was not known
	var since time.Time     // it has been waiting for something of the backend's
	for ctx.Err() == nil {
		var id string
		var batch []event.Global
		var behind bool
		var rejected, err error
		if derr := u.l.do(ctx, func() {
			m := u.l.m
			id, batch, err = m.NextBackendPush()
			behind, rejected = m.BackendHead() > m.heads.Upstream.Global, m.Rejected()
		}); derr != nil {
			return derr
		}
		switch {
		case err != nil:
			return err
		case len(batch) > 0:
			since = time.Time{}
			if err := u.hand(ctx, id, batch); err != nil {
				return err
			}
		case rejected != nil:
			u.report(link.PausedRejected, rejected)
			if u.idle(ctx, &since, retryPaused) {
				if err := u.l.do(ctx, u.l.m.Resume); err != nil {
					return err
				}
			}
		case behind: // the events it has said it has, or the echo of those it has stored, are on their way
			if u.idle(ctx, &since, echoLimit) {
				return errBehind
			}
		default:
			since = time.Time{}
			u.idle(ctx, &since, forever)
		}
	}
	return context.Cause(ctx)
}

// hand pushes one batch.
func (u *uplink) hand(ctx context.Context, backendID string, batch []event.Global) error {
	perr := u.client.Push(ctx, backendID, batch)
	var doubt bool
	var halted error
	// The answer is needed also when the round has ended meanwhile: the next one begins with what is known then.
	if err := u.l.do(context.WithoutCancel(ctx), func() {
		u.l.m.BackendPushed(batch, perr)
		doubt, halted = u.l.m.Doubt(), u.l.m.Halted()
		head := u.l.m.BackendHead()
		u.say(func(s *link.Uplink) { s.Head = head })
	}); err != nil {
		return err
	}
	switch {
	case perr == nil:
		u.pushes.reset()
		u.say(func(s *link.Uplink) {
			if s.Paused == link.PausedRejected || s.Paused == "" {
				s.Paused, s.Why = "", ""
			}
		})
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case halted != nil:
		return halted
	case doubt:
		u.pushes.next() // and the round begins anew at once
		return &doubtError{perr}
	}
	if _, refused := errors.AsType[*provider.RefusedError](perr); refused {
		return perr
	}
	return nil // parked or rejected
}

// doubtError says that it is not known whether a push was stored, because of Err.
type doubtError struct{ Err error }

func (e *doubtError) Error() string { return fmt.Sprintf("%v: %v", errDoubt, e.Err) }

func (e *doubtError) Unwrap() error { return e.Err }

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

// caughtUp says that all has been pulled that the backend had when the round began.
func (u *uplink) caughtUp() {
	u.say(func(s *link.Uplink) {
		s.CaughtUp, s.Pulled = true, true
		if u.pushes.d == 0 {
			s.Why = ""
		}
		if s.Paused == link.PausedProtocol || s.Paused == link.PausedCredentials {
			s.Paused = ""
		}
	})
}

// report says why sync does not go on, and logs it when that is news.
func (u *uplink) report(pause link.Pause, err error) {
	u.say(func(s *link.Uplink) {
		s.Paused, s.Why = pause, err.Error()
		if text := string(pause) + err.Error(); text != u.reported {
			u.reported = text
			u.logger.Warn("sync with the backend", "paused", string(pause), "err", err)
		}
	})
}

// wait waits until the next round may begin, after one that ended with err.
func (u *uplink) wait(ctx context.Context, err error) {
	u.say(func(s *link.Uplink) { s.CaughtUp = false })
	var d time.Duration
	pause := u.reason(err)
	switch pause {
	case link.PausedByApp:
		d = forever
	case link.PausedBackend, link.PausedEvent:
		u.report(pause, err)
		d = forever
	case link.PausedCredentials:
		u.report(pause, err)
		d = retryPaused
	case link.PausedProtocol:
		u.report(pause, err)
		d = u.pulls.next()
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
		d = u.pulls.next()
		u.logger.Info("sync with the backend is interrupted", "err", err, "again in", d)
	}
	u.rest(ctx, d)
	if pause == link.PausedCredentials {
		u.client.Reconnect()
	}
}

// reason says for which reason sync pauses after a round that ended with err; for none when it is tried again at once.
func (u *uplink) reason(err error) link.Pause {
	_, changed := errors.AsType[*BackendChangedError](err)
	_, identity := errors.AsType[*provider.IdentityError](err)
	_, refused := errors.AsType[*provider.RefusedError](err)
	_, event := errors.AsType[*EventError](err)
	_, gap := errors.AsType[*syncstate.GapError](err)
	_, broken := errors.AsType[*provider.ProtocolError](err)
	switch {
	case errors.Is(err, errPaused):
		return link.PausedByApp
	case changed, identity:
		return link.PausedBackend
	case refused:
		return link.PausedCredentials
	case event:
		return link.PausedEvent
	case gap, broken:
		// Once is an accident of the network or of the order in which the backend does things. Twice is what it has.
		last := u.gap
		u.gap = err.Error()
		if last == u.gap {
			return link.PausedProtocol
		}
	}
	return ""
}

// pause ends what is under way and lets nothing begin. When it returns without an error, nothing is under way any more.
func (u *uplink) pause(ctx context.Context) error {
	u.mu.Lock()
	u.paused = true
	if u.round != nil {
		u.round()
	}
	ended := u.ended
	u.mu.Unlock()
	u.say(func(s *link.Uplink) { s.Paused, s.Why, s.CaughtUp = link.PausedByApp, "", false })
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// resume goes on after a pause, whoever has made it.
func (u *uplink) resume(ctx context.Context) error {
	if err := u.l.do(ctx, u.l.m.Resume); err != nil {
		return err
	}
	u.mu.Lock()
	u.paused, u.reported = false, ""
	u.mu.Unlock()
	status, _ := u.client.Status()
	u.say(func(s *link.Uplink) {
		s.Paused, s.Why = "", ""
		if status.Err != nil {
			s.Why = status.Err.Error()
		}
	})
	select {
	case u.nudge <- struct{}{}:
	default:
	}
	u.wake()
	u.client.Reconnect()
	return nil
}

// Sync pauses sync with the backend, or goes on with it. See [link.Leader].
func (l *Leader) Sync(ctx context.Context, r link.SyncRequest) (link.SyncReply, error) {
	if l.up == nil {
		return link.SyncReply{}, nil
	}
	if r.Pause {
		return link.SyncReply{Synced: true}, l.up.pause(ctx)
	}
	return link.SyncReply{Synced: true}, l.up.resume(ctx)
}

// backoff doubles from retryFirst to retryLast.
type backoff struct{ d time.Duration }

func (b *backoff) next() time.Duration {
	b.d = min(max(retryFirst, 2*b.d), retryLast)
	return b.d
}

func (b *backoff) reset() { b.d = 0 }
