package journal_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/internal/journal/faultfs"
)

func queue(t *testing.T, fsys journal.FS) *journal.Queue {
	t.Helper()
	q, err := journal.NewQueue(fsys, header())
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestQueueLeavesWhatWasNotTaken(t *testing.T) {
	for taken := range uint64(4) {
		fsys := faultfs.New()
		q := queue(t, fsys)
		for o := uint64(1); o <= 3; o++ {
			if want := (event.CommitID{Journal: "j1", Ordinal: o}); q.Next() != want {
				t.Fatalf("Next = %s, want %s", q.Next(), want)
			}
			if err := q.Append(commit(o)); err != nil {
				t.Fatal(err)
			}
		}
		q.Taken(event.CommitID{Journal: "j1", Ordinal: taken})
		q.Taken(event.CommitID{Journal: "j1", Ordinal: taken / 2}) // an answer that comes late
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
		_, _, err := journal.Read(fsys, "j1.journal")
		if taken < 3 {
			equal(t, read(t, fsys, "j1.journal"), commits(1, 3))
		} else if !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("taken to its end, and still there: %v", err)
		}
	}
}

func TestALongQueueIsEmptiedWhenItIsTaken(t *testing.T) {
	fsys := faultfs.New()
	q := queue(t, fsys)
	long := func() int { return len(fsys.Snapshot("j1.journal")) }
	empty := long()
	for range 3 {
		for range 5 {
			r := journal.Record{Ordinal: q.Next().Ordinal, Events: []journal.Event{
				{Name: "v1.NoteWritten", Args: jsontext.Value(`"` + strings.Repeat("x", 300<<10) + `"`)},
			}}
			if err := q.Append(r); err != nil {
				t.Fatal(err)
			}
		}
		full := long()
		q.Taken(event.CommitID{Journal: "j1", Ordinal: q.Next().Ordinal - 2})
		if long() != full {
			t.Fatal("a commit that was not taken is gone")
		}
		q.Taken(event.CommitID{Journal: "j1", Ordinal: q.Next().Ordinal - 1})
		if long() != empty {
			t.Fatalf("%d bytes are left of %d", long(), full)
		}
	}
	if q.Next().Ordinal != 16 {
		t.Fatalf("Next = %s", q.Next())
	}
}
