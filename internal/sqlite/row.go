package sqlite

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"

	"github.com/ncruces/go-sqlite3"

	"github.com/livestore-go/livestore/internal/sqltext"
)

// Columns is a set of columns of one table, by their place in it, counted from 0. Those from the 63rd on are one: each stands for all.
type Columns uint64

// AllColumns are all columns a table can have.
const AllColumns = ^Columns(0)

// manyColumns is the place from which on columns share a bit.
const manyColumns = 63

// ColumnAt is the set of the column at a place.
func ColumnAt(i int) Columns { return 1 << min(i, manyColumns) }

// TableRead is what a statement reads of one table.
type TableRead struct {
	Table   string // as in [Stmt.Reads]
	Columns Columns
	names   []string
}

// Column returns the place of a column, false when the table has none of that name, or none of that name alone.
func (r TableRead) Column(name string) (int, bool) {
	for i, n := range r.names {
		if sqltext.Fold(n) == sqltext.Fold(name) {
			return i, i < manyColumns
		}
	}
	return 0, false
}

// ReadsOf returns what the statement reads of each table in [Stmt.Reads], in that order: columns that it names anywhere, through views and
// subqueries too. A table of which it reads no column, to count its rows, is there without any. Of a full-text table, of a table with
// generated columns, and of those a full-text table takes its text from, all columns count as read. The result is shared: do not change it.
func (s *Stmt) ReadsOf() []TableRead { return s.readsOf }

// readsOf puts the columns to the tables that a statement reads.
func (c *Conn) readsOf(g *gathering, tables []string) []TableRead {
	reads := make([]TableRead, len(tables))
	for i, name := range tables {
		t := c.catalog.find(name)
		reads[i] = TableRead{Table: name, Columns: AllColumns}
		if t == nil || t.coarse() {
			continue
		}
		reads[i].names = t.names
		if columns, named := g.columns[name]; named {
			reads[i].Columns = columns
		}
	}
	return reads
}

// coarse says whether single columns and rows of the table say nothing about what is read: a virtual table, and one whose generated columns
// change with others.
func (t *table) coarse() bool { return t.kind != kindTable || t.generated }

// column notes that a column of a table is read. None is read of a table whose rows are counted.
func (g *gathering) column(t *table, name string) {
	if g.columns == nil {
		g.columns = map[string]Columns{}
	}
	set := g.columns[t.owner]
	switch {
	case t.coarse():
		set = AllColumns
	case name != "":
		i := slices.IndexFunc(t.names, func(n string) bool { return sqltext.Fold(n) == sqltext.Fold(name) })
		if i < 0 { // the rowid
			set = AllColumns
		} else {
			set |= ColumnAt(i)
		}
	}
	g.columns[t.owner] = set
}

// Row is a row that is about to change, as the function given to [Conn.OnRow] sees it. It is gone when that returns.
type Row struct {
	// Table is the table as an app knows it. A full-text table stands for those in which it keeps its text.
	Table string
	// Coarse rows have no columns: what reads any of the table may read something else now.
	Coarse bool

	t *table
	p *sqlite3.PreUpdateData
}

// OnRow has f told of each row of the main database that is about to change, also when changes are undone. It is not told of a rollback: it
// has been told of all that is rolled back. f must not use the connection. Nil tells nobody.
func (c *Conn) OnRow(f func(*Row)) { c.onRow = f }

// tell tells of a row of a table.
func (c *Conn) tell(t *table, p *sqlite3.PreUpdateData) {
	c.row = Row{Table: t.owner, Coarse: t.coarse() || p.Op == sqlite3.AUTH_DELETE && p.BlobWrite() >= 0, t: t, p: p}
	c.onRow(&c.row)
	c.row = Row{}
}

// Was says whether the row was there before, and Is whether it will be.
func (r *Row) Was() bool { return r.p.Op != sqlite3.AUTH_INSERT }

// Is says whether the row will be there.
func (r *Row) Is() bool { return r.p.Op != sqlite3.AUTH_DELETE }

// Changed returns those of the columns whose values change. All of them do when the row comes, goes, or gets another rowid, and one does
// that can not be read.
func (r *Row) Changed(of Columns) (changed Columns) {
	if !r.Was() || !r.Is() || !r.t.withoutRowid && r.p.OldRowID != r.p.NewRowID {
		return of
	}
	var a, b [64]byte
	for rest := of; rest != 0; rest &= rest - 1 {
		i := bits.TrailingZeros64(uint64(rest))
		last := i
		if i == manyColumns {
			last = len(r.t.names) - 1
		}
		for ; i <= last && i < len(r.t.names) && changed&ColumnAt(i) == 0; i++ {
			was, err1 := r.p.Old(i)
			is, err2 := r.p.New(i)
			// 1 and 1.0 are equal, and their texts are not.
			if err1 != nil || err2 != nil || was.Type() != is.Type() || !bytes.Equal(appendOrdered(a[:0], was), appendOrdered(b[:0], is)) {
				changed |= ColumnAt(i)
			}
		}
	}
	return changed
}

// AppendOld appends the value of a column as [AppendValue] does, as it was before. ok is false when it can not be read.
func (r *Row) AppendOld(b []byte, column int) (_ []byte, ok bool) {
	v, err := r.p.Old(column)
	if err != nil {
		return b, false
	}
	return appendOrdered(b, v), true
}

// AppendNew is AppendOld for the value as it will be.
func (r *Row) AppendNew(b []byte, column int) (_ []byte, ok bool) {
	v, err := r.p.New(column)
	if err != nil {
		return b, false
	}
	return appendOrdered(b, v), true
}

// How values are told apart, and ordered: by kind, and within one kind by value. Numbers are one kind.
const (
	orderNull = iota
	orderNumber
	orderText
	orderBlob
)

// AppendValue appends a value to b so that two values have the same bytes when SQLite calls them equal, and the order of their bytes is
// SQLite's order of values, with text in the order of its bytes. NULL is equal to NULL. ok is false for what is no value of SQLite's.
func AppendValue(b []byte, v any) (_ []byte, ok bool) {
	switch v := v.(type) {
	case nil:
		return append(b, orderNull), true
	case int64:
		return appendInteger(b, v), true
	case int:
		return appendInteger(b, int64(v)), true
	case bool:
		if v {
			return appendInteger(b, 1), true
		}
		return appendInteger(b, 0), true
	case float64:
		return appendFloat(b, v), true
	case string:
		return append(append(b, orderText), v...), true
	case []byte:
		if v == nil {
			return append(b, orderNull), true
		}
		return append(append(b, orderBlob), v...), true
	}
	return b, false
}

func appendOrdered(b []byte, v sqlite3.Value) []byte {
	switch v.Type() {
	case sqlite3.INTEGER:
		return appendInteger(b, v.Int64())
	case sqlite3.FLOAT:
		return appendFloat(b, v.Float())
	case sqlite3.TEXT:
		return append(append(b, orderText), v.RawText()...)
	case sqlite3.BLOB:
		return append(append(b, orderBlob), v.RawBlob()...)
	default:
		return append(b, orderNull)
	}
}

// A number is its nearest float and, to tell integers apart that have the same one, itself.
func appendInteger(b []byte, v int64) []byte { return appendNumber(b, float64(v), v) }

func appendFloat(b []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(b, orderNull) // as SQLite stores it
	case v >= -1<<63 && v < 1<<63 && v == math.Trunc(v):
		return appendNumber(b, v, int64(v))
	case v > 0:
		return appendNumber(b, v, math.MaxInt64)
	}
	return appendNumber(b, v, math.MinInt64)
}

func appendNumber(b []byte, f float64, n int64) []byte {
	if f == 0 {
		f = 0 // of the two zeros one
	}
	order := math.Float64bits(f)
	if order>>63 == 1 {
		order = ^order
	} else {
		order |= 1 << 63
	}
	b = binary.BigEndian.AppendUint64(append(b, orderNumber), order)
	return binary.BigEndian.AppendUint64(b, uint64(n)^(1<<63))
}
