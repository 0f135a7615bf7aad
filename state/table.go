package state

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unsafe"

	"github.com/livestore-go/livestore/internal/sqltext"
)

// Table is a table of rows of type R. Make one with [NewTable], once, as a package variable, and give it to the schema.
// A table is a read of all its rows.
type Table[R any] struct {
	// Row is there for the addresses of its fields, which name columns: &todos.Row.ID. It is never read or written.
	Row *R

	t   *table
	all *Select[R]
}

// table is the part of a [Table] that does not depend on its row type.
type table struct {
	name       string
	quoted     string
	clientOnly bool
	version    string
	cols       []column
	base       unsafe.Pointer // Row
	typ        reflect.Type   // R
	plan       plan           // all columns
	list       string         // all columns as SQL lists them
	insert     string         // INSERT of all columns
	indexes    []index
	foreign    []foreignKey
	checks     []string
	named      *namedPlans // of a view: its columns are found by name, and may hold anything
	errs       []error
	err        error // errs joined
}

type foreignKey struct{ col, table, ref, actions string }

// TableOption changes a table. See [Index], [UniqueIndex], [Check], [ForeignKey], [ClientOnly] and [Version].
type TableOption interface{ table(*table) }

type tableOption func(*table)

func (o tableOption) table(t *table) { o(t) }

// Check refuses rows for which an SQL expression over their columns is false; NULL is not false. The expression may use what gives
// the same everywhere: no clock, no randomness, no subquery. What [NewSchema] does not see of that is refused when the table is made, as is
// a name that is no column.
func Check(sql string) TableOption {
	return tableOption(func(t *table) {
		sql, err := sqltext.Expression(sql)
		if err != nil {
			t.failOption("Check", err.Error())
		}
		t.checks = append(t.checks, sql)
	})
}

// ForeignKeyAction says what happens to a row when the row it refers to goes.
type ForeignKeyAction string

// What a foreign key does. Without one, a statement is an error if after it rows refer to what is not there; Restrict refuses the change of
// the row they refer to even if the same statement would mend it.
const (
	OnDeleteCascade    ForeignKeyAction = "ON DELETE CASCADE"
	OnDeleteSetNull    ForeignKeyAction = "ON DELETE SET NULL"
	OnDeleteSetDefault ForeignKeyAction = "ON DELETE SET DEFAULT"
	OnDeleteRestrict   ForeignKeyAction = "ON DELETE RESTRICT"
	OnUpdateCascade    ForeignKeyAction = "ON UPDATE CASCADE"
	OnUpdateSetNull    ForeignKeyAction = "ON UPDATE SET NULL"
	OnUpdateSetDefault ForeignKeyAction = "ON UPDATE SET DEFAULT"
	OnUpdateRestrict   ForeignKeyAction = "ON UPDATE RESTRICT"
)

// ForeignKey makes column col refer to column ref of the table named to. That table is in the same schema, and ref is its primary
// key or unique there.
func ForeignKey(col, to, ref string, actions ...ForeignKeyAction) TableOption {
	return tableOption(func(t *table) { t.addForeignKey(foreignKey{col: col, table: to, ref: ref}, actions) })
}

func (t *table) addForeignKey(fk foreignKey, actions []ForeignKeyAction) {
	c := t.column(fk.col)
	if c == nil {
		t.failOption("ForeignKey", fmt.Sprintf("%q is no column: the table has %s", fk.col, t.columnNames()))
		return
	}
	for _, a := range actions {
		switch a {
		case OnDeleteSetNull, OnUpdateSetNull:
			if !c.nullable {
				t.failOption("ForeignKey", fmt.Sprintf("%s on column %q, which is not nullable", a, fk.col))
			}
		case OnDeleteSetDefault, OnUpdateSetDefault:
			if c.def == "" {
				t.failOption("ForeignKey", fmt.Sprintf("%s on column %q, which has no default", a, fk.col))
			}
		case OnDeleteCascade, OnUpdateCascade, OnDeleteRestrict, OnUpdateRestrict:
		default:
			t.failOption("ForeignKey", fmt.Sprintf("action %q is not known", a))
			continue
		}
		if when := string(a[:len("ON DELETE")]); strings.Contains(fk.actions, when) {
			t.failOption("ForeignKey", "it has two actions "+when)
		}
		fk.actions += " " + string(a)
	}
	t.foreign = append(t.foreign, fk)
}

// ClientOnly marks a table that is derived from client-only events. Those events are not on other clients, so
// materializers of synced events can neither read nor write it.
func ClientOnly() TableOption { return tableOption(func(t *table) { t.clientOnly = true }) }

// NewTable makes a table. R is a struct; see the package documentation for its tags. It does not fail: what is wrong with the
// table is reported by [NewSchema], and by every read and write of the table.
func NewTable[R any](name string, opts ...TableOption) *Table[R] {
	row := new(R)
	t := newTable(name, reflect.TypeFor[R](), unsafe.Pointer(row), opts)
	tab := &Table[R]{Row: row, t: t}
	tab.all = &Select[R]{t: t, limit: -1, err: t.err}
	return tab
}

func newTable(name string, typ reflect.Type, base unsafe.Pointer, opts []TableOption) *table {
	t := &table{name: name, quoted: quote(name), typ: typ, base: base}
	if err := checkName(name); err != nil {
		t.errs = append(t.errs, &TableError{Table: name, Err: err})
	}
	cols, ferrs := readColumns(typ)
	for _, e := range ferrs {
		field := e.field
		if field != "" {
			field = "field " + field
		}
		t.errs = append(t.errs, &TableError{Table: name, Field: field, Err: e.err})
	}
	t.cols = cols
	for _, o := range opts {
		if len(ferrs) > 0 { // an index on a refused field would only add noise
			break
		}
		if o == nil {
			t.errs = append(t.errs, &TableError{Table: name, Err: errors.New("an option is nil")})
			continue
		}
		o.table(t)
	}
	t.err = errors.Join(t.errs...)
	names := make([]string, len(cols))
	for i := range cols {
		names[i] = cols[i].quoted
		t.plan = append(t.plan, step{column: &cols[i], null: cols[i].nullable})
	}
	t.list = strings.Join(names, ", ")
	t.insert = "INSERT INTO " + t.quoted + " (" + t.list + ") VALUES (" + placeholders(len(cols)) + ")"
	return t
}

func (t *table) failOption(option, what string) {
	t.errs = append(t.errs, &TableError{Table: t.name, Field: "option " + option, Err: errors.New(what)})
}

// column returns the column of that name, nil when there is none.
func (t *table) column(name string) *column {
	for i := range t.cols {
		if t.cols[i].name == name {
			return &t.cols[i]
		}
	}
	return nil
}

func (t *table) columnNames() string {
	names := make([]string, len(t.cols))
	for i := range t.cols {
		names[i] = t.cols[i].name
	}
	return strings.Join(names, ", ")
}

// primaryKey returns the columns of the primary key, nil when there is none.
func (t *table) primaryKey() (cols []*column) {
	for i := range t.cols {
		if t.cols[i].primary {
			cols = append(cols, &t.cols[i])
		}
	}
	return cols
}

// placeholders writes n parameters.
func placeholders(n int) string {
	if n == 0 {
		return ""
	}
	return strings.Repeat("?, ", n-1) + "?"
}

// Name returns the name of the table.
func (t *Table[R]) Name() string { return t.t.name }

// All reads all rows, as the table itself does.
func (t *Table[R]) All() *Select[R] { return t.all }

// Where reads the rows that meet all conditions.
func (t *Table[R]) Where(conds ...Condition) *Select[R] { return t.all.Where(conds...) }

// OrderBy reads all rows in the given order.
func (t *Table[R]) OrderBy(orders ...Order) *Select[R] { return t.all.OrderBy(orders...) }

// Limit reads at most n rows.
func (t *Table[R]) Limit(n int) *Select[R] { return t.all.Limit(n) }

// Offset leaves out the first n rows.
func (t *Table[R]) Offset(n int) *Select[R] { return t.all.Offset(n) }

// First reads one row, nil when the table is empty.
func (t *Table[R]) First() Query[*R] { return t.all.First() }

// Count reads the number of rows.
func (t *Table[R]) Count() Query[int] { return t.all.Count() }

// Statement returns the SELECT of all rows.
func (t *Table[R]) Statement(sessionID string) (Statement, error) {
	return t.query().Statement(sessionID)
}

// Decode makes the rows of a result.
func (t *Table[R]) Decode(r Rows) ([]R, error) { return t.query().Decode(r) }

func (t *Table[R]) yields() (v []R) { return v }

func (t *Table[R]) query() *Select[R] {
	if t == nil {
		return nil
	}
	return t.all
}
