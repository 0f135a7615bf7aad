package room

import (
	"context"
	"fmt"

	"github.com/livestore-go/livestore/event"
)

// Storage keeps the eventlogs of the stores of a sync backend. Its methods may be called from any goroutine.
type Storage interface {
	// Open opens the log of a store. The first time, it makes one, with a backend id of its own. A log is open once at a time in
	// one server; another server may have it open as well if the storage is made for that.
	Open(ctx context.Context, storeID string) (Log, error)

	// Close releases what the storage holds. Logs that are still open fail from then on.
	Close() error
}

// Log is the eventlog of one store at the sync backend. Its events are numbered 1, 2, 3 … without a gap, each with the one before as
// its parent; event 1 has parent 0. It is used from one goroutine at a time.
type Log interface {
	// BackendID returns the identity of the log, 21 characters: made with it, kept with it, never changed. A client that has seen
	// another one for this store refuses to sync, and so protects what it has.
	BackendID() string

	// Head returns the number of the last event, 0 when there is none. Everything up to it can be read.
	Head(ctx context.Context) (int64, error)

	// Append adds a batch behind the event with number parent, as a whole or not at all. When it returns nil, the batch is durable:
	// it survives whatever the storage promises to survive, and is the new head. It fails with a [*HeadError] if and only if the head
	// is another one than parent, and then nothing was added. After any other error the batch may have been added or not, but not a
	// part of it. The caller has checked that the batch is not empty and that it chains from parent+1 on. The log does not keep
	// the slice; it may keep the arguments of the events, which nobody changes.
	Append(ctx context.Context, parent int64, batch []Event) error

	// Read returns the events after a number, ascending and without a gap: at most limit of them, and no more than fit into maxBytes,
	// where each counts [EventSize]. It returns at least one when there is one, however large, and otherwise may return fewer
	// than would fit. Beyond the head there are none, which is no error.
	// The caller does not change what it gets.
	Read(ctx context.Context, after int64, limit, maxBytes int) ([]Event, error)

	// Close releases the log.
	Close() error
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
