package livestore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/local"
	"github.com/livestore-go/livestore/adapter/memory"
	"github.com/livestore-go/livestore/provider/providertest"
)

// refused checks that a reset is refused because of so much that would be lost.
func refused(t *testing.T, s *livestore.Store, events, aside int) {
	t.Helper()
	err := s.Reset(t.Context())
	e, ok := errors.AsType[*livestore.UnconfirmedError](err)
	if !ok || e.StoreID != "test" || e.ClientID != s.ClientID() || e.Events != events || e.SetAside != aside {
		t.Errorf("reset: %v, want %d events and %d set aside", err, events, aside)
	}
}

func reset(t *testing.T, s *livestore.Store, opts ...livestore.ResetOption) {
	t.Helper()
	if err := s.Reset(t.Context(), opts...); err != nil {
		t.Error(err)
	}
}

// Without a provider everything synced is nowhere else. Client-only events alone stop nothing.
func TestResetWithoutAProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := memory.New(nil)
		s, other := openOn(t, a), openOn(t, a)
		reset(t, s) // nothing there
		list := watch(t, other, openCount)
		list.expect(t, "0")
		r := commit(t, s, create("1", "milk"), create("2", "bread"))
		list.expect(t, "2")
		before := r.Events()
		refused(t, s, 2, 0)
		refused(t, other, 2, 0)
		if len(get(t, s, all)) != 2 {
			t.Error("what was refused has happened")
		}
		reset(t, s, livestore.DropUnconfirmed)
		if n := len(get(t, s, all)); n != 0 { // at once, in the session that has called it
			t.Errorf("%d rows are left", n)
		}
		list.expect(t, "0")
		for e, err := range s.Events(t.Context(), nil) {
			t.Errorf("the log has %v, %v", e, err)
		}
		again := commit(t, s, create("1", "milk"))
		list.expect(t, "1")
		if e := again.Events()[0]; e.Num.Global != 1 || e.Num == before[0].Num {
			t.Errorf("the number %s is given again", e.Num)
		}
		reset(t, other, livestore.DropUnconfirmed)
		list.expect(t, "0")
	})
}

// With a provider everything that the backend has comes back from it.
func TestResetIsPulledAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		x, x2 := joinTwice(t, b, "x")
		y := join(t, b, "y", nil)
		confirm(t, commit(t, x.Store, create("1", "milk"), create("2", "bread")))
		confirm(t, commit(t, y.Store, create("3", "eggs")))
		synced(t, x, x2, y)
		id := x.ClientID()
		reset(t, x2.Store)
		synced(t, x, x2, y)
		same(t, b, x, x2, y)
		if b.Head("test") != 3 || x.ClientID() != id {
			t.Errorf("the backend is at e%d", b.Head("test"))
		}

		b.SetDown(true)
		r := commit(t, x.Store, create("4", "butter"))
		synctest.Wait()
		refused(t, x2.Store, 1, 0)
		reset(t, x2.Store, livestore.DropUnconfirmed)
		if n := len(get(t, x2.Store, all)); n != 0 {
			t.Errorf("%d rows are left, without a connection", n)
		}
		if e, ok := errors.AsType[*livestore.ResetError](r.Wait(t.Context(), livestore.Confirmed)); !ok || e.ID != r.ID() || e.StoreID != "test" {
			t.Errorf("the commit that was dropped is %s", r.Stage())
		}
		b.SetDown(false)
		synced(t, x, x2, y)
		same(t, b, x, x2, y)
		once(t, b, "1", "2", "3")
		confirm(t, commit(t, x.Store, create("5", "flour")))
		synced(t, x, x2, y)
		same(t, b, x, x2, y)
		once(t, b, "1", "2", "3", "5")
	})
}

// A commit that is set aside is nowhere else.
func TestResetWithACommitSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		x := join(t, b, "x", nil)
		synced(t, x)
		b.SetDown(true)
		commit(t, x.Store, create("1", "milk"))
		b.Append("test", raw("1", "of another"))
		b.SetDown(false)
		until(t, x, "set aside", func(st livestore.SyncStatus) bool { return st.SetAside == 1 })
		refused(t, x.Store, 0, 1)
		reset(t, x.Store, livestore.DropUnconfirmed)
		synced(t, x)
		same(t, b, x)
		if n := len(x.SetAside()); n != 0 {
			t.Errorf("%d are set aside", n)
		}
	})
}

// After the backend has turned out to be another one, nobody knows what it has: nothing counts as confirmed. By name the client takes what
// there is.
func TestResetOntoAnotherBackend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		x := join(t, b, "x", nil)
		confirm(t, commit(t, x.Store, create("1", "milk"), create("2", "bread")))
		synced(t, x)
		b.Reset("test")
		b.Append("test", raw("3", "of another"))
		until(t, x, "paused", paused(livestore.PausedBackend))
		refused(t, x.Store, 2, 0)
		reset(t, x.Store, livestore.DropUnconfirmed)
		synced(t, x)
		same(t, b, x)
		once(t, b, "3")
		// What came back is this client's: it would bring it back itself.
		confirm(t, commit(t, x.Store, create("4", "flour")))
		reset(t, x.Store)
		synced(t, x)
		b.Reset("test")
		until(t, x, "paused", paused(livestore.PausedBackend))
		rebase(t, x)
		synced(t, x)
		same(t, b, x)
		once(t, b, "4")
		if a := archived(t, x.Store); len(a) != 1 {
			t.Errorf("archived: %v", a)
		}
		reset(t, x.Store)
		if a := archived(t, x.Store); len(a) != 1 {
			t.Errorf("archived after a reset: %v", a)
		}
	})
}

// Commits that other sessions admit while one resets come after it: they are in the log, or set aside, each once.
func TestResetUnderCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		x, x2 := joinTwice(t, b, "x")
		confirm(t, commit(t, x.Store, create("1", "milk")))
		synced(t, x, x2)
		var wg sync.WaitGroup
		receipts := make(chan *livestore.Receipt, 200)
		wg.Go(func() {
			for n := range 200 {
				receipts <- commit(t, x2.Store, create(fmt.Sprint("m", n), "meanwhile"))
				if n%7 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
		})
		refusals, start := 0, time.Now()
		wg.Go(func() {
			for range 20 {
				err := x.Reset(t.Context())
				if _, ok := errors.AsType[*livestore.UnconfirmedError](err); err != nil && !ok {
					t.Error(err)
				}
				if err != nil {
					refusals++
				}
				time.Sleep(2 * time.Millisecond)
			}
		})
		wg.Wait()
		close(receipts)
		if d := time.Since(start); d > time.Second { // that sessions boot anew is no fault, and nobody pauses after it
			t.Errorf("it took %s", d)
		}
		want := []string{"1"}
		for r := range receipts {
			err := r.Wait(t.Context(), livestore.Confirmed)
			if _, ok := errors.AsType[*livestore.ResetError](err); err != nil && !ok { // it was confirmed, and the session had not heard it
				t.Errorf("commit %s: %v", r.ID(), err)
			}
		}
		for n := range 200 {
			want = append(want, fmt.Sprint("m", n))
		}
		synced(t, x, x2)
		same(t, b, x, x2)
		once(t, b, want...)
		if refusals == 20 {
			t.Error("none of the resets went through")
		}
	})
}

// On files: what was reset stays so, journals included, and the client is the same.
func TestResetOnFiles(t *testing.T) {
	dir := t.TempDir()
	a := func() livestore.Adapter { return local.New(dir, nil) }
	s, err := livestore.Open(t.Context(), schema, a(), &livestore.Options{StoreID: "test"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		commit(t, s, create(fmt.Sprint(i), "milk"))
	}
	refused(t, s, 20, 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	commit(t, s, create("20", "milk"))
	if err := s.Reset(ctx, livestore.DropUnconfirmed); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	reset(t, s, livestore.DropUnconfirmed)
	id := s.ClientID()
	commit(t, s, create("after", "milk"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openOn(t, a())
	if rows := get(t, s, all); len(rows) != 1 || rows[0].ID != "after" || s.ClientID() != id {
		t.Errorf("client %s, was %s, has %v", s.ClientID(), id, rows)
	}
}
