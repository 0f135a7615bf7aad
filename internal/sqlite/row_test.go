package sqlite

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// columnsOf writes out what a statement reads.
func columnsOf(t *testing.T, c *Conn, sql string) string {
	t.Helper()
	s, err := c.Prepare(Read, sql)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range s.ReadsOf() {
		var names []string
		for i, n := range r.names {
			if r.Columns&ColumnAt(i) != 0 {
				names = append(names, n)
			}
		}
		if r.Columns == AllColumns {
			names = []string{"*"}
		}
		out = append(out, r.Table+"("+strings.Join(names, " ")+")")
	}
	return strings.Join(out, " ")
}

// What a statement names of a table is what it reads, wherever it stands.
func TestReadsOf(t *testing.T) {
	c, err := Open(":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, sql := range []string{
		"CREATE TABLE a (id INTEGER PRIMARY KEY, x, y, z)",
		"CREATE TABLE b (x TEXT PRIMARY KEY, y, w) WITHOUT ROWID",
		"CREATE TABLE g (p, q AS (p + 1), r)",
		"CREATE VIEW v AS SELECT x, count(y) AS n FROM a GROUP BY x",
		"CREATE VIRTUAL TABLE f USING fts5(z, content='a')",
	} {
		if err := c.Exec(Define, sql); err != nil {
			t.Fatal(sql, err)
		}
	}
	for sql, want := range map[string]string{
		"SELECT y FROM a WHERE id = 1":                                     "a(id y)",
		"SELECT Y FROM a WHERE rowid = 1":                                  "a(id y)",
		"SELECT count(*) FROM a":                                           "a()",
		"SELECT 1 FROM b WHERE rowid IS NULL OR w = 1":                     "",
		"SELECT * FROM b":                                                  "b(x y w)",
		"SELECT y FROM a ORDER BY z":                                       "a(y z)",
		"SELECT y, count(*) FROM a GROUP BY x HAVING max(z) > 1":           "a(x y z)",
		"SELECT n FROM v":                                                  "a(x y)",
		"SELECT a.y FROM a JOIN b USING (x)":                               "a(*) b(*)",
		"SELECT count(*) FROM a JOIN b USING (x)":                          "a(*) b(*)",
		"SELECT count(*) FROM a NATURAL JOIN b":                            "a(*) b(*)",
		"SELECT count(*) FROM a LEFT JOIN b USING (x, y)":                  "a(*) b(*)",
		"SELECT count(*) FROM a FULL JOIN b USING (x)":                     "a(*) b(*)",
		"SELECT z FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.y = a.x)":   "a(x z) b(y)",
		"WITH c AS (SELECT y FROM a) SELECT count(*) FROM c":               "a(y)",
		"WITH c(k) AS (SELECT id FROM a) SELECT 1 FROM c, b WHERE b.w = k": "a(id) b(w)",
		"SELECT p FROM g":                                                  "g(*)",
		"SELECT z FROM f":                                                  "a(*) f(*)",
		"SELECT f.z, a.y FROM f, a":                                        "a(*) f(*)",
		"SELECT sum(x) OVER (PARTITION BY y ORDER BY z) FROM a":            "a(x y z)",
		"SELECT x FROM a UNION SELECT w FROM b":                            "a(x) b(w)",
		"SELECT j.value FROM a, json_each(a.z) j":                          "a(z)",
		"SELECT (SELECT max(w) FROM b)":                                    "b(w)",
		"SELECT * FROM a AS a1 JOIN a AS a2 ON a1.x = a2.y":                "a(id x y z)",
	} {
		if want == "" {
			continue
		}
		if got := columnsOf(t, c, sql); got != want {
			t.Errorf("%s\n reads %s\n  want %s", sql, got, want)
		}
	}
}

// Every way a row changes is told, with its values before and after.
func TestOnRow(t *testing.T) {
	c, err := Open(":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, sql := range []string{
		"CREATE TABLE a (id INTEGER PRIMARY KEY, x, y UNIQUE)",
		"CREATE TABLE b (k, v, w, PRIMARY KEY (w, k)) WITHOUT ROWID",
		"CREATE TABLE child (p REFERENCES a ON DELETE CASCADE)",
		"CREATE TABLE g (p, q AS (p + 1))",
		"CREATE VIRTUAL TABLE f USING fts5(t)",
	} {
		if err := c.Exec(Define, sql); err != nil {
			t.Fatal(sql, err)
		}
	}
	var told []string
	c.OnRow(func(r *Row) {
		if r.Coarse {
			told = append(told, r.Table+" coarse")
			told = slices.Compact(told)
			return
		}
		value := func(get func([]byte, int) ([]byte, bool), is bool) string {
			if !is {
				return "-"
			}
			var out []string
			for i := range r.t.names {
				b, ok := get(nil, i)
				if !ok {
					t.Errorf("column %d can not be read", i)
				}
				out = append(out, decode(b))
			}
			return strings.Join(out, ",")
		}
		told = append(told, fmt.Sprintf("%s %s>%s %b", r.Table, value(r.AppendOld, r.Was()), value(r.AppendNew, r.Is()), r.Changed(ColumnAt(0)|ColumnAt(1)|ColumnAt(2))))
	})
	if err := c.Begin(); err != nil {
		t.Fatal(err)
	}
	do := func(sql, want string) {
		t.Helper()
		told = nil
		if err := c.Exec(Materialize, sql); err != nil {
			t.Fatal(sql, err)
		}
		c.Mark()
		if got := strings.Join(told, "; "); got != want {
			t.Errorf("%s\n told %s\n want %s", sql, got, want)
		}
	}
	c.Record(true)
	start := c.Mark()
	do("INSERT INTO a VALUES (7, 'x', 1.5)", "a ->7,x,1.5 111")
	do("UPDATE a SET x = 'x2', y = y", "a 7,x,1.5>7,x2,1.5 10")
	do("UPDATE a SET id = 8", "a 7,x2,1.5>8,x2,1.5 111")
	do("INSERT OR REPLACE INTO a VALUES (9, NULL, 1.5)", "a 8,x2,1.5>- 111; a ->9,NULL,1.5 111")
	do("INSERT INTO child VALUES (9)", "child ->9 111")
	do("DELETE FROM a", "a 9,NULL,1.5>- 111; child 9>- 111")
	do("INSERT INTO b VALUES (1, x'ff', 2)", "b ->1,xff,2 111")
	do("UPDATE b SET v = 3", "b 1,xff,2>1,3,2 10")
	do("UPDATE b SET k = 4, w = 5", "b 1,3,2>4,3,5 101")
	do("INSERT INTO g VALUES (1)", "g coarse")
	do("INSERT INTO f VALUES ('word')", "f coarse")
	changes := c.Take(start)
	c.Record(false)
	told = nil
	if err := c.Undo(changes); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"b 1,xff,2>- 111", "a 7,x,1.5>- 111", "a 7,x2,1.5>7,x,1.5 10", "g coarse", "f coarse"} {
		if !slices.Contains(told, want) {
			t.Errorf("undone, and not told: %s; told %q", want, told)
		}
	}
}

// decode writes out a value that AppendValue has appended.
func decode(b []byte) string {
	switch b[0] {
	case orderNull:
		return "NULL"
	case orderNumber:
		for _, v := range []any{int64(1), int64(2), int64(3), int64(4), int64(5), int64(7), int64(8), int64(9), 1.5} {
			if x, _ := AppendValue(nil, v); bytes.Equal(x, b) {
				return fmt.Sprint(v)
			}
		}
		return "?"
	case orderText:
		return string(b[1:])
	default:
		return fmt.Sprintf("x%x", b[1:])
	}
}

// The order of the bytes is the order that SQLite gives to the values.
func TestAppendValueOrdersAsSQLite(t *testing.T) {
	c, err := Open(":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	values := []any{
		nil, int64(0), int64(1), int64(-1), 0.0, math.Copysign(0, -1), 0.5, -0.5, 1.0, int64(math.MaxInt64), int64(math.MinInt64),
		int64(math.MaxInt64 - 1), int64(1 << 53), int64(1<<53 + 1), float64(1 << 53), 1e300, -1e300, math.Inf(1), math.Inf(-1), 1e18, int64(1e18),
		"", "a", "A", "ab", "b", "\xff", "é",
		[]byte{},
		[]byte("a"),
		[]byte{0xff, 0},
	}
	s, err := c.Prepare(Read, "SELECT CASE WHEN ?1 IS ?2 THEN 0 WHEN (SELECT min(rowid) FROM (SELECT 1 AS rowid, ?1 AS v UNION ALL SELECT 2, ?2) "+
		"ORDER BY v LIMIT 1) IS NULL THEN 9 ELSE (SELECT CASE k WHEN 1 THEN -1 ELSE 1 END FROM (SELECT 1 AS k, ?1 AS v UNION ALL SELECT 2, ?2) ORDER BY v LIMIT 1) END")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range values {
		for _, b := range values {
			want := 0
			if err := s.Each([]any{a, b}, func(r *Rows) { want = int(r.Int64(0)) }); err != nil {
				t.Fatal(err)
			}
			x, _ := AppendValue(nil, a)
			y, _ := AppendValue(nil, b)
			if got := bytes.Compare(x, y); got != want {
				t.Errorf("%v (%T) and %v (%T): %d, SQLite says %d", a, a, b, b, got, want)
			}
		}
	}
	if _, ok := AppendValue(nil, struct{}{}); ok {
		t.Error("a struct is a value")
	}
}

// A join by common names hides no table from the mode's rules.
func TestJoinByNameIsNoWayIn(t *testing.T) {
	c, err := Open(":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, sql := range []string{"CREATE TABLE a (x)", "CREATE TABLE __livestore_b (x)"} {
		if err := c.Exec(Internal, sql); err != nil {
			t.Fatal(sql, err)
		}
	}
	for _, mode := range []Mode{Read, Materialize} {
		for _, sql := range []string{
			"SELECT count(*) FROM a JOIN __livestore_b USING (x)", "SELECT count(*) FROM a NATURAL LEFT JOIN __livestore_b",
		} {
			if _, err := c.Prepare(mode, sql); err == nil || !strings.Contains(err.Error(), "__livestore_b") {
				t.Errorf("%s: %v", sql, err)
			}
		}
	}
}

// A full-text table that takes its text from a view reads what the view reads, also what its joins hide; a function that is a table reads none.
func TestReadsOfHiddenTables(t *testing.T) {
	c, err := Open(":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, sql := range []string{
		"CREATE TABLE a (x, z)", "CREATE TABLE b (x)", "CREATE VIEW v AS SELECT a.rowid AS r, z FROM a JOIN b USING (x)",
		"CREATE VIRTUAL TABLE f USING fts5(z, content='v', content_rowid='r')", "CREATE VIRTUAL TABLE other USING fts5(z)",
	} {
		if err := c.Exec(Define, sql); err != nil {
			t.Fatal(sql, err)
		}
	}
	for sql, want := range map[string]string{
		"SELECT z FROM f":                           "a(*) b(*) f(*)",
		"SELECT count(*) FROM v":                    "a(*) b(*)",
		"SELECT value FROM json_each('[1]')":        "",
		"SELECT count(*) FROM a NATURAL JOIN other": "a(*) other(*)",
	} {
		if got := columnsOf(t, c, sql); got != want {
			t.Errorf("%s\n reads %s\n  want %s", sql, got, want)
		}
	}
}

// A value that is equal and of another kind is another one to whoever asks for its kind or its text.
func TestChangedTellsKindsApart(t *testing.T) {
	c, err := Open(":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(Define, `CREATE TABLE a ("k", "`+"\u212a"+`")`); err != nil { // KELVIN SIGN, which is not k to SQLite
		t.Fatal(err)
	}
	if err := c.Exec(Internal, "INSERT INTO a VALUES (1, 1)"); err != nil {
		t.Fatal(err)
	}
	var changed Columns
	c.OnRow(func(r *Row) { changed = r.Changed(AllColumns) })
	for _, step := range []struct {
		sql  string
		want Columns
	}{
		{"UPDATE a SET k = 1", 0},
		{"UPDATE a SET k = 1.0", 1},
		{"UPDATE a SET k = '1'", 1},
		{"UPDATE a SET k = x'31'", 1},
		{"UPDATE a SET k = 9223372036854775807", 1},
		{"UPDATE a SET k = 9223372036854775808.0", 1},
		{"UPDATE a SET \"\u212a\" = 2", 2},
	} {
		changed = 0
		if err := c.Exec(Internal, step.sql); err != nil {
			t.Fatal(err)
		}
		if changed != step.want {
			t.Errorf("%s changes columns %b, want %b", step.sql, changed, step.want)
		}
	}
	if got := columnsOf(t, c, "SELECT k FROM a"); got != "a(k)" {
		t.Errorf("reads %s", got)
	}
}
