package leader_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/provider"
)

// What a push was refused for may have been pulled before its answer comes. Then there is nothing to doubt, and nothing to wait for.
func TestServerAheadThatIsNoNews(t *testing.T) {
	w := newWorld(t, schema, nil)
	w.mustPull()
	w.commit("s", "a")
	batch := w.push()
	w.foreign("x", "y")
	w.mustPull()
	for _, head := range []int64{1, 2} { // the backend has gone on since it answered, or has not
		w.m.BackendPushed(batch, &provider.ServerAheadError{Head: head})
		if w.m.Doubt() || w.m.Parked() {
			t.Fatalf("doubt: %t, parked: %t", w.m.Doubt(), w.m.Parked())
		}
		next := w.push()
		if len(next) != 1 || next[0].ParentSeqNum != 2 {
			t.Fatalf("then it pushes %v", next)
		}
	}
	// One that is refused though it follows all that was pulled is worth a doubt: the backend was set back, say.
	w.m.BackendPushed([]event.Global{{SeqNum: 3, ParentSeqNum: 2}}, &provider.ServerAheadError{Head: 1})
	if !w.m.Doubt() {
		t.Error("there is no doubt")
	}
}

// Only pushes that come to nothing count, not what is rebased while the leader catches up; and a confirmation ends the count.
func TestPushesWaitAfterTooManyRebases(t *testing.T) {
	w := newWorld(t, schema, nil)
	w.mustPull()
	w.commit("s", "a")
	for i := range 30 {
		w.foreign(fmt.Sprint("f", i))
		w.mustPull()
	}
	overtaken := func(n int) {
		t.Helper()
		for range n {
			batch := w.push()
			if len(batch) == 0 {
				t.Fatal("nothing is pushed")
			}
			w.foreign(fmt.Sprint("o", len(w.backend)))
			w.m.BackendPushed(batch, &provider.ServerAheadError{Head: int64(len(w.backend))})
			w.mustPull()
		}
	}
	waits := func(want time.Duration, why string) {
		t.Helper()
		d, said := w.m.PushWait()
		if d != want || !strings.Contains(said, why) {
			t.Errorf("the next push waits %s (%s), want %s (%s)", d, said, want, why)
		}
	}
	overtaken(7)
	waits(0, "")
	overtaken(1)
	waits(50*time.Millisecond, "rebased 8 times in a row")
	waits(0, "")
	overtaken(1)
	waits(100*time.Millisecond, "rebased 9 times in a row")
	overtaken(1)
	w.m.Resume()
	waits(0, "")
	overtaken(8)
	waits(50*time.Millisecond, "store test: what is pending was rebased 8 times in a row")

	batch := w.push()
	w.stored(batch)
	w.m.BackendPushed(batch, nil)
	w.foreign("x")
	w.commit("s", "b")
	w.mustPull() // confirms one, and rebases the other
	waits(0, "")
	overtaken(7)
	waits(0, "")
	overtaken(1)
	waits(50*time.Millisecond, "")
}
