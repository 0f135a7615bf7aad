package livestore_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/local"
	"github.com/livestore-go/livestore/adapter/memory"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/provider"
	"github.com/livestore-go/livestore/provider/providertest"
)

// joinTwice opens two sessions of a new client.
func joinTwice(t *testing.T, b *providertest.Backend, id string) (one, other client) {
	t.Helper()
	f := providertest.NewFaults(b.Provider())
	a := memory.New(&memory.Options{ClientID: id, Sync: f})
	return client{openOn(t, a), f}, client{openOn(t, a), f}
}

func rebase(t *testing.T, c client) {
	t.Helper()
	if err := c.Rebase(t.Context()); err != nil {
		t.Errorf("client %s: %v", c.ClientID(), err)
	}
}

// archived renders what a store has archived.
func archived(t *testing.T, s *livestore.Store) []string {
	t.Helper()
	out := []string{}
	for a, err := range s.Archived(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s e%d %s %s", a.BackendID, a.Event.SeqNum, a.Event.ClientID, a.Event.Args))
		if a.At.IsZero() || a.Event.ClientID == s.ClientID() {
			t.Errorf("archived: %+v", a)
		}
	}
	return out
}

// once checks that a backend has each of the todos created once, and nothing else.
func once(t *testing.T, b *providertest.Backend, ids ...string) {
	t.Helper()
	var got []string
	for _, e := range b.Events("test") {
		_, rest, _ := strings.Cut(string(e.Args), `"id":"`)
		id, _, _ := strings.Cut(rest, `"`)
		got = append(got, id)
	}
	slices.Sort(got)
	slices.Sort(ids)
	if !slices.Equal(got, ids) {
		t.Errorf("the backend has %v, want %v", got, ids)
	}
}

// Two clients, one of them with two sessions, whose backend was wiped or set back. Each brings back what it has committed.
func TestRebaseOntoAnotherBackend(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*providertest.Backend)
		want   []string
		x, y   int // events archived
	}{
		"wiped":    {func(b *providertest.Backend) { b.Reset("test") }, []string{"x1", "y1", "x2", "y2", "x3", "y3"}, 2, 2},
		"set back": {func(b *providertest.Backend) { b.SetBack("test", 2) }, []string{"x1", "y1", "x2", "y2", "x3", "y3"}, 1, 1},
		"set back and written": {func(b *providertest.Backend) {
			b.SetBack("test", 2)
			b.Append("test", raw("z1", "of z"), raw("z2", "of z"), raw("z3", "of z"))
		}, []string{"x1", "y1", "x2", "y2", "x3", "y3", "z1", "z2", "z3"}, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := providertest.NewBackend()
				x, x2 := joinTwice(t, b, "x")
				y := join(t, b, "y", nil)
				for i := range 2 { // e1 of x, e2 of y, e3 of x, e4 of y
					confirm(t, commit(t, x.Store, create(fmt.Sprint("x", i+1), "of x")))
					confirm(t, commit(t, y.Store, create(fmt.Sprint("y", i+1), "of y")))
				}
				synced(t, x, x2, y)
				old := b.ID("test")
				b.SetDown(true)
				rx, ry := commit(t, x2.Store, create("x3", "of x")), commit(t, y.Store, create("y3", "of y"))
				c.change(b)
				b.SetDown(false)
				until(t, x, "paused", paused(livestore.PausedBackend))
				until(t, y, "paused", paused(livestore.PausedBackend))

				rebase(t, x)
				if st := x.SyncStatus(); st.Paused != "" || st.Why != "" {
					t.Errorf("after the rebase: %+v", st)
				}
				a := archived(t, x2.Store)
				if len(a) != c.x || !strings.HasPrefix(a[0], old+" e") || !strings.Contains(a[0], " y {") {
					t.Errorf("x has archived %v", a)
				}
				if n := len(get(t, y.Store, all)); n != 5 {
					t.Errorf("y has %d rows", n)
				}
				confirm(t, rx)
				rebase(t, y)
				confirm(t, ry)
				synced(t, x, x2, y)
				same(t, b, x, x2, y)
				once(t, b, c.want...)
				if a := archived(t, y.Store); len(a) != 0 { // x was first, and brought its own
					t.Errorf("y has archived %v", a)
				}
				if n := len(x.SetAside()) + len(y.SetAside()); n > 0 {
					t.Errorf("%d commits are set aside", n)
				}
				rebase(t, x) // nothing has changed
				rebase(t, y)
				synced(t, x, y)
				same(t, b, x, x2, y)
				once(t, b, c.want...)
			})
		})
	}
}

// Both rebase at once, and commits are made all the time.
func TestRebaseAtOnceAndUnderCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		x, x2 := joinTwice(t, b, "x")
		y := join(t, b, "y", nil)
		var want []string
		for i := range 30 {
			want = append(want, fmt.Sprint("x", i), fmt.Sprint("y", i))
			commit(t, x.Store, create(fmt.Sprint("x", i), "of x"))
			confirm(t, commit(t, y.Store, create(fmt.Sprint("y", i), "of y")))
		}
		synced(t, x, x2, y)
		b.SetBack("test", 20)
		until(t, x, "paused", paused(livestore.PausedBackend))
		until(t, y, "paused", paused(livestore.PausedBackend))
		var wg sync.WaitGroup
		for _, c := range []client{x, x2, y} {
			wg.Go(func() { rebase(t, c) })
		}
		receipts := make(chan *livestore.Receipt, 300)
		for i, c := range []client{x, x2, y} {
			for n := range 100 {
				want = append(want, fmt.Sprint("m", i, "-", n))
			}
			wg.Go(func() {
				for n := range 100 {
					r, err := c.Commit(t.Context(), create(fmt.Sprint("m", i, "-", n), "meanwhile"))
					if err != nil {
						t.Error(err)
						return
					}
					receipts <- r
					if n%10 == 0 {
						time.Sleep(time.Millisecond)
					}
				}
			})
		}
		wg.Wait()
		close(receipts)
		for r := range receipts {
			confirm(t, r)
		}
		synced(t, x, x2, y)
		same(t, b, x, x2, y)
		once(t, b, want...)
	})
}

// What a commit rests on is gone until its author brings it back: it is set aside, and can be tried again then.
func TestRebaseSetsAsideWhatNoLongerApplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		x, y := join(t, b, "x", nil), join(t, b, "y", nil)
		r := commit(t, x.Store, create("1", "of x"), create("2", "of x"))
		confirm(t, r)
		synced(t, x, y)
		b.Reset("test")
		b.Append("test", raw("2", "of z"))
		until(t, x, "paused", paused(livestore.PausedBackend))
		rebase(t, x)
		list := x.SetAside()
		if len(list) != 1 || list[0].ID != r.ID() || len(list[0].Events) != 2 || !strings.Contains(list[0].Err, "UNIQUE") {
			t.Fatalf("set aside: %+v", list)
		}
		if r.Stage() != livestore.Confirmed {
			t.Errorf("what was said is %s now", r.Stage())
		}
		rebase(t, y)
		synced(t, x, y)
		same(t, b, x, y)
		once(t, b, "2")
	})
}

// A commit whose receipt is open follows it: also one whose events the new backend has already, in another order.
func TestReceiptsFollowARebase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		x := join(t, b, "x", nil)
		confirm(t, commit(t, x.Store, create("0", "first")))
		synced(t, x)
		b.SetDown(true)
		one := commit(t, x.Store, create("1", "milk"), create("2", "bread"))
		two := commit(t, x.Store, create("3", "eggs"))
		synctest.Wait()
		b.Reset("test")
		b.Append("test", raw("z", "of z"), one.Events()[1].Global(), two.Events()[0].Global())
		b.SetDown(false)
		until(t, x, "paused", paused(livestore.PausedBackend))
		b.Reject(func(_ string, e event.Global) error { return errors.New("nothing is taken") })
		rebase(t, x)
		synctest.Wait()
		if one.Stage() == livestore.Confirmed || two.Stage() != livestore.Confirmed {
			t.Errorf("%s, %s", one.Stage(), two.Stage())
		}
		if e := one.Events(); e[0].Num.Global != 5 || e[1].Num.Global != 2 {
			t.Errorf("the events are %s and %s", e[0].Num, e[1].Num)
		}
		b.Reject(nil)
		if err := x.ResumeSync(t.Context()); err != nil {
			t.Fatal(err)
		}
		confirm(t, one)
		confirm(t, two)
		synced(t, x)
		same(t, b, x)
		once(t, b, "0", "1", "2", "3", "z")
	})
}

func TestRebaseThatCanNotBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		if err := s.Rebase(t.Context()); !errors.Is(err, livestore.ErrNoProvider) || !strings.Contains(err.Error(), "store test") {
			t.Errorf("without a provider: %v", err)
		}
		b := providertest.NewBackend()
		x := join(t, b, "x", nil)
		confirm(t, commit(t, x.Store, create("1", "milk")))
		synced(t, x)
		b.SetDown(true)
		if _, ok := errors.AsType[*provider.OfflineError](x.Rebase(t.Context())); !ok {
			t.Error("rebased without a connection")
		}
		b.SetDown(false)
		synced(t, x) // it goes on

		b.Reset("test")
		b.Append("test", raw("2", "of another"), raw("2", "of another"))
		until(t, x, "paused", paused(livestore.PausedBackend))
		err := x.Rebase(t.Context())
		if err == nil || !strings.Contains(err.Error(), "e2") || !strings.Contains(err.Error(), "client x") {
			t.Errorf("onto an event that does not apply: %v", err)
		}
		synctest.Wait()
		if st := x.SyncStatus(); st.Paused != livestore.PausedBackend || len(get(t, x.Store, all)) != 1 || len(archived(t, x.Store)) > 0 {
			t.Errorf("%+v", st)
		}

		x.faults.Silent(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := x.Rebase(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("onto a backend that does not answer: %v", err)
		}
		x.faults.Silent(false)

		b.Reset("test")
		until(t, x, "paused", paused(livestore.PausedBackend))
		rebase(t, x)
		synced(t, x)
		same(t, b, x)
		once(t, b, "1")

		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		for _, err := range []error{x.Rebase(t.Context()), x.Reset(t.Context())} {
			if !errors.Is(err, livestore.ErrClosed) || !strings.Contains(err.Error(), "test") {
				t.Errorf("%v", err)
			}
		}
		for _, err := range x.Archived(t.Context()) {
			if !errors.Is(err, livestore.ErrClosed) {
				t.Errorf("%v", err)
			}
		}
	})
}

// A pause that the app has made outlasts a rebase.
func TestRebaseWhilePausedByTheApp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		x := join(t, b, "x", nil)
		confirm(t, commit(t, x.Store, create("1", "milk")))
		synced(t, x)
		if err := x.PauseSync(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.Reset("test")
		rebase(t, x)
		time.Sleep(time.Hour)
		st := x.SyncStatus()
		if st.Paused != livestore.PausedByApp || st.UpstreamHead.Global != 0 || st.Unconfirmed != 1 || b.Head("test") != 0 {
			t.Errorf("%+v, the backend is at e%d", st, b.Head("test"))
		}
		if err := x.ResumeSync(t.Context()); err != nil {
			t.Fatal(err)
		}
		synced(t, x)
		same(t, b, x)
		once(t, b, "1")
	})
}

// While the backend is read for a rebase nothing else goes on with it, whatever nudges sync; and a long log, in many pages, is the same log.
func TestNothingElseGoesOnDuringARebase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		b.SetLimits(provider.Limits{Events: 2, Bytes: 900_000})
		var x client
		var reading atomic.Bool
		p := &between{Provider: b.Provider()}
		p.pull = func(ctx context.Context, c provider.Client, from provider.Cursor, live bool) iter.Seq2[provider.Page, error] {
			if live && reading.Load() {
				t.Error("a live pull begins while the backend is read")
			}
			return func(yield func(provider.Page, error) bool) {
				if !live {
					reading.Store(true)
					defer reading.Store(false)
					if err := x.ResumeSync(t.Context()); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Second)
				}
				c.Pull(ctx, from, live)(yield)
			}
		}
		x = joinOver(t, p, "x")
		for i := range 18 {
			confirm(t, commit(t, x.Store, create(fmt.Sprint("x", i), "of x")))
		}
		synced(t, x)
		rebase(t, x)
		r := commit(t, x.Store, create("last", "of x"))
		confirm(t, r)
		if n := r.Events()[0].Num; n.Global != 19 || n.Generation != 0 || len(archived(t, x.Store)) > 0 {
			t.Errorf("a rebase onto the same backend gave %s", n)
		}
		synced(t, x)
		same(t, b, x)
	})
}

// On files: what is done is there when the store is opened again, and what an earlier process has committed is this client's all the same.
func TestRebaseOnFiles(t *testing.T) {
	b := providertest.NewBackend()
	dir := t.TempDir()
	open := func() client {
		s, err := livestore.Open(t.Context(), schema, local.New(dir, &local.Options{ClientID: "x", Sync: b.Provider()}),
			&livestore.Options{StoreID: "test", InitialSync: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		return client{s, nil}
	}
	x := open()
	confirm(t, commit(t, x.Store, create("1", "milk")))
	b.Append("test", raw("2", "of another"))
	confirm(t, commit(t, x.Store, create("3", "eggs")))
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	b.Reset("test")
	x = open()
	until(t, x, "paused", paused(livestore.PausedBackend))
	rebase(t, x)
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	x = open()
	defer x.Close()
	until(t, x, "synced", livestore.SyncStatus.Synced)
	same(t, b, x)
	once(t, b, "1", "3")
	if a := archived(t, x.Store); len(a) != 1 {
		t.Errorf("archived: %v", a)
	}
}
