// Package storedir lets the storage of package server/sqlitestore lie elsewhere than in a directory of the operating system, for tests of
// what must survive: on files that lose power, fill up and fail.
package storedir

import (
	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/server"
)

// Dir is a directory that is not the operating system's.
type Dir struct {
	Files        journal.FS
	VFS          string        // the name by which SQLite knows it
	NewBackendID func() string // makes the backend id of a new log
}

var open func(Dir) server.Storage

// Open opens a storage on a directory. It does what sqlitestore.Open does, but for the lock: the directory is the caller's alone. Who calls
// it imports package sqlitestore.
func Open(d Dir) server.Storage { return open(d) }

// Provide is for package sqlitestore: so it needs no name for this that every app sees.
func Provide(f func(Dir) server.Storage) bool {
	open = f
	return true
}
