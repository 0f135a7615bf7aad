package crashtest

import (
	"errors"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/internal/journal/faultfs"
	"github.com/livestore-go/livestore/internal/session"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/internal/sqlite/crashvfs"
)

// isFull says whether an error tells whoever gets it that the disk is full.
func isFull(err error) bool {
	return (journal.IsFull(err) || sqlite.IsFull(err)) && (strings.Contains(err.Error(), "full") || strings.Contains(err.Error(), "no space"))
}

var fullLives = pick(10, 2)

// TestFullDisk lets the disk fill up in the middle of everything, and be freed again. What fails says so, nothing that was committed is
// lost, and the client goes on as soon as there is space.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	refused, starts, rebuilds := 0, 0, 0
	for life := range uint64(fullLives) {
		w := newDiskWorld(1000 + life)
		r := rand.New(rand.NewPCG(6, life))
		for spell := range 6 {
			for range r.IntN(60) {
				if err := w.step(); err != nil {
					t.Fatalf("life %d, spell %d, with space: %v", life, spell, err)
				}
			}
			fill(w, r)
			for range 40 {
				booting := w.leader == nil
				act := w.step
				if !booting && r.IntN(4) == 0 { // rebases are where log and state differ most
					act = func() error {
						w.backend.foreign(2)
						return w.download(0)
					}
				}
				err := act()
				if err == nil {
					continue
				}
				if !isFull(err) {
					t.Fatalf("life %d, spell %d: a full disk gives the error %v", life, spell, err)
				}
				refused++
				if booting {
					starts++
				}
			}
			w.arm = nil
			w.disk.SetFree(-1)
			w.disk.SetFault(nil)
			if w.leader == nil {
				if err := w.boot(); err != nil {
					t.Fatalf("life %d, spell %d, boot with space again: %v", life, spell, err)
				}
				rebuilds++
			}
			for len(w.sessions) < 2 {
				if err := w.open(); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.settle(); err != nil {
				t.Fatalf("life %d, spell %d: %v", life, spell, err)
			}
			w.sessionsFollow(t)
			if t.Failed() {
				t.Fatalf("life %d, spell %d", life, spell)
			}
		}
		if err := w.restart(); err != nil { // so that the journals of sessions that left are taken
			t.Fatal(err)
		}
		w.verify(t, session.Committed)
		w.end()
		w.disk.Close()
		if t.Failed() {
			t.Fatalf("life %d at its end", life)
		}
	}
	t.Logf("%d steps were refused, %d of them while booting; %d boots after that", refused, starts, rebuilds)
	if refused < fullLives {
		t.Error("the disk was hardly ever full")
	}
}

// fill leaves little space, or none for files of one kind. A disk may also take some writes and refuse others, as space comes and goes.
func fill(w *world, r *rand.Rand) {
	free, kind, every := r.Int64N(40_000), []string{"journal", "eventlog", "state", "state that is built", ""}[r.IntN(5)], 1+r.IntN(6)
	if w.arm = func(disk *crashvfs.FS) { disk.SetFree(free) }; r.IntN(2) == 0 {
		w.arm = func(disk *crashvfs.FS) {
			disk.SetFault(func(op faultfs.Op) (int, error) {
				if op.Kind != "write" && op.Kind != "create" || kind != "" && kindOf(op.Name) != kind || r.IntN(every) > 0 {
					return 0, nil
				}
				return r.IntN(op.Len + 1), syscall.ENOSPC
			})
		}
	}
	w.arm(w.disk)
}

// A commit with more events than undo entries are kept for is undone like any other when its journal has no space for it.
func TestFullDiskAndALongCommit(t *testing.T) {
	t.Parallel()
	w := newDiskWorld(1)
	if err := errors.Join(w.boot(), w.open(), w.commitFirst(3)); err != nil {
		t.Fatal(err)
	}
	defer w.end()
	w.disk.SetFree(1000)
	if err := w.commitFirst(12_000); !isFull(err) {
		t.Fatalf("a commit on a full disk gives the error %v", err)
	}
	w.disk.SetFree(-1)
	if err := w.commitFirst(3); err != nil {
		t.Fatalf("the next commit: %v", err)
	}
	// Nor is it set aside when it is the leader that has no space for it, in the middle of a transaction.
	for _, kind := range []string{"eventlog", "state"}[:pick(2, 1)] {
		if err := w.commitFirst(12_000); err != nil {
			t.Fatal(err)
		}
		w.disk.SetFault(func(op faultfs.Op) (int, error) {
			if op.Kind == "write" && kindOf(op.Name) == kind {
				return 0, syscall.ENOSPC
			}
			return 0, nil
		})
		if err := w.push(true); !isFull(err) {
			t.Errorf("a push without space for the %s gives the error %v", kind, err)
		}
		w.disk.SetFault(nil)
		if err := w.settle(); err != nil {
			t.Fatal(err)
		}
		w.sessionsFollow(t)
	}
	if n := len(w.look(t).aside); n > 0 {
		t.Errorf("%d commits were set aside", n)
	}
	w.verify(t, session.Persisted)
}

// commitFirst commits n events in the first session.
func (w *world) commitFirst(n int) error { return w.commit(w.sessions[0], n, false) }
