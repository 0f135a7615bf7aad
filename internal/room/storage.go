package room

import (
	"context"
	"fmt"

	"github.com/livestore-go/livestore/event"
)

// Log is the eventlog of one store, as far as a room needs it. Package server says what each method has to do.
type Log interface {
	BackendID() string
	Head(ctx context.Context) (int64, error)
	Append(ctx context.Context, parent int64, batch []Event) error
	Read(ctx context.Context, after int64, limit, maxBytes int) ([]Event, error)
}

// Event is one event in the log of a sync backend.
type Event struct {
	event.Global

	// CreatedAt is when the backend took the event, as RFC 3339 in UTC with milliseconds, such as 2026-11-23T01:01:01.245Z: the same
	// for all events of one push. Empty when it is not known.
	CreatedAt string
}

// eventOverhead is what an event takes beside its arguments and names: keys, numbers and metadata, as JSON.
const eventOverhead = 256

// EventSize is what an event counts for in the bytes that [Log].Read may return: about its size as JSON, and cheap to tell.
func EventSize(e Event) int {
	return len(e.Args) + len(e.Name) + len(e.ClientID) + len(e.SessionID) + eventOverhead
}

// HeadError says that a batch was not appended because the log has another head than the batch's parent.
type HeadError struct {
	Head int64 // of the log
}

func (e *HeadError) Error() string {
	return fmt.Sprintf("the batch does not follow event %d, the head of the log: read the log up to it and number the batch anew", e.Head)
}
