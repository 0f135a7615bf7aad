package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

func TestArgumentsAndValues(t *testing.T) {
	c := memory(t, []string{"CREATE TABLE v (x)"})
	for _, tc := range []struct {
		arg  any
		kind Kind
		text string
	}{
		{nil, Null, ""},
		{int64(math.MinInt64), Integer, "-9223372036854775808"},
		{math.MaxInt64, Integer, "9223372036854775807"},
		{true, Integer, "1"},
		{false, Integer, "0"},
		{1.25, Float, "1.25"},
		{math.Inf(-1), Float, "-Inf"},
		{math.NaN(), Null, ""},
		{"", Text, ""},
		{"a\x00b'\xff", Text, "a\x00b'\xff"},
		{[]byte{0, 1}, Blob, "\x00\x01"},
		{[]byte{}, Blob, ""},
		{[]byte(nil), Null, ""},
		{jsontext.Value(`{"a":1}`), Text, `{"a":1}`},
		{strings.Repeat("long", heavyValue), Text, strings.Repeat("long", heavyValue)},
	} {
		if err := c.Exec(Materialize, "INSERT INTO v VALUES (?)", tc.arg); err != nil {
			t.Errorf("%v: %v", tc.arg, err)
			continue
		}
		rows := must(must(c.Prepare(Materialize, "DELETE FROM v RETURNING x"))(t).Query(nil))(t)
		if !rows.Next() {
			t.Fatalf("%v: no row: %v", tc.arg, rows.Err())
		}
		if got := rows.Type(0); got != tc.kind || rows.IsNull(0) != (tc.kind == Null) {
			t.Errorf("%v is of kind %d, want %d", tc.arg, got, tc.kind)
		}
		if got := rows.Bytes(0); (got == nil) != (tc.kind == Null) {
			t.Errorf("%v as bytes: %#v", tc.arg, got)
		}
		if f, ok := tc.arg.(float64); ok && !math.IsNaN(f) && rows.Float64(0) != f {
			t.Errorf("%v comes back as %v", f, rows.Float64(0))
		}
		if n, ok := tc.arg.(int64); ok && rows.Int64(0) != n {
			t.Errorf("%v comes back as %v", n, rows.Int64(0))
		}
		if got := rows.Text(0); got != tc.text {
			t.Errorf("%v as text: %q", tc.arg, got)
		}
		if rows.Next() || rows.Close() != nil {
			t.Errorf("%v: a second row, or %v", tc.arg, rows.Err())
		}
	}
}

func TestWrongArguments(t *testing.T) {
	c := memory(t, []string{"CREATE TABLE v (x)"})
	for _, tc := range []struct {
		args []any
		want string
	}{
		{nil, "it has 2 parameters and was given 0 arguments"},
		{[]any{1, 2, 3}, "it has 2 parameters and was given 3 arguments"},
		{[]any{1, struct{}{}}, "argument 2: SQLite has no value for Go type struct {}"},
		{[]any{uint64(1), 1}, "argument 1: SQLite has no value for Go type uint64"},
	} {
		err := c.Exec(Materialize, "INSERT INTO v VALUES (? + ?)", tc.args...)
		if s, ok := errors.AsType[*StatementError](err); !ok || s.Err.Error() != tc.want {
			t.Errorf("%v: %v, want %s", tc.args, err, tc.want)
		}
	}
	if got := one(t, c, Read, "SELECT count(*) FROM v"); got != "0" {
		t.Errorf("%s rows were inserted", got)
	}
}

func TestAFailedStatementRecordsNothing(t *testing.T) {
	c := memory(t, []string{"CREATE TABLE u (a UNIQUE, b CHECK (b < 10))"}, "INSERT INTO u VALUES (1, 1)")
	before := dump(t, c)
	c.Record(true)
	for _, sql := range []string{
		"INSERT INTO u VALUES (2, 2), (3, 3), (1, 4)", "UPDATE u SET b = b + 9", "INSERT OR REPLACE INTO u VALUES (1, 2), (5, 50)",
		"INSERT INTO u SELECT value, value FROM json_each('[5, 6, 70]')", "INSERT INTO u VALUES (8, 8), (9, 99) RETURNING a",
	} {
		s := must(c.Prepare(Materialize, sql))(t)
		if err := s.Exec(nil); !IsConstraint(err) {
			t.Errorf("%s: %v, want a constraint error", sql, err)
		}
		rows := must(s.Query(nil))(t)
		for rows.Next() {
		}
		if err := rows.Close(); !IsConstraint(err) || rows.Err() == nil {
			t.Errorf("%s: %v, want a constraint error", sql, err)
		}
	}
	if got := c.Take(Mark{}); got.Len() != 0 || dump(t, c) != before {
		t.Errorf("%d changes were recorded, and there is now:\n%s", got.Len(), dump(t, c))
	}
}

func TestAStatementIsReadByOneAtATime(t *testing.T) {
	c := memory(t, people, threePeople...)
	const sql = "SELECT name FROM people ORDER BY id"
	outer := must(c.Prepare(Read, sql))(t)
	rows := must(outer.Query(nil))(t)
	var pairs []string
	for rows.Next() {
		inner := must(c.Prepare(Read, sql))(t) // another statement, since that one is being read
		if inner == outer {
			t.Fatal("the same statement twice")
		}
		again := must(inner.Query(nil))(t)
		for again.Next() {
			pairs = append(pairs, rows.Text(0)+again.Text(0))
		}
	}
	if want := "AdaAda AdaBob AdaCy BobAda BobBob BobCy CyAda CyBob CyCy"; strings.Join(pairs, " ") != want {
		t.Errorf("got %v", pairs)
	}
	rows = must(outer.Query(nil))(t)
	if _, err := outer.Query(nil); !errors.Is(err, errOpen) {
		t.Errorf("a second query: %v", err)
	}
	if err := outer.Exec(nil); !errors.Is(err, errOpen) {
		t.Errorf("an execution: %v", err)
	}
	if err := errors.Join(rows.Close(), rows.Close()); err != nil || rows.Next() {
		t.Error("closed rows go on")
	}
	if s := must(c.Prepare(Read, sql))(t); s != outer {
		t.Error("the statement did not stay in the cache")
	}
	if n := len(openStatements(c.raw)); n > 20 {
		t.Errorf("%d statements are open", n)
	}
}

func TestStatementsOutliveTheCacheAndTheSchema(t *testing.T) {
	c := memory(t, people, threePeople...)
	held := must(c.Prepare(Read, "SELECT count(*) FROM people"))(t)
	for i := range 3 * cacheSize {
		one(t, c, Read, fmt.Sprintf("SELECT %d", i))
	}
	if n := len(c.cache[Read].bySQL); n != cacheSize {
		t.Errorf("%d statements are cached, want %d", n, cacheSize)
	}
	if n := len(openStatements(c.raw)); n > cacheSize+50 {
		t.Errorf("%d statements are open", n)
	}
	count := func() string {
		t.Helper()
		rows := must(held.Query(nil))(t)
		defer rows.Close()
		if !rows.Next() {
			t.Fatal(rows.Err())
		}
		return rows.Text(0)
	}
	if got := count(); got != "3" {
		t.Errorf("counted %s", got)
	}
	rows := must(held.Query(nil))(t)
	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	execAll(t, c, Internal, "CREATE TABLE other (a)") // while its rows are being read
	if got := rows.Text(0); got != "3" || rows.Next() || rows.Close() != nil {
		t.Errorf("read %s, %v", got, rows.Err())
	}
	execAll(t, c, Internal, "DELETE FROM people WHERE id = 1")
	if got := count(); got != "2" {
		t.Errorf("counted %s", got)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := held.Exec(nil); !errors.Is(err, errClosed) {
		t.Errorf("after Close: %v", err)
	}
	if c.Close() != nil {
		t.Error("closing twice is an error")
	}
}

func TestADatabaseInMemoryThatIsFull(t *testing.T) {
	c := memory(t, []string{"CREATE TABLE v (x)"})
	execAll(t, c, Internal, "PRAGMA max_page_count = 100")
	c.Record(true)
	err := c.Exec(Materialize, "INSERT INTO v SELECT zeroblob(100000) FROM json_each('[1,2,3,4,5,6,7,8,9]')")
	if !IsFull(err) {
		t.Errorf("%v, want that the database is full", err)
	}
	if n := c.Take(Mark{}).Len(); n != 0 || one(t, c, Read, "SELECT count(*) FROM v") != "0" {
		t.Errorf("%d changes were recorded", n)
	}
}

func TestAStatementThatNeedsTooMuchMemory(t *testing.T) {
	c := opened(t, t.TempDir()+"/small.db", nil) // 256 MB
	err := c.Exec(Internal, "SELECT length(replace(hex(zeroblob(60000000)), '00', '0123456789'))")
	if !IsFull(err) || !errors.Is(err, ErrOutOfMemory) {
		t.Errorf("%v, want ErrOutOfMemory", err)
	}
	if err := c.Exec(Internal, "CREATE TABLE v (x)"); err != nil {
		t.Fatal(err)
	}
	if err := c.Exec(Internal, "INSERT INTO v VALUES (?)", bytes.Repeat([]byte{1}, 290<<20)); !IsFull(err) {
		t.Errorf("%v, want ErrOutOfMemory", err)
	}
	execAll(t, c, Internal, "INSERT INTO v VALUES (1)") // it works on
	sound(t, c)
}
