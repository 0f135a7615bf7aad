package journal

import "io"

// FS is the directory journals lie in. Names are plain file names without a separator. [OS] is the one of the operating system;
// package faultfs has one in memory that loses power.
type FS interface {
	// Open opens a file for reading. The error of a file that is not there is fs.ErrNotExist.
	Open(name string) (File, error)
	// Edit opens a file for reading and writing.
	Edit(name string) (File, error)
	// Create makes an empty file for reading and writing. The error of a file that is there already is fs.ErrExist.
	Create(name string) (File, error)
	// Rename gives a file another name, in one step, and replaces what has that name.
	Rename(from, to string) error
	// Remove deletes a file. The error of a file that is not there is fs.ErrNotExist.
	Remove(name string) error
	// List returns the names of all files, sorted.
	List() ([]string, error)
	// SyncDir returns when the names that were created, changed and removed survive a loss of power.
	SyncDir() error
}

// File is an open file of an [FS]. ReadAt, WriteAt and Sync may run at the same time.
type File interface {
	io.ReaderAt
	io.WriterAt
	Size() (int64, error)
	Truncate(size int64) error
	// Sync returns when everything written so far survives a loss of power.
	Sync() error
	Close() error
}
