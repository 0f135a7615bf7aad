package livestore

import (
	"github.com/livestore-go/livestore/internal/reactive"
	"github.com/livestore-go/livestore/state"
)

// Node is a live query or a computed with results of type T. It is declared once, as a rule as a package variable, and
// read from any number of stores; each keeps a result of its own. Make one with [Query], [QueryFunc] or [Computed]. A node
// must not be copied.
//
// A store keeps the result while somebody watches it or something that uses it, and beyond that for the 512 nodes
// that were read last.
type Node[T any] struct {
	state.Yield[T]
	def reactive.Def
}

func (n *Node[T]) missing() bool { return n == nil }

func (n *Node[T]) definition() *reactive.Def { return &n.def }

func (n *Node[T]) value(s *Store) (any, error) { return s.graph.Read(s, &n.def) }

func (n *Node[T]) use(g *Getter) (any, error) { return g.tracker.Use(&n.def) }

func (n *Node[T]) init(kind string, o nodeOptions, compute func(*Getter) (any, error)) {
	n.def = reactive.Def{
		Label: o.label, Kind: kind, Equal: o.equal,
		Compute: func(t *reactive.Tracker) (any, error) { return getter(t).run(compute) },
	}
}

// Query declares a live query: its result follows the tables that q reads.
func Query[T any](q state.Query[T], opts ...NodeOption) *Node[T] {
	o := nodeOptionsFor[T]("query", opts)
	n := new(Node[T])
	n.init("query", o, func(g *Getter) (any, error) { return labelled(o.label)(run(g.store, q, g.tracker)) })
	return n
}

// QueryFunc declares a live query that depends on signals, computeds or other queries: f reads them with [Use] and
// returns the query to run now. f must depend on nothing else and runs inside the store's lock.
func QueryFunc[T any](f func(*Getter) state.Query[T], opts ...NodeOption) *Node[T] {
	o := nodeOptionsFor[T]("query", opts)
	if f == nil {
		panic("livestore: " + o.label + ": the function of QueryFunc is nil")
	}
	n := new(Node[T])
	n.init("query", o, func(g *Getter) (any, error) { return labelled(o.label)(run(g.store, f(g), g.tracker)) })
	return n
}

// Computed declares a value that is computed from others: f reads them with [Use], and all of them come from the same
// moment. f must depend on nothing else. It runs inside the store's lock: use no [Get] in it, which would wait for
// itself. When something f uses fails, f is left at that point and the error is the result.
func Computed[T any](f func(*Getter) T, opts ...NodeOption) *Node[T] {
	o := nodeOptionsFor[T]("computed", opts)
	if f == nil {
		panic("livestore: " + o.label + ": the function of Computed is nil")
	}
	n := new(Node[T])
	n.init("computed", o, func(g *Getter) (any, error) { return f(g), nil })
	return n
}
