package server_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/livestore-go/livestore/internal/wire"
	"github.com/livestore-go/livestore/server"
	"github.com/livestore-go/livestore/server/memstore"
)

// watched is a storage that tells what is done to it, and can be made to wait or fail.
type watched struct {
	server.Storage

	opened, closed chan string
	mu             sync.Mutex
	open           map[string]int
	fail           map[string]error
	gate           chan struct{} // appends wait for it; nil: they do not
	appending      chan struct{}
}

func watch(s server.Storage) *watched {
	return &watched{
		Storage: s, open: map[string]int{}, fail: map[string]error{},
		opened: make(chan string, 1000), closed: make(chan string, 1000), appending: make(chan struct{}, 1000),
	}
}

func (w *watched) Open(ctx context.Context, storeID string) (server.Log, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.fail[storeID]; err != nil {
		return nil, err
	}
	if w.open[storeID]++; w.open[storeID] > 1 {
		return nil, fmt.Errorf("store %s is open %d times", storeID, w.open[storeID])
	}
	l, err := w.Storage.Open(ctx, storeID)
	w.opened <- storeID
	return &watchedLog{Log: l, of: w, storeID: storeID}, err
}

func (w *watched) set(storeID string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail[storeID] = err
}

type watchedLog struct {
	server.Log

	of      *watched
	storeID string
}

func (l *watchedLog) Append(ctx context.Context, parent int64, batch []server.Event) error {
	l.of.appending <- struct{}{}
	l.of.mu.Lock()
	gate, err := l.of.gate, l.of.fail["append"]
	l.of.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err != nil {
		return err
	}
	return l.Log.Append(ctx, parent, batch)
}

func (l *watchedLog) Close() error {
	l.of.mu.Lock()
	l.of.open[l.storeID]--
	l.of.mu.Unlock()
	l.of.closed <- l.storeID
	return l.Log.Close()
}

// Events and the backend id outlive the server.
func TestRestart(t *testing.T) {
	dir, backend := t.TempDir(), ""
	for i := range int64(3) {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			p := onDisk(t, dir, nil).dial(wire.E3, "s")
			id := p.pull(0, true)
			if i == 0 {
				p.events(id, 1, 0)
				backend = p.backend
			}
			p.upTo(id, 0, 120*i)
			push := p.push(span(120*i+1, 120*i+120)...)
			p.events(id, 120*i+1, 120*i+100)
			p.events(id, 120*i+101, 120*i+120)
			p.stored(push)
			if p.backend != backend {
				t.Errorf("the backend id was %s and is %s", backend, p.backend)
			}
		})
	}
}

// A store is opened by its first client, however many come at once, and closed when the last has been gone for a while.
func TestStoresAreOpenWhileTheyAreUsed(t *testing.T) {
	storage := watch(memstore.New())
	w := start(t, storage, &server.Options{Limits: server.Limits{IdleRoom: time.Millisecond}})
	for round := range 20 {
		var clients sync.WaitGroup
		for i := range 8 {
			clients.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				ws, _, err := websocket.Dial(ctx, w.address(fmt.Sprintf("s%d", i%2), ""), nil) //nolint:bodyclose // what an upgrade answers has no body
				if err != nil {
					t.Errorf("dial: %v", err)
					return
				}
				_ = ws.Write(ctx, websocket.MessageText, wire.AppendClient(nil, wire.E3,
					&wire.Pull{ID: wire.StringID("1"), StoreID: fmt.Sprintf("s%d", i%2), Live: true}))
				if _, _, err := ws.Read(ctx); err != nil {
					t.Errorf("round %d: read: %v", round, err)
				}
				_ = ws.Close(websocket.StatusNormalClosure, "")
			})
		}
		clients.Wait()
	}
	p := w.dial(wire.E3, "last")
	p.nothing()
	_ = p.ws.Close(websocket.StatusNormalClosure, "")
	for closed := ""; closed != "last"; {
		select {
		case closed = <-storage.closed:
		case <-time.After(patience):
			t.Fatal("the store was not closed")
		}
	}
}

// A store that can not be opened is refused without details, and opened once it can be; the other stores go on.
func TestStoreThatCanNotBeOpened(t *testing.T) {
	storage := watch(memstore.New())
	w := start(t, storage, nil)
	storage.set("s", errors.New("/secret/path is damaged"))
	for range 3 {
		_, err := w.tryDial(wire.E3, w.address("s", ""), nil)
		refused, ok := errors.AsType[*refusedError](err)
		if !ok || refused.status != 500 || strings.Contains(refused.text, "secret") || !strings.Contains(refused.text, "can not be opened") {
			t.Errorf("%v, want 500 without the path", err)
		}
		w.dial(wire.E3, "other").nothing()
	}
	storage.set("s", nil)
	w.dial(wire.E3, "s").nothing()
}

// A push whose append fails says so; once the storage works again so does the store.
func TestStorageThatFails(t *testing.T) {
	inBoth(t, func(t *testing.T, d wire.Dialect) {
		storage := watch(memstore.New())
		w := start(t, storage, nil)
		p := w.dial(d, "s")
		live := p.pull(0, true)
		p.events(live, 1, 0)
		storage.set("append", errors.New("/secret/path: the disk is full"))
		e := failed[*wire.UnknownError](p, p.push(at(1)))
		if strings.Contains(string(e.Cause), "secret") {
			t.Errorf("the client was told %s", e.Cause)
		}
		p.nothing()
		storage.set("append", nil)
		push := p.push(at(1))
		p.events(live, 1, 1)
		p.stored(push)
	})
}

// A shutdown finishes the pushes under way, says goodbye to everybody and closes the logs; nobody gets in any more.
func TestShutdown(t *testing.T) {
	storage := watch(memstore.New())
	w := start(t, storage, nil)
	b, gone := w.bystander("other"), w.rawDial("other")
	p, pending := w.dial(wire.E3, "s"), w.dial(wire.E3, "s")
	idle := p.pull(0, true)
	p.events(idle, 1, 0)
	gate := make(chan struct{})
	storage.mu.Lock()
	storage.gate = gate
	storage.mu.Unlock()
	push := pending.push(span(1, 3)...)
	<-storage.appending
	down := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		down <- w.server.Shutdown(ctx)
	}()
	// The other store has nothing under way, so its clients go first.
	if code := b.closed(); code != websocket.StatusGoingAway {
		t.Errorf("the connection ended with %d", code)
	}
	_, err := w.tryDial(wire.E3, w.address("s", ""), nil)
	if refused, ok := errors.AsType[*refusedError](err); !ok || refused.status != 503 {
		t.Errorf("a connection during the shutdown: %v, want 503", err)
	}
	close(gate)
	pending.stored(push)
	p.events(idle, 1, 3)
	for _, p := range []*peer{pending, p} {
		if code := p.closed(); code != websocket.StatusGoingAway {
			t.Errorf("the connection ended with %d", code)
		}
	}
	if err := <-down; err != nil { // although one client never took its leave
		t.Errorf("shut down: %v", err)
	}
	if code := gone.ended(); code != uint16(websocket.StatusGoingAway) {
		t.Errorf("the connection ended with %d", code)
	}
	if len(storage.closed) != 2 {
		t.Errorf("%d logs are closed", len(storage.closed))
	}
	if err := w.server.Close(); err != nil {
		t.Errorf("close after a shutdown: %v", err)
	}
}

// A shutdown that runs out of time cuts everything, also a storage that does not come back and a client that does not answer.
func TestShutdownWithoutTime(t *testing.T) {
	storage := watch(memstore.New())
	w := start(t, storage, nil)
	p, r := w.dial(wire.E3, "s"), w.rawDial("other")
	storage.mu.Lock()
	storage.gate = make(chan struct{})
	storage.mu.Unlock()
	p.push(at(1))
	<-storage.appending
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := w.server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shut down: %v", err)
	}
	p.closed()
	r.ended()
	if len(storage.closed) != 2 {
		t.Errorf("%d logs are closed", len(storage.closed))
	}
}
