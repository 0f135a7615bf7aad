package room

import (
	"context"
	"fmt"

	"github.com/livestore-go/livestore/internal/wire"
)

// maxPump is how many chunks one Pump sends: other inputs need not wait for more reads than this.
const maxPump = 16

// offer puts a pull in line if it can be given something.
func (r *Room) offer(p *pull) {
	if p.c.gone {
		return
	}
	if !p.done && !p.ready && p.wants(r.head) {
		p.ready = true
		p.c.ready.push(p)
	}
	r.enqueue(p.c)
}

// enqueue puts a connection in line if one of its pulls is, and it takes chunks.
func (r *Room) enqueue(c *conn) {
	if !c.queued && c.ready.len() > 0 && c.bytes < r.limits.Window {
		c.queued = true
		r.ready.push(c)
	}
}

// Pump gives pulls that can be given something, in turn, a chunk each. It stops after some, and returns whether more can be given now.
func (r *Room) Pump(ctx context.Context) (more bool) {
	for n := 0; n < maxPump && r.ready.len() > 0; {
		c := r.ready.pop()
		c.queued = false
		if c.gone || c.ready.len() == 0 || c.bytes >= r.limits.Window {
			continue
		}
		p := c.ready.pop()
		p.ready = false
		if !p.done && p.wants(r.head) {
			r.serve(ctx, p)
			n++
		}
		r.offer(p) // again, behind the others, of its connection and of the room
	}
	return r.ready.len() > 0
}

// serve gives a pull the chunk that follows its position.
func (r *Room) serve(ctx context.Context, p *pull) {
	it, err := r.next(ctx, p)
	if err != nil {
		r.cfg.Logger.Error("a pull ends because the log can not be read", "store", r.cfg.StoreID, "after", p.at, "err", err)
		r.finish(ctx, p, r.unreadable(p.id))
		return
	}
	r.deliver(ctx, p, it)
	if !p.paging && !p.live {
		r.finish(ctx, p, &wire.Exit{ID: p.id})
	}
}

// next returns what follows the position of a pull, read at most once for all pulls there.
func (r *Room) next(ctx context.Context, p *pull) (*item, error) {
	if p.at >= r.head { // only a pull that has got nothing yet: it learns the backend's id
		return newItem(p.at, p.at, nil, r.id), nil
	}
	// In its first phase a pull is told how much is left, so what was made for another head is not for it.
	if it := r.cache.get(p.at); it != nil && (!p.paging || it.head == r.head) {
		return it, nil
	}
	events, err := r.log.Read(ctx, p.at, wire.MaxEvents, wire.MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("read the log after event %d: %w", p.at, err)
	}
	if over := p.at + int64(len(events)) - r.head; over > 0 { // another server has appended, and the room is still to be told
		events = events[:len(events)-int(over)]
	}
	for i := range events {
		if want := p.at + int64(i); events[i].ParentSeqNum != want || events[i].SeqNum != want+1 {
			return nil, &GapError{StoreID: r.cfg.StoreID, After: want, Head: r.head}
		}
	}
	if len(events) == 0 {
		return nil, &GapError{StoreID: r.cfg.StoreID, After: p.at, Head: r.head}
	}
	out := toWire(events)
	n := max(wire.Fit(out, r.id), 1) // better a large chunk than a store nobody can read any more
	it := newItem(p.at, r.head, out[:n:n], r.id)
	r.cache.put(it)
	return it, nil
}

// deliver sends a chunk of a pull and moves its position.
func (r *Room) deliver(ctx context.Context, p *pull, it *item) {
	c := p.c
	r.effects = append(r.effects, Effect{Conn: c.name, Message: &wire.Chunk{ID: p.id, Items: it.items}, item: it})
	c.flight.push(len(it.json))
	c.bytes += len(it.json)
	p.at = it.last
	if p.paging {
		p.gate--
		p.paging = p.at < r.head
	}
	r.settle(ctx, c)
}
