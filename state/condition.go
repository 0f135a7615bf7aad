package state

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Condition says which rows a read or a write means. The zero value is refused.
type Condition struct {
	op    op
	col   address
	vals  unsafe.Pointer // n values of the column's type, one after the other
	n     int
	conds []Condition
	sql   string
	args  []any
	err   error
}

type op uint8

const (
	opNone op = iota
	opEq
	opNe
	opLt
	opLe
	opGt
	opGe
	opLike
	opNotLike
	opIn
	opNotIn
	opIsNull
	opNotNull
	opAnd
	opOr
	opNot
	opJSONContains
	opJSONNotContains
	opSQL
)

func compare[T any](o op, col, v *T) Condition {
	return Condition{op: o, col: addressOf(col), vals: unsafe.Pointer(v), n: 1}
}

// Eq finds rows whose column equals v; with a nil pointer, rows where it is NULL. The value has the type of the field: for a
// nullable column it is a pointer, &v or new(v).
func Eq[T any](col *T, v T) Condition { return compare(opEq, col, &v) }

// Ne finds rows whose column differs from v; with a nil pointer, rows where it is not NULL. Otherwise a row with NULL is
// not found: add Or(…, IsNull(col)) to find it too.
func Ne[T any](col *T, v T) Condition { return compare(opNe, col, &v) }

// Lt finds rows whose column is less than v. Text compares byte by byte, false is less than true, times by time. Columns that hold
// numbers as text, or what a type writes of itself, are refused: their text has another order.
func Lt[T any](col *T, v T) Condition { return compare(opLt, col, &v) }

// Le finds rows whose column is less than or equal to v.
func Le[T any](col *T, v T) Condition { return compare(opLe, col, &v) }

// Gt finds rows whose column is greater than v.
func Gt[T any](col *T, v T) Condition { return compare(opGt, col, &v) }

// Ge finds rows whose column is greater than or equal to v.
func Ge[T any](col *T, v T) Condition { return compare(opGe, col, &v) }

// Like finds rows whose text matches an SQL pattern: % stands for any text, _ for one character. Upper and lower case of the
// letters A to Z are the same.
func Like[T any](col *T, pattern string) Condition {
	return Condition{op: opLike, col: addressOf(col), args: []any{pattern}}
}

// NotLike finds rows whose text does not match an SQL pattern.
func NotLike[T any](col *T, pattern string) Condition {
	return Condition{op: opNotLike, col: addressOf(col), args: []any{pattern}}
}

func among[T any](o op, col *T, vs []T) Condition {
	vs = slices.Clone(vs)
	return Condition{op: o, col: addressOf(col), vals: unsafe.Pointer(unsafe.SliceData(vs)), n: len(vs)}
}

// In finds rows whose column equals one of the values, none when there are no values. A nil pointer among them finds NULL.
func In[T any](col *T, vs ...T) Condition { return among(opIn, col, vs) }

// NotIn finds rows whose column equals none of the values, all rows when there are no values. A nil pointer among them leaves out NULL.
func NotIn[T any](col *T, vs ...T) Condition { return among(opNotIn, col, vs) }

// IsNull finds rows where the column is NULL.
func IsNull[T any](col *T) Condition { return Condition{op: opIsNull, col: addressOf(col)} }

// NotNull finds rows where the column is not NULL.
func NotNull[T any](col *T) Condition { return Condition{op: opNotNull, col: addressOf(col)} }

// And finds rows that meet all conditions, every row when there are none.
func And(conds ...Condition) Condition { return Condition{op: opAnd, conds: slices.Clone(conds)} }

// Or finds rows that meet one of the conditions, no row when there are none.
func Or(conds ...Condition) Condition { return Condition{op: opOr, conds: slices.Clone(conds)} }

// Not finds rows that do not meet the condition. A row for which NULL left the condition undecided is not found either.
func Not(c Condition) Condition { return Condition{op: opNot, conds: []Condition{c}} }

// JSONContains finds rows whose JSON column is an array that holds v, or an object with a member whose value is v. A struct, slice
// or map is compared by the JSON text this package writes for it.
func JSONContains[T any](col *T, v any) Condition {
	return jsonContains(opJSONContains, addressOf(col), v)
}

// JSONNotContains finds rows whose JSON column does not hold v, NULL included.
func JSONNotContains[T any](col *T, v any) Condition {
	return jsonContains(opJSONNotContains, addressOf(col), v)
}

func jsonContains(o op, col address, v any) Condition {
	c := Condition{op: o, col: col}
	var raw jsontext.Value
	raw, c.err = json.Marshal(v, marshalOptions)
	if c.err != nil {
		return c
	}
	switch raw.Kind() {
	case 'n', 't', 'f':
		c.sql = "type = ?"
		c.args = []any{strings.TrimSpace(string(raw))}
	case '"':
		var s string
		c.err = json.Unmarshal(raw, &s)
		c.sql = "type = 'text' AND atom = ?"
		c.args = []any{s}
	case '0':
		c.sql = "type IN ('integer', 'real') AND atom = "
		if bytes.ContainsAny(raw, ".eE") {
			var f float64
			c.err = json.Unmarshal(raw, &f)
			c.args = []any{f}
		} else {
			var n int64
			c.err = json.Unmarshal(raw, &n)
			c.args = []any{n}
		}
		c.sql += "?"
	default:
		c.sql = "type IN ('array', 'object') AND value = ?"
		c.args = []any{string(raw)}
	}
	return c
}

// WhereSQL is a condition in SQL, for what the others can not say. It is put in parentheses; columns are named as in SQL.
func WhereSQL(sql string, args ...any) Condition {
	c := Condition{op: opSQL, sql: sql}
	c.args, c.err = normalizeAll(sql, args)
	return c
}

// fragment is a piece of SQL under construction with its arguments.
type fragment struct {
	t        *table
	sql      []byte
	args     []any
	conflict bool // it belongs to ON CONFLICT, where the new row is called excluded
}

func (f *fragment) bind(v any) {
	f.sql = append(f.sql, '?')
	f.args = append(f.args, v)
}

// all writes conditions joined with AND or OR; none is given in parentheses unless it needs them.
func (f *fragment) all(conds []Condition, word string) error {
	for i := range conds {
		if i > 0 {
			f.sql = append(f.sql, word...)
		}
		if err := f.condition(&conds[i]); err != nil {
			return err
		}
	}
	return nil
}

func (f *fragment) condition(c *Condition) error {
	switch c.op {
	case opNone:
		return &ColumnError{Table: f.t.name, Err: errors.New("a condition is empty: make it with Eq and the like")}
	case opAnd, opOr:
		return f.junction(c)
	case opNot:
		f.sql = append(f.sql, "NOT ("...)
		err := f.condition(&c.conds[0])
		f.sql = append(f.sql, ')')
		return err
	case opSQL:
		if c.err != nil {
			return c.err
		}
		f.sql = append(append(append(f.sql, '('), c.sql...), ')')
		f.args = append(f.args, c.args...)
		return nil
	}
	col, err := f.t.resolve(c.col)
	if err != nil {
		return err
	}
	switch c.op {
	case opIsNull:
		f.sql = append(append(f.sql, col.quoted...), " IS NULL"...)
		return nil
	case opNotNull:
		f.sql = append(append(f.sql, col.quoted...), " IS NOT NULL"...)
		return nil
	case opLike, opNotLike:
		return f.like(c, col)
	case opIn, opNotIn:
		return f.in(c, col)
	case opJSONContains, opJSONNotContains:
		return f.json(c, col)
	default:
		return f.compare(c, col)
	}
}

func (f *fragment) junction(c *Condition) error {
	switch {
	case len(c.conds) == 0 && c.op == opAnd:
		f.sql = append(f.sql, "TRUE"...)
		return nil
	case len(c.conds) == 0:
		f.sql = append(f.sql, "FALSE"...)
		return nil
	case len(c.conds) == 1:
		return f.condition(&c.conds[0])
	}
	word := " AND "
	if c.op == opOr {
		word = " OR "
	}
	f.sql = append(f.sql, '(')
	err := f.all(c.conds, word)
	f.sql = append(f.sql, ')')
	return err
}

var operators = [...]string{opEq: " = ", opNe: " <> ", opLt: " < ", opLe: " <= ", opGt: " > ", opGe: " >= "}

func (f *fragment) compare(c *Condition, col *column) error {
	if c.op != opEq && c.op != opNe {
		if err := f.t.ordered(col); err != nil {
			return err
		}
	}
	v, err := f.t.value(col, c.vals)
	if err != nil {
		return err
	}
	f.sql = append(f.sql, col.quoted...)
	switch {
	case v != nil:
		f.sql = append(f.sql, operators[c.op]...)
		f.bind(v)
	case c.op == opEq:
		f.sql = append(f.sql, " IS NULL"...)
	case c.op == opNe:
		f.sql = append(f.sql, " IS NOT NULL"...)
	default:
		return &ColumnError{Table: f.t.name, Field: col.field, Err: errors.New("nothing is less or greater than NULL: use IsNull or NotNull")}
	}
	return nil
}

func (f *fragment) like(c *Condition, col *column) error {
	if col.codec.kind.sqlType() != "TEXT" {
		return &ColumnError{Table: f.t.name, Field: col.field, Err: fmt.Errorf("Like needs text, the column holds %s", col.codec.kind)}
	}
	if _, err := checkText(c.args[0].(string)); err != nil {
		return &ValueError{Table: f.t.name, Column: col.name, Err: err}
	}
	f.sql = append(f.sql, col.quoted...)
	if c.op == opNotLike {
		f.sql = append(f.sql, " NOT"...)
	}
	f.sql = append(f.sql, " LIKE "...)
	f.bind(c.args[0])
	return nil
}

func (f *fragment) in(c *Condition, col *column) error {
	vals := make([]any, 0, c.n)
	null := false
	for i := range c.n {
		v, err := f.t.value(col, unsafe.Add(c.vals, uintptr(i)*col.typ.Size()))
		switch {
		case err != nil:
			return err
		case v == nil:
			null = true
		default:
			vals = append(vals, v)
		}
	}
	word, isNull, join := " IN (", " IS NULL", " OR "
	if c.op == opNotIn {
		word, isNull, join = " NOT IN (", " IS NOT NULL", " AND "
	}
	if len(vals) == 0 && !null {
		if c.op == opNotIn {
			f.sql = append(f.sql, "TRUE"...)
		} else {
			f.sql = append(f.sql, "FALSE"...)
		}
		return nil
	}
	both := null && len(vals) > 0
	if both {
		f.sql = append(f.sql, '(')
	}
	if len(vals) > 0 {
		f.sql = append(append(append(f.sql, col.quoted...), word...), placeholders(len(vals))...)
		f.sql = append(f.sql, ')')
		f.args = append(f.args, vals...)
	}
	if both {
		f.sql = append(f.sql, join...)
	}
	if null {
		f.sql = append(append(f.sql, col.quoted...), isNull...)
	}
	if both {
		f.sql = append(f.sql, ')')
	}
	return nil
}

// json names the column with its table: json_each has columns of its own, id and key and value among them.
func (f *fragment) json(c *Condition, col *column) error {
	if c.err != nil {
		return &ValueError{Table: f.t.name, Column: col.name, Err: c.err}
	}
	if col.codec.kind != kindJSON {
		return &ColumnError{
			Table: f.t.name, Field: col.field,
			Err: fmt.Errorf("JSONContains needs a json column, the column holds %s", col.codec.kind),
		}
	}
	if c.op == opJSONNotContains {
		f.sql = append(f.sql, "NOT "...)
	}
	f.sql = append(f.sql, "EXISTS (SELECT 1 FROM json_each("...)
	f.sql = append(append(append(append(f.sql, f.t.quoted...), '.'), col.quoted...), ") WHERE "...)
	f.sql = append(append(f.sql, c.sql...), ')')
	f.args = append(f.args, c.args...)
	return nil
}
