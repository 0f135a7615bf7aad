package livestore_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/memory"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/provider"
	"github.com/livestore-go/livestore/provider/providertest"
)

// between changes what a provider does.
type between struct {
	provider.Provider

	pull func(ctx context.Context, c provider.Client, from provider.Cursor, live bool) iter.Seq2[provider.Page, error]
	push func(ctx context.Context, c provider.Client, id string, batch []event.Global) error
}

type betweenClient struct {
	provider.Client

	b *between
}

func (b *between) Client(cfg provider.Config) (provider.Client, error) {
	c, err := b.Provider.Client(cfg)
	return &betweenClient{c, b}, err
}

func (c *betweenClient) Pull(ctx context.Context, from provider.Cursor, live bool) iter.Seq2[provider.Page, error] {
	if c.b.pull != nil {
		return c.b.pull(ctx, c.Client, from, live)
	}
	return c.Client.Pull(ctx, from, live)
}

func (c *betweenClient) Push(ctx context.Context, id string, batch []event.Global) error {
	if c.b.push != nil {
		return c.b.push(ctx, c.Client, id, batch)
	}
	return c.Client.Push(ctx, id, batch)
}

func joinOver(t *testing.T, p provider.Provider, id string) client {
	t.Helper()
	f := providertest.NewFaults(p)
	s, err := livestore.Open(t.Context(), schema, memory.New(&memory.Options{ClientID: id, Sync: f}),
		&livestore.Options{StoreID: "test", CheckWrites: true, Logger: strict(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ended(t, schema, s) })
	return client{s, f}
}

// The backend says it is at e50, and when it is pulled anew it is not (restored meanwhile, a stale replica, a fault of its own).
func TestBackendThatSaidTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		x := join(t, b, "x", nil)
		synced(t, x)
		x.faults.FailPushes(&provider.ServerAheadError{StoreID: "test", Head: 50})
		confirm(t, commit(t, x.Store, create("1", "milk")))
		synced(t, x)
	})
}

// The backend says that a push is stored, and was set back before the echo came.
func TestBackendThatLosesWhatItStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		lost := false
		p := &between{Provider: b.Provider()}
		p.push = func(ctx context.Context, c provider.Client, id string, batch []event.Global) error {
			if !lost {
				lost = true
				return nil
			}
			return c.Push(ctx, id, batch)
		}
		x := joinOver(t, p, "x")
		r := commit(t, x.Store, create("1", "milk"))
		time.Sleep(time.Second)
		x.faults.Drop()
		confirm(t, r)
		synced(t, x)
	})
}

// A network on which no connection lasts for more than 5 pages, with 1000 events pending here and 3000 there.
func TestShortConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		p := &between{Provider: b.Provider()}
		p.pull = func(ctx context.Context, c provider.Client, from provider.Cursor, live bool) iter.Seq2[provider.Page, error] {
			return func(yield func(provider.Page, error) bool) {
				n := 0
				for page, err := range c.Pull(ctx, from, live) {
					if n++; err == nil && n > 5 && page.Remaining > 0 {
						yield(provider.Page{}, &provider.OfflineError{StoreID: "test", Err: errors.New("dropped")})
						return
					}
					if !yield(page, err) {
						return
					}
				}
			}
		}
		x := joinOver(t, p, "x")
		synced(t, x)
		if err := x.PauseSync(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := range 1000 {
			commit(t, x.Store, create(fmt.Sprint("x", i), "milk"))
		}
		for i := range 3000 {
			b.Append("test", raw(fmt.Sprint("b", i), "eggs"))
		}
		if err := x.ResumeSync(t.Context()); err != nil {
			t.Fatal(err)
		}
		synced(t, x)
	})
}

// A backend whose live pulls end as soon as they have caught up.
func TestLivePullsThatEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		var pulls atomic.Int64
		p := &between{Provider: b.Provider()}
		p.pull = func(ctx context.Context, c provider.Client, from provider.Cursor, live bool) iter.Seq2[provider.Page, error] {
			return func(yield func(provider.Page, error) bool) {
				pulls.Add(1)
				for page, err := range c.Pull(ctx, from, false) {
					if !yield(page, err) {
						return
					}
				}
				yield(provider.Page{}, &provider.BackendError{StoreID: "test", Why: "no live pulls here"})
			}
		}
		x := joinOver(t, p, "x")
		time.Sleep(10 * time.Minute)
		if n := pulls.Load(); n > 100 {
			t.Errorf("%d pulls in ten minutes; status %+v", n, x.SyncStatus())
		}
	})
}

// A commit that the backend takes waits behind one that it does not take.
func TestGoodCommitBeforeARejectedOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		b.Reject(func(_ string, e event.Global) error {
			if string(e.Args) == string(raw("bad", "bad").Args) {
				return errors.New("no")
			}
			return nil
		})
		x := join(t, b, "x", nil)
		synced(t, x)
		if err := x.PauseSync(t.Context()); err != nil {
			t.Fatal(err)
		}
		good := commit(t, x.Store, create("1", "milk"))
		commit(t, x.Store, create("bad", "bad"))
		if err := x.ResumeSync(t.Context()); err != nil {
			t.Fatal(err)
		}
		confirm(t, good)
		until(t, x, "rejected", paused(livestore.PausedRejected))
	})
}

// The rejected event is set aside, because another client was first: nothing is left to be pushed.
func TestRejectedCommitThatIsSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		b.Reject(func(_ string, e event.Global) error {
			if e.ClientID == "x" {
				return errors.New("no")
			}
			return nil
		})
		x := join(t, b, "x", nil)
		synced(t, x)
		commit(t, x.Store, create("1", "milk"))
		until(t, x, "rejected", paused(livestore.PausedRejected))
		b.Append("test", raw("1", "eggs"))
		until(t, x, "set aside", func(s livestore.SyncStatus) bool { return s.SetAside == 1 })
		synced(t, x)
	})
}

// Pause and resume from several goroutines; the last word is resume.
func TestPauseAndResumeAtOnce(t *testing.T) {
	for i := range 60 {
		synctest.Test(t, func(t *testing.T) {
			b := providertest.NewBackend()
			x := join(t, b, "x", nil)
			synced(t, x)
			x.faults.FailPushes(errors.New("1"), errors.New("2"), errors.New("3"), errors.New("4"), errors.New("5"))
			commit(t, x.Store, create("1", "milk"))
			time.Sleep(100 * time.Millisecond) // the pusher rests
			var wg sync.WaitGroup
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			for range 3 {
				wg.Go(func() { _ = x.PauseSync(ctx) })
				wg.Go(func() { _ = x.ResumeSync(t.Context()) })
			}
			wg.Wait()
			// Whoever was last: the status must not contradict what happens.
			time.Sleep(5 * time.Minute)
			st := x.SyncStatus()
			r := commit(t, x.Store, create("2", "bread"))
			time.Sleep(5 * time.Minute)
			confirmed := r.Stage() == livestore.Confirmed
			if confirmed != (st.Paused == "") {
				t.Fatalf("round %d: after five minutes the status is %+v, and a commit is confirmed: %v", i, st, confirmed)
			}
		})
		if t.Failed() {
			return
		}
	}
}

// A link on which a page takes 40 s.
func TestSlowPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		b.Append("test", raw("1", "eggs"))
		x := join(t, b, "x", nil)
		x.faults.Slow(40 * time.Second)
		x.faults.Drop()
		synced(t, x)
	})
}

// The backend is hundreds of events ahead of many that are pending, and sends them one by one: they are rebased a few times, not with
// each of them.
func TestManyLivePagesBeforeMuchThatIsPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		var held atomic.Bool
		p := &between{Provider: b.Provider()}
		p.pull = func(ctx context.Context, c provider.Client, from provider.Cursor, live bool) iter.Seq2[provider.Page, error] {
			return func(yield func(provider.Page, error) bool) {
				for page, err := range c.Pull(ctx, from, live) {
					if held.Load() {
						time.Sleep(2 * time.Second)
					}
					for len(page.Events) > 1 {
						one := page
						one.Events = page.Events[:1]
						page.Events = page.Events[1:]
						if time.Sleep(5 * time.Millisecond); !yield(one, err) {
							return
						}
					}
					if !yield(page, err) {
						return
					}
				}
			}
		}
		x := joinOver(t, p, "x")
		synced(t, x)
		held.Store(true)
		for i := range 300 {
			b.Append("test", raw(fmt.Sprint("b", i), "eggs"))
		}
		var last *livestore.Receipt
		for i := range 500 {
			last = commit(t, x.Store, create(fmt.Sprint("x", i), "milk"))
		}
		confirm(t, last)
		if n := last.Events()[0].Num; n.Global != 800 || n.Generation > 5 {
			t.Errorf("the last of 500 pending events is %s now: rebased %d times onto 300 of others", n, n.Generation)
		}
	})
}

// Who is behind and has much pending shows what trickles in as it comes, and does not gather until all is there.
func TestLivePagesThatTrickle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		var slow atomic.Bool
		p := &between{Provider: b.Provider()}
		p.pull = func(ctx context.Context, c provider.Client, from provider.Cursor, live bool) iter.Seq2[provider.Page, error] {
			return func(yield func(provider.Page, error) bool) {
				for page, err := range c.Pull(ctx, from, live) {
					for slow.Load() && len(page.Events) > 1 {
						one := page
						one.Events, page.Events = page.Events[:1], page.Events[1:]
						if time.Sleep(3 * time.Second); !yield(one, err) { // less than after which a pull is begun anew
							return
						}
					}
					if !yield(page, err) {
						return
					}
				}
			}
		}
		x := joinOver(t, p, "x")
		synced(t, x)
		slow.Store(true)
		for i := range 40 {
			b.Append("test", raw(fmt.Sprint("b", i), "eggs"))
		}
		for i := range 500 {
			commit(t, x.Store, create(fmt.Sprint("x", i), "milk"))
		}
		time.Sleep(time.Minute)
		if st := x.SyncStatus(); st.UpstreamHead.Global < 10 {
			t.Errorf("after a minute, with an event every three seconds: %+v", st)
		}
		slow.Store(false)
		synced(t, x)
	})
}
