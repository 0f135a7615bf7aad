package sqltext_test

import (
	"strings"
	"testing"

	"github.com/livestore-go/livestore/internal/sqltext"
)

func TestCreate(t *testing.T) {
	for sql, want := range map[string]sqltext.Object{
		"CREATE TABLE a(b)": {"table", "a"},
		"create /* a */ view IF not EXISTS [a b] as -- comment":        {"view", "a b"},
		`CREATE TRIGGER "a""b" AFTER INSERT ON c BEGIN SELECT 1; END;`: {"trigger", `a"b`},
		"CREATE VIRTUAL TABLE f USING fts5(a)":                         {"virtual table", "f"},
		"CREATE UNIQUE INDEX i ON a(b)":                                {"index", "i"},
		`CREATE TABLE a("random" CHECK (b <> 'date()'))`:               {"table", "a"},
	} {
		if got, err := sqltext.Create(sql); got != want || err != nil {
			t.Errorf("%s creates %v, %v", sql, got, err)
		}
	}
	for sql, want := range map[string]string{
		"":                                      "does not begin with CREATE",
		`CREATE TABLE ""(a)`:                    "the table has no name",
		"CREATE TABLE a.b(c)":                   "names a database",
		"CREATE TABLE a(b); SELECT 1":           "more than one statement",
		"CREATE VIEW v AS SELECT date ('now')":  "date() is refused",
		"CREATE TABLE a(b AUTOINCREMENT)":       "AUTOINCREMENT is refused: SQLite's counters do not roll back",
		"CREATE VIRTUAL TABLE f USING rtree(a)": "using rtree is refused",
		"CREATE TABLE '":                        "a quote ' does not end",
		"CREATE /*":                             "a comment does not end",
	} {
		if _, err := sqltext.Create(sql); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want %s", sql, err, want)
		}
	}
}

func TestExpression(t *testing.T) {
	for sql, want := range map[string]string{
		"a > 0":             "a > 0",
		"(a) IN ((1), (2))": "(a) IN ((1), (2))",
		"a > 0 -- why":      "a > 0 -- why\n",
		"a <> '); --?'":     "a <> '); --?'\n",
	} {
		if got, err := sqltext.Expression(sql); got != want || err != nil {
			t.Errorf("%s is %q, %v", sql, got, err)
		}
	}
	for sql, want := range map[string]string{
		"/* */": "empty", "a) OR (b": "do not match", "(a": "do not match", "a; b": "; is no part", "a > ?": "? is no part",
		"a IN (select 1)": "a subquery is refused", "a > random()": "random() is refused", "a > current_date": "CURRENT_DATE is refused",
		"a = 'b": "does not end",
	} {
		if got, err := sqltext.Expression(sql); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is %q, error %v, want %s", sql, got, err, want)
		}
	}
}

func TestReads(t *testing.T) {
	for sql, want := range map[string]bool{
		"SELECT 1": true, " /* a */ with a as (select 1) select * from a": true, "VALUES (1)": true,
		"": false, "DELETE FROM a": false, `"select" 1`: false, "SELECT '": false,
	} {
		if err := sqltext.Reads(sql); (err == nil) != want {
			t.Errorf("%q: %v", sql, err)
		}
	}
}

// DDL is the app's own text, but no text of it may do more than be refused.
func FuzzCreate(f *testing.F) {
	for _, s := range []string{
		"CREATE TABLE a(b)", "create view [a b] as select 1", `CREATE TRIGGER "a""b" AFTER INSERT ON c BEGIN SELECT 1; END;`,
		"CREATE VIRTUAL TABLE f USING fts5(a)", "CREATE/**/TABLE--\n`x`(a)", "CREATE TABLE '", "CREATE TABLE a.b", "/*/",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if o, err := sqltext.Create(s); err == nil && (o.Name == "" || o.Kind == "") {
			t.Errorf("%q creates %v", s, o)
		}
	})
}
