package eventlog

import (
	"errors"
	"fmt"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/sqlite"
)

var (
	// ErrNoTransaction says that something was to be changed outside of Begin and Commit.
	ErrNoTransaction = errors.New("eventlog: there is no transaction: call Begin first")
	// ErrInTransaction says that a transaction is open already.
	ErrInTransaction = errors.New("eventlog: a transaction is open already")
	// ErrClosed says that the eventlog was closed.
	ErrClosed = errors.New("eventlog: it is closed")
)

// FormatError says that a file is not the eventlog that was asked for: garbage, a file of another application, of a newer
// release, or of another store. It is left as it is.
type FormatError struct {
	Path    string
	Version int    // version of the format, when it is a newer one; else 0
	StoreID string // store it belongs to, when it is another one; else empty
	Reason  string // what is wrong with it, in all other cases
}

func (e *FormatError) Error() string {
	switch {
	case e.Version != 0:
		return fmt.Sprintf("eventlog %s has format version %d and this release reads up to %d: upgrade the application; the file is unchanged",
			e.Path, e.Version, Version)
	case e.StoreID != "":
		return fmt.Sprintf("eventlog %s belongs to store %q: open it under that id, or use another directory; the file is unchanged",
			e.Path, e.StoreID)
	}
	return fmt.Sprintf("eventlog %s is no eventlog: %s; move it away to begin with an empty one; the file is unchanged", e.Path, e.Reason)
}

// FileError says that the file of the eventlog could not be read or written. What was changed since Begin is not kept.
type FileError struct {
	Path string
	Op   string // what was being done, such as "append"
	Err  error
}

func (e *FileError) Error() string {
	s := fmt.Sprintf("%s eventlog %s: %v", e.Op, e.Path, e.Err)
	switch {
	case sqlite.IsFull(e.Err):
		s += ": the disk is full: free some space and try again; what was in the log still is"
	case sqlite.IsReadOnly(e.Err):
		s += ": make the file and its directory writable for this user"
	case sqlite.IsBusy(e.Err):
		s += ": another process has the store open: close it first"
	case sqlite.IsCorrupt(e.Err):
		s += ": the file is damaged: keep a copy of it, then restore an older copy, or move it away and sync anew"
	}
	return s
}

func (e *FileError) Unwrap() error { return e.Err }

// OrderError says that an event does not follow the head. Nothing was appended.
type OrderError struct{ Head, Got event.SeqNum }

func (e *OrderError) Error() string {
	return fmt.Sprintf("eventlog: event %s does not follow the head %s", e.Got, e.Head)
}

// IdentityError says that an event is in the log already. Nothing was appended.
type IdentityError struct {
	ID      event.ID
	Got, At event.SeqNum // the number it was to get, and the one it has
}

func (e *IdentityError) Error() string {
	return fmt.Sprintf("eventlog: event %s is in the log already, as %s, and can not be appended as %s", e.ID, e.At, e.Got)
}

// LostError says that a transaction deleted events and neither appended nor set them aside again. It was rolled back.
type LostError struct {
	Events []event.ID // those lost, in the order of their identity
}

func (e *LostError) Error() string {
	return fmt.Sprintf("eventlog: the transaction would lose %d events, %s the first: append them again or set their commit aside",
		len(e.Events), e.Events[0])
}

// HeadError says that a head was to be set to where it can not be: the upstream head past the log, or a generation or
// high-water ordinal back.
type HeadError struct{ What, Got, Limit string }

func (e *HeadError) Error() string {
	return fmt.Sprintf("eventlog: %s can not be set to %s: it is bounded by %s", e.What, e.Got, e.Limit)
}
