package leader

import (
	"context"
	"errors"
	"fmt"

	"github.com/livestore-go/livestore/internal/link"
)

// pause ends what is under way and lets nothing begin. When it returns without an error, nothing is under way any more.
func (u *uplink) pause(ctx context.Context) error {
	u.mu.Lock()
	u.paused = true
	if u.round != nil {
		u.round(errPaused)
	}
	ended := u.ended
	u.set(func(s *link.Uplink) { s.Paused, s.Why, s.CaughtUp = link.PausedByApp, "", false })
	u.mu.Unlock()
	select {
	case <-ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case u.gate <- struct{}{}: // whoever has held the rounds back is through
		<-u.gate
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
	status, _ := u.client.Status()
	u.say(func(s *link.Uplink) {
		u.paused, u.reported = false, ""
		u.resumes++
		s.Paused, s.Why = "", ""
		if status.Err != nil {
			s.Why = status.Err.Error()
		}
		if u.listens {
			u.round(errResumed)
		}
	})
	u.hurry()
	u.wake()
	u.client.Reconnect()
	return nil
}

// Sync pauses sync with the backend, or goes on with it. See [link.Leader].
func (l *Leader) Sync(ctx context.Context, r link.SyncRequest) (link.SyncReply, error) {
	if r.Do == link.Reset {
		return l.reset(ctx, r.Drop)
	}
	if l.up == nil {
		return link.SyncReply{}, nil
	}
	reply := link.SyncReply{Synced: true}
	var err error
	switch r.Do {
	case link.PauseSync:
		err = l.up.pause(ctx)
	case link.ResumeSync:
		err = l.up.resume(ctx)
	case link.SetAsideRejected:
		if derr := l.do(ctx, func() { reply.SetAside, err = l.m.SetAsideRejected() }); derr != nil {
			return reply, derr
		}
		if reply.SetAside {
			err = errors.Join(err, l.up.resume(ctx))
		}
	case link.Rebase:
		return l.rebase(ctx)
	default:
		err = fmt.Errorf("leader of store %s: there is no sync request %q", l.m.cfg.StoreID, r.Do)
	}
	return reply, err
}
