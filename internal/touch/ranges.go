package touch

import "math/bits"

// ranges is a tree of ranges by their lower bound. Each node knows the highest upper bound below it, so that what does not hold a value is
// passed over. It is a treap: a node's priority comes from its range, so the tree has one shape whatever the order of what was done.
type ranges struct{ root *node }

type node struct {
	Read
	priority    uint64
	top         string // the highest upper bound of the node and those below it
	left, right *node
}

// before orders ranges: by lower bound, and then whatever else makes them differ.
func before(a, b *Read) bool {
	switch {
	case a.low != b.low:
		return a.low < b.low
	case a.high != b.high:
		return a.high < b.high
	}
	return a.columns < b.columns
}

// priority is a hash of the range (FNV-1a, stirred), so that bounds that come in order do not make a list of the tree.
func priority(r *Read) uint64 {
	const prime = 1099511628211
	h := uint64(14695981039346656037)
	for _, s := range [2]string{r.low, r.high} {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * prime
		}
		h = (h ^ 0x1ff) * prime
	}
	h ^= uint64(r.columns)
	hi, lo := bits.Mul64(h, 0x9e3779b97f4a7c15)
	return hi ^ lo
}

func (t *ranges) add(r Read) {
	t.root = t.root.add(&node{Read: r, priority: priority(&r)})
}

func (n *node) add(m *node) *node {
	switch {
	case n == nil:
		m.settle()
		return m
	case m.priority > n.priority:
		m.left, m.right = n.split(&m.Read)
		m.settle()
		return m
	case before(&m.Read, &n.Read):
		n.left = n.left.add(m)
	default:
		n.right = n.right.add(m)
	}
	n.settle()
	return n
}

// split parts a tree into what comes before a range and the rest.
func (n *node) split(at *Read) (left, right *node) {
	if n == nil {
		return nil, nil
	}
	if before(&n.Read, at) {
		n.right, right = n.right.split(at)
		n.settle()
		return n, right
	}
	left, n.left = n.left.split(at)
	n.settle()
	return left, n
}

func (t *ranges) remove(r Read) { t.root = t.root.remove(&r) }

func (n *node) remove(r *Read) *node {
	switch {
	case n == nil:
		return nil
	case n.Read == *r:
		return join(n.left, n.right)
	case before(r, &n.Read):
		n.left = n.left.remove(r)
	default:
		n.right = n.right.remove(r)
	}
	n.settle()
	return n
}

func join(a, b *node) *node {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.priority > b.priority:
		a.right = join(a.right, b)
		a.settle()
		return a
	}
	b.left = join(a, b.left)
	b.settle()
	return b
}

func (n *node) settle() {
	n.top = n.high
	if n.left != nil {
		n.top = max(n.top, n.left.top)
	}
	if n.right != nil {
		n.top = max(n.top, n.right.top)
	}
}

// stab names the ranges that hold a value.
func (n *node) stab(v string, hit func(Read)) {
	for n != nil && n.top >= v {
		if n.low > v { // and so is all that is right of it
			n = n.left
			continue
		}
		n.left.stab(v, hit)
		if n.high >= v {
			hit(n.Read)
		}
		n = n.right
	}
}

func (n *node) each(f func(Read)) {
	for ; n != nil; n = n.right {
		n.left.each(f)
		f(n.Read)
	}
}
