package livestore

import (
	"context"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/session"
)

// Stage is how far a commit has come. Each stage includes those before it.
type Stage = session.Stage

const (
	// Committed: the session has admitted it. On a durable adapter it survives the end of the process, also by kill -9.
	Committed = session.Committed
	// Persisted: it is in the eventlog of the client and survives a loss of power.
	Persisted = session.Persisted
	// Confirmed: it is in the log of the sync backend.
	Confirmed = session.Confirmed
)

// Receipt follows one commit.
type Receipt struct{ commit *session.Commit }

// Wait waits until the commit has come to a stage, and then returns nil. It returns at once a *[StageError] when the stage can
// never come, a *[SetAsideError] when the commit was set aside, [ErrClosed] when the store was closed before it came, and the
// error of ctx when that is done first.
func (r *Receipt) Wait(ctx context.Context, stage Stage) error { return r.commit.Wait(ctx, stage) }

// Stage returns how far the commit has come.
func (r *Receipt) Stage() Stage { return r.commit.Stage() }

// Events returns the events of the commit as they are numbered now. A rebase changes the numbers.
func (r *Receipt) Events() []event.Client { return r.commit.Events() }

// ID returns the identity of the commit, which never changes.
func (r *Receipt) ID() event.CommitID { return r.commit.ID() }

type (
	// StageError says that a commit can never come to Stage in the store StoreID, and Why: it is Confirmed without a sync
	// provider or for a commit of client-only events, or Persisted on an adapter that keeps everything in memory.
	StageError = session.StageError
	// SetAsideError says that the commit ID of the store StoreID no longer applied after a rebase, and Why. It is kept: see
	// [Store.SetAside].
	SetAsideError = session.SetAsideError
)
