package server

import (
	"context"
	"sync"
	"time"

	"github.com/livestore-go/livestore/internal/room"
	"github.com/livestore-go/livestore/internal/wire"
)

// host is the driver of the room of one store: the goroutine that everything about the store goes through, from the first connection
// until nobody has been there for a while.
type host struct {
	server  *Server
	storeID string
	users   int  // guarded by Server.mu: connections, and requests that wait for it to open
	ending  bool // guarded by Server.mu: nobody may come in any more

	opened chan struct{} // closed when err is set, and the room is open if that is nil
	err    error
	gone   chan struct{} // closed when the log is closed

	inbox chan input
	wake  chan struct{} // one slot: there is something in drained, or nobody is here any more

	mu      sync.Mutex
	drained []*conn // connections of which more was written since the room was told, each once

	room *room.Room
	log  Log
}

// input is one thing for a room, in the order in which its connection wants it.
type input struct {
	kind    inputKind
	conn    *conn
	message wire.ClientMessage // of message
	id      wire.ID            // of refusal
	err     error              // of malformed and refusal
	done    chan struct{}      // of fence: closed when everything before is done
}

type inputKind uint8

const (
	join inputKind = iota
	leave
	message
	malformed
	refusal
	fence
)

// inboxSize is how many inputs may wait for a room. A connection waits to hand in the next: what it has read so far is all there is.
const inboxSize = 32

// staleRetry is how soon a room that does not know the head of its log asks again.
const staleRetry = time.Second

// acquire returns the host of a store with one more user, once it is open.
func (s *Server) acquire(ctx context.Context, storeID string) (*host, error) {
	for {
		h, ending := s.host(storeID)
		if ending {
			// A log is open once at a time, so the one before must be closed first.
			select {
			case <-h.gone:
				continue
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		select {
		case <-h.opened:
			if h.err == nil {
				return h, nil
			}
			s.release(h)
			return nil, h.err
		case <-ctx.Done():
			s.release(h)
			return nil, ctx.Err()
		}
	}
}

// host returns the host of a store with one more user, or one that is ending.
func (s *Server) host(storeID string) (h *host, ending bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h = s.hosts[storeID]
	if h == nil {
		h = &host{
			server: s, storeID: storeID, opened: make(chan struct{}), gone: make(chan struct{}),
			inbox: make(chan input, inboxSize), wake: make(chan struct{}, 1),
		}
		s.hosts[storeID] = h
		s.running.Go(h.run)
	}
	if h.ending {
		return h, true
	}
	h.users++
	return h, false
}

// release takes one user from a host.
func (s *Server) release(h *host) {
	s.mu.Lock()
	h.users--
	s.mu.Unlock()
	signal(h.wake)
}

// empty says whether nobody is here, and with end closes the door if so.
func (h *host) empty(end bool) bool {
	h.server.mu.Lock()
	defer h.server.mu.Unlock()
	h.ending = h.ending || end && h.users == 0
	return h.users == 0
}

// put hands an input in. It waits while the room is busy; the room takes it for as long as its connection has not left.
func (h *host) put(in input) { h.inbox <- in }

// wrote says that more was written to a connection. It does not wait.
func (h *host) wrote(c *conn) {
	if c.reported.Swap(true) {
		return
	}
	h.mu.Lock()
	h.drained = append(h.drained, c)
	h.mu.Unlock()
	signal(h.wake)
}

// run opens the log, serves the room until it is left alone, and closes the log.
func (h *host) run() {
	s := h.server
	log := s.logger.With("store", h.storeID)
	h.log, h.err = s.storage.Open(s.ctx, h.storeID)
	if h.err == nil {
		h.room = room.New(room.Config{StoreID: h.storeID, Log: h.log, Logger: log})
		log.Debug("the store is open", "backend", h.log.BackendID())
	}
	if h.err != nil {
		s.mu.Lock()
		h.ending = true // who comes from now on tries anew
		s.mu.Unlock()
	}
	close(h.opened)
	if h.err == nil {
		h.loop()
		if err := h.log.Close(); err != nil {
			log.Error("the log of the store was not closed properly", "err", err)
		}
		log.Debug("the store is closed")
	}
	s.mu.Lock()
	delete(s.hosts, h.storeID)
	s.mu.Unlock()
	close(h.gone)
}

// loop feeds the room and carries out what comes of it, until nobody has been here for a while or the server stops.
func (h *host) loop() {
	s := h.server
	idle := time.NewTimer(s.limits.IdleRoom)
	defer idle.Stop()
	var retry <-chan time.Time // nil while the room knows its head
	stopped := s.stopped
	for {
		select {
		case in := <-h.inbox:
			h.feed(in)
		case <-h.wake:
			h.woken(idle)
		case <-retry:
			retry = nil
			h.room.Wake(s.ctx)
		case <-idle.C:
			if h.empty(true) {
				return
			}
		case <-stopped:
			if h.empty(true) {
				return
			}
			stopped = nil // connections are leaving; the last one wakes it
			idle.Reset(time.Millisecond)
		}
		h.settle(idle)
		if retry == nil && h.room.Stale() {
			retry = time.After(staleRetry)
		}
	}
}

// settle carries out the effects of what was fed, and lets the room read on in pieces between which it takes what has come meanwhile:
// a long pull holds nobody up.
func (h *host) settle(idle *time.Timer) {
	for more := true; more; {
		more = h.room.Pump(h.server.ctx)
		h.carryOut()
		select {
		case in := <-h.inbox:
			h.feed(in)
			more = true
		case <-h.wake:
			h.woken(idle)
			more = true
		default:
		}
	}
}

// feed gives one input to the room.
func (h *host) feed(in input) {
	c := in.conn
	switch in.kind {
	case join:
		h.room.Join(c)
	case leave:
		h.room.Leave(c)
		signal(h.wake)
	case message:
		h.room.Receive(h.server.ctx, c, in.message, time.Now())
	case malformed:
		h.room.Malformed(c, in.err)
	case refusal:
		h.room.Refuse(c, in.id, in.err)
	case fence:
		h.carryOut()
		close(in.done)
		return
	}
	h.carryOut()
	h.hold(c)
}

// hold stops or resumes the reader of a connection.
func (h *host) hold(c *conn) {
	if full := h.room.Full(c); !full && c.full.Swap(false) {
		signal(c.queue.room)
	} else if full {
		c.full.Store(true)
	}
}

// woken looks at what was written, and whether the last one has gone.
func (h *host) woken(idle *time.Timer) {
	h.drain()
	if h.empty(false) {
		idle.Reset(h.server.limits.IdleRoom)
	}
}

// drain tells the room what was written.
func (h *host) drain() {
	h.mu.Lock()
	drained := h.drained
	h.drained = nil
	h.mu.Unlock()
	for _, c := range drained {
		c.reported.Store(false)
		if n := c.written.Swap(0); n > 0 {
			h.room.Drained(c, int(n))
			h.hold(c)
		}
	}
}

// carryOut carries out the effects.
func (h *host) carryOut() {
	for _, e := range h.room.Effects() {
		c := e.Conn.(*conn) //nolint:forcetypeassert // it is this package that let it in
		if e.Close != nil {
			c.cut(e.Close)
			continue
		}
		c.queue.put(frame{data: e.AppendFrame(nil), counted: true})
	}
}
