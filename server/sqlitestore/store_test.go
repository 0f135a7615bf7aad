package sqlitestore_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/server"
	"github.com/livestore-go/livestore/server/sqlitestore"
	"github.com/livestore-go/livestore/server/storagetest"
)

func open(t *testing.T, dir string) *sqlitestore.Storage {
	t.Helper()
	s, err := sqlitestore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStorage(t *testing.T) {
	storagetest.Run(t, func(t *testing.T) server.Storage { return open(t, t.TempDir()) }, &storagetest.Options{
		Reopen: func(t *testing.T, s server.Storage) server.Storage {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, s.(*sqlitestore.Storage).Dir())
		},
	})
}

// A directory is made with all above it, and is for one process.
func TestDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b", "data")
	s := open(t, dir)
	_, err := sqlitestore.Open(dir)
	locked, ok := errors.AsType[*sqlitestore.LockedError](err)
	if !ok || locked.PID != os.Getpid() || locked.Dir != dir {
		t.Errorf("a second server: %v, want a *LockedError that names this process", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, dir).Close(); err != nil {
		t.Error(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "data")} {
		if _, err := sqlitestore.Open(dir); err == nil {
			t.Errorf("%s was opened", dir)
		} else if _, ok := errors.AsType[*sqlitestore.FileError](err); !ok || !strings.Contains(err.Error(), dir) {
			t.Errorf("%v, want a *FileError that names %s", err, dir)
		}
	}
}

// A file that can not be used is refused by name and stays as it is; the other stores go on.
func TestRefusesOtherFiles(t *testing.T) {
	logOf := func(t *testing.T, path, storeID string) {
		s := open(t, filepath.Dir(path))
		defer s.Close()
		l, err := s.Open(t.Context(), storeID)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Append(t.Context(), 0, []server.Event{{}}); err == nil {
			t.Fatal("an event without arguments was stored")
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if storeID != "s" {
			if err := os.Rename(filepath.Join(filepath.Dir(path), "store-"+storeID+".sqlite"), path); err != nil {
				t.Fatal(err)
			}
		}
	}
	script := func(t *testing.T, path, sql string) {
		c, err := sqlite.Open(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(c.Script(sql), c.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		make func(t *testing.T, path string)
		want string
	}{
		"garbage": {func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("garbage ", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "it is no SQLite database"},
		"a short file": {func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("SQLite format 3\x00"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "it has only 16 bytes"},
		"a directory": {func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "it is no regular file"},
		"a database of somebody else": {func(t *testing.T, path string) {
			script(t, path, "CREATE TABLE t (a)")
		}, "another application"},
		"a database with an id": {func(t *testing.T, path string) {
			script(t, path, "PRAGMA application_id=7; CREATE TABLE t (a)")
		}, "its application id is 0x7"},
		"a newer version": {func(t *testing.T, path string) {
			logOf(t, path, "s")
			script(t, path, "PRAGMA user_version=2")
		}, "format version 2 and this release reads up to 1"},
		"a log of another store": {func(t *testing.T, path string) {
			logOf(t, path, "other")
		}, `belongs to store "other"`},
		"a log without its events": {func(t *testing.T, path string) {
			logOf(t, path, "s")
			script(t, path, "UPDATE meta SET head = 5")
		}, "its head is e5 and its last event is e0"},
		"a log without its meta": {func(t *testing.T, path string) {
			logOf(t, path, "s")
			script(t, path, "DELETE FROM meta")
		}, "meta is empty"},
		"a damaged log": {func(t *testing.T, path string) {
			logOf(t, path, "s")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for i := range text[100:] {
				text[100+i] ^= 0x55
			}
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "store-s.sqlite")
			c.make(t, path)
			before, _ := os.ReadFile(path)
			s := open(t, dir)
			defer s.Close()
			for range 2 {
				_, err := s.Open(t.Context(), "s")
				if err == nil {
					t.Fatal("it was opened")
				}
				if _, ok := errors.AsType[*sqlitestore.FormatError](err); !ok {
					t.Errorf("%v, want a *FormatError", err)
				}
				if text := err.Error(); !strings.Contains(text, c.want) || !strings.Contains(text, path) {
					t.Errorf("%v, want the file and %q", err, c.want)
				}
			}
			if after, _ := os.ReadFile(path); string(after) != string(before) {
				t.Error("the file was changed")
			}
			l, err := s.Open(t.Context(), "another")
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// What a creation that was cut short leaves behind is no obstacle.
func TestUnfinishedFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "store-s.sqlite"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	defer s.Close()
	l, err := s.Open(t.Context(), "s")
	if err != nil {
		t.Fatal(err)
	}
	if l.BackendID() == "" {
		t.Error("it has no backend id")
	}
}
