package wsprovider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/internal/wire"
	"github.com/livestore-go/livestore/provider"
)

// room is what a backend puts around one event when it sends it: identity, time, page.
const room = 1000

// client is the client of one store. Its goroutine, run, makes one connection after the other.
type client struct {
	opts   Options
	cfg    provider.Config
	base   *url.URL
	own    *http.Client // opts.HTTPClient when it is the client's own; nil when it is the app's
	log    *slog.Logger
	ctx    context.Context // ends with Close
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup
	hurry  chan struct{} // Reconnect: ends a pause

	payload jsontext.Value // of the current attempt; only run touches it

	pulledOn atomic.Pointer[conn] // connection of the last live pull
	worked   atomic.Bool          // a pull has reached the head of the backend on this connection

	mu         sync.Mutex
	conn       *conn         // open connection, nil when there is none
	answered   bool          // something has come over it
	attempting bool          // an attempt is under way: err is from before
	err        error         // why the last attempt or connection ended
	moved      chan struct{} // closed and made anew when one of the above has changed
	changed    chan struct{} // the same for what Status says
}

// update changes the state and wakes who waits for that.
func (c *client) update(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.status()
	change()
	close(c.moved)
	c.moved = make(chan struct{})
	if now := c.status(); now.Connected != was.Connected || text(now.Err) != text(was.Err) {
		close(c.changed)
		c.changed = make(chan struct{})
	}
}

func (c *client) status() provider.Status {
	return provider.Status{Connected: c.conn != nil && c.answered, Err: c.err}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// run connects, and connects again, until the client is closed.
func (c *client) run() {
	attempt := 0
	for {
		addresses := c.addresses()
		ws, err := c.dial()
		if err == nil {
			began := time.Now()
			err = c.serve(ws)
			if worked := c.worked.Swap(false); worked || time.Since(began) >= c.opts.PingInterval {
				attempt = 0
			}
		}
		if c.ctx.Err() != nil {
			c.update(func() { c.conn, c.answered, c.attempting, c.err = nil, false, false, provider.ErrClosed })
			return
		}
		c.update(func() { c.conn, c.answered, c.attempting, c.err = nil, false, false, err })
		c.log.Debug("no connection to the sync backend", "store", c.cfg.StoreID, "attempt", attempt, "err", err)
		if !c.pause(attempt, err, addresses) {
			continue
		}
		attempt++
	}
}

// serve works on a connection until it ends, and returns why it did.
func (c *client) serve(ws socket) error {
	select {
	case <-c.hurry: // a connection is there: no pause is left to be cut short
	default:
	}
	n := newConn(c, ws)
	c.update(func() { c.conn, c.answered, c.attempting = n, false, false })
	return n.run()
}

// linked waits for an open connection. It does not wait for the backend to answer on it: what is sent at once arrives after the first ping.
func (c *client) linked(ctx context.Context) (*conn, error) {
	for {
		c.mu.Lock()
		n, err, attempting, moved := c.conn, c.err, c.attempting, c.moved
		c.mu.Unlock()
		if c.ctx.Err() != nil {
			return nil, provider.ErrClosed
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if n != nil {
			return n, nil
		}
		if refused, ok := errors.AsType[*provider.RefusedError](err); ok && !attempting {
			return nil, refused
		}
		select {
		case <-moved:
		case <-ctx.Done():
		case <-c.ctx.Done():
		}
	}
}

// Connect implements provider.Client.
func (c *client) Connect(ctx context.Context) error {
	for {
		if _, err := c.linked(ctx); err != nil {
			return err
		}
		c.mu.Lock()
		answered, moved := c.answered, c.moved
		c.mu.Unlock()
		if answered {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
		case <-c.ctx.Done():
		}
	}
}

// Ping implements provider.Client.
func (c *client) Ping(ctx context.Context) error {
	c.mu.Lock()
	n, err := c.conn, c.err
	c.mu.Unlock()
	switch {
	case c.ctx.Err() != nil:
		return provider.ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	case n != nil:
		return n.ping(ctx)
	}
	if _, ok := errors.AsType[*provider.OfflineError](err); ok {
		return err
	}
	if err == nil {
		err = errors.New("there was none yet")
	}
	return c.offline(err)
}

// Status implements provider.Client.
func (c *client) Status() (provider.Status, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status(), c.changed
}

// Limits implements provider.Client: what one push may hold that every backend can hand out again.
func (c *client) Limits() provider.Limits {
	return provider.Limits{Events: wire.MaxEvents, Bytes: wire.MaxBytes - room}
}

// Reconnect implements provider.Client.
func (c *client) Reconnect() {
	c.update(func() {
		if c.conn != nil {
			return
		}
		c.attempting = true // who waits is not told why the last attempt was refused
		select {
		case c.hurry <- struct{}{}:
		default:
		}
	})
}

// Close implements provider.Client.
func (c *client) Close() error {
	c.cancel(provider.ErrClosed)
	c.wg.Wait()
	if c.own != nil {
		c.own.CloseIdleConnections() // it ends attempts that nobody waits for any more, too
	}
	return nil
}

func (c *client) offline(err error) error {
	return &provider.OfflineError{StoreID: c.cfg.StoreID, Err: err}
}

func (c *client) broken(format string, args ...any) error {
	return &provider.ProtocolError{StoreID: c.cfg.StoreID, Why: fmt.Sprintf(format, args...)}
}
