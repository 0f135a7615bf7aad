package wsprovider

import (
	"context"
	"errors"
	"iter"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/wire"
	"github.com/livestore-go/livestore/provider"
)

// errLapsed ends a request whose answers came faster than they were taken. Its pull asks again from where it is.
var errLapsed = errors.New("more came than was taken")

// Pull implements provider.Client. Up to 16 messages of the backend wait for the consumer. When more come during a live pull, they are
// thrown away, and asked for again when the consumer has taken the 16: a slow consumer costs no memory and holds up nothing else.
func (c *client) Pull(ctx context.Context, from provider.Cursor, live bool) iter.Seq2[provider.Page, error] {
	return func(yield func(provider.Page, error) bool) {
		n, err := c.linked(ctx)
		if err != nil {
			yield(provider.Page{}, err)
			return
		}
		if live {
			c.pulledOn.Store(n)
		}
		p := &pull{n: n, at: from, live: live}
		defer p.stop()
		for {
			pages, err := p.next(ctx)
			for _, page := range pages {
				if !yield(page, nil) {
					return
				}
			}
			if err != nil {
				yield(provider.Page{}, err)
				return
			}
			if p.done {
				return
			}
		}
	}
}

// pull is a pull under way, on one connection.
type pull struct {
	n      *conn
	r      *request        // nil when there is none under way
	at     provider.Cursor // where the consumer is
	live   bool
	caught bool // the head of when the pull began has been reached
	done   bool
}

func (p *pull) stop() {
	if p.r != nil {
		p.n.forget(p.r)
	}
}

// next waits for what the backend sends next: some pages, and an error that comes after them.
func (p *pull) next(ctx context.Context) ([]provider.Page, error) {
	if p.r == nil {
		r, err := p.n.ask(ctx, p.request)
		if err != nil {
			return nil, err
		}
		p.r = r
	}
	m, err := p.n.next(ctx, p.r, !p.caught)
	if err == errLapsed { //nolint:errorlint // it is never wrapped
		p.r = nil
		if p.live { // there is more: how much, and whether it comes at all, the next answer says
			p.caught = false
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	switch m := m.(type) {
	case *wire.Chunk:
		if err := p.n.ack(ctx, p.r); err != nil && ctx.Err() != nil {
			return nil, err // an ended connection is said by what comes next
		}
		return p.pages(m)
	case *wire.Exit:
		p.r = nil
		p.done = true
		if len(m.Failure) > 0 {
			err := p.n.c.failure(m.Failure)
			if e, ok := errors.AsType[*provider.RejectedError](err); ok { // a rule of the backend is against the pull
				err = &provider.RefusedError{StoreID: e.StoreID, Why: e.Why}
			}
			return nil, err
		}
		if p.live {
			return nil, p.n.c.broken("it ends a live pull at e%d", p.at.After)
		}
	}
	return nil, nil
}

func (p *pull) request(id wire.ID) wire.ClientMessage {
	m := &wire.Pull{ID: id, StoreID: p.n.c.cfg.StoreID, Payload: p.n.payload, Live: p.live}
	if p.at.BackendID != "" {
		m.Cursor = &wire.Cursor{BackendID: p.at.BackendID, After: p.at.After}
	}
	return m
}

func (p *pull) pages(m *wire.Chunk) ([]provider.Page, error) {
	pages := make([]provider.Page, 0, len(m.Items))
	for _, item := range m.Items {
		if p.caught && !p.live {
			break // pushes after the end, which the official backend also sends to pulls that are not live
		}
		page, err := p.page(item)
		if err != nil {
			return pages, err
		}
		pages = append(pages, page)
	}
	return pages, nil
}

// page checks that an item follows what came before.
func (p *pull) page(item wire.Item) (provider.Page, error) {
	if item.BackendID == "" {
		return provider.Page{}, p.n.c.broken("it sends events without its identity")
	}
	if p.at.BackendID != "" && item.BackendID != p.at.BackendID {
		return provider.Page{}, &provider.IdentityError{
			StoreID: p.n.c.cfg.StoreID, Backend: item.BackendID, Received: p.at.BackendID,
		}
	}
	page := provider.Page{BackendID: item.BackendID, Events: make([]event.Global, len(item.Events))}
	after := p.at.After
	for i, e := range item.Events {
		if e.SeqNum != after+1 || e.ParentSeqNum != after {
			return provider.Page{}, p.n.c.broken("a pull is at e%d, and e%d after e%d comes: pull again", after, e.SeqNum, e.ParentSeqNum)
		}
		after = e.SeqNum
		page.Events[i] = e.Global
	}
	switch item.Page.Kind {
	case wire.MoreKnown:
		page.Remaining = item.Page.Remaining
	case wire.MoreUnknown:
		page.Remaining = -1
	}
	if p.caught {
		page.Remaining = 0
	}
	if page.Remaining == 0 {
		p.caught = true
		p.n.c.worked.Store(true)
	}
	p.at = provider.Cursor{BackendID: item.BackendID, After: after}
	return page, nil
}
