package server_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/wire"
	"github.com/livestore-go/livestore/server"
	"github.com/livestore-go/livestore/server/memstore"
)

// A room is closed a while after its last connection, also when that left while the room was busy.
func TestRoomThatIsLeftWhileBusy(t *testing.T) {
	storage := watch(memstore.New())
	const idle = 50 * time.Millisecond
	w := start(t, storage, &server.Options{Limits: server.Limits{IdleRoom: idle}})
	p := w.dial(wire.E3, "room")
	p.events(p.pull(0, true), 1, 0)
	<-time.After(2 * idle)
	gate := make(chan struct{})
	storage.mu.Lock()
	storage.gate = gate
	storage.mu.Unlock()
	p.push(at(1))
	<-storage.appending
	_ = p.ws.CloseNow()
	<-time.After(2 * idle) // the connection has left
	close(gate)
	select {
	case <-storage.closed:
	case <-time.After(100 * idle):
		t.Fatal("the room stays open for good")
	}
}

// slowConn is a slow uplink.
type slowConn struct {
	net.Conn

	slow *bool
}

func (c slowConn) Write(b []byte) (int, error) {
	n := 0
	for len(b) > 0 {
		k := len(b)
		if *c.slow {
			k = min(k, 2000)
			<-time.After(20 * time.Millisecond) // it is what makes the link slow
		}
		m, err := c.Conn.Write(b[:k])
		n += m
		if err != nil {
			return n, err
		}
		b = b[k:]
	}
	return n, nil
}

// A large push takes longer to arrive than a client may be silent, and less than a message may take.
func TestSlowUplink(t *testing.T) {
	w := inMemory(t, &server.Options{Limits: server.Limits{PingInterval: 500 * time.Millisecond, PingTimeout: 500 * time.Millisecond}})
	slow := false
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		return slowConn{c, &slow}, err
	}}}
	p, err := w.tryDial(wire.E3, w.address("s", ""), &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	e := at(1)
	e.Args = []byte(`"` + strings.Repeat("x", 400_000) + `"`) // 4 s
	slow = true
	got := make(chan wire.ServerMessage, 1)
	go func() {
		m, _ := p.tryReceive()
		got <- m
	}()
	m := &wire.Push{ID: p.id(), StoreID: "s", Batch: []event.Global{e}}
	if err := p.ws.Write(p.ctx, websocket.MessageText, wire.AppendClient(nil, wire.E3, m)); err != nil {
		t.Errorf("write: %v", err)
	}
	if r, ok := (<-got).(*wire.Exit); !ok || len(r.Failure) > 0 {
		t.Errorf("the push is answered with %v", r)
	}
}
