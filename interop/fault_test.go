package interop_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/interop/todomvc"
)

// TestEarlyChunk has the official backend hand out a new event before the old pages that a client is still to get. An official client
// takes it, and never gets those pages. Ours sees the gap, pulls again, and has everything.
func TestEarlyChunk(t *testing.T) {
	w := newWorld(t, startTheirs)
	const n = 500
	a := w.open(golang, w.url())
	w.ok(a.Write(w.ctx, "a", n, 50, 0))
	w.await(n, a)

	asked := make(chan struct{})   // the fresh client has taken the first page and asks for the next
	release := make(chan struct{}) // it may be asked for
	early := make(chan struct{})   // the new event has passed
	var once, seen sync.Once
	var pulls atomic.Int64
	tap := newTap(w, func(c *tapped, up bool, frame string) {
		switch {
		case up && strings.Contains(frame, "SyncWsRpc.Pull"):
			pulls.Add(1)
		case up && c.n == 0 && isTag(frame, "Ack"):
			once.Do(func() { close(asked) })
			select {
			case <-release:
			case <-w.ctx.Done():
			}
		case !up && strings.Contains(frame, fmt.Sprintf(`"seqNum":%d`, n+1)):
			seen.Do(func() { close(early) })
		}
	})
	b := w.open(golang, tap.URL)
	w.wait(asked)
	w.ok(a.Commit(w.ctx, todomvc.Create("new", "")))
	w.wait(early)
	close(release)

	w.await(n+1, a, b)
	w.once(w.converged(n+1, a, b), "a", n)
	if pulls.Load() < 2 {
		w.Errorf("the client pulled %d times: the backend has not sent the new event early, and the test shows nothing", pulls.Load())
	}
}

// wait waits until a channel is closed.
func (w *world) wait(c <-chan struct{}) {
	w.Helper()
	select {
	case <-c:
	case <-w.ctx.Done():
		w.Fatal(w.ctx.Err())
	}
}

// TestZombieConnection has the official backend stop answering on a connection, pings excepted, as it does for good after one frame that it
// can not read. Our client finds out, says so, and goes on with a connection that works.
func TestZombieConnection(t *testing.T) {
	w := newWorld(t, startTheirs)
	tap := newTap(w, nil)
	a, b := w.open(golang, tap.URL), w.open(golang, w.url())
	w.ok(a.Commit(w.ctx, todomvc.Create("before", "")))
	w.await(1, a, b)
	tap.mu.Lock()
	zombie := tap.conns[len(tap.conns)-1]
	tap.mu.Unlock()
	w.ok(zombie.up.Write(w.ctx, websocket.MessageText, []byte("null")))

	w.ok(a.Commit(w.ctx, todomvc.Create("a", "")))
	w.ok(b.Commit(w.ctx, todomvc.Create("b", "")))
	w.await(3, a, b)
	w.converged(3, a, b)
	if tap.connections() < 2 {
		w.Error("the client has not connected again: the backend has gone on answering, and the test shows nothing")
	}
}

// TestOversizeEvent has an event that the official backend takes and then can not hand out again. Our client does not let it in: the
// commit says so, and nothing else is harmed.
func TestOversizeEvent(t *testing.T) {
	w := newWorld(t, startTheirs)
	a, b := w.open(golang, w.url()), w.open(golang, w.url())
	w.ok(a.Commit(w.ctx, todomvc.Create("before", "")))
	w.await(1, a, b)
	if err := a.Commit(w.ctx, todomvc.Create("big", strings.Repeat("x", 950_000))); err == nil {
		w.Error("the commit of an event of 950,000 bytes returned no error")
	} else {
		w.Log(err)
	}
	w.ok(a.Commit(w.ctx, todomvc.Create("large", strings.Repeat("x", 800_000))))
	w.ok(b.Commit(w.ctx, todomvc.Create("after", "")))
	w.await(3, a, b)
	w.converged(3, a, b)
}

// TestPoisonedStore has a store with an event that the official backend can not hand out, which somebody else has pushed: every pull that
// reaches it fails. Our client says so, keeps what it has and what is committed, and is not synced.
func TestPoisonedStore(t *testing.T) {
	w := newWorld(t, startTheirs)
	a := w.open(golang, w.url())
	w.ok(a.Commit(w.ctx, todomvc.Create("before", "")))
	w.await(1, a)
	w.ok(a.Close(w.ctx))
	w.ok(w.pushRaw(w.ctx, todomvc.Entry{
		Seq: 2, Parent: 1, Name: "v1.TodoCreated", Client: "raw", Session: "s",
		Args: json.RawMessage(`{"id":"big","text":"` + strings.Repeat("x", 950_000) + `"}`),
	}))

	b := w.open(golang, w.url()).(*todomvc.Client)
	w.ok(b.Commit(w.ctx, todomvc.Create("mine", "")))
	w.ok(b.AwaitStatus(w.ctx, func(s livestore.SyncStatus) bool { return s.Connected && s.Why != "" }))
	s := b.Store.SyncStatus()
	w.Log(s.Why)
	if s.Synced() || s.Unconfirmed != 1 || s.SetAside != 0 {
		w.Errorf("the status is %+v", s)
	}
	if n, err := b.Count(w.ctx); err != nil || n != 1 && n != 2 {
		w.Errorf("%d rows, %v", n, err)
	}
}

// pushRaw pushes an event as any program can.
func (w *world) pushRaw(ctx context.Context, e todomvc.Entry) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, res, err := websocket.Dial(ctx, fmt.Sprintf("ws://%s/?storeId=%s&transport=ws", w.backend.addr(), w.store), nil)
	if err != nil {
		return err
	}
	if res.Body != nil {
		defer res.Body.Close()
	}
	defer func() { _ = c.CloseNow() }()
	frame, err := json.Marshal(map[string]any{
		"_tag": "Request", "id": "0", "tag": "SyncWsRpc.Push", "headers": []string{},
		"payload": map[string]any{
			"storeId": w.store, "backendId": map[string]string{"_tag": "None"},
			"batch": []any{map[string]any{
				"name": e.Name, "args": e.Args, "seqNum": e.Seq, "parentSeqNum": e.Parent, "clientId": e.Client, "sessionId": e.Session,
			}},
		},
	})
	if err != nil {
		return err
	}
	if err := c.Write(ctx, websocket.MessageText, frame); err != nil {
		return err
	}
	for {
		_, answer, err := c.Read(ctx)
		switch {
		case err != nil:
			return err
		case isTag(string(answer), "Success"):
			return nil
		case isTag(string(answer), "Exit"), isTag(string(answer), "Defect"):
			return errors.New(string(answer))
		}
	}
}

// head asks the backend for its head, and returns its answer: it refuses an event that is far ahead, and says of what.
func (w *world) head() string {
	ctx, cancel := context.WithTimeout(context.Background(), diagnosis)
	defer cancel()
	const far = 1 << 40
	err := w.pushRaw(ctx, todomvc.Entry{
		Seq: far + 1, Parent: far, Name: "v1.TodoCompleted", Client: "head", Session: "s", Args: json.RawMessage(`{"id":"none"}`),
	})
	if err == nil {
		return fmt.Sprint("unknown, it took an event that follows e", far)
	}
	return err.Error()
}
