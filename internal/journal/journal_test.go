package journal_test

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/internal/journal/faultfs"
)

var created = time.Date(2026, 11, 24, 6, 0, 0, 123456789, time.UTC)

func header() journal.Header {
	return journal.Header{Journal: "j1", ClientID: "client", SessionID: "session", StoreID: "todos", Created: created}
}

// commit is the record a test writes under an ordinal: it differs from every other in content and length.
func commit(ordinal uint64) journal.Record {
	r := journal.Record{Ordinal: ordinal, SchemaHash: "5f3a", Events: []journal.Event{
		{Name: "v1.TodoCreated", Args: jsontext.Value(fmt.Sprintf(`{"id":"%d","text":"%s"}`, ordinal, strings.Repeat("x", int(ordinal*7%90))))},
	}}
	if ordinal%3 == 0 {
		r.Cause = fmt.Sprintf("retry j0/%d", ordinal)
		r.Events = append(r.Events, journal.Event{Name: "v1.TodoCompleted", Args: jsontext.Value(`{"id": "1" }`), ClientOnly: true})
	}
	return r
}

func commits(first, last uint64) []journal.Record {
	var rs []journal.Record
	for o := first; o <= last; o++ {
		rs = append(rs, commit(o))
	}
	return rs
}

func create(t testing.TB, fsys journal.FS, name string) *journal.Writer {
	t.Helper()
	w, err := journal.Create(fsys, name, header())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func add(t testing.TB, w *journal.Writer, rs ...journal.Record) {
	t.Helper()
	for _, r := range rs {
		if err := w.Append(r); err != nil {
			t.Fatal(err)
		}
	}
}

func collect(t testing.TB, seq iter.Seq2[journal.Record, error]) []journal.Record {
	t.Helper()
	var rs []journal.Record
	for r, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		rs = append(rs, r)
	}
	return rs
}

func read(t testing.TB, fsys journal.FS, name string) []journal.Record {
	t.Helper()
	_, seq, err := journal.Read(fsys, name)
	if err != nil {
		t.Fatal(err)
	}
	return collect(t, seq)
}

func equal(t testing.TB, got, want []journal.Record) {
	t.Helper()
	same := slices.EqualFunc(got, want, func(a, b journal.Record) bool {
		return a.Ordinal == b.Ordinal && a.Cause == b.Cause && a.SchemaHash == b.SchemaHash &&
			slices.EqualFunc(a.Events, b.Events, func(a, b journal.Event) bool {
				return a.Name == b.Name && a.ClientOnly == b.ClientOnly && string(a.Args) == string(b.Args)
			})
	})
	if !same { // a difference is worked out only when there is one: it takes long
		d := cmp.Diff(want, got)
		t.Fatalf("records (-want +got):\n%s", d)
	}
}

// systems runs a scenario on the operating system's files and on those in memory.
func systems(t *testing.T, scenario func(t *testing.T, fsys journal.FS)) {
	t.Run("os", func(t *testing.T) { scenario(t, journal.OS(t.TempDir())) })
	t.Run("memory", func(t *testing.T) { scenario(t, faultfs.New()) })
}

func TestWhatIsAppendedIsReadBack(t *testing.T) {
	systems(t, func(t *testing.T, fsys journal.FS) {
		w := create(t, fsys, "j1.journal")
		equal(t, read(t, fsys, "j1.journal"), nil)
		add(t, w, commits(1, 300)...)
		if err := w.Sync(); err != nil {
			t.Fatal(err)
		}
		h, seq, err := journal.Read(fsys, "j1.journal")
		if err != nil {
			t.Fatal(err)
		}
		want := header()
		want.Version = journal.Version
		if d := cmp.Diff(want, h); d != "" {
			t.Fatalf("header (-want +got):\n%s", d)
		}
		equal(t, collect(t, seq), commits(1, 300))
		equal(t, collect(t, seq), commits(1, 300)) // the records can be ranged over again

		s, err := journal.Inspect(fsys, "j1.journal")
		if err != nil || s.First != 1 || s.Last != 300 || s.Tail != (journal.Tail{Offset: w.Size()}) {
			t.Fatalf("Inspect = %+v, %v; size %d", s, err, w.Size())
		}
		names, err := journal.List(fsys)
		if err != nil || !slices.Equal(names, []string{"j1.journal"}) {
			t.Fatalf("List = %q, %v", names, err)
		}
	})
}

func TestWriterReadsItsOwnRecordsFromAnyOrdinal(t *testing.T) {
	systems(t, func(t *testing.T, fsys journal.FS) {
		w := create(t, fsys, "j1.journal")
		add(t, w, commits(1, 2000)...) // several marks long
		for _, after := range []uint64{0, 1, 2, 999, 1000, 1998, 1999, 2000, 2001} {
			equal(t, collect(t, w.Records(after)), commits(after+1, 2000))
		}
		n := uint64(0)
		for r, err := range w.Records(1990) { // appending while reading: what is new is not seen
			if err != nil {
				t.Fatal(err)
			}
			n = r.Ordinal
			add(t, w, commit(w.Next()))
		}
		if n != 2000 || w.Next() != 2011 {
			t.Fatalf("read up to %d, next %d", n, w.Next())
		}
	})
}

func TestReopenGoesOnBehindTheLastWholeRecord(t *testing.T) {
	systems(t, func(t *testing.T, fsys journal.FS) {
		w := create(t, fsys, "j1.journal")
		add(t, w, commits(1, 10)...)
		whole := w.Size()
		w.Close()
		f, err := fsys.Edit("j1.journal")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte("half a record"), whole); err != nil {
			t.Fatal(err)
		}
		f.Close()

		w, s, err := journal.Reopen(fsys, "j1.journal")
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if s.First != 1 || s.Last != 10 || s.Tail.Offset != whole || s.Tail.Dropped != 13 || s.Tail.Reason == "" {
			t.Fatalf("Reopen = %+v, whole up to %d", s, whole)
		}
		add(t, w, commits(11, 500)...)
		equal(t, read(t, fsys, "j1.journal"), commits(1, 500))
		equal(t, collect(t, w.Records(7)), commits(8, 500))
	})
}

func TestRepairSaysWhatItCut(t *testing.T) {
	fsys := faultfs.New()
	w := create(t, fsys, "j1.journal")
	add(t, w, commits(1, 5)...)
	whole := fsys.Snapshot("j1.journal")
	fsys.Put("j1.journal", append(slices.Clone(whole), 1, 2, 3))
	tail, err := journal.Repair(fsys, "j1.journal")
	if err != nil || tail.Offset != int64(len(whole)) || tail.Dropped != 3 {
		t.Fatalf("Repair = %+v, %v", tail, err)
	}
	if got := fsys.Snapshot("j1.journal"); !slices.Equal(got, whole) {
		t.Fatalf("%d bytes left of %d", len(got), len(whole))
	}
	tail, err = journal.Repair(fsys, "j1.journal")
	if err != nil || tail != (journal.Tail{Offset: int64(len(whole))}) {
		t.Fatalf("second Repair = %+v, %v", tail, err)
	}
}

func TestResetEmptiesTheFileAndKeepsCounting(t *testing.T) {
	systems(t, func(t *testing.T, fsys journal.FS) {
		w := create(t, fsys, "j1.journal")
		empty := w.Size()
		add(t, w, commits(1, 1500)...)
		if err := w.Reset(); err != nil {
			t.Fatal(err)
		}
		if w.Size() != empty || w.Next() != 1501 {
			t.Fatalf("size %d of %d, next %d", w.Size(), empty, w.Next())
		}
		equal(t, read(t, fsys, "j1.journal"), nil)
		add(t, w, commits(1501, 1600)...)
		equal(t, read(t, fsys, "j1.journal"), commits(1501, 1600))
		equal(t, collect(t, w.Records(1550)), commits(1551, 1600))
		if err := w.Reset(); err != nil {
			t.Fatal(err)
		}
		w.Close()

		w, s, err := journal.Reopen(fsys, "j1.journal")
		if err != nil || s.Last != 0 || w.Next() != 1 {
			t.Fatalf("Reopen = %+v, %v; next %d", s, err, w.Next())
		}
		defer w.Close()
		if err := w.Skip(1601); err != nil {
			t.Fatal(err)
		}
		if err := w.Skip(1600); err == nil {
			t.Fatal("an ordinal was skipped backwards")
		}
		add(t, w, commit(1601))
		if err := w.Skip(1700); err == nil {
			t.Fatal("an ordinal was skipped between two records")
		}
	})
}

func TestWrongRecordsAreRefusedAndChangeNothing(t *testing.T) {
	fsys := faultfs.New()
	w := create(t, fsys, "j1.journal")
	add(t, w, commit(1))
	before := fsys.Snapshot("j1.journal")
	wrong := map[string]journal.Record{
		"the next ordinal is 2":    commit(1),
		"the commit has no events": {Ordinal: 2},
		"commit less at once":      {Ordinal: 2, Events: []journal.Event{{Args: make(jsontext.Value, journal.MaxRecord)}}},
	}
	for want, r := range wrong {
		err := w.Append(r)
		if ae, ok := errors.AsType[*journal.AppendError](err); !ok || ae.Name != "j1.journal" || !strings.Contains(err.Error(), want) {
			t.Errorf("Append = %v, want %q", err, want)
		}
	}
	if !slices.Equal(before, fsys.Snapshot("j1.journal")) {
		t.Error("the file changed")
	}
	add(t, w, commit(2))
}

func TestCreateRefusesWhatIsThere(t *testing.T) {
	systems(t, func(t *testing.T, fsys journal.FS) {
		w := create(t, fsys, "j1.journal")
		add(t, w, commit(1))
		if _, err := journal.Create(fsys, "j1.journal", header()); !errors.Is(err, fs.ErrExist) {
			t.Fatalf("second Create = %v", err)
		}
		equal(t, read(t, fsys, "j1.journal"), commits(1, 1))
		if _, err := journal.Create(fsys, "j2.journal", journal.Header{}); err == nil || !strings.Contains(err.Error(), "no id") {
			t.Fatalf("Create without an id = %v", err)
		}
		if _, _, err := journal.Read(fsys, "j2.journal"); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("Read of what is not there = %v", err)
		}
	})
}

func TestNamesStayInTheDirectory(t *testing.T) {
	fsys := journal.OS(t.TempDir())
	for _, name := range []string{"", ".", "..", "../x.journal", "a/b.journal"} {
		if _, err := journal.Create(fsys, name, header()); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("Create(%q) = %v", name, err)
		}
	}
}

func TestClosedWriterSaysSo(t *testing.T) {
	w := create(t, faultfs.New(), "j1.journal")
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	for _, err := range w.Records(0) {
		if !errors.Is(err, journal.ErrClosed) {
			t.Errorf("Records = %v", err)
		}
	}
	for what, err := range map[string]error{"Append": w.Append(commit(1)), "Sync": w.Sync(), "Reset": w.Reset()} {
		if !errors.Is(err, journal.ErrClosed) {
			t.Errorf("%s = %v", what, err)
		}
	}
}

func TestReadOnlyDirectory(t *testing.T) {
	dir := t.TempDir()
	w := create(t, journal.OS(dir), "j1.journal")
	add(t, w, commit(1))
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o555)); err != nil {
		t.Fatal(err)
	}
	asNobody(t, func() {
		for what, err := range map[string]error{
			"Create": second(journal.Create(journal.OS(dir), "j2.journal", header())),
			"Reopen": third(journal.Reopen(journal.OS(dir), "j1.journal")),
		} {
			if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), dir) {
				t.Errorf("%s = %v", what, err)
			}
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

func second[T any](_ T, err error) error        { return err }
func third[T, U any](_ T, _ U, err error) error { return err }

func TestSyncRunsBesideAppend(t *testing.T) {
	systems(t, func(t *testing.T, fsys journal.FS) {
		w := create(t, fsys, "j1.journal")
		done := make(chan error)
		go func() {
			for range 50 {
				if err := w.Sync(); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		add(t, w, commits(1, 500)...)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		equal(t, read(t, fsys, "j1.journal"), commits(1, 500))
	})
}
