package wsprovider

import (
	"context"
	"errors"
	"fmt"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/wire"
	"github.com/livestore-go/livestore/provider"
)

// Push implements provider.Client. What no backend could hand out again, an event larger than Limits for instance, is refused without
// being sent: official backends store it, and then fail every pull that reaches it.
func (c *client) Push(ctx context.Context, backendID string, batch []event.Global) error {
	if err := c.checkBatch(batch); err != nil {
		return err
	}
	n, err := c.pushed(ctx)
	if err != nil {
		return err
	}
	r, err := n.ask(ctx, func(id wire.ID) wire.ClientMessage {
		return &wire.Push{ID: id, StoreID: c.cfg.StoreID, Payload: n.payload, Batch: batch, BackendID: backendID}
	})
	if err != nil {
		return err
	}
	defer n.forget(r)
	m, err := n.next(ctx, r, true)
	if err != nil {
		return err
	}
	exit, ok := m.(*wire.Exit)
	if !ok {
		return c.broken("it answers a push with events")
	}
	if len(exit.Failure) == 0 {
		return nil
	}
	err = c.failure(exit.Failure)
	if e, ok := errors.AsType[*provider.RejectedError](err); ok && len(batch) == 1 {
		e.Num, e.Name = batch[0].SeqNum, batch[0].Name // the backend says it in words only
	}
	return err
}

var errPullEnded = errors.New("the connection of the last live pull has ended: pull again")

// pushed returns the connection for a push: that of the last live pull, whose pages have shown which backend is behind it.
func (c *client) pushed(ctx context.Context) (*conn, error) {
	on := c.pulledOn.Load()
	switch {
	case on == nil:
		return c.linked(ctx)
	case c.ctx.Err() != nil:
		return nil, provider.ErrClosed
	case on.ctx.Err() != nil:
		return nil, c.offline(errPullEnded)
	}
	return on, nil
}

func (c *client) checkBatch(batch []event.Global) error {
	limits := c.Limits()
	if len(batch) > limits.Events {
		return &provider.RejectedError{
			StoreID: c.cfg.StoreID,
			Why:     fmt.Sprintf("it has %d events, and a push may hold %d", len(batch), limits.Events),
		}
	}
	total := 0
	for i, e := range batch {
		no := func(why string) error {
			return &provider.RejectedError{StoreID: c.cfg.StoreID, Num: e.SeqNum, Name: e.Name, Why: why}
		}
		size := wire.GlobalSize(e)
		total += size
		switch {
		case size > limits.Bytes:
			return no(fmt.Sprintf("it has %d bytes, and an event may have %d", size, limits.Bytes))
		case e.SeqNum != e.ParentSeqNum+1 || i > 0 && e.ParentSeqNum != batch[i-1].SeqNum:
			return no(fmt.Sprintf("e%d after e%d does not follow what is before it", e.SeqNum, e.ParentSeqNum))
		}
	}
	if total > limits.Bytes {
		return &provider.RejectedError{
			StoreID: c.cfg.StoreID,
			Why:     fmt.Sprintf("it has %d bytes, and a push may hold %d", total, limits.Bytes),
		}
	}
	return nil
}
