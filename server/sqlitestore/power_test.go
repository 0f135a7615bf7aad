package sqlitestore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/sqlite/crashvfs"
	"github.com/livestore-go/livestore/internal/storedir"
	"github.com/livestore-go/livestore/server"
)

// powerless opens a storage on a disk that loses power.
func powerless(disk *crashvfs.FS, id string) server.Storage {
	return storedir.Open(storedir.Dir{Files: disk, VFS: disk.Name(), NewBackendID: func() string { return id }})
}

// fill appends batches of two events until there are six events, or something fails. It returns the events that are in the log for certain,
// and the identity that somebody may have seen.
func fill(t *testing.T, s server.Storage) (head int64, id string) {
	t.Helper()
	log, err := s.Open(t.Context(), "s")
	if err != nil {
		return 0, ""
	}
	defer log.Close()
	id = log.BackendID()
	if head, err = log.Head(t.Context()); err != nil {
		return 0, id
	}
	for head < 6 {
		batch := make([]server.Event, 2)
		for i := range batch {
			n := head + int64(i) + 1
			batch[i] = server.Event{CreatedAt: "now", Global: event.Global{
				SeqNum: n, ParentSeqNum: n - 1, Name: "n", Args: fmt.Append(nil, n), ClientID: "c", SessionID: "s",
			}}
		}
		if log.Append(t.Context(), head, batch) != nil {
			break
		}
		head += 2
	}
	return head, id
}

// Whenever the power goes, what an append has returned for is there when it is back, each batch whole, under the identity that it had.
func TestLossOfPower(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := 1; ; n++ {
		disk := crashvfs.New()
		disk.PowerOffAt(n)
		s := powerless(disk, "first")
		head, id := fill(t, s)
		if n > 1000 {
			t.Fatal("it does not end")
		}
		done := disk.Ops() < n
		_ = s.Close()
		for range 4 {
			after := disk.Crash(r)
			s := powerless(after, "second")
			log, err := s.Open(t.Context(), "s")
			if err != nil {
				t.Fatalf("power lost at operation %d, after e%d: %v", n, head, err)
			}
			at, err := log.Head(t.Context())
			events, rerr := log.Read(t.Context(), 0, 100, 1<<20)
			if err := errors.Join(err, rerr); err != nil {
				t.Fatal(err)
			}
			if at < head || at > head+2 || at%2 != 0 || int64(len(events)) != at {
				t.Fatalf("power lost at operation %d, after e%d: the log is at e%d with %d events", n, head, at, len(events))
			}
			if id != "" && log.BackendID() != id {
				t.Fatalf("power lost at operation %d: the log is %q, and was %q", n, log.BackendID(), id)
			}
			if err := errors.Join(log.Close(), s.Close()); err != nil {
				t.Fatal(err)
			}
			after.Close()
		}
		disk.Close()
		if done {
			return
		}
	}
}
