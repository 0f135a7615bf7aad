package state

import (
	"errors"
	"slices"
	"unsafe"
)

// Write changes state. It runs in a materializer, through [Tx.Exec], and carries the error of its construction.
type Write interface {
	// Statement returns the SQL.
	Statement() (Statement, error)
	write()
}

// Exec is a write in SQL. Arguments are bound in order to the ? of the text. The tables it writes are those the app declares;
// statements that change the schema, and everything that makes state depend on more than events, are refused when it runs.
func Exec(sql string, args ...any) Write {
	bound, err := normalizeAll(sql, args)
	return rawWrite{newBound(sql, bound, err)}
}

type rawWrite struct{ built bound }

func (w rawWrite) Statement() (Statement, error) { return w.built.stmt, w.built.err }
func (rawWrite) write()                          {}

// Assignment gives a column, or a member of a client document, a value. The zero value is refused.
type Assignment struct {
	col  address
	val  unsafe.Pointer // of the column's type; nil for an expression
	sql  string
	args []any
	excl bool // the value is that of the row that could not be inserted
	err  error
}

// Set gives the column the value v, which has the type of the field: for a nullable column it is a pointer, and nil for NULL.
func Set[T any](col *T, v T) Assignment {
	return Assignment{col: addressOf(col), val: unsafe.Pointer(&v)}
}

// SetSQL gives the column what an SQL expression makes of the row, such as SetSQL(&counters.Row.N, "n + ?", 1).
func SetSQL[T any](col *T, sql string, args ...any) Assignment {
	a := Assignment{col: addressOf(col), sql: sql}
	a.args, a.err = normalizeAll(sql, args)
	return a
}

// Excluded gives the column the value of the row that could not be inserted. It is for [Conflict.Update].
func Excluded[T any](col *T) Assignment { return Assignment{col: addressOf(col), excl: true} }

// assign writes assignments after SET.
func (f *fragment) assign(sets []Assignment) error {
	if len(sets) == 0 {
		return &ColumnError{Table: f.t.name, Err: errors.New("an update sets nothing: give it Set(&table.Row.Field, value)")}
	}
	seen := make([]*column, 0, 8)
	for i := range sets {
		a := &sets[i]
		c, err := f.t.resolve(a.col)
		if err != nil {
			return err
		}
		if slices.Contains(seen, c) {
			return &ColumnError{Table: f.t.name, Field: c.field, Err: errors.New("is set twice")}
		}
		seen = append(seen, c)
		if i > 0 {
			f.sql = append(f.sql, ", "...)
		}
		f.sql = append(append(f.sql, c.quoted...), " = "...)
		if err := f.assigned(c, a); err != nil {
			return err
		}
	}
	return nil
}

func (f *fragment) assigned(c *column, a *Assignment) error {
	switch {
	case a.err != nil:
		return a.err
	case a.excl && !f.conflict:
		return &ColumnError{Table: f.t.name, Field: c.field, Err: errors.New("Excluded is for OnConflict: an update has no other row")}
	case a.excl:
		f.excluded(c)
		return nil
	case a.val == nil:
		f.sql = append(append(append(f.sql, '('), a.sql...), ')')
		f.args = append(f.args, a.args...)
		return nil
	}
	v, err := f.t.value(c, a.val)
	if err != nil {
		return err
	}
	f.bind(v)
	return nil
}

func (f *fragment) excluded(c *column) {
	f.sql = append(append(f.sql, "excluded."...), c.quoted...)
}

// columnsAt resolves a list of field addresses.
func (t *table) columnsAt(addrs []any) ([]*column, error) {
	cols := make([]*column, 0, len(addrs))
	for _, p := range addrs {
		a, err := addressAny(p)
		if err != nil {
			return nil, &ColumnError{Table: t.name, Err: err}
		}
		c, err := t.resolve(a)
		if err != nil {
			return nil, err
		}
		if slices.Contains(cols, c) {
			return nil, &ColumnError{Table: t.name, Field: c.field, Err: errors.New("is named twice")}
		}
		cols = append(cols, c)
	}
	return cols, nil
}
