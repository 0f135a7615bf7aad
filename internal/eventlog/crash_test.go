package eventlog_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
	"github.com/livestore-go/livestore/internal/journal/faultfs"
	"github.com/livestore-go/livestore/internal/sqlite/crashvfs"
)

// openOn opens the log on a disk that may fail.
func openOn(disk *crashvfs.FS) (*eventlog.Log, error) {
	o := options()
	o.VFS = disk.Name()
	return eventlog.Open("log.db", o)
}

// dump writes down everything in a log.
func dump(l *eventlog.Log) (string, error) {
	events, err := eventlog.Collect(l.Read(event.SeqNum{}, 0))
	if err != nil {
		return "", err
	}
	asides, err := l.ListSetAside()
	if err != nil {
		return "", err
	}
	head, id := l.Head()
	return fmt.Sprint(head, id, l.Count(), l.Meta(), l.AllTaken(), asides, events), nil
}

// work does one random thing in the open transaction: commits, or a rebase that sets a commit aside.
func work(r *rand.Rand, l *eventlog.Log, ordinal uint64) error {
	up := l.Meta().Upstream
	if r.IntN(5) > 0 {
		head, _ := l.Head()
		scopes := strings.Repeat("sc"[:1+r.IntN(2)], 1+r.IntN(20))
		return errors.Join(l.Append(chain(head, l.Meta().Generation, ordinal, scopes)), l.SetTaken("j1", ordinal))
	}
	pending, err := eventlog.Collect(l.Read(up, 0))
	if err != nil {
		return err
	}
	generation := l.Meta().Generation + 1
	head := event.SeqNum{Global: up.Global + 1}
	err = errors.Join(l.DeleteAfter(up), l.Append(chain(event.SeqNum{Global: up.Global}, 0, 0, "s")), l.SetUpstream(head))
	if n := len(pending); n > 0 && err == nil {
		last := pending[n-1].ID.Commit
		keep := slices.IndexFunc(pending, func(e event.Client) bool { return e.ID.Commit == last })
		for i := range pending[:keep] {
			scope := event.ScopeSynced
			if pending[i].Num.IsClientOnly() {
				scope = event.ScopeClientOnly
			}
			pending[i].Num, pending[i].Parent = head.Next(scope, generation)
			head = pending[i].Num
		}
		err = errors.Join(l.Append(pending[:keep]), l.PutSetAside(eventlog.SetAside{ID: last, Events: pending[keep:], Err: "no"}))
	}
	return errors.Join(err, l.SetGeneration(generation))
}

// The power goes at some operation on the disk, from the first of the creation on, and sometimes again while the log is opened. Every
// transaction that returned is there, whole; the one under way is there whole or not at all; and the log goes on.
func TestPowerLoss(t *testing.T) {
	const points = 500
	made, undecided, kept := 0, 0, 0
	for seed := range uint64(points) {
		r := rand.New(rand.NewPCG(seed, 4))
		disk := crashvfs.New()
		disk.PowerOffAt(1 + r.IntN(300))
		var done, under string // what is in the log after the last transaction that returned, and with the one under way
		l, err := openOn(disk)
		if err == nil {
			made++
			if done, err = dump(l); err != nil {
				t.Fatal(err)
			}
			under = done
			for o := uint64(1); ; o++ {
				err := l.Update(func() (err error) {
					if err := work(r, l, o); err != nil {
						return err
					}
					under, err = dump(l)
					return err
				})
				if err != nil {
					if !errors.Is(err, faultfs.ErrPower) {
						t.Fatalf("seed %d: %v", seed, err)
					}
					break
				}
				done = under
				if r.IntN(8) == 0 { // closing writes the log back into the file
					l.Close()
					if l, err = openOn(disk); err != nil {
						if !errors.Is(err, faultfs.ErrPower) {
							t.Fatalf("seed %d: %v", seed, err)
						}
						break
					}
				}
			}
			if l != nil {
				l.Close()
			}
		}
		for again := true; again; {
			after := disk.Crash(r)
			disk.Close()
			disk = after
			again = r.IntN(3) == 0
			if again { // the power goes while the log is opened
				disk.PowerOffAt(1 + r.IntN(10))
				if l, err := openOn(disk); err == nil {
					l.Close()
				}
			}
		}
		// What is left passes for an eventlog before SQLite has brought it in order.
		file := disk.Snapshot("log.db")
		beside := len(disk.Snapshot("log.db-wal")) + len(disk.Snapshot("log.db-journal"))
		if err := eventlog.Accept("log.db", file[:min(len(file), eventlog.HeadLen)], int64(len(file)), beside > 0); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		l, err = openOn(disk)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		got, err := dump(l)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		switch {
		case done == "": // it had not been opened yet
			if l.Count() != 0 {
				t.Fatalf("seed %d: %s", seed, got)
			}
		case got != done && got != under:
			t.Fatalf("seed %d: the log is neither as it was\n%s\nnor as it was to be\n%s\nbut\n%s", seed, done, under, got)
		case done != under:
			undecided++
			if got == under {
				kept++
			}
		}
		if err := l.Check(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		commit(t, l, 1_000_000, "scs")
		if err := l.Close(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		disk.Close()
	}
	t.Logf("of %d crashes %d hit a log that was made, %d a transaction under way, which was there %d times", points, made, undecided, kept)
	if made < points/2 || made == points || undecided < points/10 || kept == 0 || kept == undecided {
		t.Error("the crashes did not hit what they should")
	}
}

func TestFullDisk(t *testing.T) {
	disk := crashvfs.New()
	defer disk.Close()
	l, err := openOn(disk)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	first := commit(t, l, 1, "scs")
	for _, free := range []int64{0, 1000, 5000, 20_000} {
		disk.SetFree(free)
		head, _ := l.Head()
		err := l.Update(appending(l, chain(head, 0, 2, strings.Repeat("s", 60_000)))) // more than the page cache holds
		if _, ok := errors.AsType[*eventlog.FileError](err); !ok || !strings.Contains(err.Error(), "free some space") {
			t.Fatalf("%d bytes free: %v", free, err)
		}
		equal(t, all(t, l), first)
		if err := l.Begin(); err != nil {
			t.Fatal(err)
		}
		err = l.Append(chain(head, 0, 2, strings.Repeat("s", 100)))
		err = errors.Join(err, l.Commit()) // here the disk is found full by Commit
		if _, ok := errors.AsType[*eventlog.FileError](err); free < 20_000 && (!ok || !strings.Contains(err.Error(), "free some space")) {
			t.Fatalf("%d bytes free: Commit = %v", free, err)
		}
		if err == nil {
			t.Fatalf("a commit of 100 events fits into %d bytes", free)
		}
		equal(t, all(t, l), first)
		h, id := l.Head()
		equal(t, h, first[2].Num)
		equal(t, id, first[2].ID)
	}
	disk.SetFree(-1)
	commit(t, l, 2, "s")
	equal(t, l.Count(), 4)
}

// After a disk that failed in Commit only the file knows what is in it: nothing is said of the log until it is opened again.
func TestFailingDiskLeavesNoDoubt(t *testing.T) {
	fire := errors.New("disk on fire")
	for _, kind := range []string{"write", "sync"} {
		disk := crashvfs.New()
		l, err := openOn(disk)
		if err != nil {
			t.Fatal(err)
		}
		commit(t, l, 1, "s")
		disk.SetFault(func(op faultfs.Op) (int, error) {
			if op.Kind == kind {
				return op.Len, fire
			}
			return 0, nil
		})
		err = l.Update(appending(l, chain(num(t, "e1"), 0, 2, "s")))
		if fe, ok := errors.AsType[*eventlog.FileError](err); !ok || fe.Op != "commit" || !errors.Is(err, fire) {
			t.Fatalf("%s fails: %v", kind, err)
		}
		disk.SetFault(nil)
		if err := l.Begin(); !errors.Is(err, fire) {
			t.Fatalf("%s failed: Begin = %v", kind, err)
		}
		if _, err := eventlog.Collect(l.Read(event.SeqNum{}, 0)); !errors.Is(err, fire) {
			t.Fatalf("%s failed: Read = %v", kind, err)
		}
		l.Close()
		l, err = openOn(disk)
		if err != nil {
			t.Fatal(err)
		}
		if n := l.Count(); n != 1 && n != 2 {
			t.Fatalf("%d events", n)
		}
		commit(t, l, 3, "s")
		l.Close()
		disk.Close()
	}
}
