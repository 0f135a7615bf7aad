package room

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/wire"
)

// createdAt is how the creation time of an event is written.
const createdAt = "2006-01-02T15:04:05.000Z"

// push checks a batch, appends it, publishes it and answers. The answer waits for the live pulls of the same connection that are about
// to bring the events: clients take those for the confirmation.
func (r *Room) push(ctx context.Context, c *conn, m *wire.Push, now time.Time) {
	if !r.claim(c, m.ID) {
		return
	}
	answer := held{exit: &wire.Exit{ID: m.ID, Value: []byte(wire.PushValue)}}
	if refused := r.admit(ctx, m); refused != nil {
		r.reply(c, refused)
		return
	}
	if len(m.Batch) > 0 {
		if refused := r.append(ctx, m, now); refused != nil {
			r.reply(c, refused)
			return
		}
		answer.last = r.head
	}
	if c.gone { // publishing released one answer too many
		return
	}
	c.held = append(c.held, answer)
	r.settle(ctx, c)
	r.bound(c)
}

// admit returns the exit that refuses a push, nil when it may be appended.
func (r *Room) admit(ctx context.Context, m *wire.Push) *wire.Exit {
	if why := r.otherStore(m.StoreID); why != "" {
		return unknown(m.ID, causeStore, why)
	}
	if len(m.Batch) == 0 {
		return nil
	}
	if m.BackendID != "" && m.BackendID != r.id {
		return r.otherBackend(m.ID, m.BackendID)
	}
	if why := r.invalid(m.Batch); why != "" {
		return unknown(m.ID, causeInvalidBatch, why)
	}
	parent := m.Batch[0].ParentSeqNum
	if r.stale || parent > r.head { // the client may have heard of events from another server
		if err := r.refresh(ctx); err != nil {
			return unknown(m.ID, causeStorage,
				fmt.Sprintf("the server can not read the log of store %s now, and nothing was stored: push again later", r.cfg.StoreID))
		}
	}
	if parent != r.head {
		return failure(m.ID, &wire.ServerAheadError{MinimumExpectedNum: r.head, ProvidedNum: parent})
	}
	return nil
}

// invalid says what is wrong with a batch, empty when nothing is.
func (r *Room) invalid(batch []event.Global) string {
	if n, most := len(batch), r.limits.PushEvents; n > most {
		return fmt.Sprintf("the push has %d events and at most %d are taken: push them in turn", n, most)
	}
	for i := range batch {
		e := &batch[i]
		bad := func(format string, args ...any) string {
			return fmt.Sprintf("event %d of the push (number %d): ", i, e.SeqNum) + fmt.Sprintf(format, args...)
		}
		switch {
		case i > 0 && e.ParentSeqNum != batch[i-1].SeqNum:
			return bad("its parent is %d and the event before it is %d: the events of a push follow each other", e.ParentSeqNum, batch[i-1].SeqNum)
		case e.ParentSeqNum < 0 || e.SeqNum != e.ParentSeqNum+1:
			return bad("its parent is %d: an event has the number that follows its parent's", e.ParentSeqNum)
		case e.SeqNum > wire.MaxNumber:
			return bad("the largest number is %d", int64(wire.MaxNumber))
		case e.Name == "" || len(e.Name) > r.limits.NameBytes:
			return bad("its name has %d bytes and should have 1 to %d", len(e.Name), r.limits.NameBytes)
		case e.ClientID == "" || len(e.ClientID) > r.limits.IDBytes:
			return bad("its client id has %d bytes and should have 1 to %d", len(e.ClientID), r.limits.IDBytes)
		case e.SessionID == "" || len(e.SessionID) > r.limits.IDBytes:
			return bad("its session id has %d bytes and should have 1 to %d", len(e.SessionID), r.limits.IDBytes)
		}
	}
	return ""
}

// append makes a batch durable and publishes it, or returns the exit of a push of which it can not say so.
func (r *Room) append(ctx context.Context, m *wire.Push, now time.Time) *wire.Exit {
	events := logged(m.Batch, now.UTC().Format(createdAt))
	out := toWire(events)
	if big := r.tooLarge(out); big != nil {
		return unknown(m.ID, causeTooLarge,
			fmt.Sprintf("event %d (%s) has %d bytes, and with what goes around it at most %d fit: "+
				"keep large values outside and put a reference into the event", big.SeqNum, big.Name, wire.EventSize(*big), wire.MaxBytes))
	}
	parent := r.head
	err := r.log.Append(ctx, parent, events)
	if err == nil {
		r.publish(ctx, out)
		return nil
	}
	if e, ok := errors.AsType[*HeadError](err); ok && e.Head > parent { // another server was first
		r.advance(e.Head)
		return failure(m.ID, &wire.ServerAheadError{MinimumExpectedNum: r.head, ProvidedNum: parent})
	}
	r.cfg.Logger.Error("events can not be appended", "store", r.cfg.StoreID, "parent", parent, "events", len(events), "err", err)
	_ = r.refresh(ctx) // they may be there all the same; nothing is built on a head that is not known
	return unknown(m.ID, causeStorage,
		fmt.Sprintf("the server can not say whether the events were stored in the log of store %s: pull before you push again", r.cfg.StoreID))
}

// logged returns events as the log keeps them. They are copied out of the frame they came in, of which they may be a small part.
func logged(pushed []event.Global, createdAt string) []Event {
	size := 0
	for i := range pushed {
		size += len(pushed[i].Args)
	}
	args := make([]byte, 0, size)
	events := make([]Event, len(pushed))
	for i, e := range pushed {
		if len(e.Args) == 0 {
			e.Args = []byte("null")
		} else {
			from := len(args)
			args = append(args, e.Args...)
			e.Args = args[from:len(args):len(args)]
		}
		events[i] = Event{Global: e, CreatedAt: createdAt}
	}
	return events
}

// tooLarge returns the first event that fits into no chunk, nil when there is none.
func (r *Room) tooLarge(events []wire.Event) *wire.Event {
	for rest := events; len(rest) > 0; {
		n := wire.Fit(rest, r.id)
		if n == 0 {
			return &rest[0]
		}
		rest = rest[n:]
	}
	return nil
}

// publish gives a batch that was appended to the live pulls that stand at its parent. The others are behind, and get to it by reading.
func (r *Room) publish(ctx context.Context, events []wire.Event) {
	parent, head := r.head, events[len(events)-1].SeqNum
	var items []*item
	for run := range wire.Split(events, r.id) {
		it := newItem(run[0].ParentSeqNum, head, run, r.id)
		r.cache.put(it)
		items = append(items, it)
	}
	r.head = head
	r.sweep()
	for _, c := range r.order {
		for _, p := range c.pulls {
			if !p.paging && p.at == parent {
				r.follow(ctx, p, items)
			}
			r.offer(p)
		}
	}
}

// follow gives a pull items that follow its position, as long as its connection takes them.
func (r *Room) follow(ctx context.Context, p *pull, items []*item) {
	for _, it := range items {
		if p.c.gone || p.c.bytes >= r.limits.Window {
			return
		}
		r.deliver(ctx, p, it)
	}
}
