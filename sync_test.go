package livestore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/memory"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/provider"
	"github.com/livestore-go/livestore/provider/providertest"
	"github.com/livestore-go/livestore/state"
)

// client is a client of a backend, with faults between them.
type client struct {
	*livestore.Store
	faults *providertest.Faults
}

// join opens a store of a new client.
func join(t *testing.T, b *providertest.Backend, id string, change func(*livestore.Options)) client {
	t.Helper()
	f := providertest.NewFaults(b.Provider())
	opts := &livestore.Options{StoreID: "test", CheckWrites: true, Logger: strict(t)}
	if change != nil {
		change(opts)
	}
	s, err := livestore.Open(t.Context(), schema, memory.New(&memory.Options{ClientID: id, Sync: f}), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ended(t, schema, s) })
	return client{s, f}
}

// synced waits until a client and its backend have everything of each other.
func synced(t *testing.T, clients ...client) {
	t.Helper()
	for range 2 { // what the second gives to the first comes after it
		for _, c := range clients {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			ok := false
			for st := range c.WatchSyncStatus(ctx) {
				if ok = st.Synced(); ok {
					break
				}
			}
			cancel()
			if !ok {
				t.Fatalf("client %s is not synced after five minutes: %+v", c.ClientID(), c.SyncStatus())
			}
		}
		synctest.Wait()
	}
}

// same checks that clients have the same rows, and the log of the backend.
func same(t *testing.T, b *providertest.Backend, clients ...client) {
	t.Helper()
	want := ""
	for _, e := range b.Events("test") {
		want += fmt.Sprintf("e%d %s %s %s\n", e.SeqNum, e.ClientID, e.Name, e.Args)
	}
	rows := fmt.Sprint(get(t, clients[0].Store, all))
	for _, c := range clients {
		got := ""
		for e, err := range c.Events(t.Context(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			if !e.Num.IsClientOnly() {
				got += fmt.Sprintf("e%d %s %s %s\n", e.Num.Global, e.ClientID, e.Name, e.Args)
			}
		}
		if got != want {
			t.Errorf("client %s has the log\n%s and the backend\n%s", c.ClientID(), got, want)
		}
		if r := fmt.Sprint(get(t, c.Store, all)); r != rows {
			t.Errorf("client %s has the rows %s and client %s %s", c.ClientID(), r, clients[0].ClientID(), rows)
		}
	}
}

var all = livestore.Query(todos.OrderBy(state.Asc(&todos.Row.ID)))

// until waits until the status is as wanted.
func until(t *testing.T, c client, what string, wanted func(livestore.SyncStatus) bool) livestore.SyncStatus {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for st := range c.WatchSyncStatus(ctx) {
		if wanted(st) {
			return st
		}
	}
	t.Fatalf("client %s is not %s after five minutes: %+v", c.ClientID(), what, c.SyncStatus())
	return livestore.SyncStatus{}
}

func paused(reason livestore.PauseReason) func(livestore.SyncStatus) bool {
	return func(st livestore.SyncStatus) bool { return st.Paused == reason }
}

// confirm waits until a commit is in the backend's log.
func confirm(t *testing.T, r *livestore.Receipt) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := r.Wait(ctx, livestore.Confirmed); err != nil {
		t.Fatalf("commit %s: %v", r.ID(), err)
	}
}

func TestTwoClientsLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		x, y := join(t, b, "x", nil), join(t, b, "y", nil)
		list := watch(t, y.Store, openCount)
		list.expect(t, "0")
		r := commit(t, x.Store, create("1", "milk"))
		confirm(t, r)
		list.expect(t, "1")
		confirm(t, commit(t, y.Store, complete("1"), create("2", "bread")))
		synced(t, x, y)
		same(t, b, x, y)
		if r.Stage() != livestore.Confirmed || b.Head("test") != 3 {
			t.Errorf("%s, head e%d", r.Stage(), b.Head("test"))
		}
	})
}

func TestOfflineOnBothSides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		x, y := join(t, b, "x", nil), join(t, b, "y", nil)
		synced(t, x, y)
		b.SetDown(true)
		var receipts []*livestore.Receipt
		for i := range 500 {
			receipts = append(receipts,
				commit(t, x.Store, create(fmt.Sprint("x", i), "of x")), commit(t, y.Store, create(fmt.Sprint("y", i), "of y")))
		}
		kept, lost := commit(t, x.Store, create("same", "of x")), commit(t, y.Store, create("same", "of y"), create("with it", "of y"))
		synctest.Wait()
		if st := x.SyncStatus(); st.Connected || st.Synced() || st.Unconfirmed != 501 || st.Why == "" {
			t.Errorf("offline: %+v", st)
		}
		if err := y.PauseSync(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.SetDown(false)
		confirm(t, kept)
		if err := y.ResumeSync(t.Context()); err != nil {
			t.Fatal(err)
		}
		synced(t, x, y)
		for _, r := range receipts {
			confirm(t, r)
		}
		same(t, b, x, y)
		aside, ok := errors.AsType[*livestore.SetAsideError](lost.Wait(t.Context(), livestore.Confirmed))
		if !ok || aside.ID != lost.ID() {
			t.Errorf("the commit that lost is %s", lost.Stage())
		}
		if list := y.SetAside(); len(list) != 1 || len(list[0].Events) != 2 || y.SyncStatus().SetAside != 1 {
			t.Errorf("set aside: %v", list)
		}
		if n := len(get(t, x.Store, all)); n != 1001 {
			t.Errorf("there are %d rows", n)
		}
	})
}

func TestCommitThatIsLargerThanAPush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		b.SetLimits(provider.Limits{Events: 7, Bytes: 900_000})
		x, y := join(t, b, "x", nil), join(t, b, "y", nil)
		var drafts, more []event.Draft
		for i := range 100 {
			drafts = append(drafts, create(fmt.Sprint("x", i), "of x"))
			more = append(more, create(fmt.Sprint("y", i), "of y"))
		}
		r, q := commit(t, x.Store, drafts...), commit(t, y.Store, more...)
		confirm(t, r)
		confirm(t, q)
		synced(t, x, y)
		same(t, b, x, y)
		if len(r.Events()) != 100 || len(q.Events()) != 100 {
			t.Errorf("the receipts have %d and %d events", len(r.Events()), len(q.Events()))
		}
	})
}

// An answer that was lost leaves the outcome of a push open. Each event is stored once all the same.
func TestLostAnswers(t *testing.T) {
	for _, stored := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			b := providertest.NewBackend()
			x, y := join(t, b, "x", nil), join(t, b, "y", nil)
			synced(t, x, y)
			for i := range 20 {
				x.faults.LoseAnswers(2, stored)
				r := commit(t, x.Store, create(fmt.Sprint(i), "of x"))
				commit(t, y.Store, create(fmt.Sprint("y", i), "of y"))
				confirm(t, r)
			}
			synced(t, x, y)
			same(t, b, x, y)
			if n := b.Head("test"); n != 40 {
				t.Errorf("the backend has %d events", n)
			}
		})
	}
}

func TestConnectionsThatBreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		x, y := join(t, b, "x", nil), join(t, b, "y", nil)
		var last []*livestore.Receipt
		for i := range 60 {
			last = []*livestore.Receipt{
				commit(t, x.Store, create(fmt.Sprint("x", i), "of x")), commit(t, y.Store, create(fmt.Sprint("y", i), "of y")),
			}
			switch i % 6 {
			case 1:
				x.faults.Drop()
			case 2:
				b.Drop()
			case 3:
				y.faults.SwapPages(1)
			case 4:
				x.faults.LosePages(1)
			case 5:
				y.faults.DoublePages(1)
			}
			if i%10 == 0 {
				synctest.Wait()
			}
		}
		for _, r := range last {
			confirm(t, r)
		}
		synced(t, x, y)
		same(t, b, x, y)
		if n := b.Head("test"); n != 120 {
			t.Errorf("the backend has %d events", n)
		}
	})
}

func TestHalfOpenConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		x, y := join(t, b, "x", nil), join(t, b, "y", nil)
		synced(t, x, y)
		x.faults.Silent(true)
		r := commit(t, x.Store, create("1", "milk"))
		confirm(t, commit(t, y.Store, create("2", "bread")))
		time.Sleep(time.Minute)
		if x.SyncStatus().Synced() || r.Stage() == livestore.Confirmed {
			t.Errorf("%+v, %s", x.SyncStatus(), r.Stage())
		}
		x.faults.Silent(false)
		x.faults.Drop() // which is what a provider does that finds it out
		confirm(t, r)
		synced(t, x, y)
		same(t, b, x, y)
	})
}

func TestPausedByTheApp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		x, y := join(t, b, "x", nil), join(t, b, "y", nil)
		synced(t, x, y)
		if err := x.PauseSync(t.Context()); err != nil {
			t.Fatal(err)
		}
		r := commit(t, x.Store, create("1", "milk"))
		confirm(t, commit(t, y.Store, create("2", "bread")))
		time.Sleep(time.Hour)
		st := x.SyncStatus()
		if st.Paused != livestore.PausedByApp || st.Synced() || st.UpstreamHead.Global != 0 || !x.NetworkStatus().Paused {
			t.Errorf("%+v", st)
		}
		if b.Head("test") != 1 {
			t.Errorf("the backend is at e%d", b.Head("test"))
		}
		if err := x.ResumeSync(t.Context()); err != nil {
			t.Fatal(err)
		}
		confirm(t, r)
		synced(t, x, y)
		same(t, b, x, y)
	})
}

func TestPauseWithoutAProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		if err := s.PauseSync(t.Context()); !errors.Is(err, livestore.ErrNoProvider) || !strings.Contains(err.Error(), "test") {
			t.Errorf("pause: %v", err)
		}
		if s.SyncStatus().Synced() || s.NetworkStatus() != (livestore.NetworkStatus{}) {
			t.Errorf("%+v, %+v", s.SyncStatus(), s.NetworkStatus())
		}
	})
}

func TestCredentialsThatAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		var good atomic.Value
		good.Store("old")
		b.Authorize(func(storeID string, payload json.RawMessage) error {
			if storeID != "test" || string(payload) != fmt.Sprintf(`{"token":%q}`, good.Load()) {
				return errors.New("token expired")
			}
			return nil
		})
		x := join(t, b, "x", func(o *livestore.Options) { o.SyncPayload = map[string]string{"token": "old"} })
		confirm(t, commit(t, x.Store, create("1", "milk")))
		good.Store("new")
		b.Drop()
		r := commit(t, x.Store, create("2", "bread"))
		st := until(t, x, "refused", paused(livestore.PausedCredentials))
		if !strings.Contains(st.Why, "token expired") || st.Synced() || st.Connected {
			t.Errorf("%+v", st)
		}
		commit(t, x.Store, create("3", "eggs")) // goes on
		good.Store("old")
		time.Sleep(2 * time.Minute) // it is asked again
		confirm(t, r)
		synced(t, x)

		good.Store("new")
		b.Drop()
		until(t, x, "refused", paused(livestore.PausedCredentials))
		good.Store("old")
		start := time.Now()
		if err := x.ResumeSync(t.Context()); err != nil {
			t.Fatal(err)
		}
		synced(t, x)
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("resumed after %s", d)
		}
	})
}

// A backend that was wiped, or set back, is not the one that confirmed what is here. Nothing is pushed to it, nothing is lost.
func TestAnotherBackend(t *testing.T) {
	for name, change := range map[string]func(*providertest.Backend){
		"wiped":                func(b *providertest.Backend) { b.Reset("test") },
		"set back":             func(b *providertest.Backend) { b.SetBack("test", 1) },
		"set back and written": func(b *providertest.Backend) { b.SetBack("test", 1); b.Append("test", raw("9", "eggs")) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := providertest.NewBackend()
				x := join(t, b, "x", nil)
				confirm(t, commit(t, x.Store, create("1", "milk"), create("2", "bread")))
				synced(t, x)
				b.SetDown(true)
				commit(t, x.Store, create("3", "butter"))
				change(b)
				before := b.Head("test")
				b.SetDown(false)
				st := until(t, x, "paused", paused(livestore.PausedBackend))
				time.Sleep(time.Hour)
				if st.Synced() || st.Why == "" || b.Head("test") != before || len(get(t, x.Store, all)) != 3 {
					t.Errorf("%+v, the backend is at e%d", st, b.Head("test"))
				}
				commit(t, x.Store, create("4", "flour")) // goes on
			})
		})
	}
}

func raw(id, text string) event.Global {
	return event.Global{Name: "v1.TodoCreated", Args: jsontext.Value(fmt.Sprintf(`{"id":%q,"text":%q}`, id, text))}
}

func TestEventOfTheBackendThatDoesNotApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		x := join(t, b, "x", nil)
		synced(t, x)
		b.Append("test", raw("1", "milk"), raw("1", "again"), raw("2", "bread"))
		st := until(t, x, "paused", paused(livestore.PausedEvent))
		if !strings.Contains(st.Why, "e2") || st.Synced() || st.UpstreamHead.Global != 1 || st.BackendHead.Global != 3 {
			t.Errorf("%+v", st)
		}
		r := commit(t, x.Store, create("3", "butter"))
		time.Sleep(time.Hour)
		if r.Stage() == livestore.Confirmed || b.Head("test") != 3 {
			t.Errorf("%s, the backend is at e%d", r.Stage(), b.Head("test"))
		}
	})
}

func TestEventThatTheBackendRejects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		var strict atomic.Bool
		strict.Store(true)
		b.Reject(func(_ string, e event.Global) error {
			if strict.Load() && strings.Contains(string(e.Args), "bad") {
				return errors.New("a rule is against it")
			}
			return nil
		})
		x, y := join(t, b, "x", nil), join(t, b, "y", nil)
		synced(t, x, y)
		r := commit(t, x.Store, create("1", "bad"))
		st := until(t, x, "paused", paused(livestore.PausedRejected))
		if !strings.Contains(st.Why, "a rule is against it") || st.Synced() {
			t.Errorf("%+v", st)
		}
		confirm(t, commit(t, y.Store, create("2", "bread"))) // goes on, there and here
		until(t, x, "given what others commit", func(st livestore.SyncStatus) bool { return st.UpstreamHead.Global == 1 })
		strict.Store(false)
		confirm(t, r)
		synced(t, x, y)
		same(t, b, x, y)
	})
}

// A commit that the backend will never take is set aside when the app says so: also when it was pushed together with others, and what was
// committed after it goes on.
func TestSettingAsideWhatIsRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		b.Reject(func(_ string, e event.Global) error {
			if strings.Contains(string(e.Args), "bad") {
				return errors.New("a rule is against it")
			}
			return nil
		})
		x, y := join(t, b, "x", nil), join(t, b, "y", nil)
		synced(t, x, y)
		if found, err := x.SetAsideRejected(t.Context()); found || err != nil {
			t.Errorf("nothing is rejected, and it returns %t, %v", found, err)
		}
		b.SetDown(true)
		first := commit(t, x.Store, create("1", "good"))
		bad := commit(t, x.Store, create("2", "not bad by itself"), create("3", "good"))
		after := commit(t, x.Store, create("4", "good"), complete("1"))
		b.SetDown(false)
		confirm(t, first)
		until(t, x, "paused", paused(livestore.PausedRejected))
		if b.Head("test") != 1 {
			t.Errorf("the backend is at e%d", b.Head("test"))
		}
		confirm(t, commit(t, y.Store, create("5", "of y"))) // a rebase does not change what is wrong
		until(t, x, "paused", func(st livestore.SyncStatus) bool {
			return st.Paused == livestore.PausedRejected && st.UpstreamHead.Global == 2
		})
		if found, err := x.SetAsideRejected(t.Context()); !found || err != nil {
			t.Errorf("set aside: %t, %v", found, err)
		}
		confirm(t, after)
		synced(t, x, y)
		same(t, b, x, y)
		if e, ok := errors.AsType[*livestore.SetAsideError](bad.Wait(t.Context(), livestore.Confirmed)); !ok || !strings.Contains(e.Why, "a rule") {
			t.Errorf("the commit that was rejected is %s", bad.Stage())
		}
		list := x.SetAside()
		if len(list) != 1 || len(list[0].Events) != 2 || len(get(t, x.Store, all)) != 3 {
			t.Fatalf("set aside: %v", list)
		}
		b.Reject(nil)
		again, err := list[0].Retry(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		confirm(t, again)
		synced(t, x, y)
		same(t, b, x, y)
	})
}

func TestStatusOfAClosedStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		x := join(t, b, "x", nil)
		synced(t, x)
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		if x.SyncStatus().Synced() || x.NetworkStatus().Connected {
			t.Errorf("%+v", x.SyncStatus())
		}
		for _, err := range []error{x.PauseSync(t.Context()), x.ResumeSync(t.Context())} {
			if !errors.Is(err, livestore.ErrClosed) || !strings.Contains(err.Error(), "test") {
				t.Errorf("%v", err)
			}
		}
	})
}

func TestBackendThatLeavesEventsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		b.SetLimits(provider.Limits{Events: 2, Bytes: 900_000})
		for i := range 6 {
			b.Append("test", raw(fmt.Sprint(i), "of another"))
		}
		f := providertest.NewFaults(b.Provider())
		f.LosePages(1)
		s, err := livestore.Open(t.Context(), schema, memory.New(&memory.Options{Sync: f}), &livestore.Options{StoreID: "test"})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		x := client{s, f}
		until(t, x, "paused", func(st livestore.SyncStatus) bool {
			f.LosePages(1) // the same ones at each try
			return st.Paused == livestore.PausedProtocol
		})
		f.LosePages(0)
		synced(t, x) // by itself
		same(t, b, x)
		if st := s.SyncStatus(); st.Why != "" || st.Paused != "" {
			t.Errorf("%+v", st)
		}
	})
}

func TestInitialSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		for i := range 250 {
			b.Append("test", raw(fmt.Sprint(i), "of another"))
		}
		wait := func(o *livestore.Options) {
			o.InitialSync = 10 * time.Second
			o.Seed = func(*livestore.Store) error { return errors.New("there is something already") }
		}
		x := join(t, b, "x", wait)
		if n := len(get(t, x.Store, all)); n != 250 {
			t.Errorf("opened with %d rows", n)
		}
		b.SetDown(true)
		wait = func(o *livestore.Options) { o.InitialSync = 10 * time.Second }
		start := time.Now()
		y := join(t, b, "y", wait)
		if d := time.Since(start); d != 10*time.Second || len(get(t, y.Store, all)) != 0 {
			t.Errorf("opened without a backend after %s", d)
		}
		b.SetDown(false)
		synced(t, x, y)
		same(t, b, x, y)
	})
}

func TestEventThatIsTooLargeForTheBackend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		x := join(t, b, "x", nil)
		_, err := x.Commit(t.Context(), create("0", "first"), create("1", strings.Repeat("x", 900_000)))
		if e, ok := errors.AsType[*livestore.EventTooLargeError](err); !ok || e.Event != "v1.TodoCreated" || e.Max < 890_000 || e.Bytes <= e.Max {
			t.Errorf("%v", err)
		}
		confirm(t, commit(t, x.Store, create("2", strings.Repeat("x", 890_000))))
		if n := b.Head("test"); n != 1 {
			t.Errorf("the backend has %d events", n)
		}
	})
}

func TestSyncPayloadThatIsNoJSON(t *testing.T) {
	_, err := livestore.Open(t.Context(), schema, memory.New(nil), &livestore.Options{StoreID: "test", SyncPayload: func() {}})
	if err == nil || !strings.Contains(err.Error(), "SyncPayload") || !strings.Contains(err.Error(), "test") {
		t.Errorf("%v", err)
	}
}
