package server

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/livestore-go/livestore/internal/room"
)

// Storage keeps the eventlogs of the stores of a sync backend. Its methods may be called from any goroutine. Package server/storagetest
// checks one.
type Storage interface {
	// Open opens the log of a store. The first time, it makes one, with a backend id of its own: see [NewBackendID]. A log is open
	// once at a time in one server; another server may have it open as well if the storage is made for that. What [CheckStoreID]
	// refuses is its error, a *[StoreIDError].
	Open(ctx context.Context, storeID string) (Log, error)

	// Close releases what the storage holds. Logs that are still open fail from then on. Closing twice is allowed.
	Close() error
}

// Log is the eventlog of one store at the sync backend. Its events are numbered 1, 2, 3 … without a gap, each with the one before as
// its parent; event 1 has parent 0. It is used from one goroutine at a time. Each method that takes a context returns its error when it is
// over, and an error after Close.
type Log interface {
	// BackendID returns the identity of the log, 21 characters: made with it, kept with it, never changed. A client that has seen
	// another one for this store refuses to sync, and so protects what it has.
	BackendID() string

	// Head returns the number of the last event, 0 when there is none. Everything up to it can be read.
	Head(ctx context.Context) (int64, error)

	// Append adds a batch behind the event with number parent, as a whole or not at all. When it returns nil, the batch is durable:
	// it survives whatever the storage promises to survive, and is the new head. It fails with a [*HeadError] if and only if the head
	// is another one than parent, and then nothing was added. After any other error the batch may have been added or not, but not a
	// part of it. The caller has checked that the batch chains from parent+1 on. The log does not keep
	// the slice; it may keep the arguments of the events, which nobody changes. An empty batch only checks the head.
	Append(ctx context.Context, parent int64, batch []Event) error

	// Read returns the events after a number, ascending and without a gap: at most limit of them, and no more than fit into maxBytes,
	// where each counts [EventSize]. It returns at least one when there is one, however large, and otherwise may return fewer
	// than would fit. Beyond the head there are none, which is no error.
	// The caller does not change what it gets.
	Read(ctx context.Context, after int64, limit, maxBytes int) ([]Event, error)

	// Close releases the log. Closing twice is allowed.
	Close() error
}

// Event is one event in a log: an [event.Global] (Name, Args as raw JSON, SeqNum, ParentSeqNum, ClientID, SessionID), and CreatedAt,
// when the backend took it, as RFC 3339 in UTC with milliseconds, such as 2026-11-23T01:01:01.245Z.
type Event = room.Event

// HeadError says that a batch was not appended because the log has another head than the batch's parent: Head, an int64.
type HeadError = room.HeadError

// EventSize is what an event counts for in the bytes that Read of a [Log] may return.
func EventSize(e Event) int { return room.EventSize(e) }

// MaxStoreID is how many letters a store id may have.
const MaxStoreID = 128

// StoreIDError says that a store id is none: it names files, subjects and rows, so it is 1 to 128 letters, digits, _ and -.
type StoreIDError struct{ StoreID string }

func (e *StoreIDError) Error() string {
	id := e.StoreID
	if len(id) > MaxStoreID {
		return fmt.Sprintf("store id %.20q… has %d letters: %d are allowed", id, len(id), MaxStoreID)
	}
	return fmt.Sprintf("store id %q is none: give it 1 to %d letters (a to z, A to Z), digits, _ and -", id, MaxStoreID)
}

// CheckStoreID returns a *[StoreIDError] for what is no store id. Case counts.
func CheckStoreID(id string) error {
	ok := 0 < len(id) && len(id) <= MaxStoreID
	for _, c := range []byte(id) {
		ok = ok && ('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-')
	}
	if !ok {
		return &StoreIDError{StoreID: id}
	}
	return nil
}

// NewBackendID returns a new random backend id: 21 letters, digits, _ and -, as the official backend makes them. A [Storage] gives one
// to each log when it makes it.
func NewBackendID() string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
	id := make([]byte, 21)
	_, _ = rand.Read(id) // it never fails
	for i, b := range id {
		id[i] = alphabet[b%byte(len(alphabet))]
	}
	return string(id)
}
