package providertest

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/provider"
)

var errLost = errors.New("the connection ended before the answer came")

// Faults is a provider that stands before another one and does what networks and backends do on bad days. Each fault can be switched at
// any time, also for what is under way; the zero of each is none. All methods may be called from any goroutine.
type Faults struct {
	inner provider.Provider

	mu      sync.Mutex
	changed chan struct{} // closed and made anew when one of the following has changed
	epoch   int           // counts drops
	offline bool
	silent  bool
	refused string
	delay   time.Duration
	slow    time.Duration

	loseStored, loseUnstored     int
	failPushes                   []error
	doublePages, losePages, swap int
}

// NewFaults returns a provider that hands everything on to another one, until a fault is switched on.
func NewFaults(inner provider.Provider) *Faults {
	return &Faults{inner: inner, changed: make(chan struct{})}
}

// Drop ends everything that is under way with an *provider.OfflineError. What begins afterwards works.
func (f *Faults) Drop() { f.set(func() { f.epoch++ }) }

// Offline ends everything that is under way and lets nothing through, until it is called with false.
func (f *Faults) Offline(on bool) {
	f.set(func() {
		f.offline = on
		f.epoch++
	})
}

// Silent is a half-open connection: nothing that is sent arrives and nothing comes in any more, while the connection seems to be
// there. It lasts until it is called with false, which sends what has waited. [Faults.Drop] fails what waits.
func (f *Faults) Silent(on bool) { f.set(func() { f.silent = on }) }

// Refuse ends everything that is under way, and everything that begins gets a *provider.RefusedError with this reason. An empty reason lets
// everything through again.
func (f *Faults) Refuse(why string) {
	f.set(func() {
		f.refused = why
		if why != "" {
			f.epoch++
		}
	})
}

// Delay lets each call and each page take this much longer.
func (f *Faults) Delay(d time.Duration) { f.set(func() { f.delay = d }) }

// Slow lets this time pass before each page.
func (f *Faults) Slow(d time.Duration) { f.set(func() { f.slow = d }) }

// LoseAnswers lets the next n pushes end with an *provider.OfflineError: after the backend has stored them, or before they reach it.
func (f *Faults) LoseAnswers(n int, stored bool) {
	f.set(func() {
		if stored {
			f.loseStored = n
		} else {
			f.loseUnstored = n
		}
	})
}

// FailPushes lets the next pushes end with these errors, one each, before they reach the backend. A nil error lets its push through.
func (f *Faults) FailPushes(errs ...error) {
	f.set(func() { f.failPushes = append([]error(nil), errs...) })
}

// DoublePages lets the next n pages with events come twice.
func (f *Faults) DoublePages(n int) { f.set(func() { f.doublePages = n }) }

// LosePages lets the next n pages with events not come: what follows leaves a gap.
func (f *Faults) LosePages(n int) { f.set(func() { f.losePages = n }) }

// SwapPages lets the next n pages with events come after the page that follows them, as the official backend may do it with what
// is pushed during a pull. When none follows, they do not come at all.
func (f *Faults) SwapPages(n int) { f.set(func() { f.swap = n }) }

func (f *Faults) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	close(f.changed)
	f.changed = make(chan struct{})
}

// take uses up one of a count.
func (f *Faults) take(n *int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if *n == 0 {
		return false
	}
	*n--
	return true
}

// Client implements provider.Provider. The client must be closed.
func (f *Faults) Client(cfg provider.Config) (provider.Client, error) {
	inner, err := f.inner.Client(cfg)
	if err != nil {
		return nil, err
	}
	c := &faulty{f: f, inner: inner, storeID: cfg.StoreID, closed: make(chan struct{}), changed: make(chan struct{})}
	from, here := c.sources()
	c.wg.Go(func() { c.follow(from, here) })
	return c, nil
}

// faulty is a client behind faults.
type faulty struct {
	f       *Faults
	inner   provider.Client
	storeID string
	once    sync.Once
	closed  chan struct{}
	wg      sync.WaitGroup

	mu       sync.Mutex
	changed  chan struct{} // what Status hands out
	pulled   bool          // there was a live pull
	pulledAt int           // the epoch it began in
}

// follow passes on that the status has changed, from the channels that say so. There are two places where it does.
func (c *faulty) follow(inner, outer <-chan struct{}) {
	for {
		select {
		case <-inner:
		case <-outer:
		case <-c.closed:
			return
		}
		inner, outer = c.sources() // before the change is told: what changes later is not missed
		c.mu.Lock()
		close(c.changed)
		c.changed = make(chan struct{})
		c.mu.Unlock()
	}
}

func (c *faulty) sources() (inner, outer <-chan struct{}) {
	_, inner = c.inner.Status()
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	return inner, c.f.changed
}

func (c *faulty) Status() (provider.Status, <-chan struct{}) {
	c.mu.Lock()
	changed := c.changed
	c.mu.Unlock()
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	switch {
	case c.f.refused != "":
		return provider.Status{Err: c.refusal()}, changed
	case c.f.offline:
		return provider.Status{Err: &provider.OfflineError{StoreID: c.storeID, Err: errDown}}, changed
	}
	status, _ := c.inner.Status()
	return status, changed
}

func (c *faulty) refusal() error { return &provider.RefusedError{StoreID: c.storeID, Why: c.f.refused} }

// begin waits until the faults let a call through, and returns a context that ends with the next drop.
func (c *faulty) begin(parent context.Context, wait bool) (context.Context, context.CancelFunc, error) {
	for {
		c.f.mu.Lock()
		offline, silent, refused, epoch, delay, changed := c.f.offline, c.f.silent, c.f.refused, c.f.epoch, c.f.delay, c.f.changed
		c.f.mu.Unlock()
		switch {
		case parent.Err() != nil:
			return nil, nil, parent.Err()
		case refused != "" && wait:
			return nil, nil, &provider.RefusedError{StoreID: c.storeID, Why: refused}
		case (offline || refused != "") && !wait:
			return nil, nil, &provider.OfflineError{StoreID: c.storeID, Err: errDown}
		case !offline && !silent:
			ctx, cancel := c.until(parent, epoch)
			if err := pause(ctx, delay); err != nil {
				cancel()
				return nil, nil, c.why(ctx, parent, err)
			}
			return ctx, cancel, nil
		}
		select {
		case <-changed:
			c.f.mu.Lock()
			dropped := silent && !offline && c.f.epoch != epoch
			c.f.mu.Unlock()
			if dropped {
				return nil, nil, &provider.OfflineError{StoreID: c.storeID, Err: errDropped}
			}
		case <-parent.Done():
		case <-c.closed:
			return nil, nil, provider.ErrClosed
		}
	}
}

// until returns a context that ends when there was a drop after an epoch. Its cancel waits for the goroutine behind it.
func (c *faulty) until(parent context.Context, epoch int) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c.f.mu.Lock()
			now, changed := c.f.epoch, c.f.changed
			c.f.mu.Unlock()
			if now != epoch {
				cancel(errDropped)
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			case <-c.closed:
				cancel(provider.ErrClosed)
				return
			}
		}
	})
	return ctx, func() {
		cancel(nil)
		wg.Wait()
	}
}

// why tells an error that the faults have caused from one of the caller's context and of the inner client.
func (c *faulty) why(ctx, parent context.Context, err error) error {
	if err == nil || parent.Err() != nil {
		return err
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errDropped):
		return &provider.OfflineError{StoreID: c.storeID, Err: errDropped}
	case errors.Is(cause, provider.ErrClosed):
		return provider.ErrClosed
	}
	return err
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *faulty) Connect(ctx context.Context) error {
	inner, cancel, err := c.begin(ctx, true)
	if err != nil {
		return err
	}
	defer cancel()
	return c.why(inner, ctx, c.inner.Connect(inner))
}

func (c *faulty) Ping(ctx context.Context) error {
	inner, cancel, err := c.begin(ctx, false)
	if err != nil {
		return err
	}
	defer cancel()
	return c.why(inner, ctx, c.inner.Ping(inner))
}

func (c *faulty) Push(ctx context.Context, backendID string, batch []event.Global) error {
	inner, cancel, err := c.begin(ctx, true)
	if err != nil {
		return err
	}
	defer cancel()
	if c.dropped() {
		return &provider.OfflineError{StoreID: c.storeID, Err: errDropped}
	}
	if err := c.nextFailure(); err != nil {
		return err
	}
	if c.f.take(&c.f.loseUnstored) {
		return &provider.OfflineError{StoreID: c.storeID, Err: errLost}
	}
	err = c.inner.Push(inner, backendID, batch)
	if c.f.take(&c.f.loseStored) {
		return &provider.OfflineError{StoreID: c.storeID, Err: errLost}
	}
	return c.why(inner, ctx, err)
}

// dropped says whether there was a drop since the last live pull began.
func (c *faulty) dropped() bool {
	now := c.epoch()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pulled && c.pulledAt != now
}

func (c *faulty) epoch() int {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	return c.f.epoch
}

func (c *faulty) nextFailure() error {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	if len(c.f.failPushes) == 0 {
		return nil
	}
	err := c.f.failPushes[0]
	c.f.failPushes = c.f.failPushes[1:]
	return err
}

func (c *faulty) Pull(ctx context.Context, from provider.Cursor, live bool) iter.Seq2[provider.Page, error] {
	return func(yield func(provider.Page, error) bool) {
		inner, cancel, err := c.begin(ctx, true)
		if err != nil {
			yield(provider.Page{}, err)
			return
		}
		defer cancel()
		if live {
			now := c.epoch()
			c.mu.Lock()
			c.pulled, c.pulledAt = true, now
			c.mu.Unlock()
		}
		var held *provider.Page // swapped with the page that follows
		for page, err := range c.inner.Pull(inner, from, live) {
			if err == nil {
				err = c.arrive(inner)
			}
			if err != nil {
				yield(provider.Page{}, c.why(inner, ctx, err))
				return
			}
			pages := []provider.Page{page}
			if len(page.Events) > 0 {
				switch {
				case held != nil:
					pages, held = append(pages, *held), nil
				case c.f.take(&c.f.losePages):
					continue
				case c.f.take(&c.f.doublePages):
					pages = append(pages, page)
				case c.f.take(&c.f.swap):
					held = &page
					continue
				}
			}
			for _, page := range pages {
				if !yield(page, nil) {
					return
				}
			}
		}
	}
}

// arrive waits until the faults let a page through.
func (c *faulty) arrive(ctx context.Context) error {
	c.f.mu.Lock()
	delay := c.f.delay + c.f.slow
	c.f.mu.Unlock()
	if err := pause(ctx, delay); err != nil {
		return err
	}
	for {
		c.f.mu.Lock()
		silent, changed := c.f.silent, c.f.changed
		c.f.mu.Unlock()
		if ctx.Err() != nil || !silent {
			return ctx.Err()
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

func (c *faulty) Limits() provider.Limits { return c.inner.Limits() }

func (c *faulty) Reconnect() { c.inner.Reconnect() }

func (c *faulty) Close() error {
	c.once.Do(func() { close(c.closed) })
	err := c.inner.Close()
	c.wg.Wait()
	return err
}
