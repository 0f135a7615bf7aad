// Package reactive is the graph behind live queries: nodes that compute a value from sources and from other nodes, and
// watchers that learn when it may have changed. It knows nothing of stores or SQL.
//
// There are four nouns. A source is any comparable key, such as the name of a table; it has no value here. A [Def]
// says how to compute something; it may be declared once and used in any number of graphs. A [Graph] holds what was
// computed from the definitions it was asked for. A [Watcher] keeps one definition warm and is told of changes.
//
// Change is pushed, values are pulled. [Graph.Invalidate] only marks what depends on a source and wakes its watchers;
// it computes nothing and costs no more than what it marks. [Graph.Read] brings a node up to date: a node whose own
// sources changed is computed again; one that merely stands above a changed node first checks whether any result it
// used is different now, in the order it used them, and is left alone when none is. So a result that came out
// equal stops the change there, a diamond is computed once, and nobody ever sees values of two different moments.
//
// All calls on one graph are made under one lock of the caller's. Nothing in here waits, locks or starts goroutines.
package reactive

import "time"

// DefaultIdle is how many results that nobody watches a graph keeps, unless told otherwise.
const DefaultIdle = 512

// Def defines a node. It is identified by its address and must not be copied or changed once in use.
type Def struct {
	// Label names the node in errors.
	Label string
	// Kind says what kind of node it is, for [Stats].
	Kind string
	// Compute computes the value. It must be a function of what it reads through the tracker and of nothing else. An
	// error is a result like a value: it is kept until a dependency changes.
	Compute func(*Tracker) (any, error)
	// Equal says whether two values are the same to whoever uses them. Nil: no two values are.
	Equal func(a, b any) bool
	// Once forgets the result as soon as nobody watches or uses it, because nobody will ask for this definition again.
	Once bool
}

// Graph holds the results of definitions. Make one with [New].
type Graph struct {
	sources map[any]*vertex
	nodes   map[*Def]*node
	running []*node // being brought up to date now, outermost first
	follow  func(key any, used bool)
	idle    idleList
	born    time.Time
}

// New makes an empty graph that keeps at most idle results that nobody watches or uses; 0 means [DefaultIdle].
func New(idle int) *Graph {
	if idle <= 0 {
		idle = DefaultIdle
	}
	g := &Graph{sources: make(map[any]*vertex), nodes: make(map[*Def]*node), born: time.Now()}
	g.idle.init(idle)
	return g
}

// OnSource has f told of each source when somebody begins to depend on it, and when nobody does any more. f must not call the graph.
func (g *Graph) OnSource(f func(key any, used bool)) { g.follow = f }

// Read returns the current result of d. env is handed to the computations this needs, which find it as [Tracker.Env].
// The value is shared with everybody who reads d. A panic of a computation passes through; the graph stays
// usable, and the next read computes again.
func (g *Graph) Read(env any, d *Def) (any, error) {
	n := g.node(d)
	if n.state == clean {
		g.idle.touch(n)
		return n.value, n.err
	}
	defer g.settle(n)
	g.refresh(env, n)
	return n.value, n.err
}

// Peek returns the result of d when it is current and no error, without computing anything.
func (g *Graph) Peek(d *Def) (value any, current bool) {
	n := g.nodes[d]
	if n == nil || n.state != clean || n.err != nil {
		return nil, false
	}
	g.idle.touch(n)
	return n.value, true
}

// Invalidate says that a source may have changed. Watchers of what depends on it are woken, each once until it has
// read again. Nothing is computed.
func (g *Graph) Invalidate(key any) {
	if s := g.sources[key]; s != nil {
		s.changed()
	}
}

// InvalidateAll says that every source may have changed.
func (g *Graph) InvalidateAll() {
	for _, n := range g.nodes {
		n.mark(dirty, All)
	}
}

// Len returns the number of results the graph holds, watched or not.
func (g *Graph) Len() int { return len(g.nodes) }

// node returns the node of d, a new one when the graph has none.
func (g *Graph) node(d *Def) *node {
	n := g.nodes[d]
	if n == nil {
		n = &node{def: d, state: dirty, stats: stats{next: First, count: -1}}
		n.vertex.node = n
		g.nodes[d] = n
	}
	return n
}

// source returns the source of a key, a new one when nothing depends on it yet.
func (g *Graph) source(key any) *vertex {
	s := g.sources[key]
	if s == nil {
		s = &vertex{key: key}
		g.sources[key] = s
		if g.follow != nil {
			g.follow(key, true)
		}
	}
	return s
}
