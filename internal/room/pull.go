package room

import (
	"context"
	"fmt"
	"slices"

	"github.com/livestore-go/livestore/internal/wire"
)

// maxAhead is how many pages a client may acknowledge ahead: what the official client holds in its buffer.
const maxAhead = 16

// pull is one pull that runs: a position in the log.
type pull struct {
	c      *conn
	id     wire.ID
	at     int64 // the client has been sent everything up to here
	live   bool
	free   bool // its pages need no acknowledgement
	paging bool // in its first phase, which ends with the page that reaches the head
	gate   int  // pages that may be sent before the next acknowledgement
	ready  bool // in ready of its connection
	done   bool // has ended

	refused *wire.Exit // why it will not start, nil when it will
}

// wants says whether a pull can be given something now.
func (p *pull) wants(head int64) bool {
	if p.paging {
		return p.free || p.gate > 0
	}
	return p.at < head
}

// owes says whether a pull is about to bring an event: it is live, has not yet, and does not wait for the client.
func (p *pull) owes(event int64) bool {
	return p.live && p.at < event && (!p.paging || p.gate > 0)
}

// pull starts a pull. With the id of a request that still runs, it waits for that to end, as in the official server.
func (r *Room) pull(ctx context.Context, c *conn, m *wire.Pull) {
	busy := c.busy(m.ID)
	switch many := len(c.pulls)+len(c.waiting) >= r.limits.Pulls; {
	case busy && many:
		r.claim(c, m.ID)
	case busy:
		c.waiting = append(c.waiting, r.prepare(c, m))
	case many:
		r.reply(c, unknown(m.ID, causeTooMany,
			fmt.Sprintf("the connection has %d pulls and may not have more: end one, or use one live pull for each store", r.limits.Pulls)))
	default:
		r.start(ctx, r.prepare(c, m))
	}
}

// prepare makes a pull of a request, refused if something is wrong with it. It keeps nothing else of the request, which may be large.
func (r *Room) prepare(c *conn, m *wire.Pull) *pull {
	p := &pull{c: c, id: m.ID, live: m.Live && !m.HTTP, free: m.HTTP, paging: true, gate: 1}
	if why := r.otherStore(m.StoreID); why != "" {
		p.refused = unknown(m.ID, causeStore, why)
	}
	if m.Cursor != nil {
		p.at = m.Cursor.After
		if p.refused == nil && m.Cursor.BackendID != r.id {
			p.refused = r.otherBackend(m.ID, m.Cursor.BackendID)
		}
	}
	return p
}

// start starts a pull whose id is free.
func (r *Room) start(ctx context.Context, p *pull) {
	switch c := p.c; {
	case p.refused != nil:
		r.reply(c, p.refused)
	case r.stale && r.refresh(ctx) != nil:
		r.reply(c, r.unreadable(p.id))
	default:
		c.pulls = append(c.pulls, p)
		r.offer(p)
	}
}

// unreadable is the exit of a pull whose events the log does not give.
func (r *Room) unreadable(id wire.ID) *wire.Exit {
	return unknown(id, causeStorage, fmt.Sprintf("the server can not read the log of store %s now: pull again later", r.cfg.StoreID))
}

// acknowledge lets the next page of a pull go.
func (r *Room) acknowledge(c *conn, id wire.ID) {
	if p := c.find(id); p != nil && p.paging {
		p.gate = min(p.gate+1, maxAhead)
		r.offer(p)
	}
}

// interrupt ends what runs under an id. A push that is interrupted is stored all the same: it was before it could be interrupted.
func (r *Room) interrupt(ctx context.Context, c *conn, id wire.ID) {
	exit := &wire.Exit{ID: id, Failure: []wire.Reason{{Kind: wire.Interrupted}}}
	if p := c.find(id); p != nil {
		r.finish(ctx, p, exit)
		return
	}
	for i := range c.held {
		if c.held[i].exit.ID == id {
			c.held = slices.Delete(c.held, i, i+1)
			r.reply(c, exit)
			r.resume(ctx, c, id)
			return
		}
	}
}

// finish ends a pull with its answer.
func (r *Room) finish(ctx context.Context, p *pull, exit *wire.Exit) {
	c := p.c
	p.done = true
	c.pulls = slices.DeleteFunc(c.pulls, func(q *pull) bool { return q == p })
	r.reply(c, exit)
	r.settle(ctx, c)
	r.resume(ctx, c, p.id)
}

// resume starts the pulls that waited for an id to become free.
func (r *Room) resume(ctx context.Context, c *conn, id wire.ID) {
	for !c.gone && !c.busy(id) {
		i := slices.IndexFunc(c.waiting, func(p *pull) bool { return p.id == id })
		if i < 0 {
			return
		}
		p := c.waiting[i]
		c.waiting = slices.Delete(c.waiting, i, i+1)
		r.start(ctx, p)
	}
}
