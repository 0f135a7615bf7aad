package sqlitestore

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/gofrs/flock"

	"github.com/livestore-go/livestore/internal/storedir"
	"github.com/livestore-go/livestore/server"
)

// Storage is a directory of logs. It may be used from any goroutine.
type Storage struct {
	dir   string
	lock  *flock.Flock  // nil with a place
	place *storedir.Dir // nil: dir of the operating system

	mu     sync.Mutex
	files  map[string]*file // by store id, those that are open, being opened or being closed
	closed bool
}

var _ server.Storage = (*Storage)(nil)

// Open opens a directory, and makes it when there is none. It fails with a *[LockedError] when another process has it, and with a
// *[FileError] when it can not be made or written.
func Open(dir string) (*Storage, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, &FileError{Path: dir, Op: "find the directory of", Err: err}
	}
	if err := makeDir(dir); err != nil {
		return nil, &FileError{Path: dir, Op: "make the directory of", Err: err}
	}
	lock := flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, &FileError{Path: dir, Op: "lock the directory of", Err: err}
	}
	// Who has it stands in a file beside: what is locked can not be read everywhere.
	owner := filepath.Join(dir, "owner")
	if !ok {
		text, _ := os.ReadFile(owner)
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		return nil, &LockedError{Dir: dir, PID: pid}
	}
	if err := os.WriteFile(owner, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		return nil, &FileError{Path: dir, Op: "write to the directory of", Err: errors.Join(err, lock.Unlock())}
	}
	return &Storage{dir: dir, lock: lock, files: map[string]*file{}}, nil
}

// Dir returns the directory, as an absolute path.
func (s *Storage) Dir() string { return s.dir }

// Open opens the log of a store, and makes it with a new backend id when there is none. Several logs of one store share its file.
func (s *Storage) Open(ctx context.Context, storeID string) (server.Log, error) {
	name, err := fileName(storeID)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, first, err := s.file(storeID, filepath.Join(s.dir, name))
	if err != nil {
		return nil, err
	}
	if first {
		// It is not given up half way: others wait for it too.
		f.err = f.open(storeID)
		close(f.opened)
	}
	<-f.opened
	if f.err != nil {
		return nil, errors.Join(f.err, s.release(storeID, f))
	}
	return &log{store: s, storeID: storeID, file: f}, nil
}

// file returns the file of a store with one more user. first says that it is the caller who has to open it.
func (s *Storage) file(storeID, path string) (f *file, first bool, err error) {
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return nil, false, ErrClosed
		}
		f := s.files[storeID]
		switch {
		case f == nil:
			f = newFile(path, s.place)
			f.users = 1
			s.files[storeID] = f
			s.mu.Unlock()
			return f, true, nil
		case f.users > 0:
			f.users++
			s.mu.Unlock()
			return f, false, nil
		}
		// The last user left and is closing it; a file can not be opened twice.
		s.mu.Unlock()
		<-f.gone
	}
}

// release takes one user from a file and closes it when there is none left.
func (s *Storage) release(storeID string, f *file) error {
	s.mu.Lock()
	f.users--
	last := f.users == 0
	s.mu.Unlock()
	if !last {
		return nil
	}
	err := f.close()
	s.mu.Lock()
	delete(s.files, storeID)
	s.mu.Unlock()
	close(f.gone)
	return err
}

// Close closes the logs that are still open, and gives the directory free. Closing twice is allowed.
func (s *Storage) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	var files []*file
	for _, f := range s.files {
		files = append(files, f)
	}
	s.mu.Unlock()
	var errs []error
	for _, f := range files {
		<-f.opened
		errs = append(errs, f.close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Unlock())
	}
	return errors.Join(errs...)
}

// makeDir makes a directory, and the ones above it, so that they survive a loss of power.
func makeDir(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		return &fs.PathError{Op: "mkdir", Path: dir, Err: errors.New("it is no directory")}
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := makeDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

// syncDir makes the entries of a directory survive a loss of power. Windows keeps its own journal of them and has no such call.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
