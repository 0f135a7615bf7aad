package state

import (
	"slices"
	"unsafe"
)

// Filter narrows down which rows of a table a read can see: a row that does not meet it, neither before nor after it changed, changes
// nothing in the result. What is not in it may be anything. It is made from the conditions of a builder's query; other reads have none.
type Filter struct {
	Table string
	Equal []ColumnIn    // the row meets all of them
	Range []ColumnRange // and all of these
}

// ColumnIn says that a column has one of some values. A nil among them is NULL.
type ColumnIn struct {
	Column string
	Values []any // as in [Statement]
}

// ColumnRange says that a column has a value from Min to Max, both included. A nil is no bound. NULL is never in a range.
type ColumnRange struct {
	Column   string
	Min, Max any
}

// maxIn is how many values of one column a filter takes; with more, the column can be anything.
const maxIn = 64

// narrowed adds conditions to a filter, which stays as it is. wide says that one of them may read other rows of the table, so that
// no filter holds.
func (t *table) narrowed(f *Filter, wide bool, conds []Condition) (_ *Filter, _ bool) {
	n := &Filter{Table: t.name}
	if f != nil {
		n.Equal, n.Range = slices.Clone(f.Equal), slices.Clone(f.Range)
	}
	if wide || !t.narrow(n, conds) {
		return nil, true
	}
	if len(n.Equal)+len(n.Range) == 0 {
		return nil, false
	}
	return n, false
}

// narrow adds conditions that are all met. It returns false when one of them may read other rows of the table.
func (t *table) narrow(f *Filter, conds []Condition) bool {
	for i := range conds {
		c := &conds[i]
		switch c.op {
		case opAnd:
			if !t.narrow(f, c.conds) {
				return false
			}
		case opOr, opNot, opSQL:
			if !c.alone() {
				return false
			}
		case opEq, opIn, opIsNull, opLt, opLe, opGt, opGe:
			t.narrowColumn(f, c)
		}
	}
	return true
}

// alone says whether a condition is about one row, whatever it says of it: SQL may hold a query.
func (c *Condition) alone() bool {
	return c.op != opSQL && !slices.ContainsFunc(c.conds, func(c Condition) bool { return !c.alone() })
}

// narrowColumn adds a condition on one column. One whose values SQLite would convert to compare them is left out.
func (t *table) narrowColumn(f *Filter, c *Condition) {
	col, err := t.resolve(c.col)
	if err != nil || c.n > maxIn {
		return
	}
	in := ColumnIn{Column: col.name}
	if c.op == opIsNull {
		in.Values = append(in.Values, nil)
	}
	for i := range c.n {
		v, err := t.value(col, unsafe.Add(c.vals, uintptr(i)*col.typ.Size()))
		if err != nil || !comparesAsIs(col.codec.kind.sqlType(), v) {
			return
		}
		in.Values = append(in.Values, v)
	}
	switch c.op {
	case opEq, opIn, opIsNull:
		if !slices.ContainsFunc(f.Equal, func(e ColumnIn) bool { return e.Column == col.name }) {
			f.Equal = append(f.Equal, in)
		}
	case opLt, opLe, opGt, opGe:
		i := slices.IndexFunc(f.Range, func(r ColumnRange) bool { return r.Column == col.name })
		if i < 0 {
			i = len(f.Range)
			f.Range = append(f.Range, ColumnRange{Column: col.name})
		}
		if c.op == opGt || c.op == opGe {
			f.Range[i].Min = in.Values[0]
		} else {
			f.Range[i].Max = in.Values[0]
		}
	}
}

// bindSession puts the id of a session where [SessionID] is.
func (f *Filter) bindSession(sessionID string) *Filter {
	if f == nil {
		return nil
	}
	n := &Filter{Table: f.Table}
	for _, e := range f.Equal {
		n.Equal = append(n.Equal, ColumnIn{e.Column, bindSession(e.Values, sessionID)})
	}
	for _, r := range f.Range {
		bounds := bindSession([]any{r.Min, r.Max}, sessionID)
		n.Range = append(n.Range, ColumnRange{r.Column, bounds[0], bounds[1]})
	}
	return n
}

// comparesAsIs says whether SQLite compares a value with those of a column of a type without converting it first.
func comparesAsIs(typ string, v any) bool {
	switch v.(type) {
	case nil:
		return true
	case string:
		return typ == "TEXT"
	case int64, float64:
		return typ == "INTEGER" || typ == "REAL"
	default:
		return typ == "BLOB"
	}
}
