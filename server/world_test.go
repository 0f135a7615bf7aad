package server_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/go-json-experiment/json/jsontext"
	"go.uber.org/goleak"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/wire"
	"github.com/livestore-go/livestore/server"
	"github.com/livestore-go/livestore/server/memstore"
	"github.com/livestore-go/livestore/server/sqlitestore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a server on a real socket.
type world struct {
	testing.TB

	server *server.Server
	web    *httptest.Server
	url    string
}

// start starts a server; it ends with the test.
func start(t testing.TB, storage server.Storage, opts *server.Options) *world {
	t.Helper()
	w := &world{TB: t, server: server.New(storage, opts)}
	w.web = httptest.NewServer(w.server)
	w.url = w.web.URL
	t.Cleanup(w.stop)
	return w
}

// stop stops the server. Its storage stays open.
func (w *world) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := w.server.Shutdown(ctx); err != nil {
		w.Errorf("shut down: %v", err)
	}
	w.web.CloseClientConnections()
	w.web.Close()
}

// inMemory starts a server that keeps events in memory.
func inMemory(t testing.TB, opts *server.Options) *world {
	t.Helper()
	storage := memstore.New()
	t.Cleanup(func() { _ = storage.Close() })
	return start(t, storage, opts)
}

// onDisk starts a server that keeps events in SQLite files.
func onDisk(t testing.TB, dir string, opts *server.Options) *world {
	t.Helper()
	storage, err := sqlitestore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := storage.Close(); err != nil {
			t.Error(err)
		}
	})
	return start(t, storage, opts)
}

// dialects are what each scenario is played in.
var dialects = []wire.Dialect{wire.E3, wire.E4}

func inBoth(t *testing.T, scenario func(t *testing.T, d wire.Dialect)) {
	for _, d := range dialects {
		t.Run(d.String(), func(t *testing.T) { scenario(t, d) })
	}
}

// peer is a client that speaks the protocol and does nothing by itself.
type peer struct {
	testing.TB

	ws      *websocket.Conn
	ctx     context.Context
	dialect wire.Dialect
	store   string
	next    uint64
	backend string // as the last chunk said
	inbox   []wire.ServerMessage
	raw     []byte // the last frame
}

// patience is how long a peer waits for what must come.
const patience = 20 * time.Second

func (w *world) address(store, rest string) string {
	return strings.Replace(w.url, "http", "ws", 1) + "/?storeId=" + store + "&transport=ws" + rest
}

func (w *world) dial(d wire.Dialect, store string) *peer {
	w.Helper()
	p, err := w.tryDial(d, w.address(store, ""), nil)
	if err != nil {
		w.Fatalf("dial: %v", err)
	}
	return p
}

func (w *world) tryDial(d wire.Dialect, url string, opts *websocket.DialOptions) (*peer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	ws, response, err := websocket.Dial(ctx, url, opts) //nolint:bodyclose // what an upgrade answers has no body
	if err != nil {
		cancel()
		if response != nil && response.Body != nil {
			text := make([]byte, 1000)
			n, _ := response.Body.Read(text)
			err = &refusedError{response.StatusCode, strings.TrimSpace(string(text[:n]))}
		}
		return nil, err
	}
	ws.SetReadLimit(4 << 20)
	w.Cleanup(func() {
		_ = ws.CloseNow()
		cancel()
	})
	return &peer{TB: w.TB, ws: ws, ctx: ctx, dialect: d, store: store(url)}, nil
}

func store(url string) string {
	_, rest, _ := strings.Cut(url, "storeId=")
	id, _, _ := strings.Cut(rest, "&")
	return id
}

// refusedError is the answer to an upgrade that was refused.
type refusedError struct {
	status int
	text   string
}

func (e *refusedError) Error() string { return fmt.Sprintf("%d %s", e.status, e.text) }

func (p *peer) id() wire.ID {
	p.next++
	if p.dialect == wire.E3 {
		return wire.StringID(fmt.Sprint(p.next))
	}
	return wire.NumberID(p.next)
}

func (p *peer) send(m wire.ClientMessage) {
	p.Helper()
	p.sendRaw(wire.AppendClient(nil, p.dialect, m))
}

func (p *peer) sendRaw(frame []byte) {
	p.Helper()
	if err := p.ws.Write(p.ctx, websocket.MessageText, frame); err != nil {
		p.Fatalf("write: %v", err)
	}
}

// pull asks for what follows an event.
func (p *peer) pull(after int64, live bool) wire.ID {
	p.Helper()
	m := &wire.Pull{ID: p.id(), StoreID: p.store, Live: live}
	if after > 0 {
		m.Cursor = &wire.Cursor{BackendID: p.backend, After: after}
	}
	p.send(m)
	return m.ID
}

// push asks to append events.
func (p *peer) push(batch ...event.Global) wire.ID {
	p.Helper()
	m := &wire.Push{ID: p.id(), StoreID: p.store, Batch: batch, BackendID: p.backend}
	p.send(m)
	return m.ID
}

// receive returns the next message.
func (p *peer) receive() wire.ServerMessage {
	p.Helper()
	m, err := p.tryReceive()
	if err != nil {
		p.Fatalf("read: %v", err)
	}
	return m
}

func (p *peer) tryReceive() (wire.ServerMessage, error) {
	if len(p.inbox) == 0 {
		ctx, cancel := context.WithTimeout(p.ctx, patience)
		defer cancel()
		kind, data, err := p.ws.Read(ctx)
		if err != nil {
			return nil, err
		}
		if kind != websocket.MessageText {
			return nil, errors.New("the server sent a binary frame")
		}
		p.raw = data
		if p.inbox, err = wire.DecodeServer(data); err != nil {
			return nil, fmt.Errorf("%w: %.300s", err, data)
		}
		if len(p.inbox) != 1 {
			return nil, fmt.Errorf("the server sent %d messages in a frame", len(p.inbox))
		}
	}
	m := p.inbox[0]
	p.inbox = p.inbox[1:]
	return m, nil
}

// chunk wants a chunk of a request, and returns its events and how many follow.
func (p *peer) chunk(id wire.ID) ([]wire.Event, int) {
	p.Helper()
	m := p.receive()
	c, ok := m.(*wire.Chunk)
	if !ok || c.ID != id || len(c.Items) != 1 {
		p.Fatalf("got %s, want a chunk of request %s with one element", show(m), id)
	}
	item := c.Items[0]
	if len(item.BackendID) != 21 {
		p.Errorf("the backend id is %q", item.BackendID)
	}
	p.backend = item.BackendID
	if item.Page.Kind == wire.MoreUnknown || (item.Page.Kind == wire.MoreKnown) != (item.Page.Remaining > 0) {
		p.Errorf("the page says %s %d", item.Page.Kind, item.Page.Remaining)
	}
	return item.Events, item.Page.Remaining
}

// events wants a chunk of a request with the events from to to.
func (p *peer) events(id wire.ID, from, to int64) (remaining int) {
	p.Helper()
	got, remaining := p.chunk(id)
	p.are(got, from, to)
	return remaining
}

func (p *peer) are(got []wire.Event, from, to int64) {
	p.Helper()
	if int64(len(got)) != to-from+1 {
		p.Fatalf("got %d events, want e%d to e%d", len(got), from, to)
	}
	for i, e := range got {
		if want := at(from + int64(i)); !e.Equal(want) || string(e.Args) != string(want.Args) {
			p.Fatalf("got %+v, want %+v", e.Global, want)
		}
		if _, err := time.Parse("2006-01-02T15:04:05.000Z", e.CreatedAt); err != nil {
			p.Errorf("the event was created at %q", e.CreatedAt)
		}
	}
}

// upTo takes chunks of a request and acknowledges each, until it has the event to.
func (p *peer) upTo(id wire.ID, after, to int64) {
	p.Helper()
	for after < to {
		got, _ := p.chunk(id)
		if len(got) > 0 {
			p.are(got, after+1, got[len(got)-1].SeqNum)
			after = got[len(got)-1].SeqNum
		}
		p.send(&wire.Ack{ID: id})
	}
}

// exit wants the end of a request.
func (p *peer) exit(id wire.ID) *wire.Exit {
	p.Helper()
	m := p.receive()
	e, ok := m.(*wire.Exit)
	if !ok || e.ID != id {
		p.Fatalf("got %s, want the exit of request %s", show(m), id)
	}
	return e
}

// stored wants a push to have been stored.
func (p *peer) stored(id wire.ID) {
	p.Helper()
	if e := p.exit(id); len(e.Failure) > 0 || string(e.Value) != "{}" {
		p.Fatalf("the push ended with %s", p.raw)
	}
}

// failed wants a request to have failed with an error of the protocol.
func failed[E error](p *peer, id wire.ID) E {
	p.Helper()
	e := p.exit(id)
	if len(e.Failure) == 1 && e.Failure[0].Kind == wire.Fail {
		if err, ok := errors.AsType[E](e.Failure[0].Err); ok {
			return err
		}
	}
	var want E
	p.Fatalf("the request ended with %s, want %T", p.raw, want)
	return want
}

// nothing wants that nothing is under way: what is asked for now is answered next, although it goes the same way through the room.
func (p *peer) nothing() {
	p.Helper()
	id := p.push()
	p.stored(id)
}

// closed wants the connection to have been closed by the server, whatever is still read before.
func (p *peer) closed() websocket.StatusCode {
	p.Helper()
	for {
		_, err := p.tryReceive()
		if err == nil {
			continue
		}
		if errors.Is(err, context.DeadlineExceeded) {
			p.Fatal("the server did not close the connection")
		}
		return websocket.CloseStatus(err)
	}
}

func show(m wire.ServerMessage) string { return string(wire.AppendServer(nil, m)) }

// at is the event n.
func at(n int64) event.Global {
	return event.Global{
		SeqNum: n, ParentSeqNum: n - 1, Name: "v1.TodoCreated", ClientID: "client", SessionID: "static",
		Args: jsontext.Value(fmt.Sprintf(`{ "id":"%d", "text":"\u00fc 🙂" }`, n)),
	}
}

// span is the events from to to.
func span(from, to int64) []event.Global {
	var all []event.Global
	for n := from; n <= to; n++ {
		all = append(all, at(n))
	}
	return all
}

// fill pushes events through a connection of its own.
func (w *world) fill(store string, from, to int64) {
	w.Helper()
	p := w.dial(wire.E3, store)
	for batch := range slices.Chunk(span(from, to), 100) {
		p.stored(p.push(batch...))
	}
	_ = p.ws.Close(websocket.StatusNormalClosure, "")
}
