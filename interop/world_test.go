package interop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/livestore-go/livestore/interop/official"
	"github.com/livestore-go/livestore/interop/relay"
	"github.com/livestore-go/livestore/interop/todomvc"
)

// patience is how long one scenario may take on a slow machine. An official client that has to be freed (see attendant) takes up to two
// minutes until it asks again: it waits up to half a minute before each time that it connects.
const patience = 8 * time.Minute

// diagnosis is how long a scenario that failed waits for each answer that it prints.
const diagnosis = 5 * time.Second

// peer is a client, the official one or ours.
type peer interface {
	Commit(ctx context.Context, events ...todomvc.Event) error
	Write(ctx context.Context, prefix string, n, batch int, pause time.Duration) error
	Rows(ctx context.Context) ([]todomvc.Row, error)
	Count(ctx context.Context) (int, error)
	Log(ctx context.Context) ([]todomvc.Entry, error)
	Await(ctx context.Context, head int) error
	AwaitRows(ctx context.Context, rows int) error
	AwaitConnected(ctx context.Context, is bool) error
	Close(ctx context.Context) error
}

var (
	_ peer = (*official.Client)(nil)
	_ peer = (*todomvc.Client)(nil)
)

// kind is whose client it is.
type kind string

const (
	js     kind = "official"
	golang kind = "ours"
)

// pair are the kinds of the two clients of a scenario.
type pair [2]kind

func (p pair) String() string {
	if p[0] == p[1] {
		return fmt.Sprintf("two clients, %s", p[0])
	}
	return fmt.Sprintf("%s client and %s", p[0], p[1])
}

// world is one store on one backend.
type world struct {
	*testing.T

	ctx     context.Context
	install *official.Install
	backend backend
	store   string
	clients int

	attendants map[string]*attendant // of the official clients, by their ids
}

// backend is a sync backend that runs, ours or the official one.
type backend interface {
	// addr returns HOST:PORT.
	addr() string
	// kill ends it at once; restart starts it again on the same data, with another address perhaps.
	kill()
	restart(w *world)
}

var stores atomic.Int64

// newWorld returns a world for a test, or skips it when the official packages are not here.
func newWorld(t *testing.T, start func(w *world) backend) *world {
	t.Helper()
	install, err := official.Find()
	if err != nil {
		if os.Getenv("LIVESTORE_INTEROP") == "required" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	t.Parallel()
	return makeWorld(t, install, start)
}

// makeWorld returns another world for a test that has one.
func makeWorld(t *testing.T, install *official.Install, start func(w *world) backend) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	w := &world{T: t, ctx: ctx, install: install, attendants: make(map[string]*attendant)}
	w.store = fmt.Sprintf("interop-%d-%d", os.Getpid(), stores.Add(1))
	w.backend = start(w)
	w.Cleanup(func() {
		if w.Failed() { // and the clients have said how they are
			w.Logf("the head of the backend: %s", w.head())
		}
	})
	return w
}

// ok ends the test when there is an error.
func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// check fails the test when there is an error, and goes on.
func (w *world) check(err error) {
	if err != nil {
		w.Error(err)
	}
}

// url returns the address of the backend itself.
func (w *world) url() string { return "http://" + w.backend.addr() }

// relay starts a relay in front of the backend.
func (w *world) relay() *relay.Relay {
	w.Helper()
	r, err := relay.New(w.backend.addr())
	w.ok(err)
	w.Cleanup(r.Close)
	return r
}

// open opens a client of the store.
func (w *world) open(k kind, url string) peer {
	w.Helper()
	return w.openWith(k, todomvc.Options{URL: url})
}

func (w *world) openWith(k kind, o todomvc.Options) peer {
	w.Helper()
	w.clients++
	o.StoreID = w.store
	if o.ClientID == "" {
		o.ClientID = fmt.Sprintf("%s%d", k, w.clients)
	}
	var p peer
	var err error
	if k == js {
		w.attend(&o)
		var c *official.Client
		if c, err = w.install.Client(w.ctx, o); err == nil {
			p = c
			w.Cleanup(func() {
				if w.Failed() {
					ctx, cancel := context.WithTimeout(context.Background(), diagnosis)
					status, err := c.Status(ctx)
					cancel()
					w.Logf("%s: %+v (%v), said: %s", o.ClientID, status, err, c.Said())
				}
				c.Kill()
			})
		}
	} else {
		said := new(lockedBuffer)
		o.Logger = slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{Level: slog.LevelInfo}))
		var c *todomvc.Client
		if c, err = todomvc.Open(w.ctx, o); err == nil {
			p = c
			w.Cleanup(func() {
				status := c.Store.SyncStatus()
				if err := c.Close(context.Background()); err != nil {
					w.Errorf("close %s: %v", o.ClientID, err)
				}
				if w.Failed() {
					w.Logf("%s: %+v, said: %s", o.ClientID, status, said)
				}
			})
		}
	}
	w.ok(err)
	return p
}

// await waits until all clients are synced and have everything up to an event.
func (w *world) await(head int, peers ...peer) {
	w.Helper()
	for _, p := range peers {
		w.ok(p.Await(w.ctx, head))
	}
}

// converged checks that all clients have the same events in the same order and the same rows, as does one that comes fresh, that the
// chain of the events has no gap, and that there are as many as said. It returns the log.
func (w *world) converged(events int, peers ...peer) []todomvc.Entry {
	w.Helper()
	fresh := w.open(golang, w.url())
	w.await(events, append(peers, fresh)...)

	log, err := fresh.Log(w.ctx)
	w.ok(err)
	for i, e := range log {
		if e.Seq != int64(i+1) || e.Parent != int64(i) {
			w.Fatalf("event %d of the log is e%d on e%d", i+1, e.Seq, e.Parent)
		}
	}
	if len(log) != events {
		w.Errorf("%d events in the log, %d were committed", len(log), events)
	}
	want, err := fresh.Rows(w.ctx)
	w.ok(err)
	for i, p := range peers {
		got, err := p.Log(w.ctx)
		w.ok(err)
		if diff := cmp.Diff(canonical(w, log), canonical(w, got)); diff != "" {
			w.Errorf("log of client %d is not that of a fresh one (-fresh +client):\n%s", i+1, short(diff))
		}
		rows, err := p.Rows(w.ctx)
		w.ok(err)
		if diff := cmp.Diff(want, rows); diff != "" {
			w.Errorf("rows of client %d are not those of a fresh one (-fresh +client):\n%s", i+1, short(diff))
		}
	}
	return log
}

// once checks that each to-do of a writer was created by exactly one event, in the order it was written.
func (w *world) once(log []todomvc.Entry, prefix string, n int) {
	w.Helper()
	var next int
	for _, e := range log {
		var args todomvc.Created
		if e.Name != todomvc.TodoCreated.Name() {
			continue
		}
		w.ok(json.Unmarshal(e.Args, &args))
		if !strings.HasPrefix(args.ID, prefix) {
			continue
		}
		if want := fmt.Sprint(prefix, next); args.ID != want {
			w.Fatalf("e%d creates %s where %s should come", e.Seq, args.ID, want)
		}
		next++
	}
	if next != n {
		w.Errorf("%d events of writer %s, not %d", next, prefix, n)
	}
}

// canonical returns a log with its arguments in one form, whatever spaces and order they came in.
func canonical(w *world, log []todomvc.Entry) []string {
	w.Helper()
	lines := make([]string, len(log))
	for i, e := range log {
		var args any
		w.ok(json.Unmarshal(e.Args, &args))
		b, err := json.Marshal(args)
		w.ok(err)
		lines[i] = fmt.Sprintf("e%d on e%d %s %s of %s/%s", e.Seq, e.Parent, e.Name, b, e.Client, e.Session)
	}
	return lines
}

func short(s string) string {
	const most = 4000
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// lockedBuffer keeps what is logged.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return short(b.buf.String())
}
