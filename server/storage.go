package server

import (
	"crypto/rand"
	"fmt"

	"github.com/livestore-go/livestore/internal/room"
)

// Storage keeps the logs of stores; see its methods for what a sync backend relies on. Package server/storagetest checks one.
type Storage = room.Storage

// Log is the log of one store.
type Log = room.Log

// Event is one event in a log.
type Event = room.Event

// HeadError says that a batch was not appended because the log has another head than the batch's parent.
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
