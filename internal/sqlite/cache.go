package sqlite

// cacheSize is how many prepared statements of one mode are kept: some 5 KB each.
const cacheSize = 256

// cache keeps the statements of one mode that were used last. It is a ring: head.next is the one used last.
type cache struct {
	bySQL map[string]*Stmt
	head  *Stmt
}

func (k *cache) init() {
	k.bySQL = map[string]*Stmt{}
	k.head = &Stmt{}
	k.head.prev, k.head.next = k.head, k.head
}

func (k *cache) get(sql string) *Stmt {
	s := k.bySQL[sql]
	if s != nil && k.head.next != s {
		s.unlink()
		k.push(s)
	}
	return s
}

func (k *cache) push(s *Stmt) {
	s.prev, s.next = k.head, k.head.next
	s.prev.next, s.next.prev = s, s
}

// put adds s, and closes what was used longest ago. A statement that is evicted and still held is prepared again when it
// is used again.
func (k *cache) put(s *Stmt) {
	k.bySQL[s.sql] = s
	k.push(s)
	for old := k.head.prev; len(k.bySQL) > cacheSize && old != k.head; {
		prev := old.prev
		if !old.open {
			delete(k.bySQL, old.sql)
			old.unlink()
			old.close()
		}
		old = prev
	}
}

func (k *cache) clear() {
	for _, s := range k.bySQL {
		s.unlink()
		if !s.open {
			s.close()
		}
	}
	clear(k.bySQL)
}

func (s *Stmt) unlink() {
	s.prev.next, s.next.prev = s.next, s.prev
	s.prev, s.next = nil, nil
}
