package providertest

import (
	"context"
	"iter"
	"slices"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/provider"
)

// client is a client of the backend in memory. The backend's mutex guards all of it.
type client struct {
	b      *Backend
	cfg    provider.Config
	closed chan struct{}

	link     chan struct{} // closed when the connection ends; nil while there is none
	pulledOn chan struct{} // link of the last live pull
	err      error         // why there is none
	changed  chan struct{} // closed when link or err has changed
}

func (b *Backend) newClient(cfg provider.Config) *client {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := &client{b: b, cfg: cfg, closed: make(chan struct{}), changed: make(chan struct{})}
	b.clients = append(b.clients, c)
	c.connect()
	return c
}

// connect tries to connect a client that is not. The backend is locked.
func (c *client) connect() {
	if c.link != nil {
		return
	}
	was := c.err
	c.err = nil
	if c.b.down {
		c.err = &provider.OfflineError{StoreID: c.cfg.StoreID, Err: errDown}
	} else if c.b.authorize != nil {
		if err := c.b.authorize(c.cfg.StoreID, c.cfg.Payload); err != nil {
			c.err = &provider.RefusedError{StoreID: c.cfg.StoreID, Why: err.Error()}
		}
	}
	if c.err == nil {
		c.link = make(chan struct{})
	}
	if c.err == nil || was == nil || c.err.Error() != was.Error() {
		c.wake()
	}
}

// disconnect cuts the connection, when there is one. The backend is locked.
func (c *client) disconnect(why error) {
	if c.link == nil {
		return
	}
	close(c.link)
	c.link, c.err = nil, &provider.OfflineError{StoreID: c.cfg.StoreID, Err: why}
	c.wake()
}

func (c *client) wake() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// linked waits for a connection. A client that was refused asks again.
func (c *client) linked(ctx context.Context) (chan struct{}, error) {
	c.b.mu.Lock()
	if _, refused := c.err.(*provider.RefusedError); refused { //nolint:errorlint // it is what connect made
		c.connect()
	}
	c.b.mu.Unlock()
	for {
		c.b.mu.Lock()
		link, err, changed := c.link, c.err, c.changed
		c.b.mu.Unlock()
		select {
		case <-c.closed:
			return nil, provider.ErrClosed
		default:
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if link != nil {
			return link, nil
		}
		if refused, ok := err.(*provider.RefusedError); ok { //nolint:errorlint // it is what connect made
			return nil, refused
		}
		select {
		case <-changed:
		case <-ctx.Done():
		case <-c.closed:
		}
	}
}

func (c *client) Connect(ctx context.Context) error {
	_, err := c.linked(ctx)
	return err
}

func (c *client) Ping(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	select {
	case <-c.closed:
		return provider.ErrClosed
	default:
	}
	if c.link != nil {
		return nil
	}
	if _, ok := c.err.(*provider.OfflineError); ok { //nolint:errorlint // it is what connect made
		return c.err
	}
	return &provider.OfflineError{StoreID: c.cfg.StoreID, Err: c.err}
}

func (c *client) Push(ctx context.Context, backendID string, batch []event.Global) error {
	c.b.mu.Lock()
	on := c.pulledOn
	c.b.mu.Unlock()
	if on == nil {
		var err error
		if on, err = c.linked(ctx); err != nil {
			return err
		}
	}
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	select {
	case <-c.closed:
		return provider.ErrClosed
	default:
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case c.link != on:
		return &provider.OfflineError{StoreID: c.cfg.StoreID, Err: errDropped}
	}
	return c.b.push(c.cfg.StoreID, backendID, batch)
}

func (c *client) Pull(ctx context.Context, from provider.Cursor, live bool) iter.Seq2[provider.Page, error] {
	return func(yield func(provider.Page, error) bool) {
		link, err := c.linked(ctx)
		if err != nil {
			yield(provider.Page{}, err)
			return
		}
		if live {
			c.b.mu.Lock()
			c.pulledOn = link
			c.b.mu.Unlock()
		}
		p := &pull{c: c, link: link, id: from.BackendID, after: from.After, goal: -1}
		for {
			page, err := p.next(ctx)
			if err != nil {
				yield(provider.Page{}, err)
				return
			}
			if !yield(page, nil) || !live && page.Remaining == 0 {
				return
			}
		}
	}
}

// pull is a pull under way. Its link is the connection it began on.
type pull struct {
	c     *client
	link  chan struct{}
	id    string
	after int64
	goal  int64 // head when the pull began; -1 before the first page
}

// next waits for the next page.
func (p *pull) next(ctx context.Context) (provider.Page, error) {
	for {
		page, changed, err := p.read(ctx)
		if err != nil || changed == nil {
			return page, err
		}
		select {
		case <-changed:
		case <-p.link:
		case <-p.c.closed:
		case <-ctx.Done():
		}
	}
}

// read returns a page, or a channel to wait for when there is none.
func (p *pull) read(ctx context.Context) (provider.Page, <-chan struct{}, error) {
	b, storeID := p.c.b, p.c.cfg.StoreID
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-p.c.closed:
		return provider.Page{}, nil, provider.ErrClosed
	default:
	}
	select {
	case <-p.link:
		return provider.Page{}, nil, &provider.OfflineError{StoreID: storeID, Err: errDropped}
	default:
	}
	if ctx.Err() != nil {
		return provider.Page{}, nil, ctx.Err()
	}
	l := b.log(storeID)
	if p.id != "" && p.id != l.id {
		return provider.Page{}, nil, &provider.IdentityError{StoreID: storeID, Backend: l.id, Received: p.id}
	}
	p.id = l.id
	first := p.goal < 0
	if first {
		p.goal = l.head()
	}
	events := l.page(p.after, b.limits)
	if len(events) == 0 && !first {
		return provider.Page{}, l.changed, nil
	}
	if len(events) > 0 {
		p.after = events[len(events)-1].SeqNum
	}
	return provider.Page{BackendID: l.id, Events: events, Remaining: int(max(0, p.goal-p.after))}, nil, nil
}

func (c *client) Status() (provider.Status, <-chan struct{}) {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	return provider.Status{Connected: c.link != nil, Err: c.err}, c.changed
}

func (c *client) Limits() provider.Limits {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	return c.b.limits
}

func (c *client) Reconnect() {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	select {
	case <-c.closed:
	default:
		c.connect()
	}
}

func (c *client) Close() error {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	select {
	case <-c.closed:
		return nil
	default:
	}
	close(c.closed)
	c.disconnect(provider.ErrClosed)
	c.b.clients = slices.DeleteFunc(c.b.clients, func(o *client) bool { return o == c })
	return nil
}
