package livestore

import (
	"context"
	"iter"
	"time"

	"github.com/livestore-go/livestore/event"
)

// Rebase brings the client onto the sync backend as it is now, when [SyncStatus] says [PausedBackend]: the backend has another identity, or
// was set back to an earlier state, and no longer has everything that it had confirmed. Every event stays on some client:
//
//   - What this client has committed and the backend lacks is pending again, behind what the backend has, and is pushed. A commit that does
//     not apply there any more is set aside, see [Store.SetAside]. Its client-only events stay, too.
//   - What other clients have committed and the backend lacks leaves the eventlog, and the state: [Store.Archived] lists it. When its
//     author has called Rebase, it comes back from the backend.
//
// An event counts as one that the backend has when client, session, name and arguments are equal; of equal ones, as many as it has.
//
// All sessions of the client see it as one step, and their commits meanwhile come after it. Receipts follow: a commit that was not
// confirmed will be by the new backend. What was said to be confirmed is true of the backend that was. State is rebuilt for it, and all
// that the backend has beyond what is the same is held in memory meanwhile.
//
// A backend that has everything it had confirmed is gone on with, so Rebase is safe at any time: when nothing has changed, sync is
// interrupted for a moment, and nothing else happens. While the app has paused sync it pulls all the same, once.
// Without a sync provider it returns [ErrNoProvider], and without a connection the provider's *provider.OfflineError. When an event of the
// backend does not apply here, the error says which: nothing has changed then, or, when the backend is gone on with, what comes before the
// event is applied and sync waits at it, see [PausedEvent]. After Rebase sync goes on, unless the app has paused it.
func (s *Store) Rebase(ctx context.Context) error {
	if s.isClosed() {
		return s.errClosed()
	}
	return s.session.Rebase(ctx)
}

// ArchivedEvent is an event of another client that a [Store.Rebase] has taken out of the eventlog.
type ArchivedEvent struct {
	Event     event.Global // as it was in the eventlog
	BackendID string       // identity of the backend that had it
	At        time.Time    // when Rebase took it out
}

// Archived iterates over the events of other clients that a [Store.Rebase] of this client has taken out of the eventlog, because the
// backend did not have them: oldest first. Nothing reads them but the app: to show them, or to commit anew what nobody will bring back. An
// event that its author has brought to the backend since then is in the eventlog again, and listed here all the same. To commit one
// anew as this client's: event.Raw(def.Definition(), archived.Event.Args) is the draft. An error ends the iteration.
func (s *Store) Archived(ctx context.Context) iter.Seq2[ArchivedEvent, error] {
	return func(yield func(ArchivedEvent, error) bool) {
		if s.isClosed() {
			yield(ArchivedEvent{}, s.errClosed())
			return
		}
		for a, err := range s.session.Archive(ctx) {
			if !yield(ArchivedEvent{Event: a.Event, BackendID: a.BackendID, At: a.At}, err) || err != nil {
				return
			}
		}
	}
}
