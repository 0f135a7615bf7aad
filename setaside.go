package livestore

import (
	"context"
	"iter"
	"slices"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/session"
)

// SetAside is a commit that no longer applied after a rebase. It is out of the way of later commits, and kept until it is
// retried or dropped.
type SetAside struct {
	ID     event.CommitID
	Events []event.Client // as they were committed; their numbers mean nothing any more
	Err    string         // why it did not apply

	store *Store
}

// NotSetAsideError says that the commit ID is not set aside in the store StoreID: it was retried or dropped meanwhile.
type NotSetAsideError = session.NotSetAsideError

// Retry commits the events again, as a new commit on the current state. When that succeeds, the commit is set aside no
// longer; when it fails, nothing has changed. A commit that is not set aside any more is a *[NotSetAsideError].
func (a SetAside) Retry(ctx context.Context) (*Receipt, error) {
	c, err := a.store.session.Retry(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	return &Receipt{c}, nil
}

// Drop deletes the commit for good. Nothing else ever deletes a commit that returned.
func (a SetAside) Drop(ctx context.Context) error { return a.store.session.Drop(ctx, a.ID) }

// SetAside lists the commits of this client that are set aside, oldest first.
func (s *Store) SetAside() []SetAside {
	var list []SetAside
	for _, a := range s.session.SetAside() {
		list = append(list, SetAside{ID: a.ID, Events: a.Events, Err: a.Err, store: s})
	}
	return list
}

// WatchSetAside iterates over the list of [Store.SetAside]: the current one at once, and from then on each time it has
// changed. It ends when ctx is done or the store is closed.
func (s *Store) WatchSetAside(ctx context.Context) iter.Seq[[]SetAside] {
	return watchStatus(ctx, s, s.SetAside, func(a, b []SetAside) bool {
		return slices.EqualFunc(a, b, func(a, b SetAside) bool { return a.ID == b.ID && a.Err == b.Err })
	})
}
