package sqlite

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAFileIsCreatedKeptAndReopened(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"plain.db", "with space & 100% ?#.db", "file:x.db", "ünï😀.db"} {
		path := filepath.Join(dir, name)
		for _, opts := range []*Options{nil, {Sync: Full}, {Sync: Off}, {NoWAL: true}, {ReadOnly: true}} {
			c, err := Open(path, opts)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			journal := "wal"
			if opts != nil && opts.NoWAL {
				journal = "memory"
			}
			if opts == nil || !opts.ReadOnly {
				if got := one(t, c, Internal, "PRAGMA journal_mode"); got != journal {
					t.Errorf("%s: journal_mode %s", name, got)
				}
				if got := one(t, c, Internal, "PRAGMA foreign_keys"); got != "1" {
					t.Errorf("%s: foreign keys are off", name)
				}
				execAll(t, c, Internal, "CREATE TABLE IF NOT EXISTS v (x)", "INSERT INTO v VALUES (1)")
			} else {
				if got := one(t, c, Read, "SELECT count(*) FROM v"); got != "4" {
					t.Errorf("%s: %s rows", name, got)
				}
				if err := c.Exec(Internal, "INSERT INTO v VALUES (1)"); !IsReadOnly(err) {
					t.Errorf("%s: a write: %v", name, err)
				}
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 4 {
		t.Errorf("files are left beside the databases: %v", left)
	}
}

func TestSyncLevels(t *testing.T) {
	dir := t.TempDir()
	for sync, want := range map[Sync]string{Normal: "1", Full: "2", Off: "0"} {
		for _, nowal := range []bool{false, true} {
			c := opened(t, filepath.Join(dir, want+".db"), &Options{Sync: sync, NoWAL: nowal})
			if got := one(t, c, Internal, "PRAGMA synchronous"); got != want {
				t.Errorf("synchronous is %s, want %s", got, want)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestAFileBelongsToOneConnection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mine.db")
	c := opened(t, path, nil)
	if _, err := Open(path, nil); !IsBusy(err) {
		t.Errorf("a second connection: %v, want that it is busy", err)
	}
	execAll(t, c, Internal, "CREATE TABLE v (x)")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	execAll(t, opened(t, path, nil), Internal, "INSERT INTO v VALUES (1)")
}

func TestFilesThatAreNoDatabase(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.db")
	c := opened(t, good, nil)
	execAll(t, c, Internal, "CREATE TABLE v (x)", "INSERT INTO v VALUES (zeroblob(100000))", "CREATE TABLE w (x)")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	data := must(os.ReadFile(good))(t)
	for name, content := range map[string][]byte{
		"text":             []byte("this is no database"),
		"a page of text":   []byte(strings.Repeat("this is no database, ", 1000)),
		"one byte":         {0},
		"half a header":    data[:50],
		"half a page":      data[:2000],
		"one page of 27":   data[:pageSize],
		"cut in the midst": data[:len(data)/2+7],
		"a page of zeros":  make([]byte, pageSize),
	} {
		path := filepath.Join(dir, "bad.db")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, opts := range []*Options{nil, {ReadOnly: true}, {NoWAL: true}} {
			c, err := Open(path, opts)
			if err == nil {
				err = c.IntegrityCheck()
				c.Close()
			}
			if bad, ok := errors.AsType[*CorruptError](err); !ok || bad.Path != path || !IsCorrupt(err) || IsReadOnly(err) || IsFull(err) {
				t.Errorf("%s: %v, want a *CorruptError of %s", name, err, path)
			}
		}
		if strings.Contains(name, "text") {
			if after := must(os.ReadFile(path))(t); string(after) != string(content) {
				t.Errorf("%s: the file was changed", name)
			}
		}
		os.Remove(path)
	}
	if _, err := Open(dir, nil); err == nil || IsCorrupt(err) {
		t.Errorf("a directory: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "missing", "x.db"), nil); err == nil || IsCorrupt(err) {
		t.Errorf("a directory that is not there: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "nothing.db"), &Options{ReadOnly: true}); err == nil {
		t.Error("a file that is not there was opened for reading")
	}
	if _, err := os.Stat(filepath.Join(dir, "nothing.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("and created")
	}
}

func TestAFileWithAnUncommittedLogIsReadOnly(t *testing.T) {
	// The log of a process that was killed: the last commits are in it and not in the file.
	dir := t.TempDir()
	path := filepath.Join(dir, "killed.db")
	c := opened(t, path, nil)
	execAll(t, c, Internal, "CREATE TABLE v (x)", "INSERT INTO v VALUES (1)")
	for _, suffix := range []string{"", "-wal"} {
		if err := os.WriteFile(filepath.Join(dir, "copy.db"+suffix), must(os.ReadFile(path+suffix))(t), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	reader := opened(t, filepath.Join(dir, "copy.db"), &Options{ReadOnly: true})
	if got := one(t, reader, Read, "SELECT count(*) FROM v"); got != "1" {
		t.Errorf("the log was not read: %s rows", got)
	}
}
