// Package link is what a session and its leader say to each other: three requests and their answers, serialisable,
// versioned and driven by a cursor.
//
//	Boot   the session asks for a copy of the state, and what became of its commits.
//	Push   the session hands its next commits over. The answer says taken or refused, and nothing else.
//	Pull   the session asks for what the leader published after its cursor. It waits until there is something.
//
// A session learns from Pull alone what is in the log, its own events included. It never has more than one Push and
// one Pull under way, and it asks for the next page when it has applied the last, so neither side queues for the other.
package link

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/livestore-go/livestore/event"
)

// Version is the version of the messages in this package. A leader refuses another one.
const Version = 1

// Leader is the leader as a session sees it.
type Leader interface {
	Boot(ctx context.Context, r BootRequest) (Snapshot, error)
	Push(ctx context.Context, r PushRequest) (PushReply, error)
	Pull(ctx context.Context, r PullRequest) (PullReply, error)
	// Events reads the eventlog: up to Limit events after a position.
	Events(ctx context.Context, r EventsRequest) (EventsReply, error)
	// Drop deletes a set-aside commit for good.
	Drop(ctx context.Context, r DropRequest) (DropReply, error)
	// Archive reads the events of others that are in the log no more: up to Limit after a place.
	Archive(ctx context.Context, r ArchiveRequest) (ArchiveReply, error)
	// Sync pauses sync with the backend, goes on with it, sets aside what the backend rejects, brings the log onto another backend, or
	// empties it. When it returns after a pause, nothing is under way any more.
	Sync(ctx context.Context, r SyncRequest) (SyncReply, error)
}

// BootRequest asks for a snapshot. Asks names the session's commits it wants to hear about: those it has not seen
// confirmed yet, and all that come after them until the leader answers.
type BootRequest struct {
	Version   int     `json:"version"`
	SessionID string  `json:"sessionId"`
	Asks      []Range `json:"asks,omitempty"`
}

// Range names the commits of one journal from an ordinal on.
type Range struct {
	Journal string `json:"journal"`
	From    uint64 `json:"from"`
}

// Snapshot is the state of the leader at one position, and where to pull from after it.
type Snapshot struct {
	Head        event.SeqNum     `json:"head"`
	HeadID      event.ID         `json:"headId,omitzero"`
	Generation  int64            `json:"generation"`
	BackendHead event.SeqNum     `json:"backendHead"`
	Epoch       string           `json:"epoch"` // of the cursor: a leader that starts anew counts anew
	Cursor      uint64           `json:"cursor"`
	State       []byte           `json:"state"`              // an SQLite database file
	Taken       []event.CommitID `json:"taken,omitempty"`    // the high-water commit of each journal asked about
	Events      []event.Client   `json:"events,omitempty"`   // of the commits asked about, those in the log, as numbered now
	SetAside    []SetAside       `json:"setAside,omitempty"` // all that are set aside
	Uplink      Uplink           `json:"uplink"`
	Reset       []event.CommitID `json:"reset,omitempty"` // the last commit of each journal asked about that a reset has taken out of the log
}

// Commit is a commit on its way to the leader. When Failed is not empty the session could not apply it on its base, and
// the leader is to set it aside; the numbers of its events mean nothing then.
type Commit struct {
	ID     event.CommitID `json:"id"`
	Events []event.Client `json:"events"`
	Failed string         `json:"failed,omitempty"`
	Retry  event.CommitID `json:"retry,omitzero"` // the set-aside commit that this one tries again
	// Writes says what each event has written at the session, as a number, when the app wants that checked; it is of the state in front of
	// the commit, so it is what the event writes at the leader.
	Writes []uint64 `json:"writes,omitempty"`
}

// PushRequest hands commits over, in the order of their ordinals. Base is the head they chain on. It must be the
// leader's head, the same event and not just the same number, or the push is refused.
type PushRequest struct {
	Version   int          `json:"version"`
	SessionID string       `json:"sessionId"`
	Base      event.SeqNum `json:"base"`
	BaseID    event.ID     `json:"baseId"`
	Commits   []Commit     `json:"commits"`
}

// PushReply answers a push. When it was refused, wholly or from some commit on, the session pushes nothing until it
// has pulled up to Cursor and reconciled.
type PushReply struct {
	Taken  bool         `json:"taken"`
	Head   event.SeqNum `json:"head"`
	Cursor uint64       `json:"cursor"`
}

// PullRequest asks for what was published after Cursor, or an uplink of another version than the one the session knows.
type PullRequest struct {
	Epoch  string `json:"epoch"`
	Cursor uint64 `json:"cursor"`
	Uplink uint64 `json:"uplink,omitempty"`
}

// PullReply holds what was published after the cursor, in order, and the uplink as it is now when it has changed: at least
// one of them. When Lost is set the leader no longer has what was published, and the session boots anew.
type PullReply struct {
	Published []Publish `json:"published,omitempty"`
	Lost      bool      `json:"lost,omitempty"`
	Anew      bool      `json:"anew,omitempty"` // with Lost: the leader's log was replaced, as the app has said
	Uplink    *Uplink   `json:"uplink,omitempty"`
}

// Uplink is how the leader's connection to the sync backend is. It says nothing about the log: that is what is published for.
type Uplink struct {
	Version   uint64    `json:"version"` // counts changes, in the epoch of the cursor
	Connected bool      `json:"connected,omitempty"`
	Since     time.Time `json:"since,omitzero"`     // when Connected has changed, by the leader's clock
	CaughtUp  bool      `json:"caughtUp,omitempty"` // on this connection, all that the backend had when it began has been pulled
	Pulled    bool      `json:"pulled,omitempty"`   // that was so once since the leader started
	Head      int64     `json:"head,omitempty"`     // the last event that the backend is known to have
	Paused    Pause     `json:"paused,omitempty"`   // why sync does not go on by itself
	Why       string    `json:"why,omitempty"`      // the last error, until what failed has succeeded

	HaltedAt  event.SeqNum `json:"haltedAt,omitzero"`   // the event of the backend that does not apply, until it does
	HaltedWhy string       `json:"haltedWhy,omitempty"` // why it does not
}

// Pause is a reason for sync not to go on.
type Pause string

// Why sync pauses.
const (
	PausedByApp       Pause = "paused by the app"
	PausedCredentials Pause = "credentials refused"
	PausedBackend     Pause = "another backend"
	PausedEvent       Pause = "an event does not apply"
	PausedRejected    Pause = "an event is rejected"
	PausedProtocol    Pause = "the backend leaves events out"
)

// SyncRequest says what to do about sync with the backend.
type SyncRequest struct {
	Do   SyncAct `json:"do"`
	Drop bool    `json:"drop,omitempty"` // with Reset: also what is nowhere else
}

// SyncAct is what a SyncRequest is for.
type SyncAct string

// What can be done about sync.
const (
	PauseSync        SyncAct = "pause"
	ResumeSync       SyncAct = "resume"             // also after a pause that the leader has made by itself
	SetAsideRejected SyncAct = "set aside rejected" // the commit that the backend rejects
	Rebase           SyncAct = "rebase"             // onto the backend as it is now
	Reset            SyncAct = "reset"              // begin with an empty log; the one act for which there need not be a backend
)

// SyncReply answers a SyncRequest.
type SyncReply struct {
	Synced   bool `json:"synced"`             // there is a sync provider
	SetAside bool `json:"setAside,omitempty"` // a commit was rejected, and is set aside now

	// After Rebase and Reset: where a session has seen what they did.
	Epoch  string `json:"epoch,omitempty"`
	Cursor uint64 `json:"cursor,omitempty"`
	Uplink uint64 `json:"uplink,omitempty"` // version of the uplink
}

// Publish is one step of the leader's log. It is durable when it is published.
type Publish struct {
	Cursor      uint64           `json:"cursor"`
	RollbackTo  *event.SeqNum    `json:"rollbackTo,omitempty"` // the leader rebased: what lies after this position is withdrawn
	Events      []event.Client   `json:"events,omitempty"`     // then these follow
	SetAside    []SetAside       `json:"setAside,omitempty"`   // commits that were set aside in this step
	Restored    []event.CommitID `json:"restored,omitempty"`   // commits that are set aside no longer: retried or dropped
	BackendHead event.SeqNum     `json:"backendHead"`
	Generation  int64            `json:"generation"`
}

// SetAside is a commit that no longer applied. Its events carry no number.
type SetAside struct {
	ID     event.CommitID `json:"id"`
	Events []event.Client `json:"events"`
	Err    string         `json:"err"`
	At     time.Time      `json:"at,omitzero"` // when, by the leader's clock
}

// EventsRequest asks for up to Limit events after a position of the log.
type EventsRequest struct {
	After event.SeqNum `json:"after"`
	Limit int          `json:"limit"`
}

// EventsReply answers an EventsRequest. An empty one is the end of the log.
type EventsReply struct {
	Events []event.Client `json:"events,omitempty"`
}

// DropRequest names a set-aside commit.
type DropRequest struct {
	ID event.CommitID `json:"id"`
}

// DropReply answers a DropRequest.
type DropReply struct {
	Found bool `json:"found"`
}

const retryPrefix = "retry "

// RetryCause is the cause of the events of a commit that tries a set-aside commit again.
func RetryCause(id event.CommitID) string { return retryPrefix + id.String() }

// RetryOf reads what [RetryCause] wrote. It returns the zero value for any other cause.
func RetryOf(cause string) event.CommitID {
	rest, ok := strings.CutPrefix(cause, retryPrefix)
	if !ok {
		return event.CommitID{}
	}
	journal, ordinal, ok := strings.Cut(rest, "/")
	if !ok {
		return event.CommitID{}
	}
	n, err := strconv.ParseUint(ordinal, 10, 64)
	if err != nil {
		return event.CommitID{}
	}
	return event.CommitID{Journal: journal, Ordinal: n}
}
