package sqlite

import (
	"errors"
	"testing"
)

func TestSavepointsNest(t *testing.T) {
	c := memory(t, []string{"CREATE TABLE v (x)"})
	step := func(errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	insert := func(x int) error { return c.Exec(Materialize, "INSERT INTO v VALUES (?)", x) }
	want := func(text string) {
		t.Helper()
		if got := one(t, c, Read, "SELECT coalesce(group_concat(x, ' ' ORDER BY x), '') FROM v"); got != text {
			t.Errorf("the table holds %q, want %q", got, text)
		}
	}
	step(c.Savepoint(), insert(1), c.Savepoint(), insert(2), c.RollbackTo(), c.Savepoint(), insert(3), c.Release(), c.Release())
	want("1 3")
	step(c.Begin(), insert(4), c.Savepoint(), insert(5), c.Savepoint(), insert(6), c.Release(), c.RollbackTo(), insert(7), c.Commit())
	want("1 3 4 7")
	step(c.Begin(), c.Savepoint(), insert(8), c.Release(), c.Rollback())
	want("1 3 4 7")
	step(c.Begin(), c.Savepoint(), insert(9), c.Commit()) // a commit ends what is open
	want("1 3 4 7 9")
	for name, err := range map[string]error{"release": c.Release(), "commit": c.Commit()} {
		if err == nil {
			t.Errorf("%s without a transaction is no error", name)
		}
	}
	step(c.Rollback())
	step(c.Begin())
	if c.Begin() == nil {
		t.Error("a transaction in a transaction is no error")
	}
	step(c.Rollback())
}

// A deferred foreign key is checked when its savepoint is released, whether that is the whole transaction or a part of one:
// a commit of events fails for the same reasons at a session and at a leader.
func TestDeferredForeignKeysAreCheckedAtRelease(t *testing.T) {
	for _, inside := range []bool{false, true} {
		c := memory(t, []string{"CREATE TABLE p (id INTEGER PRIMARY KEY)", "CREATE TABLE k (p REFERENCES p DEFERRABLE INITIALLY DEFERRED)"})
		if inside {
			if err := c.Begin(); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Savepoint(); err != nil {
			t.Fatal(err)
		}
		execAll(t, c, Materialize, "INSERT INTO k VALUES (1)")
		if err := c.Release(); !IsConstraint(err) {
			t.Errorf("inside a transaction %v: %v, want a constraint error", inside, err)
		}
		execAll(t, c, Materialize, "INSERT INTO p VALUES (1)")
		if err := c.Release(); err != nil {
			t.Errorf("inside a transaction %v: with the parent: %v", inside, err)
		}
		if inside {
			if err := c.Commit(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestATransactionThatSQLiteRolledBack(t *testing.T) {
	schema := []string{"CREATE TABLE v (x)"}
	// RAISE(ROLLBACK) in a trigger stands for a full or failing disk, which rolls back just so.
	lose := func(c *Conn) {
		execAll(t, c, Internal, "INSERT INTO v VALUES (1)")
		if err := c.Exec(Internal, "INSERT OR ROLLBACK INTO one VALUES (1)"); !IsConstraint(err) {
			t.Fatal(err)
		}
	}
	prepare := func() *Conn {
		c := memory(t, schema)
		execAll(t, c, Internal, "CREATE TABLE one (x UNIQUE)", "INSERT INTO one VALUES (1)")
		return c
	}
	check := func(c *Conn) {
		t.Helper()
		if got := one(t, c, Read, "SELECT count(*) FROM v"); got != "0" {
			t.Errorf("%s rows are left", got)
		}
		if err := errors.Join(c.Begin(), c.Savepoint(), c.Release(), c.Commit()); err != nil {
			t.Error(err)
		}
	}

	c := prepare()
	if err := c.Savepoint(); err != nil {
		t.Fatal(err)
	}
	lose(c)
	if err := c.RollbackTo(); err != nil {
		t.Errorf("all that was lost was the savepoint: %v", err)
	}
	check(c)

	c = prepare()
	if err := errors.Join(c.Begin(), c.Savepoint()); err != nil {
		t.Fatal(err)
	}
	lose(c)
	if err := c.Release(); !errors.Is(err, ErrTransactionLost) {
		t.Errorf("release: %v", err)
	}
	if err := c.RollbackTo(); !errors.Is(err, ErrTransactionLost) {
		t.Errorf("roll back to: %v", err)
	}
	if err := c.Rollback(); err != nil {
		t.Error(err)
	}
	check(c)

	c = prepare()
	if err := c.Begin(); err != nil {
		t.Fatal(err)
	}
	execAll(t, c, Internal, "CREATE TABLE late (a)")
	lose(c)
	if err := c.Commit(); !errors.Is(err, ErrTransactionLost) {
		t.Errorf("commit: %v", err)
	}
	if err := c.Rollback(); err != nil {
		t.Error(err)
	}
	if _, err := c.Prepare(Read, "SELECT * FROM late"); err == nil {
		t.Error("a table that was rolled back can be read")
	}
	check(c)
}

func TestRecordingFollowsTheCalls(t *testing.T) {
	c := memory(t, []string{"CREATE TABLE v (x)", "CREATE VIRTUAL TABLE f USING fts5(a)"})
	execAll(t, c, Materialize, "INSERT INTO v VALUES (0)")
	c.Record(true)
	m := c.Mark()
	execAll(t, c, Materialize, "INSERT INTO v VALUES (1)")
	c.Record(false)
	execAll(t, c, Materialize, "INSERT INTO v VALUES (2)")
	c.Record(true)
	execAll(t, c, Materialize, "INSERT INTO v VALUES (3)")
	middle := c.Mark()
	execAll(t, c, Materialize, "INSERT INTO v VALUES (4)", "INSERT INTO v VALUES (5)")
	c.Truncate(Mark{entries: middle.entries + 1, data: middle.data + 1})
	if got := c.Take(middle).Len(); got != 1 {
		t.Errorf("%d changes since the middle, want 1", got)
	}
	if got := c.Take(m).Len(); got != 2 {
		t.Errorf("%d changes since the beginning, want 2", got)
	}
	if got := c.Take(m); got.Len() != 0 || got.Tables() != nil {
		t.Errorf("%d changes are left", got.Len())
	}

	// What a full-text table holds back is recorded, or not, as it was when it was written.
	c.Record(false)
	if err := c.Begin(); err != nil {
		t.Fatal(err)
	}
	execAll(t, c, Materialize, "INSERT INTO f VALUES ('unrecorded')")
	c.Record(true)
	m = c.Mark()
	if got := c.Take(m).Len(); got != 0 {
		t.Errorf("%d changes were recorded of what was written before", got)
	}
	execAll(t, c, Materialize, "INSERT INTO f VALUES ('recorded')")
	c.Record(false)
	recorded := c.Take(m)
	execAll(t, c, Materialize, "INSERT INTO v VALUES (6)")
	if err := c.Undo(recorded); err != nil {
		t.Fatal(err)
	}
	execAll(t, c, Materialize, "INSERT INTO f VALUES ('later')")
	if err := c.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := c.Take(m).Len(); got != 0 {
		t.Errorf("%d changes were recorded of what was written later", got)
	}
	if got := one(t, c, Read, "SELECT group_concat(a) FROM f WHERE f MATCH 'unrecorded OR recorded OR later'"); got != "unrecorded,later" {
		t.Errorf("there is %s", got)
	}
	sound(t, c)
}
