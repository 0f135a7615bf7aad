package state

import (
	"errors"
	"fmt"
)

// TableError says that a table or a document can not be made as it is declared.
type TableError struct {
	Table string // name of the table
	Field string // field of the row type, or the option, it is about; empty for the whole
	Err   error
}

func (e *TableError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("table %q: %v", e.Table, e.Err)
	}
	return fmt.Sprintf("table %q: %s: %v", e.Table, e.Field, e.Err)
}

func (e *TableError) Unwrap() error { return e.Err }

// ColumnError says that a query or a write is built wrongly: it names what is no column, or uses a column as it can not be used.
type ColumnError struct {
	Table string // name of the table
	Field string // field of the row type, empty when the address belongs to none
	Err   error
}

func (e *ColumnError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("table %q: %v", e.Table, e.Err)
	}
	return fmt.Sprintf("table %q: field %s: %v", e.Table, e.Field, e.Err)
}

func (e *ColumnError) Unwrap() error { return e.Err }

// ValueError says that a value can not be stored in its column.
type ValueError struct {
	Table  string // name of the table
	Column string // name of the column
	Err    error  // [ErrInvalidUTF8], [ErrNaN], [ErrRange] or what an encoder said
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("table %q: column %q: %v", e.Table, e.Column, e.Err)
}

func (e *ValueError) Unwrap() error { return e.Err }

// ArgError says that an argument of a raw statement can not be bound.
type ArgError struct {
	SQL   string
	Index int // counted from 0
	Err   error
}

func (e *ArgError) Error() string {
	return fmt.Sprintf("argument %d of %q: %v", e.Index+1, e.SQL, e.Err)
}

func (e *ArgError) Unwrap() error { return e.Err }

// TooManyArgsError says that a statement has more parameters than SQLite takes, which is 32,766. Split the write; for a
// long list to compare with, store it in a table or pass it as JSON to json_each.
type TooManyArgsError struct{ Count int }

func (e *TooManyArgsError) Error() string {
	return fmt.Sprintf("statement has %d values, SQLite takes %d: split it", e.Count, maxArgs)
}

// ScanError says that a result does not fit the Go type it is read into.
type ScanError struct {
	Table  string // name of the table, empty for raw SQL
	Column string // name of the result column
	Type   string // Go type, or the row type when it has no such field
	Err    error
}

func (e *ScanError) Error() string {
	where := ""
	if e.Table != "" {
		where = fmt.Sprintf("table %q: ", e.Table)
	}
	return fmt.Sprintf("%scolumn %q into %s: %v", where, e.Column, e.Type, e.Err)
}

func (e *ScanError) Unwrap() error { return e.Err }

// errNilQuery is for a nil *Table, *Select or *Document where a query is wanted: most often a package variable used before it is made.
var errNilQuery = errors.New("the query is a nil table, select or document: make it with NewTable or NewDocument before it is used")

// What a [ValueError] or a [ScanError] wraps.
var (
	ErrInvalidUTF8 = errors.New("text is not valid UTF-8: keep bytes in a []byte")
	ErrNaN         = errors.New("NaN can not be stored: use a pointer and nil")
	ErrRange       = errors.New("out of range")
	ErrNull        = errors.New("value is NULL: read it into a pointer, or tag the field nullable")
)
