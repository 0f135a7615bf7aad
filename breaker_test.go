package livestore_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/provider"
	"github.com/livestore-go/livestore/provider/providertest"
)

// overtaken is a backend at which somebody else is always first: before each push it stores one event of its own.
func overtaken(b *providertest.Backend, pushes *atomic.Int64, on *atomic.Bool) *between {
	p := &between{Provider: b.Provider()}
	p.push = func(ctx context.Context, c provider.Client, id string, batch []event.Global) error {
		n := pushes.Add(1)
		if on.Load() {
			b.Append("test", raw(fmt.Sprint("other", n), "of another"))
		}
		return c.Push(ctx, id, batch)
	}
	return p
}

// A client that always comes too late does not push and rebase without a pause. It says so, goes on when it is let through, and tries at
// once when the app asks for it.
func TestPushesThatAlwaysComeTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		var pushes atomic.Int64
		var on atomic.Bool
		x := joinOver(t, overtaken(b, &pushes, &on), "x")
		synced(t, x)
		on.Store(true)
		r := commit(t, x.Store, create("1", "milk"))
		st := until(t, x, "slow", func(st livestore.SyncStatus) bool { return strings.Contains(st.Why, "times in a row") })
		if n := pushes.Load(); n != 8 || !strings.Contains(st.Why, "store test") || !strings.Contains(st.Why, "rebased 8 times in a row") ||
			!strings.Contains(st.Why, "the next push waits 50ms") || st.Paused != "" || st.Synced() {
			t.Errorf("after %d pushes: %+v", n, st)
		}
		time.Sleep(time.Minute)
		if n := pushes.Load(); n < 20 || n > 40 {
			t.Errorf("%d pushes in the first minute", n)
		}
		for range 3 {
			before := pushes.Load()
			time.Sleep(time.Minute)
			if n := pushes.Load() - before; n < 15 || n > 20 {
				t.Errorf("%d pushes in a later minute", n)
			}
		}
		st = x.SyncStatus()
		if !strings.Contains(st.Why, "the next push waits 3.2s") || st.UpstreamHead != st.BackendHead || st.Unconfirmed != 1 {
			t.Errorf("%+v", st)
		}

		// The app wants it to be tried at once.
		before := pushes.Load()
		if err := x.ResumeSync(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := pushes.Load() - before; n < 8 {
			t.Errorf("resumed, it pushes %d times", n)
		}

		on.Store(false)
		start := time.Now()
		confirm(t, r)
		if d := time.Since(start); d > 4*time.Second {
			t.Errorf("let through, it took %s", d)
		}
		synced(t, x)
		if st := x.SyncStatus(); st.Why != "" {
			t.Errorf("%+v", st)
		}
		same(t, b, x)

		// What could not be stored is taken out of the way by what came before it.
		on.Store(true)
		commit(t, x.Store, create("2", "mine"))
		until(t, x, "slow", func(st livestore.SyncStatus) bool { return st.Why != "" })
		b.Append("test", raw("2", "theirs"))
		until(t, x, "said to be well", func(st livestore.SyncStatus) bool { return st.Why == "" && st.SetAside == 1 && st.Synced() })
	})
}

// A backend that says it is ahead and sends nothing is asked less and less often, too, and the status says why.
func TestBackendThatSaysItIsAheadAndSendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		var pushes, pulls atomic.Int64
		p := &between{Provider: b.Provider()}
		on := true
		p.push = func(ctx context.Context, c provider.Client, id string, batch []event.Global) error {
			pushes.Add(1)
			if on {
				return &provider.ServerAheadError{StoreID: "test", Head: batch[0].ParentSeqNum + 7, Provided: batch[0].ParentSeqNum}
			}
			return c.Push(ctx, id, batch)
		}
		p.pull = func(ctx context.Context, c provider.Client, from provider.Cursor, live bool) iter.Seq2[provider.Page, error] {
			pulls.Add(1)
			return c.Pull(ctx, from, live)
		}
		x := joinOver(t, p, "x")
		synced(t, x)
		r := commit(t, x.Store, create("1", "milk"))
		time.Sleep(5 * time.Minute)
		if n, m := pushes.Load(), pulls.Load(); n > 50 || m > 50 {
			t.Errorf("%d pushes and %d pulls in five minutes", n, m)
		}
		if st := x.SyncStatus(); !strings.Contains(st.Why, "times in a row") {
			t.Errorf("%+v", st)
		}
		on = false
		confirm(t, r)
		synced(t, x)
		if st := x.SyncStatus(); st.Why != "" {
			t.Errorf("%+v", st)
		}
	})
}

// Clients that commit all the time through one backend, over a network that takes its time, all get on: who loses a race tries again at
// once.
func TestBusyClientsGetOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		clients := []client{join(t, b, "x", nil), join(t, b, "y", nil)}
		synced(t, clients...)
		const n, every = 300, 50 * time.Millisecond
		var wg sync.WaitGroup
		for i, c := range clients {
			c.faults.Delay(time.Duration(15+5*i) * time.Millisecond)
			wg.Go(func() {
				for k := range n {
					commit(t, c.Store, create(fmt.Sprint(c.ClientID(), k), "busy"))
					time.Sleep(every + time.Duration(i)*time.Millisecond)
				}
			})
		}
		// How long it takes at most until one more of a client's events is stored.
		start, longest, last := time.Now(), time.Duration(0), map[string]time.Time{"x": time.Now(), "y": time.Now()}
		stored := map[string]int{}
		for time.Since(start) < n*every {
			time.Sleep(every)
			now := map[string]int{}
			for _, e := range b.Events("test") {
				now[e.ClientID]++
			}
			for id, k := range now {
				if k > stored[id] {
					longest = max(longest, time.Since(last[id]))
					stored[id], last[id] = k, time.Now()
				}
			}
		}
		wg.Wait()
		synced(t, clients...)
		same(t, b, clients...)
		if stored["x"] < n-10 || stored["y"] < n-10 || longest > time.Second {
			t.Errorf("stored while they commit: %v; longest without: %s", stored, longest)
		}
	})
}

// Rounds that bring a little each and end at a gap are no reason to pull without a pause.
func TestBackendThatBringsALittleAndThenAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		var pulls atomic.Int64
		var whole atomic.Bool
		p := &between{Provider: b.Provider()}
		p.pull = func(ctx context.Context, c provider.Client, from provider.Cursor, live bool) iter.Seq2[provider.Page, error] {
			if whole.Load() {
				return c.Pull(ctx, from, live)
			}
			n := pulls.Add(1)
			b.Append("test", raw(fmt.Sprint(n), "of another"))
			return func(yield func(provider.Page, error) bool) {
				for page, err := range c.Pull(ctx, from, false) {
					page.Remaining++
					if !yield(page, err) || err != nil {
						return
					}
					last := b.Append("test", raw(fmt.Sprint("left out", n), "of another"), raw(fmt.Sprint("after", n), "of another"))[1]
					yield(provider.Page{BackendID: page.BackendID, Events: []event.Global{last}}, nil)
					return
				}
			}
		}
		x := joinOver(t, p, "x")
		time.Sleep(time.Minute)
		before := pulls.Load()
		time.Sleep(time.Minute)
		if n := pulls.Load() - before; before > 60 || n < 10 || n > 25 {
			t.Errorf("%d pulls in the first minute and %d in the second", before, n)
		}
		if st := x.SyncStatus(); st.Why == "" || st.UpstreamHead.Global == 0 {
			t.Errorf("%+v", st)
		}
		whole.Store(true)
		synced(t, x)
		same(t, b, x)
	})
}
