package room

import (
	"context"
	"slices"

	"github.com/livestore-go/livestore/internal/wire"
)

// Conn is a connection, as the driver names it: any comparable value, such as a pointer, that is of no other connection.
type Conn any

// conn is a connection in the room.
type conn struct {
	name    Conn
	pulls   []*pull // those that run, in the order they came
	waiting []*pull // those that wait for a request with their id to end
	held    []held
	ready   fifo[*pull] // pulls that can be given something, in turn
	queued  bool        // in the room's ready
	gone    bool        // has left

	flight  fifo[int] // what is under way: the bytes of a chunk, and a negative number for an answer
	bytes   int       // of the chunks under way
	replies int       // how many answers are under way
}

// held is the answer to a push that waits until the live pulls of its own connection have got the events.
type held struct {
	last int64 // the last event of the push
	exit *wire.Exit
}

// isReply stands for an answer in flight, where the bytes of a chunk would be.
const isReply = -1

// Join takes a connection in. A request of the HTTP transport is a connection of its own, with one message.
func (r *Room) Join(name Conn) {
	if r.conns[name] != nil {
		return
	}
	if r.left > len(r.conns) {
		r.sweep()
	}
	c := &conn{name: name}
	r.conns[name] = c
	r.order = append(r.order, c)
}

// Leave ends a connection: its requests end without an answer. One that is not in the room is nothing new.
func (r *Room) Leave(name Conn) {
	if c := r.conns[name]; c != nil {
		r.leave(c)
	}
}

func (r *Room) leave(c *conn) {
	delete(r.conns, c.name)
	*c = conn{name: c.name, gone: true} // what still refers to it shall not keep what it had
	r.left++
}

// close makes the driver close a connection.
func (r *Room) close(c *conn, why error) {
	r.effects = append(r.effects, Effect{Conn: c.name, Close: why})
	r.leave(c)
}

// reply sends an answer, whatever else is under way.
func (r *Room) reply(c *conn, m wire.ServerMessage) {
	if c.gone {
		return
	}
	r.effects = append(r.effects, Effect{Conn: c.name, Message: m})
	c.flight.push(isReply)
	c.replies++
	r.bound(c)
}

// bound closes a connection whose answers do not find an end.
func (r *Room) bound(c *conn) {
	if n := c.replies + len(c.held); n > 2*r.limits.Replies {
		r.close(c, &SlowReaderError{StoreID: r.cfg.StoreID, Replies: n})
	}
}

// Full says that a connection does not read its answers. The driver gives the room nothing more that it sent, not even the rest of a
// frame, until Drained has made it less than full.
func (r *Room) Full(name Conn) bool {
	c := r.conns[name]
	return c != nil && c.replies+len(c.held) >= r.limits.Replies
}

// Drained says that the first n of the messages under way to a connection are written.
func (r *Room) Drained(name Conn, n int) {
	c := r.conns[name]
	if c == nil {
		return
	}
	for range min(n, c.flight.len()) {
		if bytes := c.flight.pop(); bytes == isReply {
			c.replies--
		} else {
			c.bytes -= bytes
		}
	}
	r.enqueue(c)
}

// busy says whether a request with an id is still running.
func (c *conn) busy(id wire.ID) bool {
	if c.find(id) != nil {
		return true
	}
	for _, h := range c.held {
		if h.exit.ID == id {
			return true
		}
	}
	return false
}

// find returns the pull with an id.
func (c *conn) find(id wire.ID) *pull {
	for _, p := range c.pulls {
		if p.id == id {
			return p
		}
	}
	return nil
}

// settle answers the pushes whose events have come to all live pulls of the connection.
func (r *Room) settle(ctx context.Context, c *conn) {
	for len(c.held) > 0 {
		if slices.ContainsFunc(c.pulls, func(p *pull) bool { return p.owes(c.held[0].last) }) {
			return
		}
		exit := c.held[0].exit
		c.held = c.held[1:]
		r.reply(c, exit) // which may close the connection, and then there is nothing held any more
		r.resume(ctx, c, exit.ID)
	}
}
