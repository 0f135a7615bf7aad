package reactive

import "slices"

// Watcher keeps the result of a definition warm and is told when it may have changed.
type Watcher struct {
	graph   *Graph
	node    *node
	wake    func()
	version uint64 // what was read last
	value   any
	err     error
}

// Watch starts watching d. Nothing is computed until the first [Watcher.Read]. From then on wake is called during
// [Graph.Invalidate] when the result may be different from what was last read, at most once an invalidation. The
// watcher answers with a Read; until somebody has read, it is not woken again. wake must return at once and must not
// call the graph. It may also be called without an invalidation, when a cycle lost one of its nodes.
func (g *Graph) Watch(d *Def, wake func()) *Watcher {
	n := g.node(d)
	g.idle.remove(n)
	w := &Watcher{graph: g, node: n, wake: wake}
	n.watcher = append(n.watcher, w)
	return w
}

// Read returns the current result, and whether it is another one than the last Read of this watcher returned. The
// first is always another one.
func (w *Watcher) Read(env any) (value any, changed bool, err error) {
	n := w.node
	if n.state != clean {
		defer w.graph.settle(n)
		w.graph.refresh(env, n)
	}
	if w.version != n.version {
		// Others may have seen it change and change back meanwhile.
		changed = w.version == 0 || !n.def.same(w.value, w.err, n.value, n.err)
		w.version, w.value, w.err = n.version, n.value, n.err
	}
	return n.value, changed, n.err
}

// Stop ends watching. Only the first call has an effect.
func (w *Watcher) Stop() {
	n := w.node
	i := slices.Index(n.watcher, w)
	if i < 0 {
		return
	}
	n.watcher = slices.Delete(n.watcher, i, i+1)
	w.graph.settle(n)
}
