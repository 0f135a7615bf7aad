package livestore

import (
	"slices"

	"github.com/livestore-go/livestore/internal/reactive"
	"github.com/livestore-go/livestore/state"
)

// Signal is a value that live queries and computeds can depend on and that is no state: it is not committed, not kept
// and not synced. Like a node it is declared once; each store has a value of its own, which lives as long as the
// store is open. A signal must not be copied.
type Signal[T any] struct {
	state.Yield[T]
	first T
	opts  nodeOptions
}

// NewSignal declares a signal that starts with v in every store.
func NewSignal[T any](v T, opts ...NodeOption) *Signal[T] {
	return &Signal[T]{first: v, opts: nodeOptionsFor[T]("signal", opts)}
}

// signalValue is the value of a signal in one store.
type signalValue struct {
	value   any
	version uint64
}

// Set sets the value of the signal in a store. When that is another one, whoever depends on it hears of it. On a closed
// store it does nothing.
func (n *Signal[T]) Set(s *Store, v T) {
	_ = s.view(func() error { // the error can only be that the store is closed
		n.set(s, v)
		return nil
	})
}

// Update sets the value of the signal in a store to what f makes of the current one. f runs outside the store's lock, and
// again when the value was changed meanwhile.
func (n *Signal[T]) Update(s *Store, f func(T) T) {
	for done := false; !done; {
		var was signalValue
		if err := s.view(func() error { was = n.current(s); return nil }); err != nil {
			return
		}
		v := f(as[T](was.value))
		err := s.view(func() error {
			if done = n.current(s).version == was.version; done {
				n.set(s, v)
			}
			return nil
		})
		if err != nil {
			return
		}
	}
}

// Setting is a value for a signal: what [Batch] sets.
type Setting struct {
	compare func(*Store) // runs code of the app, which may panic
	set     func(*Store)
}

// To is the signal with a value, for [Batch].
func (n *Signal[T]) To(v T) Setting {
	return Setting{
		compare: func(s *Store) { n.opts.equal(n.current(s).value, v) },
		set:     func(s *Store) { n.set(s, v) },
	}
}

// Batch sets several signals of a store at once: everybody sees all of the new values or none, and whoever depends on several of them is
// computed once. Of several settings of one signal the last one counts. On a closed store it does nothing.
func Batch(s *Store, sets ...Setting) {
	_ = s.view(func() error { // the error can only be that the store is closed
		sets = slices.DeleteFunc(slices.Clone(sets), func(x Setting) bool { return x.set == nil })
		for _, x := range sets { // a panic comes before anything is set
			x.compare(s)
		}
		for _, x := range sets {
			x.set(s)
		}
		return nil
	})
}

// current returns the value in s, whose lock the caller holds.
func (n *Signal[T]) current(s *Store) signalValue {
	if v, ok := s.signals[n]; ok {
		return v
	}
	return signalValue{value: n.first}
}

func (n *Signal[T]) set(s *Store, v T) {
	was := n.current(s)
	if n.opts.equal(was.value, v) {
		return
	}
	s.signals[n] = signalValue{value: v, version: was.version + 1}
	s.graph.Invalidate(n)
}

func (n *Signal[T]) missing() bool { return n == nil }

func (n *Signal[T]) definition() *reactive.Def {
	return &reactive.Def{
		Label: n.opts.label, Kind: "signal", Once: true, Equal: n.opts.equal,
		Compute: func(t *reactive.Tracker) (any, error) { return n.use(getter(t)) },
	}
}

//nolint:unparam // as every other source
func (n *Signal[T]) value(s *Store) (any, error) { return n.current(s).value, nil }

//nolint:unparam // as every other source
func (n *Signal[T]) use(g *Getter) (any, error) {
	g.tracker.Depend(n)
	return n.current(g.store).value, nil
}
