package state

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/livestore-go/livestore/internal/sqltext"
)

// SQL reads rows by any SELECT. R is a struct whose fields are found by column name, as in a table: by the db tag, or the name of the
// field; upper and lower case are told apart only where they must be. Every result column needs a field and every field a result
// column. Any other R takes the only column of the result. Arguments are bound in order to the ? of the text.
//
// What a live query on it follows is found out by SQLite, through views, joins and subqueries.
func SQL[R any](text string, args ...any) Query[[]R] {
	q := &rawRows[R]{}
	bargs, err := normalizeAll(text, args)
	typ := reflect.TypeFor[R]()
	if isRow(typ) {
		var lerr error
		q.layout, lerr = layoutOf(typ)
		err = errors.Join(err, lerr)
	} else {
		c, cerr := newValueColumn(typ)
		q.single, err = c, errors.Join(err, cerr)
	}
	q.built = newBound(text, bargs, err)
	return q
}

// isRow says whether values of t are read field by field.
func isRow(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != timeType && !isMarshaled(t)
}

type rawRows[R any] struct {
	layout *layout // nil when R is a single value
	single *column
	built  bound
	plans  namedPlans
	size   sizeHint
}

// namedPlans keeps the plan for the last result; the next one nearly always has the same columns.
type namedPlans struct{ last atomic.Pointer[namedPlan] }

type namedPlan struct {
	names []string
	plan  plan
}

func (n *namedPlans) get(names []string, made func([]string) (plan, error)) (plan, error) {
	if last := n.last.Load(); last != nil && slices.Equal(last.names, names) {
		return last.plan, nil
	}
	p, err := made(names)
	if err == nil {
		n.last.Store(&namedPlan{slices.Clone(names), p})
	}
	return p, err
}

func (q *rawRows[R]) yields() (v []R) { return v }

func (q *rawRows[R]) Statement(sessionID string) (Statement, error) {
	return q.built.statement(sessionID)
}

func (q *rawRows[R]) Decode(r Rows) ([]R, error) {
	p, err := q.plans.get(r.Columns(), q.plan)
	if err != nil {
		return nil, err
	}
	return decodeRows[R](r, p, "", &q.size)
}

func (q *rawRows[R]) plan(names []string) (plan, error) {
	if q.layout != nil {
		return q.layout.plan(names)
	}
	return singlePlan(q.single, names, !q.single.nullable)
}

// singlePlan is the plan for a result of one column.
func singlePlan(c *column, names []string, noNull bool) (plan, error) {
	if len(names) != 1 {
		return nil, &ScanError{
			Column: strings.Join(names, ", "), Type: c.typ.String(),
			Err: fmt.Errorf("the result has %d columns, one is needed", len(names)),
		}
	}
	one := *c
	one.name = names[0]
	return plan{{column: &one, null: true, noNull: noNull, check: true}}, nil
}

// layout is a row type as raw SQL reads it.
type layout struct {
	typ  reflect.Type
	cols []column
	err  error
}

var layouts sync.Map // reflect.Type to *layout: a query may be made anew each time it runs

func layoutOf(t reflect.Type) (*layout, error) {
	if l, ok := layouts.Load(t); ok {
		return l.(*layout), l.(*layout).err
	}
	l := &layout{typ: t}
	var ferrs []*fieldError
	l.cols, ferrs = readColumns(t)
	for _, e := range ferrs {
		l.err = errors.Join(l.err, fmt.Errorf("row type %s: %w", t, e))
	}
	layouts.Store(t, l)
	return l, l.err
}

// find returns the column of that name, or else the only one whose name differs in case alone.
func (l *layout) find(name string) *column {
	for i := range l.cols {
		if l.cols[i].name == name {
			return &l.cols[i]
		}
	}
	for i := range l.cols {
		if sqltext.Fold(l.cols[i].name) == sqltext.Fold(name) {
			return &l.cols[i]
		}
	}
	return nil
}

func (l *layout) plan(names []string) (plan, error) {
	p := make(plan, 0, len(names))
	used := map[*column]bool{}
	var errs []error
	for _, n := range names {
		c := l.find(n)
		switch {
		case c == nil:
			errs = append(errs, &ScanError{Column: n, Type: l.typ.String(), Err: errors.New("no field of that name: add one, or rename with AS")})
			continue
		case used[c]:
			errs = append(errs, &ScanError{Column: n, Type: l.typ.String(), Err: errors.New("the result has it twice: rename one with AS")})
		}
		used[c] = true
		p = append(p, step{column: c, null: true, noNull: !c.nullable, check: true})
	}
	for i := range l.cols {
		if c := &l.cols[i]; !used[c] {
			errs = append(errs, &ScanError{
				Column: c.name, Type: fmt.Sprintf("field %s of %s", c.field, l.typ),
				Err: fmt.Errorf("the result has no such column, only %s", strings.Join(names, ", ")),
			})
		}
	}
	return p, errors.Join(errs...)
}

// Scalar reads one value by any SELECT of one column. No row, or NULL, gives the zero value: a pointer type tells it apart.
func Scalar[T any](text string, args ...any) Query[T] {
	bargs, err := normalizeAll(text, args)
	return newScalar[T](text, bargs, err)
}

type scalar[T any] struct {
	col   *column
	built bound
}

func newScalar[T any](text string, args []any, err error) *scalar[T] {
	c, cerr := newValueColumn(reflect.TypeFor[T]())
	return &scalar[T]{c, newBound(text, args, errors.Join(err, cerr))}
}

func (s *scalar[T]) yields() (v T) { return v }

func (s *scalar[T]) Statement(sessionID string) (Statement, error) {
	return s.built.statement(sessionID)
}

func (s *scalar[T]) Decode(r Rows) (v T, err error) {
	p, err := singlePlan(s.col, r.Columns(), false)
	if err != nil {
		return v, err
	}
	v, _, err = decodeFirst[T](r, p, "")
	return v, err
}
