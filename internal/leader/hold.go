package leader

import (
	"context"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/provider"
)

// hold ends the round under way and lets none begin until release is called: for acts after which sync begins anew. One act at a time.
func (u *uplink) hold(ctx context.Context) (release func(), err error) {
	select {
	case u.gate <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	u.mu.Lock()
	u.held = true
	if u.round != nil {
		u.round(errPaused)
	}
	ended := u.ended
	u.mu.Unlock()
	release = func() {
		u.mu.Lock()
		u.held = false
		if !u.paused {
			u.resumes++ // whatever the last round has ended with is tried again
		}
		u.mu.Unlock()
		u.hurry()
		u.wake()
		<-u.gate
	}
	select {
	case <-ended:
		return release, nil
	case <-ctx.Done():
		release()
		return nil, ctx.Err()
	}
}

// rebase brings the log onto the backend as it is now. See [Machine.RebaseOnto].
func (l *Leader) rebase(ctx context.Context) (reply link.SyncReply, err error) {
	u := l.up
	release, err := u.hold(ctx)
	if err != nil {
		return reply, err
	}
	defer release()
	if err := u.client.Ping(ctx); err != nil { // or the pull would wait for a connection
		return reply, err
	}
	id, common, events, err := u.whole(ctx)
	if err != nil {
		return reply, err
	}
	derr := l.do(ctx, func() {
		before := l.m.Heads()
		err = l.m.RebaseOnto(id, common, events)
		if err == nil {
			u.begun()
			u.logger.Info("the log is on the backend as it is now", "backend", id, "before", before, "after", l.m.Heads())
		}
		reply = l.reply()
	})
	if derr != nil {
		return reply, derr
	}
	return reply, err
}

// whole pulls everything that the backend has. It returns the identity of the backend, how much of the beginning the log has as well, and
// the rest.
func (u *uplink) whole(ctx context.Context) (id string, common int64, rest []event.Global, err error) {
	remaining := 1
	for page, err := range u.client.Pull(ctx, provider.Cursor{}, false) {
		if err != nil {
			return "", 0, nil, err
		}
		remaining = page.Remaining
		if id != "" && page.BackendID != id {
			return "", 0, nil, &provider.IdentityError{StoreID: u.l.m.cfg.StoreID, Backend: page.BackendID, Received: id}
		}
		id = page.BackendID
		events := page.Events
		if len(rest) == 0 && len(events) > 0 {
			var n int
			if derr := u.l.do(ctx, func() { n, err = u.l.m.CommonWith(common, events) }); derr != nil {
				return "", 0, nil, derr
			}
			if err != nil {
				return "", 0, nil, err
			}
			common += int64(n)
			events = events[n:]
		}
		rest = append(rest, events...)
	}
	if remaining != 0 && ctx.Err() == nil {
		return "", 0, nil, &provider.ProtocolError{StoreID: u.l.m.cfg.StoreID, Why: "a pull has ended before the head of the backend"}
	}
	return id, common, rest, ctx.Err()
}

// reset empties the log. See [Machine.Reset].
func (l *Leader) reset(ctx context.Context, drop bool) (reply link.SyncReply, err error) {
	if l.up != nil {
		release, err := l.up.hold(ctx)
		if err != nil {
			return reply, err
		}
		defer release()
	}
	derr := l.do(ctx, func() {
		err = l.m.Reset(drop)
		if err == nil && l.up != nil {
			l.up.begun()
		}
		reply = l.reply()
	})
	if derr != nil {
		return reply, derr
	}
	return reply, err
}

// begun says that sync begins anew: why it has stopped before holds no longer, and neither does where the backend stood. It runs on the
// leader's goroutine, in the step that has changed the log: a session that has seen the one has seen the other.
func (u *uplink) begun() {
	head := u.l.m.BackendHead()
	status, _ := u.client.Status()
	u.say(func(s *link.Uplink) {
		s.Head, s.CaughtUp = head, false
		s.HaltedAt, s.HaltedWhy = event.SeqNum{}, ""
		if !u.paused {
			s.Paused, s.Why, u.reported = "", "", ""
			if status.Err != nil {
				s.Why = status.Err.Error()
			}
		}
	})
}

// reply says where a session has seen what was done.
func (l *Leader) reply() link.SyncReply {
	return link.SyncReply{Synced: l.up != nil, Epoch: l.m.feed.epoch, Cursor: l.m.feed.at(), Uplink: l.m.feed.link().Version}
}
