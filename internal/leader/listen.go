package leader

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/provider"
)

// errShorter ends a round that only listens, when the backend does not have the last event any more that it was known to have.
var errShorter = errors.New("the sync backend has fewer events than it had")

// listen follows the backend's head while an event of it does not apply: nothing is applied, kept or pushed. It begins with the last event
// that the backend is known to have, so what waits there is not carried over the network only to be thrown away, and a backend that was set
// back in between is noticed. It returns why it ended: the round that comes then tries the event again.
func (u *uplink) listen(ctx context.Context, backendID string, e *EventError) (err error) {
	u.halted(e)
	if !u.listening() {
		return errResumed
	}
	from := provider.Cursor{BackendID: backendID}
	if err := u.l.do(ctx, func() { from.After = u.l.m.BackendHead() - 1 }); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dog := u.watchdog(cancel)
	defer dog.stop()
	answered, since := false, time.Time{}
	defer func() {
		_, offline := errors.AsType[*provider.OfflineError](err)
		if answered && (offline || time.Since(since) >= steady) {
			u.pulls.reset()
		}
	}()
	at := from.After
	for page, err := range u.client.Pull(ctx, from, true) {
		if err != nil {
			return cmp.Or(context.Cause(ctx), err)
		}
		if !answered {
			dog.stop()
			answered, since = true, time.Now()
		}
		if n := len(page.Events); n > 0 {
			at = max(at, page.Events[n-1].SeqNum)
		}
		if at == from.After { // so far nothing has come
			if page.Remaining == 0 {
				return cmp.Or(u.l.do(ctx, func() { u.l.m.backend.head = 0 }), errShorter) // the next round finds out where it is
			}
			continue
		}
		head := at + int64(max(0, page.Remaining))
		if err := u.l.do(ctx, func() {
			u.l.m.BackendAt(head)
			u.say(func(s *link.Uplink) { s.Head = max(s.Head, head) })
		}); err != nil {
			return err
		}
	}
	return cmp.Or(context.Cause(ctx), u.liveEnded())
}

// listening says that the round only listens from now on. It is false when the app has resumed sync since the round began.
func (u *uplink) listening() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.listens = u.resumes == u.began
	return u.listens
}

// halted says which event of the backend does not apply.
func (u *uplink) halted(e *EventError) {
	u.say(func(s *link.Uplink) {
		s.CaughtUp = false
		s.HaltedAt, s.HaltedWhy = event.SeqNum{Global: e.Num}, e.Error()
	})
	u.report(link.PausedEvent, e)
}
