package leader

import (
	"context"

	"github.com/livestore-go/livestore/internal/link"
)

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
