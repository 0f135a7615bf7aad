package sqlite

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// world is a schema with everything in it that makes undoing hard, and statements over it.
var world = []string{
	"CREATE TABLE a (id INTEGER PRIMARY KEY, u UNIQUE, n INTEGER, parent REFERENCES a(id) ON DELETE CASCADE ON UPDATE CASCADE, s AS (n + " +
		"1) STORED UNIQUE)",
	"CREATE TABLE b (k TEXT PRIMARY KEY ON CONFLICT IGNORE, v, a REFERENCES a(id) ON DELETE SET NULL ON UPDATE CASCADE)",
	"CREATE TABLE w (k1, k2 TEXT COLLATE NOCASE, v UNIQUE, PRIMARY KEY (k2, k1)) WITHOUT ROWID",
	"CREATE TABLE plain (x, y)",
	"CREATE UNIQUE INDEX plain1 ON plain(x) WHERE y > 2",
	"CREATE TABLE log (what, n)",
	"CREATE VIRTUAL TABLE f USING fts5(t, prefix='1')",
	"CREATE VIRTUAL TABLE e USING fts5(v, content='b', content_rowid='rowid')",
	"CREATE TRIGGER a1 AFTER INSERT ON a BEGIN INSERT INTO log VALUES ('a', new.n); INSERT INTO f(rowid, t) VALUES (new.id, 'x' || new.n " +
		"|| ' y'); END",
	"CREATE TRIGGER a2 AFTER DELETE ON a BEGIN DELETE FROM f WHERE rowid = old.id; UPDATE plain SET y = y + 1 WHERE x = old.n; END",
	"CREATE TRIGGER b1 AFTER INSERT ON b BEGIN INSERT INTO e(rowid, v) VALUES (new.rowid, new.v); END",
	"CREATE TRIGGER b2 AFTER DELETE ON b BEGIN INSERT INTO e(e, rowid, v) VALUES ('delete', old.rowid, old.v); END",
	"CREATE TRIGGER b3 AFTER UPDATE ON b BEGIN INSERT INTO e(e, rowid, v) VALUES ('delete', old.rowid, old.v); INSERT INTO e(rowid, v) " +
		"VALUES (new.rowid, new.v); END",
}

// statement draws a write. A # stands for a value, a + for a small number.
func statement(t *rapid.T) string {
	sql := rapid.SampledFrom([]string{
		"INSERT INTO a(u, n, parent) VALUES (#, +, NULL)",
		"INSERT INTO a(id, u, n, parent) VALUES (+, #, +, +)",
		"INSERT OR REPLACE INTO a(id, u, n, parent) VALUES (+, #, +, NULL)",
		"INSERT OR IGNORE INTO a(id, u, n) VALUES (+, #, +), (+, #, +)",
		"INSERT INTO a(id, u, n) VALUES (+, #, +) ON CONFLICT DO UPDATE SET n = excluded.n + 100",
		"UPDATE a SET id = id + + WHERE n > +",
		"UPDATE OR REPLACE a SET u = # WHERE id > +",
		"UPDATE a SET n = -n",
		"DELETE FROM a WHERE id = +",
		"DELETE FROM a WHERE n % 3 = +",
		"INSERT INTO b VALUES ('k+', 'word + #', +)",
		"INSERT OR IGNORE INTO b(rowid, k, v) VALUES (+, 'k+', #)",
		"UPDATE b SET v = v || ' more', k = k || '+' WHERE v IS NOT NULL",
		"UPDATE b SET rowid = rowid + +",
		"DELETE FROM b WHERE rowid < +",
		"INSERT INTO w VALUES (+, 'K+', #)",
		"REPLACE INTO w VALUES (+, 'k+', #), (+, 'K+', #)",
		"UPDATE w SET k1 = k1 + +, k2 = lower(k2)",
		"UPDATE OR REPLACE w SET v = + WHERE k1 < +",
		"DELETE FROM w WHERE k2 = 'k+'",
		"INSERT INTO plain VALUES (#, +)",
		"INSERT INTO plain(rowid, x) VALUES (+ * 10, #)",
		"INSERT INTO plain SELECT u, n FROM a",
		"UPDATE plain SET rowid = -rowid, y = +",
		"DELETE FROM plain",
		"INSERT INTO f VALUES ('y z# + #')",
		"UPDATE f SET t = t || ' z' WHERE f MATCH 'y'",
		"DELETE FROM f WHERE f MATCH 'x+*'",
		"INSERT INTO f(f, rank) VALUES ('merge', +)",
		"INSERT INTO f(f) VALUES ('optimize')",
		"DELETE FROM log WHERE n = +",
	}).Draw(t, "statement")
	var b strings.Builder
	for i, ch := range sql {
		switch {
		case ch == '+' && !strings.HasPrefix(sql[i:], "+ +") && !strings.HasPrefix(sql[i:], "+ 1"):
			fmt.Fprint(&b, rapid.IntRange(0, 6).Draw(t, "number"))
		case ch == '#' && strings.Contains(sql, "'y z#"):
			fmt.Fprint(&b, rapid.IntRange(0, 6).Draw(t, "word"))
		case ch == '#' && strings.Contains(sql, "'word"):
			fmt.Fprint(&b, rapid.IntRange(0, 6).Draw(t, "word"))
		case ch == '#':
			b.WriteString(rapid.SampledFrom([]string{
				"NULL", "0", "1", "-7", "9223372036854775807", "0.5", "9e999", "''", "'text'", "'1'", "x''",
				"x'00ff'",
				"'a' || char(0)", "zeroblob(5000)",
			}).Draw(t, "value"))
		default:
			b.WriteRune(ch)
		}
	}
	return b.String()
}

// Whatever was committed, and whatever failed or was rolled back in between: undone it is as it was, step by step, here
// and in a copy; and SQLite finds nothing to complain about.
func TestUndoProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := must(Open(":memory:", nil))(t)
		defer c.Close()
		for _, ddl := range world {
			if err := c.Define(ddl); err != nil {
				t.Fatal(err)
			}
		}
		type commit struct {
			before  string
			changes Changes
		}
		var done []commit
		for range rapid.IntRange(1, 12).Draw(rt, "commits") {
			before := dump(t, c)
			c.Record(true)
			mark := c.Mark()
			if err := c.Savepoint(); err != nil {
				rt.Fatal(err)
			}
			applied := 0
			for range rapid.IntRange(1, 6).Draw(rt, "statements") {
				if err := c.Exec(Materialize, statement(rt)); err == nil {
					applied++
				} else if !IsConstraint(err) {
					rt.Fatal(err)
				}
			}
			if rapid.IntRange(0, 5).Draw(rt, "end") == 0 {
				if err := c.RollbackTo(); err != nil {
					rt.Fatal(err)
				}
				c.Truncate(mark)
				if dump(t, c) != before {
					rt.Fatal("rolled back to another state")
				}
			} else if err := c.Release(); err != nil {
				rt.Fatal(err)
			}
			changes := c.Take(mark)
			c.Record(false)
			stored, err := ParseChanges(changes.Append(nil))
			if err != nil {
				rt.Fatal(err)
			}
			if changes.Len() > 0 {
				done = append(done, commit{before, stored})
			}
			search(t, c)
			if n := rapid.IntRange(0, 2*len(done)+6).Draw(rt, "undo"); n > 0 && n <= len(done) {
				var all []Changes
				for _, d := range done[len(done)-n:] {
					all = append(all, d.changes)
				}
				undoTo(rt, t, c, all, done[len(done)-n].before)
				done = done[:len(done)-n]
			}
		}
		sound(t, c)
		copied := must(Open(":memory:", nil))(t)
		defer copied.Close()
		if err := copied.Deserialize(must(c.Serialize())(t)); err != nil {
			rt.Fatal(err)
		}
		for len(done) > 0 {
			last := done[len(done)-1]
			undoTo(rt, t, c, []Changes{last.changes}, last.before)
			undoTo(rt, t, copied, []Changes{last.changes}, last.before)
			done = done[:len(done)-1]
		}
		sound(t, c)
		sound(t, copied)
	})
}

func undoTo(rt *rapid.T, t *testing.T, c *Conn, changes []Changes, want string) {
	if err := c.Undo(changes...); err != nil {
		rt.Fatal(err)
	}
	search(t, c)
	if got := dump(t, c); got != want {
		rt.Fatalf("undone to another state:\n%s\nwant:\n%s", got, want)
	}
}
