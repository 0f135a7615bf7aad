package livestore

// Get returns the current result of a source. It is synchronous and local: it waits for no disk and no network. The result is
// shared with others who read the same: do not change it. After Close the error is [ErrClosed].
func Get[T any](s *Store, src Source[T]) (T, error) {
	var v any
	r, err := of(src)
	if err == nil {
		err = s.view(func() (err error) { v, err = r.value(s); return err })
	}
	return as[T](v), s.readError(err)
}
