package server_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/wire"
	"github.com/livestore-go/livestore/server"
	"github.com/livestore-go/livestore/server/memstore"
)

// pipes is a listener in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }

// onPipes starts a server without sockets, as a bubble needs it, and returns a way to connect to it.
func onPipes(t *testing.T, opts *server.Options) (*server.Server, func() *websocket.Conn) {
	t.Helper()
	storage := memstore.New()
	s := server.New(storage, opts)
	p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	web := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)}
	var serving sync.WaitGroup
	serving.Go(func() { _ = web.Serve(p) })
	t.Cleanup(func() {
		_ = web.Close()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		serving.Wait()
		_ = storage.Close()
	})
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			p.conns <- there
			return here, nil
		},
	}}
	return s, func() *websocket.Conn {
		ws, _, err := websocket.Dial(t.Context(), "ws://backend.test/?storeId=s&transport=ws", //nolint:bodyclose // there is none
			&websocket.DialOptions{HTTPClient: client})
		if err != nil {
			t.Fatal(err)
		}
		ws.SetReadLimit(4 << 20)
		t.Cleanup(func() { _ = ws.CloseNow() })
		return ws
	}
}

func sendTo(ws *websocket.Conn, m wire.ClientMessage) error {
	return ws.Write(context.Background(), websocket.MessageText, wire.AppendClient(nil, wire.E4, m))
}

// What waits for a client that does not read is bounded, in messages and in bytes, whatever it asks for and whatever others push; and after
// the write timeout the client is cut off.
func TestQueuesAreBounded(t *testing.T) {
	const (
		size     = 100_000
		queue    = 1 << 20                      // QueueBytes
		window   = 1<<20 + wire.MaxBytes + 4096 // of the room, and one chunk beyond it
		answers  = 2 * 256                      // of the room; beyond it the connection is closed
		overhead = 64
	)
	for what, ask := range map[string]func(ws *websocket.Conn) error{
		"it pulls": func(ws *websocket.Conn) error {
			return sendTo(ws, &wire.Pull{ID: wire.NumberID(1), StoreID: "s", Live: true})
		},
		"it pulls often": func(ws *websocket.Conn) error {
			for i := range uint64(60) {
				if err := sendTo(ws, &wire.Pull{ID: wire.NumberID(i), StoreID: "s", Live: i%2 == 0}); err != nil {
					return err
				}
			}
			return nil
		},
		"it pings": func(ws *websocket.Conn) error {
			for range 100_000 {
				if err := sendTo(ws, wire.Ping{}); err != nil {
					return err
				}
			}
			return nil
		},
		"it pushes what is refused": func(ws *websocket.Conn) error {
			for i := range uint64(100_000) {
				m := &wire.Push{ID: wire.NumberID(i), StoreID: "other", Batch: []event.Global{{Name: "v1.A", SeqNum: 1, Args: jsontext.Value("{}")}}}
				if err := sendTo(ws, m); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, dial := onPipes(t, nil)
				busy, idle := dial(), dial()
				var asking sync.WaitGroup
				asking.Go(func() { _ = ask(idle) }) // it never reads, and is cut off
				most, messages := 0, 0
				for i := range int64(100) {
					m := &wire.Push{ID: wire.NumberID(uint64(i)), StoreID: "s", Batch: []event.Global{{
						Name: "v1.A", SeqNum: i + 1, ParentSeqNum: i, ClientID: "c", SessionID: "s",
						Args: jsontext.Value(fmt.Sprintf("%q", strings.Repeat("x", size))),
					}}}
					start := time.Now()
					if err := sendTo(busy, m); err != nil {
						t.Fatal(err)
					}
					if _, _, err := busy.Read(t.Context()); err != nil {
						t.Fatal(err)
					}
					if d := time.Since(start); d > 0 {
						t.Errorf("the push of somebody else took %v", d)
					}
					synctest.Wait()
					frames, bytes := s.Queued()
					most, messages = max(most, bytes), max(messages, frames)
					time.Sleep(100 * time.Millisecond)
				}
				if limit := queue + window + answers*overhead; most > limit {
					t.Errorf("%d bytes wait for a client that does not read, and at most %d should", most, limit)
				}
				if limit := answers + queue/overhead; messages > limit {
					t.Errorf("%d messages wait for a client that does not read", messages)
				}
				time.Sleep(30 * time.Second)
				asking.Wait()
				if frames, bytes := s.Queued(); frames > 0 || bytes > 0 {
					t.Errorf("after the write timeout %d messages with %d bytes still wait", frames, bytes)
				}
				t.Log(most, messages)
			})
		})
	}
}
