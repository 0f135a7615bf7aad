package livestore

import (
	"context"

	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/session"
)

// ResetOption changes what [Store.Reset] does. There is one: [DropUnconfirmed].
type ResetOption struct{ drop bool }

// DropUnconfirmed has [Store.Reset] delete also what is nowhere else: synced events that the sync backend has not confirmed, and commits
// that are set aside.
var DropUnconfirmed = ResetOption{drop: true}

// UnconfirmedError says that [Store.Reset] would have lost Events, as many synced events that no sync backend is known to have, or
// SetAside, as many commits. Nothing has happened.
type UnconfirmedError = link.UnconfirmedError

// ResetError ends the receipt of the commit ID, which was in the eventlog of the store StoreID and not known as confirmed when
// [Store.Reset] emptied that.
type ResetError = session.ResetError

// Reset empties the eventlog and the state of this client, for all its sessions. With a sync provider everything that the backend has is
// pulled from its beginning then, whatever its identity; without one the store is empty. The client keeps its id.
//
// Unless [DropUnconfirmed] is given, it refuses to lose what is nowhere else: with a synced event that the backend has not confirmed, or a
// commit that is set aside, it returns an *[UnconfirmedError] and nothing has happened. What this session has committed goes to the leader
// first, to be counted. Without a provider every synced event is one that was not confirmed; so it is when [SyncStatus] says
// [PausedBackend], for nobody knows then what the backend has of them: [Store.Rebase] keeps them. A store that was opened and has not yet
// been connected believes what was confirmed before: wait until [SyncStatus] says CaughtUp.
//
// Client-only events, documents among them, exist on this client only and go in any case. What [Store.Archived] lists stays. Commits that
// sessions admit meanwhile are not lost: they come after the reset, on the empty store, or are set aside when they do not apply there.
// Receipts of commits that were in the eventlog, and not known as confirmed, end with a *[ResetError]. The eventlog is empty then, so the
// next Open calls [Options.Seed] when nothing has come from a backend. A pause by [Store.PauseSync] stays.
func (s *Store) Reset(ctx context.Context, opts ...ResetOption) error {
	if s.isClosed() {
		return s.errClosed()
	}
	drop := false
	for _, o := range opts {
		drop = drop || o.drop
	}
	return s.session.Reset(ctx, drop)
}
