package wsprovider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/internal/wire"
	"github.com/livestore-go/livestore/provider"
)

const (
	sendQueue  = 16                     // frames that wait for the writer
	answers    = 16                     // messages that wait for the one who made a request
	closeGrace = 500 * time.Millisecond // for the backend to answer a close
	muteBytes  = 4096                   // that come when answers do, and not when there are pongs only
	atOnce     = 16 << 10               // bytes of a frame that are waited for before they count as a sign of life
	slowest    = 16 << 10               // bytes a second of the slowest uplink that pings must survive
)

var (
	errSilent  = errors.New("nothing came after a ping")
	errMute    = errors.New("the backend is there, and does not answer a request")
	errStuck   = errors.New("the backend takes nothing more")
	lastNumber atomic.Uint64 // of a request, in this process
)

// conn is one connection. Its goroutines are a reader, a writer and a heartbeat; run owns them. What is asked of it from outside
// goes through send, ping and forget.
type conn struct {
	c      *client
	ws     socket
	ctx    context.Context // ends with the connection, its cause says why
	cancel context.CancelCauseFunc
	once   sync.Once
	out    chan outgoing // requests and acks, for the writer
	wake   chan struct{} // the writer has something to do that is not in out

	payload jsontext.Value // credentials it was opened with: each request repeats them

	heard   atomic.Uint64 // counts what comes in: each part of a frame
	bytes   atomic.Int64  // of what has come in
	writing atomic.Int64  // when the writer began with what it is at, in Unix ns; 0 when it waits
	easy    atomic.Int64  // until then what was written may still be on its way, in Unix ns

	mu         sync.Mutex
	requests   map[wire.ID]*request
	interrupts []wire.ID // to be sent
	pingDue    bool
	news       chan struct{} // closed with the next thing that comes; nil when nobody waits
}

// request is one that waits for answers.
type request struct {
	id      wire.ID
	answers chan wire.ServerMessage // *wire.Chunk and *wire.Exit
	lapsed  chan struct{}           // closed when there were more answers than fit: they are lost

	// The connection's mutex guards the rest.
	sent bool // the writer has it
	over bool // nobody waits any more
}

// outgoing is a frame for the writer, with the request that it is for: when nobody waits any more it is not sent.
type outgoing struct {
	frame []byte
	r     *request
	opens bool // it is the request itself
}

func newConn(c *client, ws socket) *conn {
	n := &conn{
		c: c, ws: ws, out: make(chan outgoing, sendQueue), wake: make(chan struct{}, 1),
		payload: c.payload, requests: map[wire.ID]*request{},
	}
	n.ctx, n.cancel = context.WithCancelCause(context.WithoutCancel(c.ctx))
	return n
}

// run works until the connection ends or the client is closed, and returns why the connection ended. Close of the client ends it in order.
func (n *conn) run() error {
	n.ws.SetReadLimit(int64(n.c.opts.MaxMessage))
	// The socket has a context of its own: when the client is closed, it is still there for what the writer is at, and for the answer of
	// the backend.
	open, stop := context.WithCancel(context.WithoutCancel(n.c.ctx))
	readerDone := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(readerDone)
		n.read(open)
	})
	wg.Go(func() { n.write(open) })
	wg.Go(n.beat)
	select {
	case <-n.ctx.Done():
	case <-n.c.ctx.Done():
		n.end(provider.ErrClosed)
	}
	why := context.Cause(n.ctx)
	if why == provider.ErrClosed { //nolint:errorlint // it is never wrapped
		grace := time.NewTimer(closeGrace)
		select {
		case <-readerDone:
		case <-grace.C:
		}
		grace.Stop()
	}
	stop()
	wg.Wait()
	_ = n.ws.CloseNow() // it may be closed already
	return why
}

// end ends the connection, for the first reason that is given. The status says so before anybody else learns of it.
func (n *conn) end(why error) {
	n.once.Do(func() {
		n.c.update(func() {
			if n.c.conn == n {
				n.c.conn, n.c.answered, n.c.err = nil, false, why
			}
		})
		n.cancel(why)
	})
}

// number returns an id that no request of this process has had.
func (n *conn) number() wire.ID {
	no := lastNumber.Add(1) - 1
	if n.c.opts.Dialect == E4 {
		return wire.NumberID(no)
	}
	return wire.StringID(strconv.FormatUint(no, 10))
}

// ask sends a request. Its message is made for the id it gets.
func (n *conn) ask(ctx context.Context, message func(id wire.ID) wire.ClientMessage) (*request, error) {
	r := &request{id: n.number(), answers: make(chan wire.ServerMessage, answers), lapsed: make(chan struct{})}
	n.mu.Lock()
	n.requests[r.id] = r
	n.mu.Unlock()
	frame := wire.AppendClient(nil, n.c.opts.Dialect.wire(), message(r.id))
	if err := n.send(ctx, outgoing{frame: frame, r: r, opens: true}); err != nil {
		n.forget(r)
		return nil, err
	}
	return r, nil
}

// ack says that one more chunk may come.
func (n *conn) ack(ctx context.Context, r *request) error {
	return n.send(ctx, outgoing{frame: wire.AppendClient(nil, n.c.opts.Dialect.wire(), &wire.Ack{ID: r.id}), r: r})
}

func (n *conn) send(ctx context.Context, o outgoing) error {
	select {
	case n.out <- o:
		return nil
	case <-n.ctx.Done():
		return context.Cause(n.ctx)
	case <-ctx.Done():
		return ctx.Err()
	case <-n.c.ctx.Done():
		return provider.ErrClosed
	}
}

// next waits for an answer. Answers that came before the connection ended are still returned. When one is due and does not come, the
// connection is given up: there are backends that go on answering pings after their end of it has died.
func (n *conn) next(ctx context.Context, r *request, due bool) (wire.ServerMessage, error) {
	select {
	case m := <-r.answers:
		return m, nil
	default:
	}
	var patience <-chan time.Time // nil waits for ever
	if due {
		ticker := time.NewTicker(n.c.opts.AnswerTimeout)
		defer ticker.Stop()
		patience = ticker.C
	}
	for {
		before := n.bytes.Load()
		m, err := n.await(ctx, r, patience)
		if err != errMute { //nolint:errorlint // it is never wrapped
			return m, err
		}
		now, writing := time.Now().UnixNano(), n.writing.Load()
		sending := writing != 0 && now-writing >= int64(time.Second) || now < n.easy.Load() // it, or what is before it, is on its way
		if n.bytes.Load()-before < muteBytes && !sending {
			n.end(n.c.offline(fmt.Errorf("%w for %v", errMute, n.c.opts.AnswerTimeout)))
			return nil, context.Cause(n.ctx)
		}
	}
}

// await waits for an answer, for as long as patience lasts.
func (n *conn) await(ctx context.Context, r *request, patience <-chan time.Time) (wire.ServerMessage, error) {
	select {
	case <-patience:
		return nil, errMute
	case m := <-r.answers:
		return m, nil
	case <-r.lapsed:
		select {
		case m := <-r.answers:
			return m, nil
		default:
			return nil, errLapsed
		}
	case <-n.ctx.Done():
		select {
		case m := <-r.answers:
			return m, nil
		default:
			return nil, context.Cause(n.ctx)
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-n.c.ctx.Done():
		return nil, provider.ErrClosed
	}
}

// forget says that nobody waits for the answers of a request any more. The backend is told when it may still be at it.
func (n *conn) forget(r *request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if r.over {
		return
	}
	r.over = true
	delete(n.requests, r.id)
	if r.sent {
		n.interrupts = append(n.interrupts, r.id)
		n.wakeWriter()
	}
}

func (n *conn) wakeWriter() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// ping waits for the next thing that comes.
func (n *conn) ping(ctx context.Context) error {
	n.mu.Lock()
	if n.news == nil {
		n.news = make(chan struct{})
	}
	news := n.news
	n.pingDue = true
	n.wakeWriter()
	n.mu.Unlock()
	select {
	case <-news:
		return nil
	case <-n.ctx.Done():
		return context.Cause(n.ctx)
	case <-ctx.Done():
		return ctx.Err()
	case <-n.c.ctx.Done():
		return provider.ErrClosed
	}
}

// beat asks for signs of life, and ends a connection that gives none.
func (n *conn) beat() {
	ticker := time.NewTicker(n.c.opts.PingInterval)
	defer ticker.Stop()
	last := uint64(0) // what has come before this goroutine began is an answer to the first ping
	for {
		select {
		case <-ticker.C:
		case <-n.ctx.Done():
			return
		}
		heard := n.heard.Load()
		switch now := time.Now().UnixNano(); {
		case heard != last:
			last = heard
		case n.writing.Load() != 0: // the ping waits behind a large frame on a slow link
			if now-n.writing.Load() > int64(max(time.Minute, 3*n.c.opts.PingInterval)) {
				n.end(n.c.offline(errStuck))
			}
		case now >= n.easy.Load():
			n.end(n.c.offline(fmt.Errorf("%w for %v", errSilent, n.c.opts.PingInterval)))
		}
		n.mu.Lock()
		n.pingDue = true
		n.wakeWriter()
		n.mu.Unlock()
	}
}

// write is the writer. A ping is the first thing that it sends.
func (n *conn) write(ctx context.Context) {
	if !n.control(ctx, nil, true) {
		return
	}
	for {
		select {
		case <-n.ctx.Done():
			n.leave(ctx)
			return
		case o := <-n.out:
			if !n.taken(o) {
				continue
			}
			if !n.put(ctx, o.frame) {
				return
			}
		case <-n.wake:
			n.mu.Lock()
			interrupts, ping := n.interrupts, n.pingDue
			n.interrupts, n.pingDue = nil, false
			n.mu.Unlock()
			if !n.control(ctx, interrupts, ping) {
				return
			}
		}
	}
}

// taken notes that a request is about to be sent, and says whether anybody still wants that.
func (n *conn) taken(o outgoing) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if o.r.over {
		return false
	}
	if o.opens {
		o.r.sent = true
	}
	return true
}

func (n *conn) control(ctx context.Context, interrupts []wire.ID, ping bool) bool {
	d := n.c.opts.Dialect.wire()
	for _, id := range interrupts {
		if !n.put(ctx, wire.AppendClient(nil, d, &wire.Interrupt{ID: id})) {
			return false
		}
	}
	return !ping || n.put(ctx, wire.AppendClient(nil, d, wire.Ping{}))
}

func (n *conn) put(ctx context.Context, frame []byte) bool {
	now := time.Now()
	n.writing.Store(now.UnixNano())
	err := n.ws.Write(ctx, websocket.MessageText, frame)
	n.writing.Store(0)
	if err != nil {
		n.end(n.c.offline(fmt.Errorf("send: %w", err)))
		return false
	}
	if len(frame) > slowest {
		n.easy.Store(time.Now().Add(time.Duration(len(frame)/slowest) * time.Second).UnixNano())
	}
	return true
}

// leave says goodbye when it was the client that ended the connection.
func (n *conn) leave(ctx context.Context) {
	if context.Cause(n.ctx) != provider.ErrClosed { //nolint:errorlint // it is what run gives
		return
	}
	n.mu.Lock()
	interrupts := n.interrupts
	for _, r := range n.requests {
		if r.sent {
			interrupts = append(interrupts, r.id)
		}
	}
	n.requests, n.interrupts = map[wire.ID]*request{}, nil
	n.mu.Unlock()
	d := n.c.opts.Dialect.wire()
	for _, id := range interrupts {
		if n.ws.Write(ctx, websocket.MessageText, wire.AppendClient(nil, d, &wire.Interrupt{ID: id})) != nil {
			return
		}
	}
	_ = n.ws.Close(websocket.StatusNormalClosure, "") // it ends at the latest when the reader gives up
}

// read is the reader. It never waits for anybody: what does not fit in the queue of a request is lost, and asked for again.
func (n *conn) read(ctx context.Context) {
	for {
		buf, err := n.frame(ctx)
		if err != nil {
			n.end(err)
			return
		}
		messages, err := wire.DecodeServer(buf)
		for _, m := range messages {
			n.receive(m)
		}
		if err != nil {
			n.end(n.c.broken("%v", err))
			return
		}
	}
}

// frame reads one frame. Each part of it is a sign of life, so that a large one on a slow link is not taken for silence.
func (n *conn) frame(ctx context.Context) ([]byte, error) {
	var buf []byte // not used again: messages point into it
	_, r, err := n.ws.Reader(ctx)
	if err == nil {
		n.hear()
		buf, err = readAll(r, func(k int) {
			n.hear()
			n.bytes.Add(int64(k))
		})
	}
	switch {
	case err == nil:
		n.answered()
		return buf, nil
	case errors.Is(err, websocket.ErrMessageTooBig):
		return nil, n.c.broken("it sends a message of more than %d bytes (option MaxMessage)", n.c.opts.MaxMessage)
	case websocket.CloseStatus(err) != -1:
		ce, _ := errors.AsType[websocket.CloseError](err)
		return nil, n.c.offline(fmt.Errorf("the backend closed it: %d %s", int(ce.Code), clean(ce.Reason)))
	}
	return nil, n.c.offline(fmt.Errorf("receive: %w", err))
}

func readAll(r io.Reader, progress func(n int)) ([]byte, error) {
	buf := make([]byte, 0, 1024)
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, make([]byte, max(1024, cap(buf)))...)[:len(buf)]
		}
		k, err := r.Read(buf[len(buf):min(cap(buf), len(buf)+atOnce)]) // a Read of a frame waits until all of it is full
		buf = buf[:len(buf)+k]
		if k > 0 {
			progress(k)
		}
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (n *conn) hear() { n.heard.Add(1) }

// answered notes that something came, for those who wait for a sign of life.
func (n *conn) answered() {
	n.mu.Lock()
	if n.news != nil {
		close(n.news)
		n.news = nil
	}
	n.mu.Unlock()
	n.c.mu.Lock()
	first := !n.c.answered
	n.c.mu.Unlock()
	if first {
		n.c.update(func() {
			if n.c.conn == n {
				n.c.answered, n.c.err = true, nil
			}
		})
	}
}

// receive hands a message to the request it is for. What nobody waits for is ignored: its request was interrupted.
func (n *conn) receive(m wire.ServerMessage) {
	var id wire.ID
	switch m := m.(type) {
	case *wire.Chunk:
		id = m.ID
	case *wire.Exit:
		id = m.ID
	case *wire.Defect:
		n.end(n.c.broken("it reports a defect of the connection: %s", clean(string(m.Defect))))
		return
	default:
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	r := n.requests[id]
	if r == nil {
		return
	}
	if _, ok := m.(*wire.Exit); ok {
		r.over = true // the backend is done with it
		delete(n.requests, id)
	}
	select {
	case r.answers <- m:
	default:
		if !r.over {
			r.over = true
			delete(n.requests, id)
			n.interrupts = append(n.interrupts, id)
			n.wakeWriter()
		}
		close(r.lapsed)
	}
}
