package livestore_test

import (
	"testing"

	"github.com/livestore-go/livestore"
)

// The budget of allocations, with those of the leader, which takes each commit on a goroutine of its own.
const (
	commitAllocs    = 50 // one event that inserts one row
	unchangedAllocs = 0  // a live query or computed that is up to date
)

func TestAllocationsOfACommit(t *testing.T) {
	s := openStore(t)
	i := 0
	got := testing.AllocsPerRun(2000, func() {
		i++
		commit(t, s, createN(i))
	})
	t.Logf("%.0f allocations", got)
	if got > commitAllocs {
		t.Errorf("a commit makes %.0f allocations, the budget is %d", got, commitAllocs)
	}
}

func TestAllocationsOfAnUnchangedRead(t *testing.T) {
	s := openStore(t)
	commit(t, s, create("1", "one"))
	for name, read := range map[string]func() error{
		"live query": func() error { _, err := livestore.Get(s, open); return err },
		"computed":   func() error { _, err := livestore.Get(s, openCount); return err },
	} {
		got := testing.AllocsPerRun(1000, func() {
			if err := read(); err != nil {
				t.Error(err)
			}
		})
		if got > unchangedAllocs {
			t.Errorf("%s: %.0f allocations", name, got)
		}
	}
}
