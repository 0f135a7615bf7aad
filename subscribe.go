package livestore

import (
	"context"
	"errors"
	"sync"
)

// Subscribe calls f with the results of a source: with the current one soon, and from then on each time it has become
// another one, or an error. All calls of all subscriptions of a store are made one after the other on one goroutine,
// which holds no lock: f may commit, read, subscribe, stop and close. A slow f holds up other subscriptions but nothing
// else; it misses results, and gets the newest one next.
//
// f runs as any function on a goroutine of its own does: a panic in it, or in the source's own functions, ends the process.
//
// After stop has returned no further call begins; one that is under way is not waited for. stop may be called any number of
// times, anywhere. Closing the store stops all subscriptions. A source that can not be read from a store at all is
// reported by one call of f with the error.
//
// The first call may come before Subscribe has returned stop. Who wants to stop from inside f has it easier with a loop over
// [Watch] on a goroutine, which ends by leaving it. Otherwise let f wait for the variable:
//
//	var stop func()
//	assigned := make(chan struct{})
//	stop = livestore.Subscribe(store, source, func(v T, err error) {
//		<-assigned
//		stop()
//	})
//	close(assigned)
func Subscribe[T any](s *Store, src Source[T], f func(T, error)) (stop func()) {
	if f == nil {
		panic("livestore: Subscribe: the function to call is nil")
	}
	sub := &subscription{dispatch: &s.dispatch}
	call := func(v any, err error) { f(as[T](v), s.readError(err)) }
	def, err := definitionOf(src)
	if err == nil {
		sub.w = &watcher{store: s}
		err = s.view(func() error {
			sub.w.in = s.graph.Watch(def, sub.wake)
			return nil
		})
	}
	switch {
	case errors.Is(err, ErrClosed):
		return func() {}
	case err != nil:
		sub.deliver = func() func() { return func() { call(nil, err) } }
	default:
		sub.deliver = func() func() {
			v, changed, err := sub.w.read()
			sub.w.giveWay(context.Background()) // ends with the store at the latest
			if !changed || errors.Is(err, ErrClosed) {
				return nil
			}
			return func() { call(v, err) }
		}
	}
	sub.wake()
	return sub.stop
}

// subscription is one call of Subscribe.
type subscription struct {
	dispatch *dispatcher
	w        *watcher      // nil when there is nothing to watch
	deliver  func() func() // reads, and returns the call to make, nil for none

	queued  bool // guarded by dispatch.mu, as is stopped
	stopped bool
}

// wake queues the subscription. It may be called under the session's lock.
func (sub *subscription) wake() { sub.dispatch.add(sub) }

func (sub *subscription) stop() {
	if sub.dispatch.stop(sub) && sub.w != nil {
		sub.w.stop()
	}
}

// dispatcher makes the calls of all subscriptions of a store.
type dispatcher struct {
	slot  chan struct{} // one slot: something is queued, or it is over
	ended chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex // never held while anything else is locked or called
	queue   []*subscription
	started bool
	closed  bool
	calling bool // a call is under way
}

func (d *dispatcher) init() {
	d.slot = make(chan struct{}, 1)
	d.ended = make(chan struct{})
}

// add queues a subscription, at most once.
func (d *dispatcher) add(sub *subscription) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if sub.queued || sub.stopped || d.closed {
		return
	}
	sub.queued = true
	d.queue = append(d.queue, sub)
	if !d.started {
		d.started = true
		go d.run()
	}
	signalSlot(d.slot)
}

// next takes the first subscription from the queue, nil when it is empty. ok is false when it is over.
func (d *dispatcher) next() (sub *subscription, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.queue) > 0 && sub == nil {
		sub, d.queue[0] = d.queue[0], nil
		d.queue = d.queue[1:]
		sub.queued = false
		if sub.stopped {
			sub = nil
		}
	}
	return sub, !d.closed
}

// enter says whether a call may be made now.
func (d *dispatcher) enter(sub *subscription) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calling = !sub.stopped && !d.closed
	return d.calling
}

func (d *dispatcher) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calling = false
}

// run is the goroutine of the dispatcher.
func (d *dispatcher) run() {
	defer close(d.ended)
	for {
		sub, ok := d.next()
		switch {
		case !ok:
			return
		case sub == nil:
			<-d.slot
		default:
			if call := sub.deliver(); call != nil && d.enter(sub) {
				call()
				d.leave()
			}
		}
	}
}

// stop makes sure that no further call of sub begins. It returns false when it was stopped before.
func (d *dispatcher) stop(sub *subscription) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if sub.stopped {
		return false
	}
	sub.stopped = true
	return true
}

// close ends the goroutine. It waits for it unless a call is under way, which may be the one that closes.
func (d *dispatcher) close() {
	d.mu.Lock()
	d.closed = true
	signalSlot(d.slot)
	wait := d.started && !d.calling
	d.mu.Unlock()
	if wait {
		<-d.ended
	}
}
