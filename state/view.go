package state

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unsafe"

	"github.com/livestore-go/livestore/internal/sqltext"
)

// View is a view of the schema: a query with a name, read like a table and by any SQL. It can not be written. Make one with [NewView],
// once, as a package variable, and give it to the schema. It is a read of all its rows.
type View[R any] struct {
	// Row is there for the addresses of its fields, which name columns: &open.Row.ID. It is never read or written.
	Row *R

	// Select reads all rows, and begins with what reads fewer.
	*Select[R]

	ddl *RawDDL
}

// NewView makes a view of a SELECT. R is a struct as for [NewTable], a table's own row type too; of its tags only the names and how a
// value is stored mean something. The columns of the SELECT and the fields have to match by name: that is checked when the view is first
// read, and the error is a [ScanError] for each that has no counterpart. The SELECT has no parameters.
//
//	var open = state.NewView[Todo]("openTodos", "SELECT * FROM todos WHERE NOT completed")
func NewView[R any](name, query string) *View[R] {
	row := new(R)
	t := newTable(name, reflect.TypeFor[R](), unsafe.Pointer(row), nil)
	t.list, t.named = "*", new(namedPlans)
	v := &View[R]{Row: row}
	if t.err == nil {
		v.ddl, t.err = viewDDL(t, strings.TrimRight(strings.TrimSpace(query), "; \t\r\n"))
	}
	v.Select = &Select[R]{t: t, limit: -1, err: t.err, wide: true} // its rows are no rows of a table
	return v
}

func viewDDL(t *table, query string) (*RawDDL, error) {
	sql := "CREATE VIEW " + t.quoted + " AS " + query
	o, err := sqltext.Create(sql)
	if err == nil {
		err = sqltext.Reads(query)
	}
	if err != nil {
		return nil, &TableError{Table: t.name, Err: err}
	}
	return &RawDDL{sql: []string{sql}, objects: []sqltext.Object{o}}, nil
}

func (v *View[R]) part(b *builder) {
	switch {
	case v == nil:
		b.fail(errors.New("a view is nil"))
	case v.t.err != nil:
		b.fail(v.t.err)
	default:
		b.raw = append(b.raw, v.ddl)
	}
}

// planFor returns how a result is read. What a view gives is found by name, and checked once.
func (t *table) planFor(r Rows) (plan, error) {
	if t.named == nil {
		return t.plan, nil
	}
	l := layout{typ: t.typ, cols: t.cols}
	p, err := t.named.get(r.Columns(), l.plan)
	if err != nil {
		return nil, fmt.Errorf("view %q: %w", t.name, err)
	}
	return p, nil
}

// step reads a column of a result that names it.
func (t *table) step(c *column) step {
	if t.named == nil {
		return step{column: c, null: c.nullable}
	}
	return step{column: c, null: true, noNull: !c.nullable, check: true}
}

// Name returns the name of the view.
func (v *View[R]) Name() string { return v.t.name }

// Statement returns the SELECT of all rows.
func (v *View[R]) Statement(sessionID string) (Statement, error) {
	return v.query().Statement(sessionID)
}

// Decode makes the rows of a result.
func (v *View[R]) Decode(r Rows) ([]R, error) { return v.query().Decode(r) }

func (v *View[R]) query() *Select[R] {
	if v == nil {
		return nil
	}
	return v.Select
}
