package session

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/link"
)

// Status says how far a session is.
type Status struct {
	LocalHead    event.SeqNum // last event committed or pulled here
	LeaderHead   event.SeqNum // last event the leader has published and this session has applied
	UpstreamHead event.SeqNum // last event the sync backend has confirmed, e0 without a provider
	Pending      int          // events the leader has not yet taken
	SetAside     int          // commits set aside
	Synced       bool         // there is a sync provider
	Uplink       link.Uplink  // how the leader's connection to the sync backend is
	Why          string       // why pushes to the leader wait, empty when they do not
}

// Status returns how far the session is.
func (s *Session) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m.Status()
}

// SetAside lists the commits of this client that no longer applied after a rebase, oldest first.
func (s *Session) SetAside() []link.SetAside {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m.SetAside()
}

// NotSetAsideError says that no such commit is set aside: it never was, or was retried or dropped in the meantime.
type NotSetAsideError struct {
	StoreID string
	ID      event.CommitID
}

func (e *NotSetAsideError) Error() string {
	return fmt.Sprintf("store %s: commit %s is not set aside (any more)", e.StoreID, e.ID)
}

// Retry commits a set-aside commit again, as a new commit on the current state. When it applies, the old one is
// set aside no longer, in the same step in which the leader takes the new one.
func (s *Session) Retry(ctx context.Context, id event.CommitID) (*Commit, error) {
	s.mu.Lock()
	i := slices.IndexFunc(s.m.setAside, func(a link.SetAside) bool { return a.ID == id })
	if i < 0 || s.m.retrying(id) {
		s.mu.Unlock()
		return nil, &NotSetAsideError{StoreID: s.cfg.StoreID, ID: id}
	}
	entry := s.m.setAside[i]
	s.mu.Unlock()
	drafts := make([]event.Draft, len(entry.Events))
	for i, e := range entry.Events {
		def, ok := s.cfg.Schema.Definition(e.Name)
		if !ok {
			return nil, fmt.Errorf("retry commit %s of store %s: event %s is not in the schema", id, s.cfg.StoreID, e.Name)
		}
		drafts[i] = event.Raw(def, e.Args)
	}
	return s.commit(ctx, drafts, id)
}

// Drop deletes a set-aside commit for good. This is the one way in which an event that was committed is ever lost.
func (s *Session) Drop(ctx context.Context, id event.CommitID) error {
	reply, err := s.cfg.Leader.Drop(ctx, link.DropRequest{ID: id})
	if err != nil {
		return fmt.Errorf("drop commit %s of store %s: %w", id, s.cfg.StoreID, err)
	}
	if !reply.Found {
		return &NotSetAsideError{StoreID: s.cfg.StoreID, ID: id}
	}
	return nil
}

// Sync asks the leader to do something about sync with the backend. It returns whether that has set a commit aside.
func (s *Session) Sync(ctx context.Context, act link.SyncAct) (bool, error) {
	s.mu.Lock()
	closing := s.closing
	s.mu.Unlock()
	if closing {
		return false, ErrClosed
	}
	if act == link.ResumeSync {
		s.mu.Lock()
		s.m.Hurry()
		s.stepped(false)
		s.mu.Unlock()
	}
	reply, err := s.cfg.Leader.Sync(ctx, link.SyncRequest{Do: act})
	if err == nil && !reply.Synced {
		err = ErrNoProvider
	}
	if err != nil {
		return false, fmt.Errorf("%s sync of store %s: %w", act, s.cfg.StoreID, err)
	}
	return reply.SetAside, nil
}

// ErrNoProvider says that the store has no sync provider.
var ErrNoProvider = errors.New("the store has no sync provider: give one to its adapter")
