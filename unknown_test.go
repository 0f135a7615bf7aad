package livestore_test

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/local"
	"github.com/livestore-go/livestore/adapter/memory"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/provider/providertest"
	"github.com/livestore-go/livestore/state"
)

// heard is a callback that remembers what it was called with, and panics if it is told to.
type heard struct {
	mu     sync.Mutex
	events []string
	panics bool
}

func (h *heard) call(e event.Client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, fmt.Sprintf("%s e%d", e.Name, e.Num.Global))
	if h.panics {
		panic("the callback is broken")
	}
}

func (h *heard) take() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := strings.Join(h.events, ", ")
	h.events = nil
	return s
}

// lines counts the lines that a store logs, by message.
type lines struct {
	mu  sync.Mutex
	out strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(b)
}

func (l *lines) has(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.out.String(), what)
}

// Events that the older app does not know stay in its log, whatever its schema says about them, change nothing there, and are applied in
// their place by the newer one: as at a client that has known them from the start. Commits of its own wait and are rebased across them
// meanwhile.
func TestUnknownEventsAreAppliedAfterAnUpdate(t *testing.T) {
	for _, mode := range []string{"warn", "ignore", "callback", "callback that panics"} {
		t.Run(mode, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &heard{panics: mode == "callback that panics"}
				policy := map[string]state.UnknownPolicy{"warn": state.Warn, "ignore": state.Ignore}[mode]
				if policy == nil {
					policy = state.Callback(h.call)
				}
				var said lines
				logging := func(o *livestore.Options) { o.Logger = slog.New(slog.NewTextHandler(&said, nil)) }
				b := providertest.NewBackend()
				older := olderApp(fails, state.UnknownEvents(policy))
				adapter := local.New(t.TempDir(), &local.Options{ClientID: "x", Sync: b.Provider()})

				// What it authored as the newer app, and did not get rid of, is unknown to it too.
				s := openApp(t, newerApp(), adapter, nil)
				if err := s.PauseSync(t.Context()); err != nil {
					t.Fatal(err)
				}
				commit(t, s, mark("own", "mine"))
				commit(t, s, star(), mark("own2", "mine"))
				closed(t, s)
				b.Append("test", rawMark("1", "milk"), rawStar(), rawMark("2", "bread"))

				s = openApp(t, older, adapter, func(o *livestore.Options) { logging(o); o.InitialSync = 1 << 40 })
				x := client{Store: s}
				// What it does not know of its own is not pushed: it can not say whether that still applies there.
				waits := func(head, pending int) {
					t.Helper()
					until(t, x, "waiting", func(st livestore.SyncStatus) bool {
						return st.Paused == livestore.PausedRejected && st.UpstreamHead.Global == int64(head) && st.Unconfirmed == pending
					})
					if log := logOf(t, s); !strings.HasPrefix(log, logIn(b)+"\n") || b.Head("test") != int64(head) {
						t.Errorf("the log has\n%s\nand the backend\n%s", log, logIn(b))
					}
				}
				waits(4, 2)
				equal(t, "state of the older app", has(t, s), "1=milk 2=bread own=mine own2=mine")
				want := map[bool]string{true: "v2.Starred e2, v2.Starred e2"} // its own as it was when the store opened; then that of the backend
				equal(t, "the callback has heard", h.take(), want[strings.HasPrefix(mode, "callback")])
				if warned := said.has("does not know an event"); (warned == 2) != (mode == "warn") || (warned == 0) != (mode != "warn") {
					t.Errorf("there are %d lines about it", warned)
				}

				// A rebase across one that arrives, with commits of its own pending.
				if err := s.PauseSync(t.Context()); err != nil {
					t.Fatal(err)
				}
				commit(t, s, mark("own3", "mine"))
				b.Append("test", rawMark("3", "eggs"), rawStar())
				if err := s.ResumeSync(t.Context()); err != nil {
					t.Fatal(err)
				}
				waits(6, 3)
				equal(t, "state of the older app", has(t, s), "1=milk 2=bread 3=eggs own=mine own2=mine own3=mine")
				equal(t, "the callback has heard", h.take(), map[bool]string{true: "v2.Starred e6"}[strings.HasPrefix(mode, "callback")])
				if n := said.has("the callback is broken"); (n == 3) != h.panics || (n == 0) != !h.panics {
					t.Errorf("%d panics are logged", n)
				}

				// And once more, pending over the update.
				if err := s.PauseSync(t.Context()); err != nil {
					t.Fatal(err)
				}
				commit(t, s, mark("own4", "mine"))
				closed(t, s)
				equal(t, "the callback has heard", h.take(), "")
				b.Append("test", rawStar())
				s = openApp(t, newerApp(), adapter, nil)
				x = client{Store: s}
				synced(t, x)
				if st := s.SyncStatus(); st.SetAside != 0 || b.Head("test") != 11 {
					t.Errorf("%+v, the backend is at e%d", st, b.Head("test"))
				}
				fresh := openApp(t, newerApp(), memory.New(&memory.Options{Sync: b.Provider()}), nil)
				synced(t, client{Store: fresh})
				equal(t, "the log", logOf(t, s), logIn(b))
				equal(t, "state", has(t, s), has(t, fresh))
				equal(t, "state of the newer app", has(t, s), "1=milk**** 2=bread*** 3=eggs*** own=mine*** own2=mine own3=mine own4=mine")
			})
		})
	}
}

// With Fail an unknown event halts sync. It stays at the backend, and waits in the client's log: also offline a schema that knows it has it.
func TestUnknownEventsThatFail(t *testing.T) {
	for _, name := range []string{"memory", "local"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := providertest.NewBackend()
				var adapter livestore.Adapter = memory.New(&memory.Options{ClientID: "x", Sync: b.Provider()})
				if name == "local" {
					adapter = local.New(t.TempDir(), &local.Options{ClientID: "x", Sync: b.Provider()})
				}
				strict := olderApp(fails, state.UnknownEvents(state.Fail))
				s := openApp(t, strict, adapter, nil)
				x := client{Store: s}
				synced(t, x)
				b.SetDown(true)
				commit(t, s, mark("own", "mine"))
				b.Append("test", rawMark("1", "milk"), rawStar(), rawMark("2", "bread"))
				b.SetDown(false)
				st := until(t, x, "halted", paused(livestore.PausedEvent))
				if st.HaltedAt.Global != 2 || !strings.Contains(st.Why, "v2.Starred") || st.UpstreamHead.Global != 1 || st.BackendHead.Global != 3 {
					t.Errorf("%+v", st)
				}
				equal(t, "the log", strings.Split(logOf(t, s), "\n")[0], `e1 v1.Added {"id":"1","text":"milk"}`)
				equal(t, "state", has(t, s), "1=milk own=mine")
				closed(t, s)
				if name == "local" {
					b.SetDown(true)
					s = openApp(t, strict, adapter, nil)
					equal(t, "state", has(t, s), "1=milk own=mine")
					st := until(t, client{Store: s}, "halted, offline", paused(livestore.PausedEvent))
					if st.HaltedAt.Global != 2 || !strings.Contains(st.Why, "v2.Starred") {
						t.Errorf("%+v", st)
					}
					closed(t, s)
					s = openApp(t, newerApp(), adapter, nil)
					equal(t, "the log, offline", strings.Join(strings.Split(logOf(t, s), "\n")[:3], "\n"), logIn(b))
					equal(t, "state, offline", has(t, s), "1=milk* 2=bread own=mine")
					closed(t, s)
					b.SetDown(false)
				}

				s = openApp(t, newerApp(), adapter, nil)
				x = client{Store: s}
				synced(t, x)
				equal(t, "the log", logOf(t, s), logIn(b))
				equal(t, "state", has(t, s), map[string]string{"memory": "1=milk* 2=bread", "local": "1=milk* 2=bread own=mine"}[name])
			})
		})
	}
}

// A log that already has an unknown event is not opened with Fail, however it came there; and nothing happens to it.
func TestLogWithUnknownEventsIsNotOpenedWithFail(t *testing.T) {
	adapter := local.New(t.TempDir(), nil)
	s := openApp(t, newerApp(), adapter, nil)
	commit(t, s, mark("1", "milk"))
	commit(t, s, star())
	commit(t, s, mark("2", "bread"), star())
	closed(t, s)
	strict := olderApp(fails, state.UnknownEvents(state.Fail))
	refused := func(when string) {
		t.Helper()
		_, err := tryApp(t, strict, adapter, nil)
		e, ok := errors.AsType[*state.UnknownEventError](err)
		if !ok || e.StoreID != "test" || e.Event != "v2.Starred" || e.Num.Global != 2 ||
			!strings.Contains(err.Error(), "store test") || !strings.Contains(err.Error(), "use another policy") {
			t.Errorf("%s: %v", when, err)
		}
	}
	refused("with no state of its schema")
	// The policy is no part of the schema's hash: the state is the same.
	s = openApp(t, olderApp(fails, state.UnknownEvents(state.Ignore)), adapter, nil)
	log := logOf(t, s)
	equal(t, "state", has(t, s), "1=milk 2=bread")
	closed(t, s)
	refused("with the state of another policy")
	s = openApp(t, newerApp(), adapter, nil)
	equal(t, "the log", logOf(t, s), log)
	equal(t, "state", has(t, s), "1=milk** 2=bread*")
	closed(t, s)
}

// What a session that was killed has left in its journal is not lost either.
func TestJournalWithUnknownEventsIsNotTakenWithFail(t *testing.T) {
	dir := t.TempDir()
	adapter := local.New(dir, nil)
	s := openApp(t, newerApp(), adapter, nil)
	commit(t, s, mark("1", "milk"))
	h := journal.Header{Journal: "left", ClientID: s.ClientID(), SessionID: "killed", StoreID: "test"}
	closed(t, s)
	w, err := journal.Create(journal.OS(filepath.Join(dir, "test")), "left"+journal.Ext, h)
	if err != nil {
		t.Fatal(err)
	}
	err = w.Append(journal.Record{Ordinal: 1, Events: []journal.Event{{Name: "v2.Starred", Args: rawStar().Args}}})
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	_, err = tryApp(t, olderApp(fails, state.UnknownEvents(state.Fail)), adapter, nil)
	if e, ok := errors.AsType[*state.UnknownEventError](err); !ok || e.Event != "v2.Starred" || !strings.Contains(err.Error(), "test") {
		t.Errorf("opened with Fail: %v", err)
	}
	s = openApp(t, newerApp(), adapter, nil)
	equal(t, "state", has(t, s), "1=milk*")
	closed(t, s)
}
