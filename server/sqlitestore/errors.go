package sqlitestore

import (
	"errors"
	"fmt"

	"github.com/livestore-go/livestore/internal/sqlite"
)

// ErrClosed says that the storage or the log was closed before.
var ErrClosed = errors.New("sqlitestore: it is closed")

// LockedError says that another process has the directory.
type LockedError struct {
	Dir string
	PID int // process that has it, 0 when it is not known
}

func (e *LockedError) Error() string {
	who := "another process"
	if e.PID != 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("storage directory %s is in use by %s: stop that server, or use another directory", e.Dir, who)
}

// FormatError says that a file is not the log that was asked for: garbage, a file of another application, of a newer release, or of
// another store. It is left as it is.
type FormatError struct {
	Path    string
	Version int    // version of the format, when it is a newer one; else 0
	StoreID string // store it belongs to, when it is another one; else empty
	Reason  string // what is wrong with it, in all other cases
}

func (e *FormatError) Error() string {
	switch {
	case e.Version != 0:
		return fmt.Sprintf("log %s has format version %d and this release reads up to %d: upgrade the server; the file is unchanged",
			e.Path, e.Version, Version)
	case e.StoreID != "":
		return fmt.Sprintf("log %s belongs to store %q: give the file back its name; it is unchanged", e.Path, e.StoreID)
	}
	return fmt.Sprintf("log %s is no log of a store: %s; move it away and restore a copy of the right one; the file is unchanged",
		e.Path, e.Reason)
}

// FileError says that a file or the directory could not be read or written. Whether an append that failed with it is in the log is
// not known: Head says.
type FileError struct {
	Path string
	Op   string // what was being done, such as "append to"
	Err  error
}

func (e *FileError) Error() string {
	s := fmt.Sprintf("%s log %s: %v", e.Op, e.Path, e.Err)
	switch {
	case sqlite.IsFull(e.Err):
		s += ": the disk is full: free some space; what was in the log still is"
	case sqlite.IsReadOnly(e.Err):
		s += ": make the file and its directory writable for this user"
	case sqlite.IsBusy(e.Err):
		s += ": another program has the file open: close it first"
	case sqlite.IsCorrupt(e.Err):
		s += ": the file is damaged: keep a copy of it and restore a copy from before, which clients bring up to date only if it has all " +
			"they have seen"
	}
	return s
}

func (e *FileError) Unwrap() error { return e.Err }
