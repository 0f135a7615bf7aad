package journal

import (
	"errors"
	"fmt"
)

// ErrBroken is the error of every Append after one that failed and could not be undone: the file may end in part of a record, or in a
// whole one whose commit was refused. Close the journal and go on with a new one.
var ErrBroken = errors.New("the journal is broken: a failed write could not be undone; start a new session")

// ErrClosed is the error of a closed journal.
var ErrClosed = errors.New("the journal is closed")

// FormatError says that a file is no journal, or one that something else has written to. It is left as it is.
type FormatError struct {
	Name   string // of the file
	Offset int64  // in bytes, where it is wrong
	Reason string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("journal %s is damaged at byte %d: %s; move the file away to open the store without the commits in it",
		e.Name, e.Offset, e.Reason)
}

// VersionError says that a journal was written by a newer release. It is left as it is.
type VersionError struct {
	Name    string
	Version uint32
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("journal %s has format version %d, this release reads up to %d: upgrade the application", e.Name, e.Version, Version)
}

// AppendError says that a record was not written. The journal is as it was before, unless Err is an [ErrBroken].
type AppendError struct {
	Name    string // of the file
	Ordinal uint64 // of the record
	Err     error
}

func (e *AppendError) Error() string {
	if IsFull(e.Err) {
		return fmt.Sprintf("append commit %d to journal %s: %v: free some space and commit again", e.Ordinal, e.Name, e.Err)
	}
	return fmt.Sprintf("append commit %d to journal %s: %v", e.Ordinal, e.Name, e.Err)
}

func (e *AppendError) Unwrap() error { return e.Err }
