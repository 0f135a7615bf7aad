package sqlite

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ncruces/go-sqlite3"
)

// TestUndo undoes the changes of each case in every way there is, and looks at every row afterwards.
func TestUndo(t *testing.T) {
	for _, tc := range undoCases {
		t.Run(tc.name, func(t *testing.T) {
			c := memory(t, tc.schema, tc.setup...)
			before, found := dump(t, c), search(t, c)
			changes := apply(t, c, tc.do)
			after := dump(t, c)
			search(t, c) // full-text tables now hold in memory what they found
			if (before == after) != tc.same {
				t.Fatalf("the statements changed nothing, or something that they should not:\n%s", after)
			}
			if got := strings.Join(changes.Tables(), " "); got != tc.tables {
				t.Errorf("changes name the tables %q, want %q", got, tc.tables)
			}
			stored := must(ParseChanges(changes.Append(nil)))(t)
			image := must(c.Serialize())(t)

			undone := func(how string, c *Conn, changes ...Changes) {
				t.Helper()
				if err := c.Undo(changes...); err != nil {
					t.Fatalf("%s: %v", how, err)
				}
				if diff := cmp.Diff(found, search(t, c)); diff != "" {
					t.Fatalf("%s: a search finds something else (-before +after):\n%s", how, diff)
				}
				if diff := cmp.Diff(before, dump(t, c)); diff != "" {
					t.Fatalf("%s: not as it was (-was +is):\n%s", how, diff)
				}
				sound(t, c)
			}
			undone("undo", c, changes)

			again := apply(t, c, tc.do)
			if diff := cmp.Diff(after, dump(t, c)); diff != "" {
				t.Fatalf("applied again it is another state (-first +again):\n%s", diff)
			}
			undone("undo what was stored", c, stored)
			if again.Len() != changes.Len() {
				t.Errorf("applied again %d rows changed, at first %d", again.Len(), changes.Len())
			}

			undone("undo statement by statement", c, applyEach(t, c, tc.do)...)

			other := memory(t, nil)
			if err := other.Deserialize(image); err != nil {
				t.Fatal(err)
			}
			undone("undo in a copy", other, stored)

			// What comes after an undo must be what would have come without the whole.
			fresh := memory(t, tc.schema, tc.setup...)
			for _, c := range []*Conn{c, other, fresh} {
				apply(t, c, tc.more)
				sound(t, c)
			}
			want := dump(t, fresh)
			for how, c := range map[string]*Conn{"here": c, "in the copy": other} {
				if diff := cmp.Diff(want, dump(t, c)); diff != "" {
					t.Errorf("what came after the undo %s is another state (-without +with undo):\n%s", how, diff)
				}
			}
		})
	}
}

// search asks each full-text table of c for some words.
func search(t testing.TB, c *Conn) (found []string) {
	t.Helper()
	for _, tab := range c.catalog.all {
		if !tab.fts {
			continue
		}
		q := sqlite3.QuoteIdentifier(tab.name)
		for _, word := range []string{"quick", "fox", "milk", "x", "z", "word*", "buy milk", "start"} {
			rowids := column0(t, c, Read, "SELECT rowid FROM "+q+" WHERE "+q+" MATCH ? ORDER BY rank", word)
			found = append(found, tab.name+" "+word+": "+strings.Join(rowids, " "))
		}
	}
	return found
}

// apply runs statements in one savepoint, as a commit does, and returns its changes.
func apply(t testing.TB, c *Conn, statements []string) Changes {
	t.Helper()
	c.Record(true)
	defer c.Record(false)
	start := c.Mark()
	if err := c.Savepoint(); err != nil {
		t.Fatal(err)
	}
	execAll(t, c, Materialize, statements...)
	if err := c.Release(); err != nil {
		t.Fatal(err)
	}
	return c.Take(start)
}

// applyEach is apply with the changes of each statement by themselves.
func applyEach(t testing.TB, c *Conn, statements []string) (all []Changes) {
	t.Helper()
	c.Record(true)
	defer c.Record(false)
	if err := c.Savepoint(); err != nil {
		t.Fatal(err)
	}
	for _, sql := range statements {
		mark := c.Mark()
		execAll(t, c, Materialize, sql)
		all = append(all, c.Take(mark))
	}
	if err := c.Release(); err != nil {
		t.Fatal(err)
	}
	return all
}

// A statement that fails must not take with it what a full-text table still held back from the statements before.
func TestUndoAfterAFailedStatement(t *testing.T) {
	schema := []string{
		"CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT UNIQUE)", "CREATE VIRTUAL TABLE f USING fts5(text)",
		"CREATE TRIGGER n1 AFTER INSERT ON notes BEGIN INSERT INTO f(rowid, text) VALUES (new.id, new.text); END",
	}
	c := memory(t, schema, "INSERT INTO notes(text) VALUES ('old')")
	before := dump(t, c)
	c.Record(true)
	mark := c.Mark()
	if err := c.Savepoint(); err != nil {
		t.Fatal(err)
	}
	execAll(t, c, Materialize, "INSERT INTO notes(text) VALUES ('one')")
	kept := c.log.mark()
	if err := c.Exec(Materialize, "INSERT INTO notes(text) VALUES ('two'), ('three'), ('old')"); !IsConstraint(err) {
		t.Fatalf("a duplicate: %v, want a constraint error", err)
	}
	if got := c.log.mark(); got.entries <= kept.entries {
		t.Errorf("%d entries are left of the log, want what the full-text table wrote on top of %d", got.entries, kept.entries)
	}
	execAll(t, c, Materialize, "INSERT INTO notes(text) VALUES ('four')")
	if err := c.Release(); err != nil {
		t.Fatal(err)
	}
	changes := c.Take(mark)
	c.Record(false)
	if got := strings.Join(column0(t, c, Read, "SELECT text FROM f ORDER BY rowid"), " "); got != "old one four" {
		t.Errorf("the full-text table holds %q", got)
	}
	if err := c.Undo(changes); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, dump(t, c)); diff != "" {
		t.Errorf("not as it was:\n%s", diff)
	}
	sound(t, c)
}

// A table may say that a conflict replaces or ignores. An undo that did would lose rows without saying so.
func TestUndoIgnoresConflictClauses(t *testing.T) {
	for _, clause := range []string{"IGNORE", "REPLACE"} {
		c := memory(t, []string{"CREATE TABLE q (id INTEGER PRIMARY KEY, a UNIQUE ON CONFLICT " + clause + ")"}, "INSERT INTO q VALUES (1, 'a')")
		changes := apply(t, c, []string{"DELETE FROM q"})
		execAll(t, c, Internal, "INSERT INTO q VALUES (2, 'a')")
		if _, ok := errors.AsType[*UndoError](c.Undo(changes)); !ok {
			t.Errorf("%s: a row was lost without an error", clause)
		}
	}
}

func TestUndoOfNothing(t *testing.T) {
	c := memory(t, people, threePeople...)
	if err := c.Undo(); err != nil {
		t.Error(err)
	}
	if err := c.Undo(Changes{}, must(ParseChanges(Changes{}.Append(nil)))(t)); err != nil {
		t.Error(err)
	}
}

func TestUndoOfAnotherStateChangesNothing(t *testing.T) {
	for _, tc := range []struct{ name, do, meanwhile string }{
		{"the inserted row is gone", "INSERT INTO people VALUES (50, 'x', 1)", "DELETE FROM people WHERE id = 50"},
		{"the updated row is gone", "UPDATE people SET age = 1 WHERE id = 1", "DELETE FROM people WHERE id = 1"},
		{"the deleted row is there", "DELETE FROM people WHERE id = 1", "INSERT INTO people VALUES (1, 'x', 1)"},
		{"its unique value is taken", "DELETE FROM people WHERE id = 1", "INSERT INTO people VALUES (50, 'Ada', 1)"},
		{"the table has another column", "DELETE FROM people WHERE id = 1", "ALTER TABLE people ADD COLUMN more"},
		{"the table is gone", "DELETE FROM people", "DROP TABLE people"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := memory(t, people, threePeople...)
			changes := apply(t, c, []string{"UPDATE people SET age = 99 WHERE id = 7", tc.do, "INSERT INTO people(name) VALUES ('last')"})
			execAll(t, c, Internal, tc.meanwhile)
			before := dump(t, c)
			err := c.Undo(changes)
			if undo, ok := errors.AsType[*UndoError](err); !ok || undo.Table != "people" {
				t.Fatalf("undo: %v, want an *UndoError about people", err)
			}
			if diff := cmp.Diff(before, dump(t, c)); diff != "" {
				t.Errorf("a failed undo changed something:\n%s", diff)
			}
			execAll(t, c, Internal, "CREATE TABLE fine (a)", "INSERT INTO fine VALUES (1)")
			sound(t, c)
		})
	}
}

func TestUndoInsideATransactionGoesWithIt(t *testing.T) {
	c := memory(t, people, threePeople...)
	changes := apply(t, c, []string{"DELETE FROM people"})
	after := dump(t, c)
	if err := c.Begin(); err != nil {
		t.Fatal(err)
	}
	if err := c.Undo(changes); err != nil {
		t.Fatal(err)
	}
	if err := c.Rollback(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(after, dump(t, c)); diff != "" {
		t.Errorf("the undo outlived its transaction:\n%s", diff)
	}
}

// As a rebuild does it: tables made, filled and taken back in one transaction, and full-text tables among them.
func TestUndoInTheTransactionThatMadeTheTables(t *testing.T) {
	c := memory(t, nil)
	if err := c.Begin(); err != nil {
		t.Fatal(err)
	}
	for _, ddl := range []string{"CREATE VIRTUAL TABLE f USING fts5(a)", "CREATE VIRTUAL TABLE g USING fts5(a)", "CREATE TABLE v (x)"} {
		if err := c.Define(ddl); err != nil {
			t.Fatal(err)
		}
	}
	before := dump(t, c)
	changes := apply(t, c, []string{"INSERT INTO f VALUES ('x')", "INSERT INTO v VALUES (1)", "INSERT INTO g VALUES ('y')"})
	if err := c.Undo(changes); err != nil {
		t.Fatal(err)
	}
	if got := dump(t, c); got != before {
		t.Errorf("not as it was:\n%s", got)
	}
	if err := c.Commit(); err != nil {
		t.Fatal(err)
	}
	sound(t, c)
}

func TestUndoSwitchesTriggersOnAgain(t *testing.T) {
	c := memory(t, []string{
		"CREATE TABLE t (a)", "CREATE TABLE seen (a)", "CREATE TABLE r (a REFERENCES k)",
		"CREATE TABLE k (id INTEGER PRIMARY KEY)",
		"CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO seen VALUES (new.a); END",
	})
	changes := apply(t, c, []string{"INSERT INTO t VALUES (1)"})
	if err := c.Undo(changes); err != nil {
		t.Fatal(err)
	}
	apply(t, c, []string{"INSERT INTO t VALUES (2)"})
	if got := one(t, c, Read, "SELECT group_concat(a) FROM seen"); got != "2" {
		t.Errorf("the trigger saw %q, want 2", got)
	}
	if err := c.Exec(Materialize, "INSERT INTO r VALUES (1)"); !IsConstraint(err) {
		t.Errorf("a row without its parent: %v, want a constraint error", err)
	}
}

func TestAutoincrementCountersDoNotComeBack(t *testing.T) {
	// Why Define refuses AUTOINCREMENT: SQLite tells nobody that a counter changes.
	c := memory(t, nil)
	execAll(t, c, Internal, "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT)", "INSERT INTO a DEFAULT VALUES")
	changes := apply(t, c, []string{"INSERT INTO a DEFAULT VALUES"})
	if err := c.Undo(changes); err != nil {
		t.Fatal(err)
	}
	if got := one(t, c, Internal, "SELECT seq FROM sqlite_sequence"); got != "2" {
		t.Errorf("the counter is %s: it came back, and Define need not refuse it any more", got)
	}
}
