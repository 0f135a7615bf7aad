package touch

import (
	"encoding/binary"
	"slices"

	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/state"
)

// Read is what a statement reads of a table. It is comparable: two reads are the same when the same changes touch them.
type Read struct {
	table   string
	columns sqlite.Columns
	on      sqlite.Columns // columns whose values say which rows; none for all rows, one for a range
	ranged  bool           // … by a range
	low     string         // the values of on in their order, as key writes them, or the lower bound
	high    string         // the upper bound
}

// String names the table, and says what of it is read: rows by value or by range, columns of all rows, or only which rows there are.
func (r Read) String() string {
	switch {
	case r.ranged:
		return "table " + r.table + ", by range"
	case r.on != 0:
		return "table " + r.table + ", by row"
	case r.columns != 0:
		return "table " + r.table + ", by column"
	}
	return "table " + r.table
}

// unbounded is above all values.
const unbounded = "\xff"

// maxReads is how many reads a statement is split into, one for each combination of values that its columns may have.
const maxReads = 64

// Of appends the reads of a statement to reads. tables is what the statement reads of each table.
func Of(reads []Read, st *state.Statement, tables []sqlite.TableRead) []Read {
	for _, t := range tables {
		all := Read{table: t.Table, columns: t.Columns}
		if st.Filter == nil || st.Filter.Table != t.Table {
			reads = append(reads, all)
			continue
		}
		n := len(reads)
		if reads = equal(reads, all, st.Filter.Equal, t); len(reads) == n {
			reads = append(reads, within(all, st.Filter.Range, t))
		}
	}
	return reads
}

// in is a column of a filter at its place.
type in struct {
	place  int
	values []string
}

// equal appends the reads of rows whose columns have certain values, none when that can not be said.
func equal(reads []Read, all Read, filter []state.ColumnIn, t sqlite.TableRead) []Read {
	var columns []in
	count := 1
	for _, f := range filter {
		place, ok := t.Column(f.Column)
		again := slices.ContainsFunc(columns, func(c in) bool { return c.place == place }) // narrows further, and need not
		if !ok || again || len(f.Values) == 0 || count*len(f.Values) > maxReads {
			continue
		}
		c := in{place: place}
		for _, v := range f.Values {
			b, ok := sqlite.AppendValue(nil, v)
			if !ok {
				return reads
			}
			c.values = append(c.values, string(b))
		}
		slices.Sort(c.values)
		c.values = slices.Compact(c.values)
		columns = append(columns, c)
		count *= len(c.values)
	}
	if len(columns) == 0 {
		return reads
	}
	slices.SortFunc(columns, func(a, b in) int { return a.place - b.place })
	for _, c := range columns {
		all.on |= sqlite.ColumnAt(c.place)
	}
	for i := range count {
		r, rest := all, i
		var key []byte
		for _, c := range columns {
			key = appendPart(key, c.values[rest%len(c.values)])
			rest /= len(c.values)
		}
		r.low = string(key)
		reads = append(reads, r)
	}
	return reads
}

// appendPart appends one value of several to a key.
func appendPart(key []byte, value string) []byte {
	return append(binary.AppendUvarint(key, uint64(len(value))), value...)
}

// within returns the read of rows with a column in a range, or of all rows when there is none.
func within(all Read, filter []state.ColumnRange, t sqlite.TableRead) Read {
	for _, f := range filter {
		place, ok := t.Column(f.Column)
		if !ok {
			continue
		}
		r := all
		r.on, r.ranged, r.high = sqlite.ColumnAt(place), true, unbounded
		if f.Min != nil {
			b, ok := sqlite.AppendValue(nil, f.Min)
			if !ok {
				continue
			}
			r.low = string(b)
		}
		if f.Max != nil {
			b, ok := sqlite.AppendValue(nil, f.Max)
			if !ok {
				continue
			}
			r.high = string(b)
		}
		return r
	}
	return all
}
