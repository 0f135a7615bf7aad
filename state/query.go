package state

// Readable is anything that gives a T: a [Query], and the live queries, computeds and signals of package livestore. It is
// sealed; a type outside this package gets the method by embedding [Yield].
type Readable[T any] interface{ yields() T }

// Yield makes the struct that embeds it a [Readable] of T. It takes no space when it is not the last field.
type Yield[T any] struct{}

func (Yield[T]) yields() (v T) { return v }

// Query is a read that gives a T. It is immutable, may be used by any goroutine and any store, and carries the error of
// its construction: Statement returns it.
type Query[T any] interface {
	Readable[T]
	// Statement returns the SQL as the given session runs it.
	Statement(sessionID string) (Statement, error)
	// Decode makes the value of the statement's result.
	Decode(Rows) (T, error)
}

// Map gives what f makes of the result of q. f is a pure function: it neither changes its argument nor keeps state.
func Map[T, U any](q Query[T], f func(T) U) Query[U] { return mapped[T, U]{q, f} }

type mapped[T, U any] struct {
	q Query[T]
	f func(T) U
}

func (m mapped[T, U]) yields() (v U) { return v }

func (m mapped[T, U]) Statement(sessionID string) (Statement, error) { return m.q.Statement(sessionID) }

func (m mapped[T, U]) Decode(r Rows) (v U, err error) {
	t, err := m.q.Decode(r)
	if err != nil {
		return v, err
	}
	return m.f(t), nil
}
