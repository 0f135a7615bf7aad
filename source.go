package livestore

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/livestore-go/livestore/internal/reactive"
	"github.com/livestore-go/livestore/internal/touch"
	"github.com/livestore-go/livestore/state"
)

// Source is anything that can be read from a store with a result of type T: a query of package state, the read of a
// client document, a [Node] or a [Signal]. It is implemented by these only.
type Source[T any] = state.Readable[T]

// readable is how a source of this package is read.
type readable interface {
	// missing says whether there is nothing behind the source: a nil pointer.
	missing() bool
	// definition is what the graph of a store computes for those who watch the source.
	definition() *reactive.Def
	// value reads without a dependency.
	value(s *Store) (any, error)
	// use reads inside a computation.
	use(g *Getter) (any, error)
}

// of returns how to read a source.
func of[T any](src Source[T]) (readable, error) {
	switch src := src.(type) {
	case readable:
		if !src.missing() {
			return src, nil
		}
	case state.Query[T]:
		return adHoc[T]{src}, nil
	case nil:
	default:
		return nil, fmt.Errorf("%T is no source: read a query, a document, a live query, a computed or a signal", src)
	}
	return nil, fmt.Errorf("the source of type %s is nil: it is read before it is declared", reflect.TypeFor[T]())
}

// adHoc is a query of package state read as it is. Get runs it at once; a watcher has a definition of its own for it.
type adHoc[T any] struct{ query state.Query[T] }

func (a adHoc[T]) missing() bool { return false }

func (a adHoc[T]) definition() *reactive.Def {
	return &reactive.Def{
		Label: "query", Kind: "query", Once: true, Equal: deepEqual,
		Compute: func(t *reactive.Tracker) (any, error) { return a.use(getter(t)) },
	}
}

func (a adHoc[T]) value(s *Store) (any, error) { return run(s, a.query, nil) }

func (a adHoc[T]) use(g *Getter) (any, error) { return run(g.store, a.query, g.tracker) }

// run runs a query on the state of s, whose lock the caller holds, and notes what it reads.
func run[T any](s *Store, q state.Query[T], t *reactive.Tracker) (any, error) {
	if q == nil {
		return nil, errors.New("the query is nil")
	}
	st, err := q.Statement(s.session.SessionID())
	if err != nil {
		return nil, err
	}
	if t != nil {
		tables, err := s.reader.Reads(st.SQL)
		if err != nil {
			return nil, err
		}
		s.reads = touch.Of(s.reads[:0], &st, tables)
		for _, r := range s.reads { // before it runs: when it fails on the rows of today, those of tomorrow may do
			t.Depend(r)
		}
		t.Note(st.SQL, -1)
	}
	var v T
	err = s.reader.Query(st, func(rows state.Rows) (err error) {
		if t == nil {
			v, err = q.Decode(rows)
			return err
		}
		c := &counted{Rows: rows}
		if v, err = q.Decode(c); err == nil {
			t.Note(st.SQL, c.n)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}

// counted counts the rows that are read, for [Store.LiveQueries].
type counted struct {
	state.Rows
	n int
}

func (c *counted) Next() bool {
	more := c.Rows.Next()
	if more {
		c.n++
	}
	return more
}

func deepEqual(a, b any) bool { return reflect.DeepEqual(a, b) }
