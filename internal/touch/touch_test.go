package touch_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/internal/touch"
	"github.com/livestore-go/livestore/state"
)

// world is a database with reads that are followed, each with the result it had when it was last looked at.
type world struct {
	*rapid.T

	conn    *sqlite.Conn
	index   *touch.Index
	using   map[touch.Read]int // how many of the reads below have it
	touched map[touch.Read]bool
	reads   []*read
	ran     int // how often a read was touched
	vain    int // … and nothing was different
}

// read is one statement that is followed.
type read struct {
	st   state.Statement
	keys []touch.Read
	last string
}

// values are what columns hold and reads ask for: of every kind, near each other.
var values = []any{nil, int64(0), int64(1), int64(2), 1.5, 2.0, -1.0, "", "a", "b", "1", []byte("a"), []byte{}}

func (w *world) value(label string) any { return rapid.SampledFrom(values).Draw(w.T, label) }

// column draws one of the columns.
func (w *world) column() string {
	return rapid.SampledFrom([]string{"k", "a", "b", "c"}).Draw(w.T, "column")
}

// tables are two kinds of tables with the same columns; no column has a type, so that every value stays what it is.
var tables = []string{"r", "w"}

// do writes. What a constraint refuses has changed nothing.
func (w *world) do(sql string, args ...any) {
	if err := w.conn.Exec(sqlite.Internal, sql, args...); err != nil && !sqlite.IsConstraint(err) {
		w.Fatalf("%s: %v", sql, err)
	}
}

// statement draws a read with a filter that says what its conditions say.
func (w *world) statement() state.Statement {
	if rapid.IntRange(0, 5).Draw(w.T, "a join") == 0 {
		return state.Statement{SQL: "SELECT count(*), max(r.a) FROM r JOIN w ON r.b = w.c"}
	}
	table := rapid.SampledFrom(tables).Draw(w.T, "table")
	f := &state.Filter{Table: table}
	var where []string
	var args []any
	for range rapid.IntRange(0, 2).Draw(w.T, "equalities") {
		c := state.ColumnIn{Column: w.column()}
		var parts []string
		for range rapid.IntRange(1, 3).Draw(w.T, "values") {
			v := w.value("one of")
			c.Values = append(c.Values, v)
			parts = append(parts, c.Column+" IS ?")
			args = append(args, v)
		}
		f.Equal = append(f.Equal, c)
		where = append(where, "("+strings.Join(parts, " OR ")+")")
	}
	for range rapid.IntRange(0, 1).Draw(w.T, "ranges") {
		r := state.ColumnRange{Column: w.column()}
		if r.Min = w.value("min"); r.Min != nil {
			where, args = append(where, r.Column+" >= ?"), append(args, r.Min)
		}
		if r.Max = w.value("max"); r.Max != nil {
			where, args = append(where, r.Column+" < ?"), append(args, r.Max)
		}
		if r.Min != nil || r.Max != nil {
			f.Range = append(f.Range, r)
		}
	}
	what := rapid.SampledFrom([]string{"count(*)", "k", "a, b", "max(c)", "*"}).Draw(w.T, "what")
	st := state.Statement{SQL: "SELECT " + what + " FROM " + table, Args: args, Filter: f}
	if len(where) > 0 {
		st.SQL += " WHERE " + strings.Join(where, " AND ")
	}
	switch what {
	case "k", "*":
		st.SQL += " ORDER BY k, a, b, c LIMIT 2"
	case "a, b":
		st.SQL += " ORDER BY a, b"
	}
	return st
}

func (w *world) run(st state.Statement) string {
	s, err := w.conn.Prepare(sqlite.Read, st.SQL)
	if err != nil {
		w.Fatal(err)
	}
	var b strings.Builder
	err = s.Each(st.Args, func(r *sqlite.Rows) {
		for i := range r.Columns() {
			fmt.Fprintf(&b, "%t %q|", r.IsNull(i), r.Text(i))
		}
		b.WriteByte('\n')
	})
	if err != nil {
		w.Fatal(err)
	}
	return b.String()
}

func (w *world) follow() {
	r := &read{st: w.statement()}
	s, err := w.conn.Prepare(sqlite.Read, r.st.SQL)
	if err != nil {
		w.Fatal(err)
	}
	for _, k := range touch.Of(nil, &r.st, s.ReadsOf()) {
		if w.using[k]++; w.using[k] == 1 {
			w.index.Add(k)
		}
		r.keys = append(r.keys, k)
	}
	r.last = w.run(r.st)
	w.reads = append(w.reads, r)
}

func (w *world) leave(i int) {
	for _, k := range w.reads[i].keys {
		if w.using[k]--; w.using[k] == 0 {
			delete(w.using, k)
			w.index.Remove(k)
		}
	}
	w.reads = append(w.reads[:i], w.reads[i+1:]...)
}

// check looks whether a read that was not touched has another result.
func (w *world) check() {
	for _, r := range w.reads {
		touched := false
		for _, k := range r.keys {
			touched = touched || w.touched[k]
		}
		now := w.run(r.st)
		switch {
		case now == r.last && touched:
			w.ran, w.vain = w.ran+1, w.vain+1
		case now == r.last:
		case !touched:
			w.Fatalf("%s %v %+v was not touched.\nbefore %s\nnow %s", r.st.SQL, r.st.Args, r.st.Filter, r.last, now)
		default:
			w.ran++
		}
		r.last = now
	}
	clear(w.touched)
}

// step writes something, or follows another read, and maybe undoes what it wrote.
func (w *world) step() {
	table := rapid.SampledFrom(tables).Draw(w.T, "table")
	w.conn.Record(true)
	mark := w.conn.Mark()
	switch rapid.IntRange(0, 9).Draw(w.T, "deed") {
	case 0, 1, 2:
		w.do("INSERT INTO "+table+" VALUES (?, ?, ?, ?)", w.value("k"), w.value("a"), w.value("b"), w.value("c"))
	case 3:
		w.do("INSERT OR REPLACE INTO "+table+" VALUES (?, ?, ?, ?)", w.value("k"), w.value("a"), w.value("b"), w.value("c"))
	case 4, 5:
		w.do("UPDATE "+table+" SET "+w.column()+" = ? WHERE "+w.column()+" IS ?", w.value("to"), w.value("where"))
	case 6:
		w.do("UPDATE r SET rowid = rowid + 10 WHERE "+w.column()+" IS ?", w.value("where"))
	case 7:
		w.do("DELETE FROM "+table+" WHERE "+w.column()+" IS ?", w.value("where"))
	case 8:
		w.follow()
	case 9:
		if len(w.reads) > 1 {
			w.leave(rapid.IntRange(0, len(w.reads)-1).Draw(w.T, "leave"))
		}
	}
	changes := w.conn.Take(mark)
	w.conn.Record(false)
	w.check()
	if rapid.IntRange(0, 3).Draw(w.T, "undo") == 0 {
		if err := w.conn.Undo(changes); err != nil {
			w.Fatal(err)
		}
		w.check()
	}
}

// No change of the result of a read is missed, whatever the writes and the conditions: inserted, changed and deleted rows, rows that get
// another key, undone ones.
func TestNothingIsMissed(t *testing.T) {
	ran, vain := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		conn, err := sqlite.Open(":memory:", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		w := &world{T: t, conn: conn, using: map[touch.Read]int{}, touched: map[touch.Read]bool{}}
		w.index = touch.New(func(r touch.Read) { w.touched[r] = true })
		conn.OnRow(w.index.Row)
		w.do("CREATE TABLE r (k PRIMARY KEY, a, b, c UNIQUE)")
		w.do("CREATE TABLE w (k, a, b, c, PRIMARY KEY (k, a)) WITHOUT ROWID")
		if err := conn.Begin(); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			w.follow()
		}
		for range rapid.IntRange(5, 30).Draw(t, "steps") {
			w.step()
		}
		for len(w.reads) > 0 {
			w.leave(0)
		}
		ran, vain = ran+w.ran, vain+w.vain
	})
	t.Logf("reads were touched %d times, %d of them for nothing", ran, vain)
	if ran == 0 || vain == ran {
		t.Error("no result has changed")
	}
}
