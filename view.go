package livestore

import "github.com/livestore-go/livestore/state"

// View calls f with a reader of the state: everything f reads with [state.Read] is of one moment, and nothing is committed or
// received in between. Its error is that of f; a closed store is [ErrClosed].
//
// f runs inside the store's lock. Let it read and return: a Commit, a [Get] or another View of the same store in it would wait for
// itself, and what takes long keeps everybody else waiting. For a result that follows the state use [Computed].
func (s *Store) View(f func(*state.Reader) error) error {
	var own error
	err := s.view(func() error {
		r, end := state.NewReader(s.reader, s.SessionID())
		defer end()
		own = f(r)
		return nil
	})
	if err != nil {
		return err
	}
	return own
}
