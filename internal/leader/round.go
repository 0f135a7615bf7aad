package leader

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/provider"
)

// errPaused ends a round that the app has paused, errBehind one in which the events that the backend has did not come, errStalled one
// whose pull got no answer, errDoubt one whose push has an outcome that is not known, and errResumed one that only listened.
var (
	errPaused  = errors.New("paused by the app")
	errBehind  = errors.New("the sync backend has events that it does not send")
	errStalled = errors.New("the sync backend is connected, and does not answer a pull")
	errDoubt   = errors.New("it is not known whether a push was stored")
	errResumed = errors.New("the app wants what has failed to be tried again")
)

// begin starts a round, unless the app has paused sync.
func (u *uplink) begin(ctx context.Context) (context.Context, func(), bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.began = u.resumes
	if u.paused || u.held {
		return nil, nil, false
	}
	ctx, cancel := context.WithCancelCause(ctx)
	u.round = cancel
	ended := make(chan struct{})
	u.ended = ended
	return ctx, func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.round, u.listens = nil, false
		cancel(nil) // or the leader's context would keep this one for as long as it lives
		close(ended)
	}, true
}

// pull is one round: a live pull from the upstream head on, and pushes once it has caught up; and a pull that only listens when an event
// does not apply. It returns why it ended.
func (u *uplink) pull(ctx context.Context) error {
	ctx, end, ok := u.begin(ctx)
	if !ok {
		return errPaused
	}
	defer end()
	backendID, err := u.follow(ctx)
	if e, ok := errors.AsType[*EventError](err); ok && ctx.Err() == nil {
		err = u.listen(ctx, backendID, e)
	}
	if e, ok := errors.AsType[*provider.IdentityError](err); ok { // the machine is to know, before something else takes the place of the round
		_ = u.l.do(context.WithoutCancel(ctx), func() { u.l.m.Changed(e) }) // or the leader has ended
	}
	return err
}

// follow is the live pull of a round, with its pushes. It returns the backend's identity and why it ended.
func (u *uplink) follow(ctx context.Context) (backendID string, err error) {
	var cursor provider.Cursor
	var halted error
	g := gathering{u: u}
	if err := u.l.do(ctx, func() {
		halted = u.l.m.Retry()
		cursor, g.pending = u.l.m.Cursor(), u.l.m.pendingEvents()
	}); err != nil || halted != nil {
		return "", cmp.Or(err, halted)
	}
	g.at = cursor.After
	ctx, cancel := context.WithCancelCause(ctx)
	var pusher sync.WaitGroup
	defer func() {
		cancel(err)
		pusher.Wait()
	}()
	caughtUp, since := false, time.Time{}
	defer func() {
		// A provider waits by itself before it connects again. Whatever else ends a round soon after it has caught up does so again.
		_, offline := errors.AsType[*provider.OfflineError](err)
		if caughtUp && (offline || time.Since(since) >= steady) {
			u.pulls.reset()
		}
	}()
	dog := u.watchdog(cancel)
	defer dog.stop()
	for page, err := range u.client.Pull(ctx, cursor, true) {
		if err != nil {
			ferr := g.flush(ctx)
			if e, ok := errors.AsType[*EventError](ferr); ok { // there is nothing to listen to any more
				u.halted(e)
				ferr = nil
			}
			return "", cmp.Or(ferr, context.Cause(ctx), err)
		}
		reached := !caughtUp && page.Remaining == 0
		if err := g.add(ctx, page, caughtUp, reached); err != nil {
			return page.BackendID, err
		}
		if !caughtUp {
			dog.fed()
		}
		if reached {
			dog.stop()
			caughtUp, since = true, time.Now()
			u.caughtUp()
			pusher.Go(func() {
				if err := u.push(ctx); err != nil {
					cancel(err)
				}
			})
		}
		u.wake()
	}
	return "", cmp.Or(g.flush(ctx), context.Cause(ctx), u.liveEnded())
}

// liveEnded is the error of a live pull that has ended without one.
func (u *uplink) liveEnded() error {
	return &provider.ProtocolError{StoreID: u.l.m.cfg.StoreID, Why: "a live pull has ended"}
}

// push hands pending events to the backend, for as long as their outcome is known.
func (u *uplink) push(ctx context.Context) error {
	u.rest(ctx, u.pushes.d) // after a push whose outcome was not known
	var since time.Time     // it has been waiting for something of the backend's
	var at int64            // what had been pulled when it began to
	for ctx.Err() == nil {
		var id string
		var batch []event.Global
		var behind bool
		var rejected, err error
		var wait time.Duration
		var why string
		if derr := u.l.do(ctx, func() {
			m := u.l.m
			if wait, why = m.PushWait(); wait > 0 {
				return
			}
			id, batch, err = m.NextBackendPush()
			behind, rejected = m.BackendHead() > m.heads.Upstream.Global, m.Rejected()
		}); derr != nil {
			return derr
		}
		switch {
		case wait > 0: // meanwhile the events of others come in
			u.say(func(s *link.Uplink) {
				if s.Paused == "" {
					s.Why, u.slow = why, why
				}
			})
			u.rest(ctx, wait)
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
			if got := u.got.Load(); at != got { // some of them have come
				at, since = got, time.Time{}
			}
			if u.idle(ctx, &since, echoLimit) {
				return cmp.Or(u.l.do(ctx, u.l.m.Turn), errBehind)
			}
		default:
			u.say(func(s *link.Uplink) {
				if s.Paused == link.PausedRejected { // what was rejected is no longer there
					s.Paused, s.Why = "", ""
				}
				if s.Why == u.slow { // nor is what could not be stored
					s.Why = ""
				}
			})
			since = time.Time{}
			u.idle(ctx, &since, forever)
			since = time.Time{}
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

// watchdog ends a round when the backend sends no page though it is connected.
type watchdog struct {
	u   *uplink
	end context.CancelCauseFunc
	t   *time.Timer
	off atomic.Bool
}

func (u *uplink) watchdog(end context.CancelCauseFunc) *watchdog {
	w := &watchdog{u: u, end: end}
	armed := make(chan struct{})
	w.t = time.AfterFunc(answerLimit, func() {
		<-armed
		w.bite()
	})
	close(armed)
	return w
}

func (w *watchdog) bite() {
	w.u.mu.Lock()
	connected, since := w.u.state.Connected, w.u.state.Since
	w.u.mu.Unlock()
	switch {
	case w.off.Load():
	case connected && w.u.l.m.now().Sub(since) >= answerLimit:
		w.end(errStalled)
	default:
		w.t.Reset(answerLimit)
	}
}

// fed says that a page has come.
func (w *watchdog) fed() { w.t.Reset(answerLimit) }

// stop lets it bite no more: the round has caught up, or has ended.
func (w *watchdog) stop() {
	w.off.Store(true)
	w.t.Stop()
}
