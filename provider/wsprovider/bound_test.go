package wsprovider_test

import (
	"context"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/provider"
	"github.com/livestore-go/livestore/provider/wsprovider"
)

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what the first has only put out of pools
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A consumer that does not take what comes costs the 16 messages that wait for it, and no more.
func TestStalledConsumerIsBounded(t *testing.T) {
	const messages, size = 300, 100_000
	inBubble(t, wsprovider.Options{}, func(t *testing.T, b *bubble) {
		id := b.fake.log.ID("todos")
		body := strings.Repeat("x", size)
		b.fake.on = func(n *fakeConn, m request) bool {
			if m.RPC != "SyncWsRpc.Pull" {
				return false
			}
			for i := range messages {
				e := newEvent(int64(i), body)
				n.send(chunk(m.ID, id, 0, e...))
			}
			return true
		}
		c := b.client()
		connect(t, c)
		before := heap()
		for range c.Pull(t.Context(), provider.Cursor{}, true) {
			synctest.Wait() // all that is sent has come, and the consumer has one
			if grown := heap() - before; grown > 3*17*size {
				t.Errorf("with %d messages of %d bytes that nobody takes the heap has grown by %d bytes", messages, size, grown)
			}
			break
		}
	})
}

// Requests that are given up while the line takes nothing leave nothing behind.
func TestRequestsThatAreGivenUpAreForgotten(t *testing.T) {
	inBubble(t, wsprovider.Options{}, func(t *testing.T, b *bubble) {
		var gate stopper
		b.network.wrap = func(n net.Conn) net.Conn { return &stoppedConn{Conn: n, gate: &gate} }
		c := b.client()
		connect(t, c)
		gate.Lock()
		gate.stop = make(chan struct{})
		gate.Unlock()
		give := func(n int) {
			within := func(f func(ctx context.Context)) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				defer cancel()
				f(ctx)
			}
			batch := []event.Global{{Name: "v1.A", Args: []byte("{}"), SeqNum: 1, ClientID: "c", SessionID: "s"}}
			for range n {
				within(func(ctx context.Context) { _ = c.Ping(ctx) })
				within(func(ctx context.Context) { _ = c.Push(ctx, "", batch) })
				within(func(ctx context.Context) {
					for range c.Pull(ctx, provider.Cursor{}, true) {
						break
					}
				})
			}
		}
		give(100)
		before := heap()
		give(2000)
		if grown := heap() - before; grown > 2000*50 {
			t.Errorf("2000 of each that were given up have left %d bytes", grown)
		}
		gate.Lock()
		close(gate.stop)
		gate.stop = nil
		gate.Unlock()
		connect(t, c)
	})
}

// stopper stops what writes, until stop is closed.
type stopper struct {
	sync.Mutex

	stop chan struct{}
}

type stoppedConn struct {
	net.Conn

	gate *stopper
}

func (c *stoppedConn) Write(b []byte) (int, error) {
	c.gate.Lock()
	stop := c.gate.stop
	c.gate.Unlock()
	if stop != nil {
		<-stop
	}
	return c.Conn.Write(b)
}
