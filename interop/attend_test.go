package interop_test

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/livestore-go/livestore/interop/todomvc"
)

// attendant stands before an official client. It keeps the last frames for the log of a test that fails, and frees the client of a defect
// of its own that any scenario meets on a machine that is busy enough:
//
// The client gives a connection up when nothing has come between two of its pings. They are due every ten seconds by the clock, so on a
// client that was held up the second may follow the first at once. The socket of @livestore/utils 0.4.0 (dist/effect/RpcClient.js) then
// fails with the reason OpenTimeout. Its tapErrorCause takes that for a connection that did not come to be, and connects again without
// ending the requests that ran. So the client is connected, pings, and waits for good for chunks of a pull and for the answer to a push
// that no server has heard of on that connection: it gets nothing, and what it has pending is never confirmed. This is so on any backend,
// and only the end of that connection helps: it ends the requests too, and the client asks anew. A user would restart the app; the
// attendant cuts connections on which the client has pinged and has not pulled.
type attendant struct {
	w   *world
	tap *tap

	mu     sync.Mutex
	pulled map[int]bool // connections that had a pull
	pinged map[int]bool // those that had a ping, and no pull before it
	frames []string
	freed  int // connections that were cut
}

// grace is how long a client that has pinged on a connection may go without a pull there. It has both ready when it connects.
const grace = 3 * time.Second

// attend puts an attendant between a client and its backend.
func (w *world) attend(o *todomvc.Options) {
	w.Helper()
	id := o.ClientID
	a := &attendant{w: w, pulled: make(map[int]bool), pinged: make(map[int]bool)}
	a.tap = newTap(w, a.see)
	a.tap.backend = strings.TrimPrefix(o.URL, "http://")
	o.URL = a.tap.URL
	w.attendants[id] = a
	w.Cleanup(func() {
		if n := a.cuts(); n > 0 {
			w.Logf("%s: %d connections on which it did not pull were cut", id, n)
		}
		if w.Failed() {
			w.Logf("the last frames of %s:\n%s", id, a)
		}
	})
}

// see keeps a frame, and looks for a client that has come again and asks for nothing.
func (a *attendant) see(c *tapped, up bool, frame string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keep(c, up, frame)
	switch {
	case !up:
	case strings.Contains(frame, "SyncWsRpc.Pull"):
		a.pulled[c.n] = true
	case c.n > 0 && isTag(frame, "Ping") && !a.pulled[c.n] && !a.pinged[c.n]:
		a.pinged[c.n] = true
		time.AfterFunc(grace, func() { a.free(c) })
	}
}

// free ends a connection if there was no pull on it.
func (a *attendant) free(c *tapped) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.pulled[c.n] || a.w.ctx.Err() != nil {
		return
	}
	a.freed++
	a.keep(c, true, "no pull was asked for: the connection is cut")
	_ = c.down.CloseNow()
	_ = c.up.CloseNow()
}

var (
	seqNum = regexp.MustCompile(`"seqNum":(\d+)`)
	traced = regexp.MustCompile(`"(traceId|spanId)":"[^"]*",?|"sampled":(true|false),?|"headers":\[[^\]]*\],?`)
)

// keep notes a frame, its events left out but for their numbers.
func (a *attendant) keep(c *tapped, up bool, frame string) {
	const most, around = 60, 120
	way := "to the client"
	if up {
		way = "from the client"
	}
	frame = traced.ReplaceAllString(frame, "")
	if n := seqNum.FindAllStringSubmatch(frame, -1); len(n) > 0 && len(frame) > 2*around {
		frame = fmt.Sprintf("%s … e%s to e%s … %s", frame[:around], n[0][1], n[len(n)-1][1], frame[len(frame)-around:])
	}
	a.frames = append(a.frames, fmt.Sprintf("%s connection %d, %s: %s", time.Now().Format("15:04:05.000"), c.n+1, way, short(frame)))
	a.frames = a.frames[max(0, len(a.frames)-most):]
}

// cuts returns how often the client was freed.
func (a *attendant) cuts() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.freed
}

// String returns the last frames.
func (a *attendant) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(a.frames, "\n")
}

// TestParkedClient has a connection that hangs until an official client gives it up. The client connects again and does not pull: the
// attendant sees that and cuts the connection, and then what was committed meanwhile comes through.
func TestParkedClient(t *testing.T) {
	t.Parallel()
	for _, s := range stages {
		t.Run(s.name, func(t *testing.T) {
			w := newWorld(t, s.start)
			r := w.relay()
			a := w.openWith(js, todomvc.Options{URL: r.URL(), ClientID: "parked"})
			b := w.open(golang, w.url())
			w.ok(a.Commit(w.ctx, todomvc.Create("before", "")))
			w.await(1, a, b)

			r.Hang()
			w.ok(a.AwaitConnected(w.ctx, false))
			r.Flow()
			w.ok(b.Commit(w.ctx, todomvc.Create("b", "")))
			w.await(2, b, a)
			w.ok(a.Commit(w.ctx, todomvc.Create("a", "")))
			w.await(3, a, b)
			w.converged(3, a, b)
			if w.attendants["parked"].cuts() == 0 {
				w.Error("the client pulled again by itself: the attendant is not needed any more")
			}
		})
	}
}
