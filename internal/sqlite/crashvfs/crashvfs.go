// Package crashvfs lets SQLite keep its files in a directory in memory that loses power, for tests of what must survive.
//
// The directory is the one of package faultfs, so a database and the journals beside it lose power at the same moment:
//
//	disk := crashvfs.New()
//	defer disk.Close()
//	disk.PowerOffAt(57) // the 57th operation that changes something, and each one after it, fails
//	… sqlite.Open("state.db", &sqlite.Options{VFS: disk.Name(), Sync: sqlite.Full}) …
//	after := disk.Crash(rand) // what the disk may hold when the power is back
//
// It promises what a real disk under a real file system does and no more. A write that was not synced is lost, kept or torn,
// each sector of 512 bytes on its own, but never spoils bytes that it did not write. A name that was not synced with its
// directory is lost or kept. As with the operating system's files, the first sync of a log or journal
// syncs its directory too.
package crashvfs

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/internal/journal/faultfs"
)

// FS is a directory of files that lose power. It is a journal.FS too. It may be used by several goroutines.
type FS struct {
	*faultfs.FS
	name string

	mu    sync.Mutex
	locks map[string]*locks // by name of a file
}

var (
	mounted atomic.Uint64 // so far
	known   atomic.Int64  // of them to SQLite now
)

// Mounts returns how many directories are known to SQLite now, for tests of what must not be left behind.
func Mounts() int { return int(known.Load()) }

// New makes an empty directory without a limit.
func New() *FS { return Mount(faultfs.New()) }

// Mount makes the files of a directory files of SQLite.
func Mount(dir *faultfs.FS) *FS {
	f := &FS{FS: dir, name: fmt.Sprintf("livestore-crash-%d", mounted.Add(1)), locks: map[string]*locks{}}
	vfs.Register(f.name, mount{f})
	known.Add(1)
	return f
}

// Name returns the name by which SQLite knows the directory: Options.VFS of package sqlite.
func (f *FS) Name() string { return f.name }

// Close makes the directory unknown to SQLite. Connections that are open stay so.
func (f *FS) Close() {
	if vfs.Find(f.name) != nil {
		known.Add(-1)
	}
	vfs.Unregister(f.name)
}

// Crash returns the directory as it may be when the power has gone now and come back. f itself stays as it is, and so do
// the connections that use it.
func (f *FS) Crash(r *rand.Rand) *FS { return Mount(f.FS.Crash(r)) }

// mount is the directory as SQLite sees it.
type mount struct{ fs *FS }

func (m mount) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	if name == "" || flags&vfs.OPEN_DELETEONCLOSE != 0 {
		return &vfsutil.SliceFile{}, flags | vfs.OPEN_MEMORY, nil // nobody misses it after a crash
	}
	file, err := m.fs.open(name, flags)
	if err != nil {
		return nil, flags, translate(err, sqlite3.ExtendedErrorCode(sqlite3.CANTOPEN))
	}
	// One that was there already may have been created by a process that ended before it synced the name.
	const journals = vfs.OPEN_MAIN_JOURNAL | vfs.OPEN_SUPER_JOURNAL | vfs.OPEN_WAL
	newName := flags&vfs.OPEN_CREATE != 0 && flags&journals != 0
	return &openFile{File: file, fs: m.fs, locks: m.fs.locksOf(name), newName: newName}, flags, nil
}

func (f *FS) open(name string, flags vfs.OpenFlag) (journal.File, error) {
	if flags&vfs.OPEN_READONLY != 0 {
		return f.Open(name)
	}
	if flags&vfs.OPEN_EXCLUSIVE == 0 {
		file, err := f.Edit(name)
		if flags&vfs.OPEN_CREATE == 0 || !errors.Is(err, fs.ErrNotExist) {
			return file, err
		}
	}
	return f.Create(name)
}

func (m mount) Delete(name string, syncDir bool) error {
	err := m.fs.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return vfs.SystemError(err, sqlite3.IOERR_DELETE_NOENT)
	}
	if err == nil && syncDir {
		err = m.fs.SyncDir()
	}
	return translate(err, sqlite3.IOERR_DELETE)
}

func (m mount) Access(name string, _ vfs.AccessFlag) (bool, error) {
	names, err := m.fs.List()
	return slices.Contains(names, name), translate(err, sqlite3.IOERR_ACCESS)
}

func (m mount) FullPathname(name string) (string, error) { return name, nil }

// translate gives an error the code by which SQLite knows it.
func translate(err error, code sqlite3.ExtendedErrorCode) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC):
		return vfs.SystemError(err, sqlite3.FULL)
	case errors.Is(err, fs.ErrPermission):
		return vfs.SystemError(err, sqlite3.READONLY)
	default:
		return vfs.SystemError(err, code)
	}
}

// openFile is an open file of SQLite.
type openFile struct {
	journal.File
	fs      *FS
	newName bool // the directory is to be synced with the file
	locks   *locks
	level   vfs.LockLevel
}

func (f *openFile) WriteAt(b []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(b, off)
	return n, translate(err, sqlite3.IOERR_WRITE)
}

func (f *openFile) Truncate(size int64) error {
	return translate(f.File.Truncate(size), sqlite3.IOERR_TRUNCATE)
}

func (f *openFile) Sync(vfs.SyncFlag) error {
	err := f.File.Sync()
	if err == nil && f.newName {
		f.newName = false
		err = f.fs.SyncDir()
	}
	return translate(err, sqlite3.IOERR_FSYNC)
}

func (f *openFile) Close() error {
	return errors.Join(f.Unlock(vfs.LOCK_NONE), f.File.Close())
}

// SectorSize and DeviceCharacteristics say what those of the operating system's files do.

func (f *openFile) SectorSize() int { return 4096 }

func (f *openFile) DeviceCharacteristics() vfs.DeviceCharacteristic {
	return vfs.IOCAP_POWERSAFE_OVERWRITE | vfs.IOCAP_SUBPAGE_READ
}

// locks are those on one file.
type locks struct {
	shared   int
	reserved *openFile // who may write
	pending  bool      // it waits for readers to end, and none may begin
}

func (f *FS) locksOf(name string) *locks {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.locks[name] == nil {
		f.locks[name] = &locks{}
	}
	return f.locks[name]
}

func (f *openFile) Lock(level vfs.LockLevel) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.level >= level {
		return nil
	}
	switch l := f.locks; level {
	case vfs.LOCK_SHARED:
		if l.pending {
			return sqlite3.BUSY
		}
		l.shared++
	case vfs.LOCK_RESERVED:
		if l.reserved != nil {
			return sqlite3.BUSY
		}
		l.reserved = f
	default:
		if l.reserved != nil && l.reserved != f {
			return sqlite3.BUSY
		}
		l.reserved, l.pending = f, true
		if l.shared > 1 {
			f.level = vfs.LOCK_PENDING
			return sqlite3.BUSY
		}
	}
	f.level = level
	return nil
}

func (f *openFile) Unlock(level vfs.LockLevel) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.locks.reserved == f && level < vfs.LOCK_RESERVED {
		f.locks.reserved, f.locks.pending = nil, false
	}
	if f.level >= vfs.LOCK_SHARED && level < vfs.LOCK_SHARED {
		f.locks.shared--
	}
	f.level = min(f.level, level)
	return nil
}

func (f *openFile) CheckReservedLock() (bool, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return f.locks.reserved != nil, nil
}
