package livestore

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/livestore-go/livestore/state"
)

// Registry opens stores of one schema by id and shares them: whoever opens a store that is open already gets the same
// one. It suits a server that keeps a store for each of its users.
type Registry struct {
	schema  *state.Schema
	adapter Adapter
	opts    RegistryOptions
	once    sync.Once
	result  error // of Close
	work    sync.WaitGroup

	mu     sync.Mutex
	stores map[string]*shared
	closed bool
}

// RegistryOptions says how a registry opens stores.
type RegistryOptions struct {
	// Options holds for every store; its StoreID is not used.
	Options

	// Linger is how long a store stays open when nobody uses it any more. 0 means one minute; less than 0 means that
	// it is closed at once.
	Linger time.Duration
}

const defaultLinger = time.Minute

// shared is one store of a registry. Its fields are guarded by the registry's mutex.
type shared struct {
	id      string
	users   int
	opened  bool // Open has returned, with store or err
	store   *Store
	err     error
	closing bool // no more users
	linger  *time.Timer
	cancel  context.CancelFunc // of Open

	ready chan struct{} // closed when opened
	gone  chan struct{} // closed when closing is over
}

// NewRegistry makes a registry. Nil options mean the defaults.
func NewRegistry(schema *state.Schema, adapter Adapter, opts *RegistryOptions) *Registry {
	r := &Registry{schema: schema, adapter: adapter, stores: make(map[string]*shared)}
	if opts != nil {
		r.opts = *opts
	}
	if r.opts.Linger == 0 {
		r.opts.Linger = defaultLinger
	}
	return r
}

// Open returns the store with an id, and release, to be called once it is no longer used; more calls of it do nothing. The
// store is shared: leave closing it to the registry. ctx limits how long this caller waits for the store to open. After
// Close the error is [ErrClosed].
func (r *Registry) Open(ctx context.Context, storeID string) (store *Store, release func(), err error) {
	for {
		r.mu.Lock()
		if r.closed {
			r.mu.Unlock()
			return nil, nil, ErrClosed
		}
		e := r.stores[storeID]
		if e == nil || e.store != nil && !e.closing && e.store.isClosed() {
			e = r.start(ctx, storeID) // a store that somebody closed makes way
		}
		if e.closing {
			r.mu.Unlock()
			select {
			case <-e.gone:
				continue
			case <-ctx.Done():
				return nil, nil, ctx.Err()
			}
		}
		e.users++
		if e.linger != nil {
			e.linger.Stop()
			e.linger = nil
		}
		r.mu.Unlock()
		select {
		case <-e.ready:
		case <-ctx.Done():
			r.release(e)
			return nil, nil, ctx.Err()
		}
		if e.err != nil {
			return nil, nil, e.err
		}
		return e.store, sync.OnceFunc(func() { r.release(e) }), nil
	}
}

// start begins to open a store, for everybody who waits for it. The caller holds the mutex.
func (r *Registry) start(ctx context.Context, storeID string) *shared {
	e := &shared{id: storeID, ready: make(chan struct{}), gone: make(chan struct{})}
	ctx, e.cancel = context.WithCancel(context.WithoutCancel(ctx))
	r.stores[storeID] = e
	r.work.Go(func() {
		defer e.cancel()
		opts := r.opts.Options
		opts.StoreID = storeID
		store, err := Open(ctx, r.schema, r.adapter, &opts)
		r.mu.Lock()
		e.opened, e.store, e.err = true, store, err
		closing := e.closing // everybody gave up meanwhile
		if err != nil {
			r.forget(e)
		}
		r.mu.Unlock()
		close(e.ready)
		switch {
		case !closing:
		case err != nil:
			close(e.gone)
		default:
			_ = r.end(e) // it was logged
		}
	})
	return e
}

// release takes one user away. The last one begins the end.
func (r *Registry) release(e *shared) {
	r.mu.Lock()
	e.users--
	switch {
	case e.users > 0 || e.closing || e.err != nil || r.closed:
		r.mu.Unlock()
	case !e.opened:
		e.closing = true
		e.cancel()
		r.mu.Unlock()
	case r.opts.Linger < 0:
		e.closing = true
		r.work.Add(1) // Close waits for it
		r.mu.Unlock()
		defer r.work.Done()
		_ = r.end(e) // it was logged
	default:
		e.linger = time.AfterFunc(r.opts.Linger, func() { r.expire(e) })
		r.mu.Unlock()
	}
}

// expire closes a store that nobody came back to.
func (r *Registry) expire(e *shared) {
	r.mu.Lock()
	if e.users > 0 || e.closing || r.closed {
		r.mu.Unlock()
		return
	}
	e.closing = true
	r.work.Add(1)
	r.mu.Unlock()
	defer r.work.Done()
	_ = r.end(e) // it was logged
}

// end closes a store and lets others open it again.
func (r *Registry) end(e *shared) error {
	err := e.store.Close()
	if err != nil {
		e.store.logger.Error("close store", "store", e.id, "err", err)
	}
	r.mu.Lock()
	r.forget(e)
	r.mu.Unlock()
	close(e.gone)
	return err
}

// forget makes way for another store with the same id. The caller holds the mutex.
func (r *Registry) forget(e *shared) {
	if r.stores[e.id] == e {
		delete(r.stores, e.id)
	}
}

// Close closes all stores, those that are in use too, and waits until they are closed.
func (r *Registry) Close() error {
	r.once.Do(func() {
		r.mu.Lock()
		r.closed = true
		var open []*shared
		for _, e := range r.stores {
			if e.closing {
				continue
			}
			e.closing = true
			if !e.opened {
				e.cancel()
				continue
			}
			if e.linger != nil {
				e.linger.Stop()
			}
			open = append(open, e)
		}
		r.mu.Unlock()
		errs := make([]error, len(open))
		for i, e := range open {
			r.work.Go(func() { errs[i] = r.end(e) })
		}
		r.work.Wait()
		r.result = errors.Join(errs...)
	})
	return r.result
}
