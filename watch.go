package livestore

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/livestore-go/livestore/internal/reactive"
)

// Watch iterates over the results of a source: the current one at once, and from then on each time it has become
// another one. Everything happens on the goroutine of the loop, which holds no lock; leaving the loop ends the
// watching. A slow loop holds up nobody: it misses results, and sees the newest one next.
//
// An error of the source is yielded like a result, with the zero value; the loop may go on, and hears when it is cured. The
// loop ends without an error when ctx is done. When the store is closed it ends after yielding [ErrClosed].
func Watch[T any](ctx context.Context, s *Store, src Source[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		w, err := s.watch(definitionOf(src))
		if err != nil {
			yield(none, s.readError(err))
			return
		}
		defer w.stop()
		for ctx.Err() == nil {
			v, changed, err := w.read()
			if errors.Is(err, ErrClosed) {
				yield(none, err)
				return
			}
			if changed && !yield(as[T](v), s.readError(err)) {
				return
			}
			w.giveWay(ctx)
			select {
			case <-w.slot:
			case <-s.closed:
			case <-ctx.Done():
			}
		}
	}
}

// definitionOf returns what to watch of a source.
func definitionOf[T any](src Source[T]) (*reactive.Def, error) {
	r, err := of(src)
	if err != nil {
		return nil, err
	}
	return r.definition(), nil
}

// watcher watches one definition in the graph of a store.
type watcher struct {
	store *Store
	in    *reactive.Watcher
	slot  chan struct{} // one slot: the result may have changed
	held  time.Duration // how long the last read held the store's lock
}

func (s *Store) watch(def *reactive.Def, err error) (*watcher, error) {
	w := &watcher{store: s, slot: make(chan struct{}, 1)}
	if err == nil {
		err = s.view(func() error {
			w.in = s.graph.Watch(def, func() { signalSlot(w.slot) })
			return nil
		})
	}
	return w, err
}

// read returns the current result, and whether it is another one than the last time.
func (w *watcher) read() (v any, changed bool, err error) {
	verr := w.store.view(func() error {
		start := time.Now()
		v, changed, err = w.in.Read(w.store)
		w.held = time.Since(start)
		return nil
	})
	if verr != nil {
		return nil, true, verr
	}
	return v, changed, err
}

// longRead is from when on a read makes a pause afterwards.
const longRead = 500 * time.Microsecond

// giveWay leaves the store to the commits that waited for the last read, for as long as that took: a live query that is slow
// and always out of date must not keep others from committing.
func (w *watcher) giveWay(ctx context.Context) {
	if w.held < longRead || w.store.committing.Load() == 0 {
		return
	}
	pause := time.NewTimer(w.held)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-w.store.closed:
	case <-ctx.Done():
	}
}

// stop lets go of the result.
func (w *watcher) stop() {
	_ = w.store.view(func() error { w.in.Stop(); return nil }) // a closed store has let go already
}

// signalSlot fills a channel of one slot.
func signalSlot(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
