package state

import (
	"errors"
	"fmt"
	"reflect"
)

// Project reads what a query finds into another struct. The fields of S are matched with the columns of the table or view by name, and only
// those columns are read. Each field needs a column that is held the same way, and a nullable one where NULL is possible; what does not fit
// is a [ScanError] that names field and column, from the first run on.
//
//	type Title struct{ ID, Text string }
//	titles := state.Project[Title](todos.OrderBy(state.Asc(&todos.Row.Text)))
func Project[S, R any](q Selection[R]) Query[[]S] {
	s := q.query()
	if s == nil {
		return &pluck[S]{built: newBound("", nil, errNilQuery)}
	}
	l, err := layoutOf(reflect.TypeFor[S]())
	p := &pluck[S]{table: s.t.name}
	from := layout{cols: s.t.cols}
	var cols []*column
	for i := range l.cols {
		to := &l.cols[i]
		c := from.find(to.name)
		if why := s.t.unfit(c, to); why != nil {
			err = errors.Join(err, &ScanError{
				Table: s.t.name, Column: to.name, Type: fmt.Sprintf("field %s of %s", to.field, l.typ), Err: why,
			})
			continue
		}
		cols, p.plan = append(cols, c), append(p.plan, s.t.step(to))
	}
	sql, args := s.t.selectSQL(list(cols), s.clauses())
	p.built = newBound(sql, args, errors.Join(s.err, err))
	p.built.stmt.Filter = s.rows
	return p
}

// unfit says why a field can not take what a column of the table holds.
func (t *table) unfit(c, to *column) error {
	switch {
	case c == nil:
		return fmt.Errorf("there is no such column, only %s", t.columnNames())
	case c.codec.kind != to.codec.kind:
		return fmt.Errorf("the column holds %s, the field %s", c.codec.kind, to.codec.kind)
	case c.nullable && !to.nullable:
		return ErrNull
	}
	return nil
}
