package livestore_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/local"
	"github.com/livestore-go/livestore/adapter/memory"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/provider"
	"github.com/livestore-go/livestore/provider/providertest"
	"github.com/livestore-go/livestore/state"
)

// Two versions of an app: the newer one knows v2.Starred, and marks of which the older one's materializer knows nothing.
type Mark struct {
	ID   string `json:"id" db:"id,primarykey"`
	Text string `json:"text" db:"text"`
}

var (
	marks   = state.NewTable[Mark]("marks")
	added   = event.Synced[Mark]("v1.Added")
	starred = event.Synced[Mark]("v2.Starred")
	drawer  = state.NewDocument("drawer", UIState{})
)

// add is the materializer of v1.Added. The older app's fails on what begins with "new", as it says.
func add(fails func(text string) error) state.Part {
	return state.On(added, func(tx *state.Tx, e Mark) error {
		if strings.HasPrefix(e.Text, "new") {
			if err := fails(e.Text); err != nil {
				return err
			}
		}
		return tx.Exec(marks.Insert(e))
	})
}

func newerApp(parts ...state.Part) *state.Schema {
	return state.MustSchema(append([]state.Part{
		marks, drawer, state.Version("newer"),
		add(func(string) error { return nil }),
		// It depends on what is there: where the event stands matters.
		state.On(starred, func(tx *state.Tx, _ Mark) error {
			all, err := state.Read(tx, marks.All())
			if err != nil {
				return err
			}
			for _, m := range all {
				if err := tx.Exec(marks.Update(state.Set(&marks.Row.Text, m.Text+"*")).Where(state.Eq(&marks.Row.ID, m.ID))); err != nil {
					return err
				}
			}
			return nil
		}),
	}, parts...)...)
}

func olderApp(fails func(text string) error, parts ...state.Part) *state.Schema {
	return state.MustSchema(append([]state.Part{marks, drawer, add(fails)}, parts...)...)
}

func fails(text string) error { return errors.New("the app does not know " + text) }

func panics(text string) error { panic("the app does not know " + text) }

func mark(id, text string) event.Draft { return added.New(Mark{ID: id, Text: text}) }

func star() event.Draft { return starred.New(Mark{}) }

func rawMark(id, text string) event.Global {
	return event.Global{Name: "v1.Added", Args: jsontext.Value(fmt.Sprintf(`{"id":%q,"text":%q}`, id, text))}
}

func rawStar() event.Global {
	return event.Global{Name: "v2.Starred", Args: jsontext.Value(`{"id":"","text":""}`)}
}

// open opens a store on an adapter; close it with the returned function, or with the test.
func openApp(t *testing.T, s *state.Schema, a livestore.Adapter, change func(*livestore.Options)) *livestore.Store {
	t.Helper()
	store, err := tryApp(t, s, a, change)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func tryApp(t *testing.T, s *state.Schema, a livestore.Adapter, change func(*livestore.Options)) (*livestore.Store, error) {
	t.Helper()
	opts := &livestore.Options{StoreID: "test", Logger: strict(t), CheckWrites: true}
	if change != nil {
		change(opts)
	}
	store, err := livestore.Open(t.Context(), s, a, opts)
	if err == nil {
		t.Cleanup(func() { ended(t, s, store) })
	}
	return store, err
}

func closed(t *testing.T, s *livestore.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// has returns the marks of a store.
func has(t *testing.T, s *livestore.Store) string {
	t.Helper()
	var out []string
	for _, m := range get(t, s, livestore.Query(marks.OrderBy(state.Asc(&marks.Row.ID)))) {
		out = append(out, m.ID+"="+m.Text)
	}
	return strings.Join(out, " ")
}

// logOf returns number, name and first argument of the synced events of a store.
func logOf(t *testing.T, s *livestore.Store) string {
	t.Helper()
	var out []string
	for e, err := range s.Events(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		if !e.Num.IsClientOnly() {
			out = append(out, fmt.Sprintf("e%d %s %s", e.Num.Global, e.Name, e.Args))
		}
	}
	return strings.Join(out, "\n")
}

func logIn(b *providertest.Backend) string {
	var out []string
	for _, e := range b.Events("test") {
		out = append(out, fmt.Sprintf("e%d %s %s", e.SeqNum, e.Name, e.Args))
	}
	return strings.Join(out, "\n")
}

func equal(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n%s\nwant\n%s", what, got, want)
	}
}

// counted counts the pulls and pushes of a provider, and the events that its pages bring.
type counted struct {
	between

	pulls, pushes, events atomic.Int64
}

func count(p provider.Provider) *counted {
	c := &counted{between: between{Provider: p}}
	c.pull = func(ctx context.Context, in provider.Client, from provider.Cursor, live bool) iter.Seq2[provider.Page, error] {
		c.pulls.Add(1)
		return func(yield func(provider.Page, error) bool) {
			for page, err := range in.Pull(ctx, from, live) {
				c.events.Add(int64(len(page.Events)))
				if !yield(page, err) {
					return
				}
			}
		}
	}
	c.push = func(ctx context.Context, in provider.Client, id string, batch []event.Global) error {
		c.pushes.Add(1)
		return in.Push(ctx, id, batch)
	}
	return c
}

// An event of the backend that the older app's materializer refuses, or panics at, halts sync and nothing else: reads and commits go on,
// the head of the backend is followed, nothing is pushed, and the newer app goes on where it stopped.
func TestHaltedByAnEvent(t *testing.T) {
	for name, why := range map[string]func(string) error{"fails": fails, "panics": panics} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := providertest.NewBackend()
				dir := t.TempDir()
				net := count(b.Provider())
				f := providertest.NewFaults(net)
				older := olderApp(why)
				adapter := local.New(dir, &local.Options{ClientID: "x", Sync: f})
				s := openApp(t, older, adapter, nil)
				x := client{s, f}
				synced(t, x)
				b.SetDown(true)
				before := commit(t, s, mark("x1", "mine"))
				b.Append("test", rawMark("1", "milk"), rawMark("2", "bread"), rawMark("3", "new"), rawMark("4", "eggs"))
				b.SetDown(false)
				st := until(t, x, "halted", paused(livestore.PausedEvent))
				pushed := net.pushes.Load() // one may have been on its way when the connection was lost
				check := func(st livestore.SyncStatus, head int64) {
					t.Helper()
					if st.Paused != livestore.PausedEvent || st.HaltedAt.Global != 3 || !strings.Contains(st.Why, "the app does not know new") ||
						!strings.Contains(st.Why, "e3") || !strings.Contains(st.Why, "v1.Added") || !strings.Contains(st.Why, "client x") ||
						st.UpstreamHead.Global != 2 || st.BackendHead.Global != head || st.Synced() || st.CaughtUp {
						t.Errorf("the backend is at e%d, and the status %+v", head, st)
					}
				}
				check(st, 4)
				equal(t, "state", has(t, s), "1=milk 2=bread x1=mine")

				// The head of the backend is followed, without a pull for each event and without keeping what comes.
				synctest.Wait()
				pulls := net.pulls.Load()
				for i := range 200 {
					b.Append("test", rawMark(fmt.Sprint("m", i), "more"))
					time.Sleep(time.Second)
				}
				check(x.SyncStatus(), 204)
				if n := net.pulls.Load() - pulls; n != 0 {
					t.Errorf("%d pulls were made to follow the head", n)
				}

				// Also over connections that break, and to sessions that open later. No connection brings all that waits there again.
				events := net.events.Load()
				for range 5 {
					f.Drop()
					time.Sleep(10 * time.Second)
				}
				f.Offline(true)
				time.Sleep(time.Hour)
				if st := x.SyncStatus(); st.Connected || st.HaltedAt.Global != 3 || st.Paused != livestore.PausedEvent {
					t.Errorf("offline: %+v", st)
				}
				b.Append("test", rawMark("last", "butter"))
				f.Offline(false)
				time.Sleep(time.Minute)
				check(x.SyncStatus(), 205)
				if n, more := net.pulls.Load()-pulls, net.events.Load()-events; n > 20 || more > 6*110 {
					t.Errorf("six connections took %d pulls, which brought %d events", n, more)
				}
				other := openApp(t, older, adapter, nil)
				check(other.SyncStatus(), 205)

				// Commits are admitted, and wait.
				during := commit(t, other, mark("x2", "mine too"))
				time.Sleep(time.Hour)
				if during.Stage() != livestore.Persisted || before.Stage() != livestore.Persisted || net.pushes.Load() != pushed || b.Head("test") != 205 {
					t.Errorf("%s and %s, %d pushes, the backend is at e%d", before.Stage(), during.Stage(), net.pushes.Load()-pushed, b.Head("test"))
				}
				check(x.SyncStatus(), 205)
				// A try that the app asks for ends the same way.
				if err := s.ResumeSync(t.Context()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				check(x.SyncStatus(), 205)
				closed(t, other)
				closed(t, s)

				// The same app halts again.
				s = openApp(t, older, adapter, nil)
				x = client{s, f}
				until(t, x, "halted again", paused(livestore.PausedEvent))
				synctest.Wait()
				check(x.SyncStatus(), 205)
				equal(t, "state", has(t, s), "1=milk 2=bread x1=mine x2=mine too")
				closed(t, s)

				// The newer one goes on, and what was pending comes to the backend.
				s = openApp(t, newerApp(), adapter, nil)
				x = client{s, f}
				synced(t, x)
				if st := s.SyncStatus(); st.HaltedAt.Global != 0 || st.Why != "" || b.Head("test") != 207 || st.Unconfirmed != 0 {
					t.Errorf("%+v, the backend is at e%d", st, b.Head("test"))
				}
				equal(t, "the log", logOf(t, s), logIn(b))
				fresh := openApp(t, newerApp(), memory.New(&memory.Options{Sync: b.Provider()}), nil)
				synced(t, client{Store: fresh})
				equal(t, "a client from the start has", has(t, fresh), has(t, s))
			})
		})
	}
}

// An event that comes over the live pull, with a push under way or not, is like one that waits there; also the very first one.
func TestHaltedByALiveEvent(t *testing.T) {
	for _, n := range []int{0, 1, 5} {
		synctest.Test(t, func(t *testing.T) {
			b := providertest.NewBackend()
			s := openApp(t, olderApp(fails), memory.New(&memory.Options{ClientID: "x", Sync: b.Provider()}), nil)
			x := client{Store: s}
			synced(t, x)
			for i := range n {
				confirm(t, commit(t, s, mark(fmt.Sprint(i), "mine")))
			}
			b.Append("test", rawMark("a", "new"))
			commit(t, s, mark("b", "mine"))
			st := until(t, x, "halted", paused(livestore.PausedEvent))
			if st.HaltedAt.Global != int64(n+1) {
				t.Errorf("halted: %+v", st)
			}
			b.Append("test", rawMark("c", "more"))
			time.Sleep(time.Hour)
			if st := s.SyncStatus(); st.BackendHead.Global != int64(n+2) || st.UpstreamHead.Global != int64(n) || st.Unconfirmed != 1 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// With RefuseCommits nothing happens to a commit while an event does not apply.
func TestCommitsAreRefusedWhileHalted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		refuse := func(o *livestore.Options) { o.WhenHalted = livestore.RefuseCommits }
		adapter := memory.New(&memory.Options{ClientID: "x", Sync: b.Provider()})
		s := openApp(t, olderApp(fails), adapter, refuse)
		x := client{Store: s}
		synced(t, x)
		confirm(t, commit(t, s, mark("1", "milk")))
		// One that is set aside, to be tried again.
		if err := s.PauseSync(t.Context()); err != nil {
			t.Fatal(err)
		}
		commit(t, s, mark("2", "mine"))
		b.Append("test", rawMark("2", "theirs"))
		if err := s.ResumeSync(t.Context()); err != nil {
			t.Fatal(err)
		}
		until(t, x, "set aside", func(st livestore.SyncStatus) bool { return st.SetAside == 1 })
		b.Append("test", rawMark("3", "new"))
		until(t, x, "halted", paused(livestore.PausedEvent))

		later := openApp(t, olderApp(fails), adapter, refuse)
		for _, s := range []*livestore.Store{s, later} {
			rows, log := has(t, s), logOf(t, s)
			_, cerr := s.Commit(t.Context(), mark("4", "eggs"))
			_, derr := s.Commit(t.Context(), drawer.Set("ui", UIState{Filter: "open"}))
			_, rerr := s.SetAside()[0].Retry(t.Context())
			for _, err := range []error{cerr, derr, rerr} {
				e, ok := errors.AsType[*livestore.HaltedError](err)
				if !ok || e.StoreID != "test" || e.ClientID != "x" || e.Event.Global != 3 || !strings.Contains(e.Why, "the app does not know new") {
					t.Errorf("refused with %v", err)
				}
			}
			if has(t, s) != rows || logOf(t, s) != log || len(s.SetAside()) != 1 || s.SyncStatus().Unconfirmed != 0 {
				t.Errorf("something has happened: %+v", s.SyncStatus())
			}
		}
		// A session of the same client that does not mind.
		calm := openApp(t, olderApp(fails), adapter, nil)
		commit(t, calm, mark("5", "flour"))

		// The backend is set back to before the event: it is the first to find out.
		b.SetBack("test", 2)
		synced(t, x)
		confirm(t, commit(t, s, mark("4", "eggs")))
		if st := s.SyncStatus(); st.HaltedAt.Global != 0 || st.Why != "" {
			t.Errorf("%+v", st)
		}
		equal(t, "state", has(t, s), "1=milk 2=theirs 4=eggs 5=flour")
	})
}

func TestHaltPolicyThatIsNone(t *testing.T) {
	_, err := tryApp(t, olderApp(fails), memory.New(nil), func(o *livestore.Options) { o.WhenHalted = 7 })
	if err == nil || !strings.Contains(err.Error(), "WhenHalted") || !strings.Contains(err.Error(), "test") {
		t.Errorf("%v", err)
	}
}

// A pause by the app, and another backend, while an event does not apply.
func TestHaltedAndPaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		s := openApp(t, olderApp(fails), memory.New(&memory.Options{ClientID: "x", Sync: b.Provider()}), nil)
		x := client{Store: s}
		confirm(t, commit(t, s, mark("1", "milk")))
		b.Append("test", rawMark("2", "new"))
		until(t, x, "halted", paused(livestore.PausedEvent))
		if err := s.PauseSync(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.Append("test", rawMark("3", "more"))
		time.Sleep(time.Hour)
		if st := s.SyncStatus(); st.Paused != livestore.PausedByApp || st.HaltedAt.Global != 2 || st.BackendHead.Global != 2 {
			t.Errorf("paused: %+v", st)
		}
		if err := s.ResumeSync(t.Context()); err != nil {
			t.Fatal(err)
		}
		until(t, x, "halted", paused(livestore.PausedEvent))
		time.Sleep(time.Second)
		if st := s.SyncStatus(); st.HaltedAt.Global != 2 || st.BackendHead.Global != 3 {
			t.Errorf("resumed: %+v", st)
		}
		b.Reset("test")
		until(t, x, "at another backend", paused(livestore.PausedBackend))
		time.Sleep(time.Hour)
		if st := s.SyncStatus(); st.HaltedAt.Global != 0 || !strings.Contains(st.Why, "backend-2-of-test") {
			t.Errorf("another backend: %+v", st)
		}
	})
}

// Between the pull that finds the event and the one that only listens, the connection may be lost and the backend set back: to before the
// event, or to the event.
func TestBackendThatIsSetBackWhileAnEventHalts(t *testing.T) {
	for _, head := range []int64{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			b := providertest.NewBackend()
			net := count(b.Provider())
			pull := net.pull
			net.pull = func(ctx context.Context, in provider.Client, from provider.Cursor, live bool) iter.Seq2[provider.Page, error] {
				if net.pulls.Load() == 1 {
					b.SetBack("test", head)
				}
				return pull(ctx, in, from, live)
			}
			b.Append("test", rawMark("1", "milk"), rawMark("2", "new"), rawMark("3", "more"))
			s := openApp(t, olderApp(fails), memory.New(&memory.Options{ClientID: "x", Sync: net}), nil)
			x := client{Store: s}
			if head == 1 {
				synced(t, x)
				confirm(t, commit(t, s, mark("4", "eggs")))
				equal(t, "state", has(t, s), "1=milk 4=eggs")
			} else {
				time.Sleep(time.Minute)
				if st := s.SyncStatus(); st.HaltedAt.Global != 2 || st.BackendHead.Global != 2 || st.Paused != livestore.PausedEvent {
					t.Errorf("%+v", st)
				}
			}
			if n := net.pulls.Load(); n != 2+head {
				t.Errorf("it took %d pulls", n)
			}
		})
	}
}
