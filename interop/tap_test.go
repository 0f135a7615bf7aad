package interop_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	"github.com/coder/websocket"
)

// tap stands between a client and a backend and sees each frame: tests hold frames back with it, and add frames of their own.
type tap struct {
	*httptest.Server

	backend string // HOST:PORT
	// see is called with each text frame before it goes on, in its direction; it may wait. Two goroutines a connection call it.
	see func(c *tapped, up bool, frame string)

	mu    sync.Mutex
	conns []*tapped
}

// tapped is one connection.
type tapped struct {
	n    int // of the connection, from 0
	down *websocket.Conn
	up   *websocket.Conn
}

func newTap(w *world, see func(c *tapped, up bool, frame string)) *tap {
	t := &tap{backend: w.backend.addr(), see: see}
	t.Server = httptest.NewServer(t)
	w.Cleanup(func() {
		t.mu.Lock()
		for _, c := range t.conns {
			_ = c.down.CloseNow()
			_ = c.up.CloseNow()
		}
		t.mu.Unlock()
		t.Close()
	})
	return t
}

func (t *tap) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	up, res, err := websocket.Dial( //nolint:bodyclose // the library reads it and closes it
		r.Context(), "ws://"+t.backend+r.URL.RequestURI(), nil)
	if err != nil {
		status := http.StatusBadGateway
		if res != nil {
			status = res.StatusCode
		}
		http.Error(rw, err.Error(), status)
		return
	}
	down, err := websocket.Accept(rw, r, nil)
	if err != nil {
		_ = up.CloseNow()
		return
	}
	up.SetReadLimit(-1)
	down.SetReadLimit(-1)
	t.mu.Lock()
	c := &tapped{n: len(t.conns), down: down, up: up}
	t.conns = append(t.conns, c)
	t.mu.Unlock()
	var wg sync.WaitGroup
	wg.Go(func() { t.copy(c, true) })
	wg.Go(func() { t.copy(c, false) })
	wg.Wait()
}

// connections returns how many there have been.
func (t *tap) connections() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.conns)
}

func (t *tap) copy(c *tapped, up bool) {
	from, to := c.up, c.down
	if up {
		from, to = to, from
	}
	defer func() {
		_ = from.CloseNow()
		_ = to.CloseNow()
	}()
	for {
		_, frame, err := from.Read(context.Background()) // it ends with the connection
		if err != nil {
			return
		}
		if t.see != nil {
			t.see(c, up, string(frame))
		}
		if to.Write(context.Background(), websocket.MessageText, frame) != nil {
			return
		}
	}
}

// isTag says whether a frame is a message of a kind.
func isTag(frame, tag string) bool { return strings.Contains(frame, `"_tag":"`+tag+`"`) }
