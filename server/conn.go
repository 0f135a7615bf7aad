package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/livestore-go/livestore/internal/wire"
)

// conn is one WebSocket connection: a reader, which is the goroutine of its HTTP request, and a writer.
type conn struct {
	server *Server
	host   *host
	ws     *websocket.Conn
	net    net.Conn // below ws: closing it ends whatever ws does
	who    AuthRequest
	ctx    context.Context // over when the connection is
	end    context.CancelCauseFunc
	queue  *queue

	finishing atomic.Bool  // what is read from here on is not handed over any more
	heard     atomic.Int64 // when the client gave the last sign of life, in nanoseconds since the epoch
	reading   atomic.Bool  // the reader waits for the client, and not for the room
	full      atomic.Bool  // the room wants nothing more of it now
	written   atomic.Int64 // messages of the room that were written, and of which it does not know
	reported  atomic.Bool  // the host will look at written
	writer    sync.WaitGroup
}

func newConn(s *Server, h *host, ws *websocket.Conn, below net.Conn, who AuthRequest) *conn {
	c := &conn{server: s, host: h, ws: ws, net: below, who: who, queue: newQueue(s.limits.QueueBytes)}
	c.ctx, c.end = context.WithCancelCause(s.ctx)
	ws.SetReadLimit(s.limits.FrameBytes)
	c.hears()
	return c
}

func (c *conn) hears() { c.heard.Store(time.Now().UnixNano()) }

// serve serves the connection until it ends.
func (c *conn) serve() {
	log := c.server.logger.With("store", c.who.StoreID, "remote", c.who.RemoteAddr)
	log.Debug("a client is connected")
	c.host.put(input{kind: join, conn: c})
	c.writer.Go(func() {
		if err := c.write(); err != nil {
			c.cut(err)
		}
	})
	// Whatever happens in here, a panic of a hook included, the room learns that the connection is gone.
	defer func() {
		c.cut(nil)
		c.host.put(input{kind: leave, conn: c})
		c.writer.Wait()
		c.letGo()
		log.Debug("a client is gone", "why", context.Cause(c.ctx))
	}()
	why := c.read()
	c.linger(why)
	c.cut(why)
}

// linger lets the frame that says why the connection ends reach a client that is still sending: closing at once would make the network
// throw it away.
func (c *conn) linger(why error) {
	if websocket.CloseStatus(why) != -1 || c.ctx.Err() != nil || c.net == nil {
		return
	}
	_ = c.net.SetReadDeadline(time.Now().Add(lingerTime)) // whatever goes wrong in here, the end is the same
	_, _ = io.CopyN(io.Discard, c.net, lingerBytes)
}

// lingerTime and lingerBytes bound how long a connection that has ended is still read from.
const (
	lingerTime  = time.Second
	lingerBytes = 16 << 20
)

// cut ends the connection at once. The first reason counts.
func (c *conn) cut(why error) {
	c.end(why)
	c.queue.end()
	if c.net != nil {
		_ = c.net.Close() // it may be closed already, and is gone either way
	}
}

// letGo lets the memory of the connection be collected, when nobody uses it any more: the library keeps one that it has not closed itself
// for ever, by a finalizer within a cycle.
func (c *conn) letGo() { _ = c.ws.CloseNow() }

// finish ends the connection when all that it has asked for is done and all answers are written.
func (c *conn) finish() {
	c.finishing.Store(true)
	done := make(chan struct{})
	select {
	case c.host.inbox <- input{kind: fence, conn: c, done: done}:
	case <-c.ctx.Done():
		return
	}
	select {
	case <-done:
		c.queue.end()
	case <-c.ctx.Done():
		return
	}
	select {
	case <-time.After(goodbyeTime):
		c.cut(errors.New("the client did not take its leave in time"))
	case <-c.ctx.Done():
	}
}

// goodbyeTime is how long a client has, at a shutdown, to take what is still to be written and to close.
const goodbyeTime = 3 * time.Second

// read reads from the client until the connection ends, and says why it did.
func (c *conn) read() error {
	buf := make([]byte, 0, 512)
	slow := time.AfterFunc(time.Hour, func() { c.cut(errors.New("a message of the client did not arrive in time")) })
	slow.Stop()
	defer slow.Stop()
	for {
		c.reading.Store(true)
		_, r, err := c.ws.Reader(c.ctx)
		if err != nil {
			return err
		}
		slow.Reset(c.server.limits.ReadTimeout)
		data, err := readAll(r, buf[:0], c.hears)
		slow.Stop()
		if err != nil {
			return err
		}
		c.reading.Store(false)
		c.hears()
		// What is decoded shares memory with what it was decoded from, so a buffer that is used again is not handed on.
		if cap(data) <= keepBuffer {
			buf = data
			data = bytes.Clone(data)
		}
		if err := c.receive(data); err != nil {
			return err
		}
	}
}

// keepBuffer is the largest buffer that a connection keeps from one message to the next.
const keepBuffer = 16 << 10

// atOnce is how much of a message is waited for before it counts as a sign of life.
const atOnce = 16 << 10

// readAll reads a message to its end. It grows what it reads into as it fills, so that a client has to send what is allocated for it.
func readAll(r io.Reader, buf []byte, progress func()) ([]byte, error) {
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):min(cap(buf), len(buf)+atOnce)]) // a Read of a frame waits until all of it is full
		buf = buf[:len(buf)+n]
		if n > 0 {
			progress() // a large message on a slow link is no silence
		}
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// receive hands a message of the client to the room.
func (c *conn) receive(data []byte) error {
	messages, malformedErr := wire.DecodeClient(data)
	for _, m := range messages {
		in := input{kind: message, conn: c, message: m}
		if _, ping := m.(wire.Ping); !ping {
			c.ask(&in)
		}
		if err := c.wait(); err != nil {
			return err
		}
		switch _, ping := m.(wire.Ping); {
		case c.finishing.Load():
			return nil
		case ping:
			// It says that this connection lives, whatever the room is busy with.
			c.queue.put(frame{data: wire.AppendServer(nil, wire.Pong{})})
		default:
			c.host.put(in)
		}
	}
	if malformedErr == nil {
		return nil
	}
	if err := c.wait(); err != nil {
		return err
	}
	c.host.put(input{kind: malformed, conn: c, err: malformedErr})
	return nil
}

// ask asks the hooks of the app about a request, and turns it into a refusal when they are against it.
func (c *conn) ask(in *input) {
	var err error
	id := wire.ID{}
	switch m := in.message.(type) {
	case *wire.Push:
		if f := c.server.opts.OnPush; f != nil {
			id, err = m.ID, f(c.ctx, PushRequest{AuthRequest: c.who, Batch: m.Batch})
		}
	case *wire.Pull:
		if f := c.server.opts.OnPull; f != nil {
			r := PullRequest{AuthRequest: c.who, Live: m.Live}
			if m.Cursor != nil {
				r.After = m.Cursor.After
			}
			id, err = m.ID, f(c.ctx, r)
		}
	}
	if err != nil {
		*in = input{kind: refusal, conn: in.conn, id: id, err: err}
	}
}

// wait waits until there is room for an answer: who does not read what it gets is not read from.
func (c *conn) wait() error {
	for c.queue.full() || c.full.Load() {
		select {
		case <-c.queue.room:
		case <-c.ctx.Done():
			return context.Cause(c.ctx)
		}
	}
	return nil
}

// write writes what is in the queue until it has ended, and then closes the connection.
func (c *conn) write() error {
	limits := c.server.limits
	silence := time.NewTimer(limits.PingInterval)
	defer silence.Stop()
	var pinging sync.WaitGroup
	defer pinging.Wait()
	var frames []frame
	for {
		var ended bool
		frames, ended = c.queue.take(frames)
		for i := range frames {
			if err := c.writeFrame(frames[i].data, limits.WriteTimeout); err != nil {
				return err
			}
			c.queue.took(frames[i])
			if frames[i].counted {
				c.written.Add(1)
				c.host.wrote(c)
			}
			frames[i] = frame{} // it is written: a slow client's next one should not keep it
		}
		if len(frames) > 0 {
			continue
		}
		if ended {
			if c.ctx.Err() == nil {
				_ = c.ws.Close(websocket.StatusGoingAway, "the server is shutting down") // the peer may have left meanwhile
			}
			return nil
		}
		select {
		case <-c.queue.wake:
		case <-c.ctx.Done():
			return nil
		case <-silence.C:
			silence.Reset(c.checkSilence(&pinging))
		}
	}
}

func (c *conn) writeFrame(data []byte, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(c.ctx, timeout)
	defer cancel()
	err := c.ws.Write(ctx, websocket.MessageText, data)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("the client did not read for %s: %w", timeout, err)
	}
	return err
}

// checkSilence asks a client that was silent for a sign of life, and returns when to look again.
func (c *conn) checkSilence(pinging *sync.WaitGroup) time.Duration {
	limits := c.server.limits
	silent := time.Since(time.Unix(0, c.heard.Load()))
	if silent < limits.PingInterval {
		return limits.PingInterval - silent
	}
	// While the reader waits for the room a client may call as it likes, nobody hears it.
	if c.reading.Load() {
		pinging.Wait() // the one before: it has ended, since it takes less time than the interval, or the connection has
		pinging.Go(func() {
			ctx, cancel := context.WithTimeout(c.ctx, limits.PingTimeout)
			defer cancel()
			if err := c.ws.Ping(ctx); err == nil {
				c.hears()
			} else if c.reading.Load() {
				c.cut(fmt.Errorf("the client was silent for %s and did not answer a ping within %s", silent.Round(time.Second), limits.PingTimeout))
			}
		})
	}
	return max(limits.PingInterval, limits.PingTimeout+time.Second)
}

// hijacker keeps hold of the connection below a WebSocket connection.
type hijacker struct {
	http.ResponseWriter

	conn net.Conn
}

// Hijack implements [http.Hijacker].
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buf, err := http.NewResponseController(h.ResponseWriter).Hijack()
	h.conn = conn
	return conn, buf, err
}
