package sqlite

import (
	"strings"
	"testing"
)

func TestTablesAStatementReadsAndWrites(t *testing.T) {
	c := memory(t, []string{
		"CREATE TABLE Todos (id INTEGER PRIMARY KEY, text TEXT, list REFERENCES lists(id) ON DELETE CASCADE)",
		"CREATE TABLE lists (id INTEGER PRIMARY KEY, name, owner REFERENCES people(id) ON DELETE SET NULL)",
		"CREATE TABLE people (id INTEGER PRIMARY KEY, name)",
		"CREATE TABLE log (what)", "CREATE TABLE log2 (what)", "CREATE TABLE w (k PRIMARY KEY, v) WITHOUT ROWID",
		"CREATE VIEW open AS SELECT id, text FROM todos", "CREATE VIEW deep AS SELECT count(*) AS n FROM open JOIN lists ON lists.id = open.id",
		"CREATE TRIGGER t1 AFTER UPDATE ON people BEGIN INSERT INTO log SELECT name FROM lists WHERE owner = new.id; END",
		"CREATE TRIGGER t2 AFTER INSERT ON log BEGIN INSERT INTO log2 VALUES (new.what); END",
		"CREATE TRIGGER t3 INSTEAD OF INSERT ON open BEGIN INSERT INTO todos VALUES (new.id, new.text, NULL); END",
		"CREATE VIRTUAL TABLE own USING fts5(a)", "CREATE VIRTUAL TABLE ext USING fts5(text, content='Todos', content_rowid='id')",
		"CREATE VIRTUAL TABLE viaview USING fts5(text, tokenize = 'porter', content=open, content_rowid=id)",
		"CREATE VIRTUAL TABLE none USING fts5(a, content='')",
	})
	for _, tc := range []struct{ sql, reads, writes string }{
		{"SELECT 1", "", ""},
		{"SELECT text FROM todos", "Todos", ""},
		{"SELECT count(*) FROM TODOS", "Todos", ""},
		{"SELECT 1 FROM todos LIMIT 1", "Todos", ""},
		{"SELECT rowid FROM main.todos", "Todos", ""},
		{"SELECT count(*) FROM todos, lists", "Todos lists", ""},
		{"SELECT text FROM open", "Todos", ""},
		{"SELECT count(*) FROM open", "Todos", ""},
		{"SELECT n FROM deep", "Todos lists", ""},
		{"SELECT (SELECT name FROM people WHERE id = 1)", "people", ""},
		{"SELECT id FROM lists WHERE EXISTS (SELECT 1 FROM todos WHERE list = lists.id)", "Todos lists", ""},
		{"SELECT id FROM lists WHERE id IN (SELECT list FROM todos)", "Todos lists", ""},
		{"WITH people AS (SELECT 1 AS id) SELECT id FROM people", "", ""},
		{"WITH x AS (SELECT id FROM people) SELECT count(*) FROM x", "people", ""},
		{"WITH RECURSIVE r(i) AS (SELECT min(id) FROM todos UNION ALL SELECT i + 1 FROM r LIMIT 5) SELECT i FROM r", "Todos", ""},
		{"SELECT name FROM people UNION SELECT name FROM lists", "lists people", ""},
		{"SELECT sum(id) OVER (PARTITION BY list) FROM todos", "Todos", ""},
		{"SELECT value FROM json_each((SELECT text FROM todos))", "Todos", ""},
		{"SELECT name FROM sqlite_schema", "", ""},
		{"SELECT a FROM own WHERE own MATCH 'x'", "own", ""},
		{"SELECT count(*) FROM own", "own", ""},
		{"SELECT id FROM own_data", "own", ""},
		{"SELECT text FROM ext WHERE ext MATCH 'x'", "Todos ext", ""},
		{"SELECT rowid FROM viaview('x')", "Todos viaview", ""},
		{"SELECT rowid FROM none('x')", "none", ""},
		{"SELECT people.name FROM people LEFT JOIN (SELECT owner FROM lists) ON owner = people.id", "lists people", ""},
		{"INSERT INTO w VALUES (1, 2)", "", "w"},
		{"INSERT INTO w SELECT id, name FROM people", "people", "w"},
		{"UPDATE w SET v = (SELECT count(*) FROM lists)", "lists", "w"},
		{"UPDATE people SET name = 'x'", "lists people", "log log2 people"},
		{"INSERT INTO open VALUES (1, 'x')", "", "Todos"},
		{"DELETE FROM people", "lists people", "lists people"},
		{"DELETE FROM lists WHERE id = 1", "Todos lists", "Todos lists"},
		{"INSERT INTO own VALUES ('x')", "", "own"},
		{"INSERT INTO ext(rowid, text) VALUES (1, 'x')", "", "ext"},
		{"REPLACE INTO todos VALUES (1, 'x', NULL) RETURNING id", "Todos", "Todos"},
	} {
		s, err := c.Prepare(Internal, tc.sql)
		if err != nil {
			t.Errorf("%s: %v", tc.sql, err)
			continue
		}
		reads := strings.Join(s.Reads(), " ")
		if tc.writes == "" && reads != tc.reads {
			t.Errorf("%s reads %q, want %q", tc.sql, reads, tc.reads)
		}
		for name := range strings.FieldsSeq(tc.reads) { // a write may read more, to check foreign keys
			if !strings.Contains(" "+reads+" ", " "+name+" ") {
				t.Errorf("%s reads %q, and not %s", tc.sql, reads, name)
			}
		}
		if got := strings.Join(s.Writes(), " "); got != tc.writes {
			t.Errorf("%s writes %q, want %q", tc.sql, got, tc.writes)
		}
	}
}

func TestTablesFollowTheSchema(t *testing.T) {
	c := memory(t, []string{"CREATE TABLE a (x)", "CREATE TABLE b (x)", "CREATE VIEW v AS SELECT x FROM a"})
	s := must(c.Prepare(Read, "SELECT * FROM v"))(t)
	if got := strings.Join(s.Reads(), " "); got != "a" {
		t.Fatalf("reads %q", got)
	}
	check := func(want, columns string) {
		t.Helper()
		rows := must(s.Query(nil))(t)
		if got := strings.Join(rows.Columns(), " "); got != columns {
			t.Errorf("columns %q, want %q", got, columns)
		}
		rows.Close()
		if got := strings.Join(s.Reads(), " "); got != want {
			t.Errorf("reads %q, want %q", got, want)
		}
	}
	if err := c.Script("DROP VIEW v; CREATE VIEW v AS SELECT x AS y FROM b"); err != nil {
		t.Fatal(err)
	}
	check("b", "y")
	// What a rolled back transaction did to the schema is forgotten with it.
	if err := c.Savepoint(); err != nil {
		t.Fatal(err)
	}
	execAll(t, c, Internal, "DROP VIEW v", "CREATE TABLE v (z)")
	check("v", "z")
	if err := c.RollbackTo(); err != nil {
		t.Fatal(err)
	}
	check("b", "y")
	if err := c.Begin(); err != nil {
		t.Fatal(err)
	}
	if err := c.Savepoint(); err != nil {
		t.Fatal(err)
	}
	execAll(t, c, Internal, "DROP VIEW v", "CREATE VIEW v AS SELECT x AS z FROM a")
	check("a", "z")
	if err := c.RollbackTo(); err != nil { // to the middle of a transaction
		t.Fatal(err)
	}
	check("b", "y")
	execAll(t, c, Internal, "DROP VIEW v", "CREATE VIEW v AS SELECT x AS z FROM a", "CREATE UNIQUE INDEX one ON a(x)",
		"INSERT INTO a VALUES (1)")
	check("a", "z")
	if err := c.Exec(Internal, "INSERT OR ROLLBACK INTO a VALUES (1)"); !IsConstraint(err) { // all of it is gone
		t.Fatal(err)
	}
	check("b", "y")
}
