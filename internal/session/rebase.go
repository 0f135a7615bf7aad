package session

import (
	"context"
	"fmt"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/link"
)

// ResetError ends the receipt of a commit that was in the eventlog, and not known to this session as confirmed, when the store was reset.
// What the sync backend has of it comes back from there.
type ResetError struct {
	StoreID string
	ID      event.CommitID
}

func (e *ResetError) Error() string {
	return fmt.Sprintf("store %s: commit %s: the store was reset, and unless the sync backend has the commit it is gone", e.StoreID, e.ID)
}

// Rebase brings the client onto the sync backend as it is now. See [link.Leader]. When it returns nil, this session has followed.
func (s *Session) Rebase(ctx context.Context) error {
	if err := s.follow(ctx, link.SyncRequest{Do: link.Rebase}); err != nil {
		return fmt.Errorf("rebase store %s (client %s) onto the sync backend: %w", s.cfg.StoreID, s.cfg.ClientID, err)
	}
	return nil
}

// Reset empties the log of the client. Unless drop is set it is refused with a *[link.UnconfirmedError] when something would be lost; what
// this session has committed goes to the leader first, to be counted. When it returns nil, this session has followed.
func (s *Session) Reset(ctx context.Context, drop bool) error {
	s.mu.Lock()
	next := s.m.cfg.Journal.Next()
	s.mu.Unlock()
	err := s.await(ctx, func(m *Machine) bool { return len(m.commits) == 0 || m.commits[0].id.Ordinal >= next.Ordinal })
	if err == nil {
		err = s.follow(ctx, link.SyncRequest{Do: link.Reset, Drop: drop})
	}
	if err != nil {
		return fmt.Errorf("reset store %s (client %s): %w", s.cfg.StoreID, s.cfg.ClientID, err)
	}
	return nil
}

// follow has the leader do something that changes the log, and waits until the session has seen it.
func (s *Session) follow(ctx context.Context, r link.SyncRequest) error {
	s.mu.Lock()
	closing := s.closing
	s.mu.Unlock()
	if closing {
		return ErrClosed
	}
	reply, err := s.cfg.Leader.Sync(ctx, r)
	switch {
	case err != nil:
		return err
	case !reply.Synced && r.Do != link.Reset:
		return ErrNoProvider
	}
	return s.await(ctx, func(m *Machine) bool {
		return m.epoch != reply.Epoch || m.cursor >= reply.Cursor && m.uplink.Version >= reply.Uplink
	})
}

// await waits until the machine is as wanted.
func (s *Session) await(ctx context.Context, wanted func(*Machine) bool) error {
	for {
		s.mu.Lock()
		ok, closing := wanted(s.m), s.closing
		if s.moved == nil {
			s.moved = make(chan struct{})
		}
		moved := s.moved
		s.mu.Unlock()
		switch {
		case closing:
			return ErrClosed
		case ok:
			return nil
		}
		select {
		case <-moved:
		case <-s.ctx.Done():
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
