package eventlog_test

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
	"github.com/livestore-go/livestore/internal/sqlite"
)

// made returns the bytes of an eventlog that was closed.
func made(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log.db")
	l := open(t, path)
	update(t, l, func() (err error) {
		for o := range uint64(50) {
			head, _ := l.Head()
			err = errors.Join(err, l.Append(chain(head, 0, o+1, "ssc")))
		}
		return err
	})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return contents(t, path)
}

func contents(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// foreign returns the bytes of a database of another application.
func foreign(t testing.TB, script string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "other.db")
	c, err := sqlite.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Script(script), c.Close()); err != nil {
		t.Fatal(err)
	}
	return contents(t, path)
}

func TestWhatIsNoEventlogOfThisStoreIsRefusedUntouched(t *testing.T) {
	good := made(t)
	newer := slices.Clone(good)
	binary.BigEndian.PutUint32(newer[60:], eventlog.Version+1)
	older := slices.Clone(good)
	binary.BigEndian.PutUint32(older[60:], 0)
	other := slices.Clone(good)
	binary.BigEndian.PutUint32(other[68:], 0xdeadbeef)
	pages := slices.Clone(good)
	for i := 100; i < len(pages); i++ {
		pages[i] ^= 0x55
	}
	for name, c := range map[string]struct {
		data  []byte
		store string
		want  string
	}{
		"text":                 {[]byte(strings.Repeat("garbage ", 1000)), "todos", "no SQLite database"},
		"a short text":         {[]byte("garbage"), "todos", "only 7 bytes"},
		"zeros":                {make([]byte, 8192), "todos", "no SQLite database"},
		"half a header":        {good[:90], "todos", "only 90 bytes"},
		"a newer version":      {newer, "todos", "upgrade"},
		"no version":           {older, "todos", "no format version 0"},
		"another app":          {other, "todos", "0xdeadbeef"},
		"another SQLite file":  {foreign(t, "CREATE TABLE t (a); INSERT INTO t VALUES (1)"), "todos", "another application"},
		"another small file":   {foreign(t, "PRAGMA page_size=65536; VACUUM; CREATE TABLE t (a)"), "todos", "another application"},
		"another store":        {good, "notes", `belongs to store "todos"`},
		"damaged in all pages": {pages, "todos", "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "log.db")
			if err := os.WriteFile(path, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			o := options()
			o.StoreID = c.store
			_, err := eventlog.Open(path, o)
			_, format := errors.AsType[*eventlog.FormatError](err)
			if _, file := errors.AsType[*eventlog.FileError](err); !format && !file {
				t.Fatalf("Open = %v", err)
			}
			for _, want := range []string{c.want, path} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Open = %v, want %q", err, want)
				}
			}
			if !slices.Equal(contents(t, path), c.data) {
				t.Error("the file was changed")
			}
			names(t, dir, "log.db")
		})
	}
}

// A file that has rotted opens, or says that it is damaged; it never panics, and is never taken for a new one.
func TestRottenFiles(t *testing.T) {
	good := made(t)
	dir := t.TempDir()
	opened, whole := 0, 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 3))
		bad := slices.Clone(good)
		for range 1 + r.IntN(8) {
			at := r.IntN(len(bad))
			n := copy(bad[at:], make([]byte, r.IntN(2)*r.IntN(2000)))
			if n == 0 {
				bad[at] ^= byte(1 + r.IntN(255))
			}
		}
		if r.IntN(4) == 0 {
			bad = bad[:r.IntN(len(bad))]
		}
		path := filepath.Join(dir, fmt.Sprintf("%d.db", seed))
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := eventlog.Open(path, options())
		if err == nil {
			opened++
			var got []event.Client
			if got, err = eventlog.Collect(l.Read(event.SeqNum{}, 0)); err == nil && len(got) == 150 {
				whole++
			}
			l.Close()
		}
		_, format := errors.AsType[*eventlog.FormatError](err)
		if _, file := errors.AsType[*eventlog.FileError](err); err != nil && !format && !file {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if len(bad) == 0 {
			continue
		}
		if err == nil && l.Count() == 0 {
			t.Fatalf("seed %d: a rotten log was opened as an empty one", seed)
		}
	}
	if opened == 0 || opened == 300 || whole == 0 {
		t.Fatalf("%d of 300 opened, %d could be read", opened, whole)
	}
}

func names(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	equal(t, got, want)
}

func TestAnEmptyFileIsANewLog(t *testing.T) {
	for name, data := range map[string][]byte{
		"no bytes":     nil,
		"an empty log": foreign(t, "VACUUM"), // what a creation leaves that was cut short
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "log.db")
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			l := open(t, path)
			commit(t, l, 1, "s")
			l.Close()
			equal(t, notation(all(t, open(t, path))), "e1")
		})
	}
}

func TestTheFileSaysWhatItIsFromItsFirstMoment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	open(t, path) // not closed: its write-ahead log is still there
	b := contents(t, path)
	equal(t, binary.BigEndian.Uint32(b[68:]), eventlog.ApplicationID)
	equal(t, binary.BigEndian.Uint32(b[60:]), eventlog.Version)
}

func TestASecondOpenIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	l := open(t, path)
	_, err := eventlog.Open(path, options())
	if _, ok := errors.AsType[*eventlog.FileError](err); !ok || !strings.Contains(err.Error(), "another process has the store open") {
		t.Fatalf("second Open = %v", err)
	}
	commit(t, l, 1, "s")
}

func TestADirectoryThatIsNotThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "log.db")
	_, err := eventlog.Open(path, options())
	if _, ok := errors.AsType[*eventlog.FileError](err); !ok || !strings.Contains(err.Error(), path) {
		t.Fatalf("Open = %v", err)
	}
	_, err = eventlog.Open(t.TempDir(), options())
	if _, ok := errors.AsType[*eventlog.FormatError](err); !ok {
		t.Fatalf("Open of a directory = %v", err)
	}
}

func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log.db")
	l := open(t, path)
	commit(t, l, 1, "s")
	l.Close()
	asNobody(t, func() {
		_, err := eventlog.Open(path, options()) // made for its owner only
		refused(t, "a file of somebody else", err, path)
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("Open of a file of somebody else = %v", err)
		}
	})
	for _, m := range []struct {
		dir, file fs.FileMode
		what      string
	}{{0o555, 0o644, "file and directory"}, {0o777, 0o644, "file"}, {0o555, 0o666, "directory"}} {
		if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, m.dir), os.Chmod(path, m.file)); err != nil {
			t.Fatal(err)
		}
		before := contents(t, path)
		asNobody(t, func() {
			_, err := eventlog.Open(path, options())
			refused(t, m.what, err, path)
		})
		if !slices.Equal(before, contents(t, path)) {
			t.Errorf("%s read-only: the file was changed", m.what)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

// refused checks that err names the file and the cure.
func refused(t *testing.T, what string, err error, path string) {
	t.Helper()
	_, ok := errors.AsType[*eventlog.FileError](err)
	if !ok || !strings.Contains(err.Error(), "writable") || !strings.Contains(err.Error(), path) {
		t.Errorf("%s read-only: Open = %v", what, err)
	}
}

var writeGolden = flag.Bool("golden", false, "write the file of the newest version in testdata anew: only before that is released")

func goldenAside() eventlog.SetAside {
	return eventlog.SetAside{
		ID: commitID(3), Events: chain(event.SeqNum{}, 0, 3, "sc"), Err: "UNIQUE constraint failed: todos.id",
		At: time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC),
	}
}

func goldenArchived() eventlog.Archived {
	return eventlog.Archived{
		ID: 1, Event: foreignEvent(3), BackendID: "backend before", At: time.Date(2026, 11, 24, 13, 0, 0, 0, time.UTC),
	}
}

func goldenWaiting() eventlog.Waiting {
	return eventlog.Waiting{BackendID: "backend", Events: []event.Global{foreignEvent(3), foreignEvent(4)}}
}

func goldenEvents() []event.Client {
	events := chain(event.SeqNum{}, 0, 0, "ss")
	events[1].SyncMeta = jsontext.Value(`{"createdAt":"2026-11-24T06:00:00Z"}`)
	events = append(events, chain(event.SeqNum{Global: 2}, 1, 1, "scs")...)
	events = append(events, chain(event.SeqNum{Global: 4, Generation: 1}, 1, 2, "c")...)
	events[5].Cause = "retry j0/9"
	return events
}

// The files in testdata were written by the release that brought a version. Every later one reads them, or migrates them.
func TestGolden(t *testing.T) {
	if *writeGolden {
		golden := fmt.Sprintf("testdata/v%d.db", eventlog.Version)
		os.Remove(golden)
		l := open(t, golden)
		update(t, l, appending(l, goldenEvents()),
			func() error { return l.SetTaken("j1", 3) },
			func() error { return l.SetTaken("j0", 9) },
			func() error { return l.ForgetJournal("j0") },
			func() error { return l.SetGeneration(1) },
			func() error { return l.SetUpstream(event.SeqNum{Global: 2}) },
			func() error { return l.SetBackendID("backend") },
			func() error { return l.PutSetAside(goldenAside()) },
			func() error { return l.Archive(goldenArchived().Event, "backend before", goldenArchived().At) },
			func() error { return l.SetWaiting(goldenWaiting()) })
		if _, err := l.SessionID(0, func() string { return "s1" }); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for version := range eventlog.Version {
		t.Run(fmt.Sprint("v", version+1), func(t *testing.T) { readGolden(t, version+1) })
	}
}

func readGolden(t *testing.T, version int) {
	path := filepath.Join(t.TempDir(), "log.db")
	if err := os.WriteFile(path, contents(t, fmt.Sprintf("testdata/v%d.db", version)), 0o600); err != nil {
		t.Fatal(err)
	}
	l := open(t, path)
	equal(t, binary.BigEndian.Uint32(contents(t, path)[60:]), eventlog.Version)
	equal(t, all(t, l), goldenEvents())
	equal(t, l.Meta(), eventlog.Meta{
		ClientID: "me", StoreID: "todos", Generation: 1, Upstream: event.SeqNum{Global: 2}, BackendID: "backend",
	})
	equal(t, l.AllTaken(), map[string]uint64{"j1": 3})
	equal(t, l.Taken("j0"), 9)
	asides, err := l.ListSetAside()
	if err != nil {
		t.Fatal(err)
	}
	equal(t, asides, []eventlog.SetAside{goldenAside()})
	if id, err := l.SessionID(0, func() string { return "" }); id != "s1" || err != nil {
		t.Fatal(id, err)
	}
	if err := l.Check(); err != nil {
		t.Fatal(err)
	}
	archived, last := archive(t, l, 0, 0)
	if version < 2 {
		equal(t, len(archived), 0)
		update(t, l, func() error { return l.Archive(goldenArchived().Event, "backend before", goldenArchived().At) })
		_, last = archive(t, l, 0, 0)
	}
	equal(t, last, goldenArchived())
	if version < 2 {
		equal(t, waiting(t, l), eventlog.Waiting{})
		update(t, l, func() error { return l.SetWaiting(goldenWaiting()) })
	}
	equal(t, waiting(t, l), goldenWaiting())
	commit(t, l, 4, "sc") // and it can be written
	equal(t, notation(all(t, l)), "e1 e2 e3r1 e3.1r1 e4r1 e4.1r1 e5r1 e5.1r1")
}
