package reactive

// Tracker is how a computation reads, so that the graph learns what it depends on. It is of no use once the
// computation has returned.
type Tracker struct {
	graph *Graph
	node  *node
	env   any
	old   []*edge // edges of the last computation; those not used again are removed after this one
	have  map[*vertex]*edge
}

// Env returns what the reader passed to [Graph.Read] or [Watcher.Read].
func (t *Tracker) Env() any { return t.env }

// Done says whether the computation has returned.
func (t *Tracker) Done() bool { return t.graph == nil }

// Depend says that the computation read a source.
func (t *Tracker) Depend(key any) { t.edge(t.graph.source(key), false) }

// Use returns the current result of another definition. When that is being computed already, by way of this
// computation, the error is a *[CycleError].
func (t *Tracker) Use(d *Def) (any, error) {
	g := t.graph
	n := g.node(d)
	if n.running {
		t.edge(&n.vertex, true)
		t.node.cyclic = true
		return nil, g.cycle(n)
	}
	e := t.edge(&n.vertex, false) // first: it keeps n while n is computed
	g.refresh(t.env, n)
	e.version = n.version
	if n.cyclic {
		t.node.cyclic = true
	}
	return n.value, n.err
}

// manyDeps is the number of dependencies from which on they are looked up in a map.
const manyDeps = 16

// edge returns the edge to v of this computation: the one it has, the one the last computation had at this place, or
// a new one.
func (t *Tracker) edge(v *vertex, weak bool) *edge {
	n := t.node
	if t.have != nil {
		if e := t.have[v]; e != nil {
			return e
		}
	} else {
		for _, e := range n.deps {
			if e.to == v {
				return e
			}
		}
	}
	var e *edge
	if len(t.old) > 0 && t.old[0].to == v && t.old[0].weak == weak {
		e, t.old = t.old[0], t.old[1:]
	} else {
		e = t.graph.link(n, v, weak)
	}
	n.deps = append(n.deps, e)
	if t.have != nil {
		t.have[v] = e
	} else if len(n.deps) > manyDeps {
		t.have = make(map[*vertex]*edge, 2*manyDeps)
		for _, e := range n.deps {
			t.have[e.to] = e
		}
	}
	return e
}
