package sqlite

import "github.com/ncruces/go-sqlite3"

// Kind is the type of one value as SQLite holds it.
type Kind uint8

// The kinds of values.
const (
	Null Kind = iota
	Integer
	Float
	Text
	Blob
)

var kinds = [...]Kind{sqlite3.INTEGER: Integer, sqlite3.FLOAT: Float, sqlite3.TEXT: Text, sqlite3.BLOB: Blob, sqlite3.NULL: Null}

// Rows are the result of a query, read one by one:
//
//	for rows.Next() { … rows.Text(0) … }
//	err := rows.Close()
//
// Columns are counted from 0. A value is converted to the type it is asked for as SQLite's CAST does.
type Rows struct {
	s    *Stmt // nil once it is closed
	mark Mark
	err  error
}

// Query executes the statement and returns its rows, which are to be closed. Arguments are those of [Stmt.Exec]. A
// statement has one open Rows; [Conn.Prepare] gives another statement when the one of that text is being read.
func (s *Stmt) Query(args []any) (_ *Rows, err error) {
	defer rescue(&err)
	if err := s.start(args); err != nil {
		return nil, err
	}
	s.open = true
	return &Rows{s: s, mark: s.c.log.mark()}, nil
}

// Next goes to the next row, at first to the first one. At the end, and after an error, it closes the rows and returns
// false.
func (r *Rows) Next() bool {
	if r.s == nil {
		return false
	}
	if r.step() {
		return true
	}
	r.Close()
	return false
}

func (r *Rows) step() (more bool) {
	defer rescue(&r.err)
	if r.s.raw.Step() {
		return true
	}
	r.err = r.s.raw.Err()
	return false
}

// Err returns the error that ended the rows, nil when they ended by themselves or have not ended.
func (r *Rows) Err() error { return r.err }

// Close ends the rows and returns the error of [Rows.Err]. Closing twice is allowed.
func (r *Rows) Close() error {
	s := r.s
	if s == nil {
		return r.err
	}
	r.s = nil
	s.open = false
	_ = s.raw.Reset() // its error is that of the last step
	r.err = s.finish(r.mark, r.err)
	return r.err
}

// Columns returns the names of the columns. The result is shared: do not change it.
func (r *Rows) Columns() []string {
	if r.s == nil {
		return nil
	}
	if r.s.names == nil {
		names := make([]string, r.s.raw.ColumnCount())
		for i := range names {
			names[i] = r.s.raw.ColumnName(i)
		}
		r.s.names = names
	}
	return r.s.names
}

// Type returns the kind of a value. It is to be asked for before the value, since reading may convert it.
func (r *Rows) Type(i int) Kind { return kinds[r.s.raw.ColumnType(i)] }

// IsNull says whether a value is NULL.
func (r *Rows) IsNull(i int) bool { return r.s.raw.ColumnType(i) == sqlite3.NULL }

// Int64 returns a value as an integer, 0 for NULL.
func (r *Rows) Int64(i int) int64 { return r.s.raw.ColumnInt64(i) }

// Float64 returns a value as a float, 0 for NULL.
func (r *Rows) Float64(i int) float64 { return r.s.raw.ColumnFloat(i) }

// Text returns a value as text, empty for NULL.
func (r *Rows) Text(i int) (text string) {
	defer rescue(&r.err)
	return r.s.raw.ColumnText(i)
}

// Bytes returns a copy of a value as bytes, nil for NULL and only for NULL.
func (r *Rows) Bytes(i int) (b []byte) {
	defer rescue(&r.err)
	raw := r.s.raw.ColumnRawBlob(i)
	if len(raw) == 0 && r.IsNull(i) {
		return nil
	}
	return append(make([]byte, 0, len(raw)), raw...)
}
