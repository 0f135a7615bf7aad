package link

import (
	"fmt"
	"time"

	"github.com/livestore-go/livestore/event"
)

// ArchiveRequest asks for up to Limit archived events after a place in the archive. The place before the first is 0.
type ArchiveRequest struct {
	After int64 `json:"after"`
	Limit int   `json:"limit"`
}

// ArchiveReply answers an ArchiveRequest. An empty one is the end of the archive.
type ArchiveReply struct {
	Events []Archived `json:"events,omitempty"`
}

// Archived is an event of another client that is in the log no more.
type Archived struct {
	ID        int64        `json:"id"` // its place in the archive
	Event     event.Global `json:"event"`
	BackendID string       `json:"backendId"`   // the backend that had it
	At        time.Time    `json:"at,omitzero"` // when it was archived, by the leader's clock
}

// UnconfirmedError says that a reset would have lost what is nowhere else, and has not happened.
type UnconfirmedError struct {
	StoreID  string
	ClientID string
	Events   int // synced events that the backend has not confirmed; all without a provider, or when the backend is not the one it was
	SetAside int // commits that are set aside
}

func (e *UnconfirmedError) Error() string {
	return fmt.Sprintf("store %s (client %s) is not reset: %d synced events that no sync backend is known to have and %d set-aside "+
		"commits would be lost: let them be confirmed, call Rebase when the backend is another one, retry or drop what is set aside, "+
		"or reset with DropUnconfirmed", e.StoreID, e.ClientID, e.Events, e.SetAside)
}
