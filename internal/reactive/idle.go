package reactive

// idleList holds the nodes that nobody watches or uses, most recently read first.
type idleList struct {
	root  node // sentinel of a ring
	len   int
	limit int
}

func (l *idleList) init(limit int) {
	l.root.prev, l.root.next = &l.root, &l.root
	l.limit = limit
}

// push puts n in front. A node that is in the list moves.
func (l *idleList) push(n *node) {
	l.remove(n)
	n.prev, n.next = &l.root, l.root.next
	n.prev.next, n.next.prev = n, n
	l.len++
}

// touch moves n to the front if it is in the list.
func (l *idleList) touch(n *node) {
	if n.next != nil && l.root.next != n {
		l.push(n)
	}
}

// remove takes n out if it is in the list.
func (l *idleList) remove(n *node) {
	if n.next == nil {
		return
	}
	n.prev.next, n.next.prev = n.next, n.prev
	n.prev, n.next = nil, nil
	l.len--
}
