package room

import (
	"fmt"

	"github.com/livestore-go/livestore/internal/wire"
)

// SlowReaderError says why a connection is closed: its client asked again and again, and did not read the answers.
type SlowReaderError struct {
	StoreID string
	Replies int // answers that wait to be read
}

func (e *SlowReaderError) Error() string {
	return fmt.Sprintf("store %s: the client does not read what it asked for, %d answers wait: read while sending", e.StoreID, e.Replies)
}

// DuplicateIDError says why a connection is closed: its client used the id of a request that is still running for another one, so
// that no answer could be told from the other's.
type DuplicateIDError struct {
	StoreID string
	ID      wire.ID
}

func (e *DuplicateIDError) Error() string {
	return fmt.Sprintf("store %s: request id %s is in use by a request that still runs: give each request of a connection its own id",
		e.StoreID, e.ID)
}

// HeadLostError says that the log has lost events that it had said are durable.
type HeadLostError struct {
	StoreID string
	Known   int64 // head that the log had
	Head    int64 // head that it says it has now
}

func (e *HeadLostError) Error() string {
	return fmt.Sprintf("store %s: the log ends at event %d and had event %d: restore what is missing, or give the log another backend id",
		e.StoreID, e.Head, e.Known)
}

// GapError says that the log does not return what follows an event.
type GapError struct {
	StoreID string
	After   int64 // event whose successor is missing
	Head    int64
}

func (e *GapError) Error() string {
	return fmt.Sprintf("store %s: the log has event %d as its head and not the one that follows event %d: the log is damaged",
		e.StoreID, e.Head, e.After)
}

// The names of the causes of an UnknownError.
const (
	causeStorage      = "StorageError"       // the log failed; it is not known whether a push was stored
	causeInvalidBatch = "InvalidBatchError"  // the events of a push are no chain or have no proper names
	causeTooLarge     = "EventTooLargeError" // an event fits into no chunk
	causeTooMany      = "TooManyPullsError"  // the connection has as many pulls as it may
	causeStore        = "StoreIdMismatchError"
	causeRefused      = "RequestRefusedError" // a hook of the server does not let it in; nothing was stored
)

// failure is the exit of a request that failed with an error of the protocol.
func failure(id wire.ID, err error) *wire.Exit {
	return &wire.Exit{ID: id, Failure: []wire.Reason{{Kind: wire.Fail, Err: err}}}
}

// unknown is the exit of a request that failed for a reason that the protocol has no error for.
func unknown(id wire.ID, name, message string) *wire.Exit {
	return failure(id, &wire.UnknownError{Cause: wire.Cause(name, message)})
}
