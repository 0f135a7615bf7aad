package livestore

import (
	"errors"
	"fmt"

	"github.com/livestore-go/livestore/internal/reactive"
)

// Getter is how the functions of [QueryFunc] and [Computed] read: pass it to [Use]. It is of no use once the function
// has returned, and not safe for concurrent use.
type Getter struct {
	store   *Store
	tracker *reactive.Tracker
	err     error // why the computation is left
}

// getter is made for one computation.
func getter(t *reactive.Tracker) *Getter { return &Getter{store: t.Env().(*Store), tracker: t} }

// Use returns the current result of a source inside a computation, and makes the computation depend on it. When the
// source fails, Use does not return: the computation is left, and the error is its result.
func Use[T any](g *Getter, src Source[T]) T {
	if g.tracker.Done() {
		panic("livestore: Use after its computation has returned: a Getter must not be kept")
	}
	r, err := of(src)
	if err != nil {
		g.leave(err)
	}
	v, err := r.use(g)
	if err != nil {
		g.leave(err)
	}
	return as[T](v)
}

// leave ends the computation. The panic is caught by run, and goes no further.
func (g *Getter) leave(err error) {
	g.err = err
	panic(g)
}

// run runs a computation to its end, or to where it was left.
func (g *Getter) run(compute func(*Getter) (any, error)) (v any, err error) {
	defer func() {
		if g.err == nil {
			return // also when the app's own code panics: that goes through untouched
		}
		if r := recover(); r != nil && r != any(g) {
			panic(r)
		}
		v, err = nil, g.err // also when the computation itself caught the panic: it went on with nothing
	}()
	return compute(g)
}

// QueryError says that a live query failed.
type QueryError struct {
	Label string // of the query, see [Label]
	Err   error
}

func (e *QueryError) Error() string { return fmt.Sprintf("%s: %v", e.Label, e.Err) }

func (e *QueryError) Unwrap() error { return e.Err }

// labelled names the query an error is about.
func labelled(label string) func(any, error) (any, error) {
	return func(v any, err error) (any, error) {
		if err != nil {
			return nil, &QueryError{Label: label, Err: err}
		}
		return v, nil
	}
}

// CycleError says that a computed or live query needs its own result. Labels names the nodes on the way; the first
// is the last again.
type CycleError = reactive.CycleError

// readError names the store of a read that failed.
func (s *Store) readError(err error) error {
	if err == nil || errors.Is(err, ErrClosed) {
		return err
	}
	return fmt.Errorf("read store %s (client %s): %w", s.StoreID(), s.ClientID(), err)
}
