// Package relay stands between clients and a backend on one machine, and does to their connections what networks do: it cuts them,
// refuses new ones, and lets them hang.
package relay

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// Relay hands TCP connections on to a target.
type Relay struct {
	listener net.Listener
	wg       sync.WaitGroup
	ctx      context.Context
	cancel   context.CancelFunc

	mu       sync.Mutex
	target   string
	refuse   bool
	stopped  chan struct{} // closed while bytes flow
	flowing  bool
	pairs    map[*pair]struct{}
	accepted int
	last     time.Time // when the last connection was accepted
}

type pair struct{ down, up net.Conn }

// New starts a relay on a free port. target is HOST:PORT.
func New(target string) (*Relay, error) {
	var cfg net.ListenConfig
	l, err := cfg.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Relay{listener: l, target: target, pairs: make(map[*pair]struct{}), stopped: make(chan struct{}), flowing: true}
	close(r.stopped)
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.wg.Go(r.accept)
	return r, nil
}

// URL returns the address to give to clients.
func (r *Relay) URL() string { return "http://" + r.listener.Addr().String() }

// Target sends further connections elsewhere.
func (r *Relay) Target(target string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target = target
}

// Cut ends all connections. New ones are let through.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut()
}

func (r *Relay) cut() {
	for p := range r.pairs {
		p.close()
	}
}

// Down ends all connections and refuses new ones, until Up.
func (r *Relay) Down() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = true
	r.cut()
}

// Up ends Down.
func (r *Relay) Up() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = false
}

// Hang keeps all connections open and lets no byte through, until Flow: a peer that is gone without a word.
func (r *Relay) Hang() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flowing {
		r.flowing, r.stopped = false, make(chan struct{})
	}
}

// Flow ends Hang. Nothing that was sent meanwhile is lost.
func (r *Relay) Flow() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.flowing {
		r.flowing = true
		close(r.stopped)
	}
}

// Accepted returns how many connections were let through, and when the last was.
func (r *Relay) Accepted() (n int, last time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.accepted, r.last
}

// Close ends the relay and its connections.
func (r *Relay) Close() {
	r.cancel()
	_ = r.listener.Close()
	r.Cut()
	r.wg.Wait()
}

func (r *Relay) accept() {
	for {
		down, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.wg.Go(func() { r.serve(down) })
	}
}

func (r *Relay) serve(down net.Conn) {
	r.mu.Lock()
	target, refuse := r.target, r.refuse
	r.mu.Unlock()
	if refuse {
		_ = down.Close()
		return
	}
	var dialer net.Dialer
	up, err := dialer.DialContext(r.ctx, "tcp", target)
	if err != nil {
		_ = down.Close()
		return
	}
	p := &pair{down, up}
	r.mu.Lock()
	if r.refuse || r.ctx.Err() != nil {
		r.mu.Unlock()
		p.close()
		return
	}
	r.pairs[p] = struct{}{}
	r.accepted++
	r.last = time.Now()
	r.mu.Unlock()

	r.wg.Go(func() { r.copy(p.up, p.down, p) })
	r.copy(p.down, p.up, p)
	r.mu.Lock()
	delete(r.pairs, p)
	r.mu.Unlock()
}

func (p *pair) close() {
	_ = p.down.Close()
	_ = p.up.Close()
}

// copy copies one direction, and ends both when it ends.
func (r *Relay) copy(to io.Writer, from io.Reader, p *pair) {
	defer p.close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		r.mu.Lock()
		flow := r.stopped
		r.mu.Unlock()
		select {
		case <-flow:
		case <-r.ctx.Done():
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
