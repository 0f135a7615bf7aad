package livestore

import "github.com/livestore-go/livestore/internal/reactive"

// Get returns the current result of a source. It is synchronous and local: it waits for no disk and no network. The result is
// shared with others who read the same: do not change it. After Close the error is [ErrClosed].
func Get[T any](s *Store, src Source[T]) (T, error) {
	if n, ok := src.(*Node[T]); ok && n != nil {
		if v, current := s.peek(&n.def); current {
			return as[T](v), nil
		}
	}
	var v any
	r, err := of(src)
	if err == nil {
		err = s.view(func() (err error) { v, err = r.value(s); return err })
	}
	return as[T](v), s.readError(err)
}

// peek returns the result of a definition that has one and is up to date: what most reads of live queries find, without an allocation.
func (s *Store) peek(d *reactive.Def) (v any, current bool) {
	if s.session.Enter() != nil {
		return nil, false
	}
	if !s.closing {
		v, current = s.graph.Peek(d)
	}
	s.session.Leave()
	return v, current
}
