package state

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Select reads rows of a table. Its methods return a new value and leave the old one as it is. It begins with a method
// of [Table].
type Select[R any] struct {
	t     *table
	where string // conditions joined by AND, empty for none
	args  []any
	order string
	limit int // -1 for none
	skip  int
	err   error
	rows  *Filter // which rows the conditions leave; nil for any
	wide  bool    // a condition may read other rows

	once  sync.Once
	built bound
	size  sizeHint
}

func (q *Select[R]) with() *Select[R] {
	return &Select[R]{
		t: q.t, where: q.where, args: q.args, order: q.order, limit: q.limit, skip: q.skip, err: q.err, rows: q.rows, wide: q.wide,
	}
}

// Where reads only rows that meet all conditions, those of earlier calls too.
func (q *Select[R]) Where(conds ...Condition) *Select[R] {
	n := q.with()
	if n.err == nil {
		n.where, n.args, n.err = q.t.where(q.where, q.args, conds)
		n.rows, n.wide = q.t.narrowed(q.rows, q.wide, conds)
	}
	return n
}

// where adds conditions to what is there. The slice of arguments that is there is not touched.
func (t *table) where(text string, args []any, conds []Condition) (string, []any, error) {
	if len(conds) == 0 {
		return text, args, nil
	}
	var buf [128]byte
	f := fragment{t: t, sql: append(buf[:0], text...), args: slices.Clip(args)}
	if text != "" {
		f.sql = append(f.sql, " AND "...)
	}
	if err := f.all(conds, " AND "); err != nil {
		return "", nil, err
	}
	return string(f.sql), f.args, nil
}

// Order is one column to sort by.
type Order struct {
	col  address
	desc bool
}

// Asc sorts from small to great, NULL first.
func Asc[T any](col *T) Order { return Order{addressOf(col), false} }

// Desc sorts from great to small, NULL last.
func Desc[T any](col *T) Order { return Order{addressOf(col), true} }

// ordered refuses columns whose text does not order as its values do.
func (t *table) ordered(c *column) error {
	var cure string
	switch {
	case c.codec.kind == kindDecimal:
		cure = `numbers in text, which orders "10" before "9": leave out the option text, or compare with WhereSQL and CAST`
	case c.codec.kind == kindMarshaled && c.elem == timeType:
		cure = "times in text of varying length, which orders wrongly within a second: use the option datetime or datetimeinteger"
	default:
		return nil
	}
	return &ColumnError{Table: t.name, Field: c.field, Err: errors.New("can not be ordered by: the column holds " + cure)}
}

// OrderBy sorts the rows, after the columns of earlier calls. Rows that are equal in all of them come in no promised order.
// Columns that hold numbers or times as text are refused: their text has another order.
func (q *Select[R]) OrderBy(orders ...Order) *Select[R] {
	n := q.with()
	for _, o := range orders {
		c, err := q.t.resolve(o.col)
		if err != nil {
			n.err = errors.Join(n.err, err)
			return n
		}
		if err := q.t.ordered(c); err != nil {
			n.err = errors.Join(n.err, err)
			return n
		}
		if n.order != "" {
			n.order += ", "
		}
		n.order += c.quoted
		if o.desc {
			n.order += " DESC"
		}
	}
	return n
}

// Limit reads at most n rows.
func (q *Select[R]) Limit(n int) *Select[R] {
	s := q.with()
	if n < 0 {
		s.err = errors.Join(s.err, &ColumnError{Table: q.t.name, Err: fmt.Errorf("limit %d is negative", n)})
	}
	s.limit = n
	return s
}

// Offset leaves out the first n rows.
func (q *Select[R]) Offset(n int) *Select[R] {
	s := q.with()
	if n < 0 {
		s.err = errors.Join(s.err, &ColumnError{Table: q.t.name, Err: fmt.Errorf("offset %d is negative", n)})
	}
	s.skip = n
	return s
}

// Statement returns the SELECT; its text is built once.
func (q *Select[R]) Statement(sessionID string) (Statement, error) {
	if q == nil {
		return Statement{}, errNilQuery
	}
	q.once.Do(func() {
		sql, args := q.t.selectSQL(q.t.list, q.clauses())
		q.built = newBound(sql, args, q.err)
		q.built.stmt.Filter = q.rows
	})
	return q.built.statement(sessionID)
}

// Decode makes the rows of a result; it is never nil.
func (q *Select[R]) Decode(r Rows) ([]R, error) {
	if q == nil {
		return nil, errNilQuery
	}
	p, err := q.t.planFor(r)
	if err != nil {
		return nil, err
	}
	return decodeRows[R](r, p, q.t.name, &q.size)
}

func (q *Select[R]) yields() (v []R)   { return v }
func (q *Select[R]) query() *Select[R] { return q }

// clauses is what follows the table in a SELECT.
type clauses struct {
	where string
	args  []any
	order string
	limit int
	skip  int
}

func (q *Select[R]) clauses() clauses { return clauses{q.where, q.args, q.order, q.limit, q.skip} }

func (t *table) selectSQL(list string, c clauses) (string, []any) {
	b := make([]byte, 0, len(list)+len(c.where)+len(c.order)+64)
	b = append(append(append(append(b, "SELECT "...), list...), " FROM "...), t.quoted...)
	if c.where != "" {
		b = append(append(b, " WHERE "...), c.where...)
	}
	if c.order != "" {
		b = append(append(b, " ORDER BY "...), c.order...)
	}
	args := slices.Clip(c.args)
	if c.limit >= 0 || c.skip > 0 {
		b = append(b, " LIMIT ?"...)
		args = append(args, int64(c.limit)) // SQLite takes -1 as no limit
	}
	if c.skip > 0 {
		b = append(b, " OFFSET ?"...)
		args = append(args, int64(c.skip))
	}
	return string(b), args
}

// First reads the first row, nil when there is none.
func (q *Select[R]) First() Query[*R] {
	if q.limit != 0 {
		q = q.with()
		q.limit = 1
	}
	return first[R]{q}
}

type first[R any] struct{ q *Select[R] }

func (f first[R]) yields() (v *R) { return v }

func (f first[R]) Statement(sessionID string) (Statement, error) { return f.q.Statement(sessionID) }

func (f first[R]) Decode(r Rows) (*R, error) {
	p, err := f.q.t.planFor(r)
	if err != nil {
		return nil, err
	}
	v, found, err := decodeFirst[R](r, p, f.q.t.name)
	if err != nil || !found {
		return nil, err
	}
	return &v, nil
}

// Count reads the number of rows the query would give.
func (q *Select[R]) Count() Query[int] {
	c := clauses{q.where, q.args, "", q.limit, q.skip}
	if q.limit < 0 && q.skip == 0 {
		sql, args := q.t.selectSQL("count(*)", c)
		return q.counted(sql, args)
	}
	sql, args := q.t.selectSQL("1", c)
	return q.counted("SELECT count(*) FROM ("+sql+")", args)
}

func (q *Select[R]) counted(sql string, args []any) Query[int] {
	s := newScalar[int](sql, args, q.err)
	s.built.stmt.Filter = q.rows
	return s
}

// Selection is a table or a query on one table: what [Pluck] takes.
type Selection[R any] interface {
	Query[[]R]
	query() *Select[R]
}

// Pluck reads one column of what a query finds.
func Pluck[R, C any](q Selection[R], col *C) Query[[]C] {
	s := q.query()
	if s == nil {
		return &pluck[C]{built: newBound("", nil, errNilQuery)}
	}
	c, err := s.t.resolve(addressOf(col))
	if err != nil {
		return &pluck[C]{built: newBound("", nil, errors.Join(s.err, err))}
	}
	sql, args := s.t.selectSQL(c.quoted, s.clauses())
	one := *c
	one.offset = 0 // it stands alone
	p := &pluck[C]{plan: plan{s.t.step(&one)}, table: s.t.name, built: newBound(sql, args, s.err)}
	p.built.stmt.Filter = s.rows
	return p
}

type pluck[C any] struct {
	plan  plan
	table string
	built bound
	size  sizeHint
}

func (p *pluck[C]) yields() (v []C) { return v }

func (p *pluck[C]) Statement(sessionID string) (Statement, error) {
	return p.built.statement(sessionID)
}

func (p *pluck[C]) Decode(r Rows) ([]C, error) { return decodeRows[C](r, p.plan, p.table, &p.size) }
