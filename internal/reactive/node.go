package reactive

import "slices"

// state says how far a node may be trusted.
type state uint8

const (
	clean state = iota // value is current
	check              // a node it used may have changed
	dirty              // a source it used changed, or it was never computed
)

// vertex is what edges lead to: a source, or the embedding node.
type vertex struct {
	key  any   // of a source
	node *node // nil for a source
	out  []*edge
}

// edge says that a node used a vertex when it was last computed.
type edge struct {
	from    *node
	to      *vertex
	version uint64 // of the node it leads to, when it was used
	at      int    // index in to.out
	weak    bool   // closes a cycle: passes changes on, keeps nothing alive
}

// node is one definition in one graph.
type node struct {
	vertex
	def     *Def
	state   state
	told    bool // whoever depends on it knows that it is stale; told again only after it was brought up to date
	running bool
	cyclic  bool // the result holds a cycle error: true for this way of asking only, so never kept
	users   int  // edges to it that are not weak
	version uint64
	value   any
	err     error
	deps    []*edge
	watcher []*Watcher
	stats   stats

	prev, next *node // in the idle list
}

// changed marks everything that used the vertex.
func (v *vertex) changed() {
	level := dirty
	if v.node != nil {
		level = check
	}
	for _, e := range v.out {
		e.from.mark(level, v.key)
	}
}

// mark makes n stale and tells everybody above it, unless they know. why is for a dirty one.
func (n *node) mark(level state, why any) {
	if level > n.state {
		n.state, n.stats.next = level, why
	}
	if n.told {
		return
	}
	n.told = true
	for _, w := range n.watcher {
		w.wake()
	}
	n.changed()
}

// refresh brings n up to date. n is not running.
func (g *Graph) refresh(env any, n *node) {
	if n.state == clean {
		return
	}
	n.running = true
	g.running = append(g.running, n)
	done := false
	defer func() {
		g.running = g.running[:len(g.running)-1]
		n.running = false
		n.told = false // also after a panic: whoever waits must hear of the next change
		if !done || n.cyclic {
			n.state, n.stats.next = dirty, Again
		}
	}()
	if n.state == dirty || g.usedChanged(env, n) {
		g.compute(env, n)
	}
	n.state = clean
	done = true
}

// usedChanged says whether a result that n used is different now. It looks in the order n used them: while all are
// the same, n would use the next one again, so nothing is computed that n does not need.
func (g *Graph) usedChanged(env any, n *node) bool {
	for _, e := range n.deps {
		d := e.to.node // never a weak edge: its node is cyclic, and so dirty
		if d == nil {
			continue // a changed source makes its users dirty
		}
		if d.running {
			n.stats.next = d.def
			return true // a cycle: computing n reports it
		}
		g.refresh(env, d)
		if d.version != e.version || d.cyclic {
			n.stats.next = d.def
			return true
		}
	}
	return false
}

// compute runs the definition of n and takes over the result.
func (g *Graph) compute(env any, n *node) {
	t := &Tracker{graph: g, node: n, env: env, old: n.deps}
	n.deps = make([]*edge, 0, len(n.deps))
	n.cyclic = false
	start := g.begin(n)
	defer func() {
		g.ran(n, start)
		t.graph = nil // a tracker that leaked is of no use
		for _, e := range t.old {
			g.unlink(e)
		}
		t.old = nil
	}()
	value, err := n.def.Compute(t)
	if n.version == 0 || !n.def.same(n.value, n.err, value, err) {
		n.version++
		n.value, n.err = value, err
	}
}

// link adds an edge from n to v.
func (g *Graph) link(n *node, v *vertex, weak bool) *edge {
	e := &edge{from: n, to: v, at: len(v.out), weak: weak}
	v.out = append(v.out, e)
	if v.node != nil && !weak {
		v.node.users++
		g.idle.remove(v.node)
	}
	return e
}

// unlink removes an edge that its node no longer has among its deps.
func (g *Graph) unlink(e *edge) {
	if e.at < 0 {
		return // went with the node it led to
	}
	v := e.to
	last := len(v.out) - 1
	v.out[e.at] = v.out[last]
	v.out[e.at].at = e.at
	v.out[last] = nil
	v.out = v.out[:last]
	switch {
	case v.node == nil:
		if last == 0 {
			delete(g.sources, v.key)
			if g.follow != nil {
				g.follow(v.key, false)
			}
		}
	case !e.weak:
		v.node.users--
		g.release(v.node)
	}
}

// release lets go of n when nobody watches or uses it any more.
func (g *Graph) release(n *node) {
	if n.users > 0 || len(n.watcher) > 0 || n.running {
		return
	}
	if n.def.Once {
		g.drop(n)
		return
	}
	g.idle.push(n)
}

// settle ends a call from outside: n, if idle, is now the most recently used, and what is too much goes.
func (g *Graph) settle(n *node) {
	g.idle.remove(n)
	if g.nodes[n.def] == n {
		g.release(n)
	}
	for len(g.running) == 0 && g.idle.len > g.idle.limit {
		g.drop(g.idle.root.prev)
	}
}

// drop forgets a node that nobody watches or uses.
func (g *Graph) drop(n *node) {
	g.idle.remove(n)
	delete(g.nodes, n.def)
	deps := n.deps
	n.deps = nil
	for _, e := range deps {
		g.unlink(e)
	}
	for _, e := range n.out { // only edges that close a cycle are left
		e.from.deps = slices.DeleteFunc(e.from.deps, func(o *edge) bool { return o == e })
		e.at = -1
		e.from.mark(dirty, Again) // what n read can no longer reach it: let it ask again
	}
	n.out = nil
}
