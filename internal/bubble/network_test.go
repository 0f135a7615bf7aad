package bubble

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// network is a listener in memory. Each client reaches it over a line of its own.
type network struct {
	conns chan net.Conn

	mu     sync.Mutex
	closed chan struct{} // closed while nothing listens
}

func newNetwork() *network {
	n := &network{conns: make(chan net.Conn), closed: make(chan struct{})}
	close(n.closed)
	return n
}

// listen begins to listen, anew after Close.
func (n *network) listen() *listener {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = make(chan struct{})
	return &listener{n: n, closed: n.closed}
}

func (n *network) over() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.closed
}

type listener struct {
	n      *network
	once   sync.Once
	closed chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.n.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *listener) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }

// How a line is.
type quality int

const (
	good     quality = iota
	refusing         // no connection is made; those there are go on
	black            // what is sent vanishes, also the end of a connection, and attempts to connect get no answer
	stuck            // nothing is taken, nothing comes
)

// line is what lies between one client and the network.
type line struct {
	n *network

	mu      sync.Mutex
	quality quality
	delay   time.Duration // of each piece, on its way in either direction
	changed chan struct{} // closed when the quality has changed
	open    map[*pair]struct{}
	dials   int  // attempts
	over    bool // nothing is connected any more
	pumps   sync.WaitGroup
	web     *http.Client // what a provider dials with
}

func (n *network) line() *line {
	l := &line{n: n, changed: make(chan struct{}), open: map[*pair]struct{}{}}
	l.web = &http.Client{Transport: &http.Transport{DialContext: l.dial, DisableKeepAlives: true}}
	return l
}

func (l *line) set(q quality) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.quality = q
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *line) slow(delay time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = delay
}

func (l *line) is() (q quality, delay time.Duration, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.quality, l.delay, l.changed
}

// cut ends all connections; both ends notice.
func (l *line) cut() {
	l.mu.Lock()
	open := make([]*pair, 0, len(l.open))
	for p := range l.open {
		open = append(open, p)
	}
	l.mu.Unlock()
	for _, p := range open {
		p.cut()
	}
}

// attempts returns how often a client has tried to connect.
func (l *line) attempts() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dials
}

// giveUp ends attempts to connect that nobody waits for: an HTTP client that was given to a provider goes on with them.
func (l *line) giveUp() { l.web.CloseIdleConnections() }

// wait waits until nothing of the line runs any more.
func (l *line) wait() {
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
	l.giveUp()
	l.cut()
	l.pumps.Wait()
}

var (
	errRefused = errors.New("connection refused")
	errNoWay   = errors.New("connection timed out")
)

// synTimeout is how long a system tries to connect where nobody answers.
const synTimeout = 2 * time.Minute

func (l *line) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	l.mu.Lock()
	l.dials++
	l.mu.Unlock()
	timeout := time.NewTimer(synTimeout)
	defer timeout.Stop()
	for {
		q, delay, changed := l.is()
		switch q {
		case refusing:
			return nil, errRefused
		case good:
			if err := sleep(ctx, delay); err != nil {
				return nil, err
			}
			return l.connect(ctx)
		}
		select {
		case <-changed:
		case <-timeout.C:
			return nil, errNoWay
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (l *line) connect(ctx context.Context) (net.Conn, error) {
	p := &pair{line: l, gone: make(chan struct{})}
	var here, there net.Conn
	here, p.near = net.Pipe()
	p.far, there = net.Pipe()
	select {
	case l.n.conns <- there:
	case <-l.n.over():
		return nil, errRefused
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	l.mu.Lock()
	over := l.over
	if !over {
		l.open[p] = struct{}{}
		l.pumps.Add(1) // under the lock: wait waits for all that came before it, and none comes after
	}
	l.mu.Unlock()
	if over {
		p.cut()
		return nil, errRefused
	}
	p.running.Go(func() { p.pump(p.near, p.far) })
	p.running.Go(func() { p.pump(p.far, p.near) })
	go func() {
		defer l.pumps.Done()
		p.running.Wait()
		p.cut()
		l.mu.Lock()
		delete(l.open, p)
		l.mu.Unlock()
	}()
	return here, nil
}

// pair is one connection: a pipe at either end, and a pump for each direction between them.
type pair struct {
	line      *line
	near, far net.Conn
	running   sync.WaitGroup
	once      sync.Once
	gone      chan struct{}
}

func (p *pair) cut() {
	p.once.Do(func() { close(p.gone) })
	_ = p.near.Close()
	_ = p.far.Close()
}

// pump carries what comes from one pipe to the other. There is never more under way than one piece.
func (p *pair) pump(from, to net.Conn) {
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		if lost := p.hold(); n > 0 && !lost {
			_, _ = to.Write(buf[:n]) // when the other end is closed, its own pump says so
		}
		if err != nil {
			if q, _, _ := p.line.is(); q != black {
				_ = to.Close()
			}
			return
		}
		select {
		case <-p.gone:
			return
		default:
		}
	}
}

// hold waits as long as a piece is on its way, and says whether it gets lost.
func (p *pair) hold() (lost bool) {
	for {
		q, delay, changed := p.line.is()
		switch q {
		case black:
			return true
		case stuck:
			select {
			case <-changed:
				continue
			case <-p.gone:
				return true
			}
		}
		return !p.rest(delay)
	}
}

// rest waits, and says whether the connection is still there.
func (p *pair) rest(d time.Duration) bool {
	if d == 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-p.gone:
		return false
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
