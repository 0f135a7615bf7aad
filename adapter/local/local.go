// Package local is the adapter of one process with files: what is committed survives the end of the process, and what is persisted
// survives a loss of power.
//
// The directory holds one directory a store, and in it:
//
//	eventlog.db     the eventlog, the only file that can not be made again
//	state-HASH.db   state under the schema with that hash, derived from the eventlog; beside it, one that is being rebuilt
//	ID.journal      commits of a session that the eventlog does not have yet
//	ID.journal.torn a journal whose end could not be read: what could be is in the eventlog
//	lock, owner     held by the process that has the store open; its process id
//
// All stores opened with one store id on one adapter value are sessions of one client. Another process, and another adapter value
// of this one, gets a *[LockedError] until the last of them is closed.
package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"

	"github.com/livestore-go/livestore/internal/client"
	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/internal/leader"
	"github.com/livestore-go/livestore/internal/session"
	"github.com/livestore-go/livestore/provider"
)

// Options changes an adapter.
type Options struct {
	// ClientID names the client when a directory is new. The default is a random id. A directory keeps the id it was made with.
	ClientID string

	// Sync is the sync provider: package provider/wsprovider makes one. The default is nil: the store stays on this machine.
	Sync provider.Provider
}

// Adapter opens stores in a directory. It may be used from any goroutine.
type Adapter struct {
	dir  string
	opts Options
	set  *client.Set
}

// New returns an adapter for a directory, which is made when the first store opens. Nil options mean the defaults.
func New(dir string, opts *Options) *Adapter {
	a := &Adapter{dir: dir}
	if opts != nil {
		a.opts = *opts
	}
	a.set = client.NewSet(a.open)
	return a
}

// Open opens a session. The store calls it.
func (a *Adapter) Open(ctx context.Context, r session.Request) (*session.Session, error) {
	return a.set.Open(ctx, r)
}

// StorageMode returns "local".
func (a *Adapter) StorageMode() string { return "local" }

// LockedError says that another process, or another adapter value of this process, has the store open.
type LockedError struct {
	StoreID string
	Dir     string
	PID     int // of the process that has it; 0 when it did not say
}

func (e *LockedError) Error() string {
	who := "another process"
	switch e.PID {
	case 0:
	case os.Getpid():
		who = "another adapter of this process"
	default:
		who = "process " + strconv.Itoa(e.PID)
	}
	return fmt.Sprintf("store %s in %s is open in %s: close it there, or use another directory", e.StoreID, e.Dir, who)
}

// DirError says that the directory of a store can not be made or written to.
type DirError struct {
	StoreID string
	Dir     string
	Err     error
}

func (e *DirError) Error() string {
	return fmt.Sprintf("the directory of store %s, %s, can not be written to: make it and what is in it writable for this process, "+
		"or use another directory: %v", e.StoreID, e.Dir, e.Err)
}

func (e *DirError) Unwrap() error { return e.Err }

func (a *Adapter) open(ctx context.Context, r session.Request) (client.Config, error) {
	dir := filepath.Join(a.dir, r.StoreID)
	if err := makeDir(dir, func(in string) error { return journal.OS(in).SyncDir() }); err != nil {
		return client.Config{}, &DirError{StoreID: r.StoreID, Dir: dir, Err: err}
	}
	lock, err := acquire(dir, r.StoreID)
	if _, locked := errors.AsType[*LockedError](err); err != nil && !locked {
		err = &DirError{StoreID: r.StoreID, Dir: dir, Err: err}
	}
	if err != nil {
		return client.Config{}, err
	}
	files := client.Files{FS: journal.OS(dir), Dir: dir, Logger: r.Logger, Synced: a.opts.Sync != nil}
	m, clientID, err := files.Boot(ctx, r, func() string { return cmp.Or(a.opts.ClientID, client.NewID()) })
	if err != nil {
		return client.Config{}, errors.Join(err, lock.Unlock())
	}
	cfg, err := client.Start(m, a.opts.Sync, r, clientID)
	if err != nil {
		return client.Config{}, errors.Join(err, m.Close(), lock.Unlock())
	}
	cfg.Durable, cfg.Boot = true, files.Opened
	cfg.Adopt = func(journal string) error {
		return cfg.Leader.Adopt(context.Background(), func(m *leader.Machine) error { return files.Adopt(m, journal) })
	}
	cfg.Journal = func(h journal.Header) (session.Journal, error) { return journal.NewQueue(journal.OS(dir), h) }
	cfg.Release = lock.Unlock
	return cfg, nil
}

// makeDir makes a directory, and the ones above it, so that they survive a loss of power: sync is called with each directory that has a
// new entry.
func makeDir(dir string, sync func(in string) error) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := makeDir(parent, sync); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return sync(parent)
}

// acquire takes the lock of a store and writes down who has it, in a file beside: what is locked can not be read everywhere.
func acquire(dir, storeID string) (*flock.Flock, error) {
	path := filepath.Join(dir, "owner")
	lock := flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, err
	}
	if !ok {
		b, _ := os.ReadFile(path)
		pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
		return nil, &LockedError{StoreID: storeID, Dir: dir, PID: pid}
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return lock, nil
}
