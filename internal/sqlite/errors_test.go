package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/ncruces/go-sqlite3"
)

func TestErrorsAreRecognised(t *testing.T) {
	kinds := []struct {
		name string
		is   func(error) bool
	}{{"full", IsFull}, {"read-only", IsReadOnly}, {"constraint", IsConstraint}, {"corrupt", IsCorrupt}, {"busy", IsBusy}, {"fault", IsFault}}
	for _, tc := range []struct {
		err  error
		want string
	}{
		{sqlite3.FULL, "full fault"},
		{syscall.ENOSPC, "full fault"},
		{ErrOutOfMemory, "full fault"},
		{sqlite3.READONLY_DIRECTORY, "read-only fault"},
		{&fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}, "read-only fault"},
		{syscall.EROFS, "read-only fault"},
		{sqlite3.CONSTRAINT_UNIQUE, "constraint"},
		{sqlite3.CORRUPT_VTAB, "corrupt fault"},
		{sqlite3.NOTADB, "corrupt fault"},
		{&CorruptError{Err: errors.New("x")}, "corrupt fault"},
		{sqlite3.BUSY, "busy fault"},
		{sqlite3.IOERR_WRITE, "fault"},
		{sqlite3.ERROR, ""},
		{&StatementError{Err: errNotOne}, ""},
		{&DeniedError{Op: "PRAGMA"}, ""},
		{nil, ""},
	} {
		err := tc.err
		if err != nil {
			err = fmt.Errorf("open store: %w", err)
		}
		var got []string
		for _, k := range kinds {
			if k.is(err) {
				got = append(got, k.name)
			}
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%v: %v, want %s", tc.err, got, tc.want)
		}
	}
}

func TestErrorsNameTheThing(t *testing.T) {
	why := errors.New("why")
	for _, tc := range []struct {
		err  error
		want string
	}{
		{&CorruptError{Path: "a.db", Err: why}, "sqlite: a.db is no usable database: why"},
		{&CorruptError{Err: why}, "sqlite: the database is damaged: why"},
		{&UndoError{Table: "todos", Err: why}, "sqlite: undo a change of table todos: why; the undo log is not of this state, rebuild it"},
		{&StatementError{SQL: "SELECT\n\t 1", Err: why}, `sqlite: statement "SELECT 1": why`},
		{&ChangesError{Offset: 7, Reason: "why"}, "sqlite: undo log, byte 7: why; rebuild the state"},
	} {
		if tc.err.Error() != tc.want {
			t.Errorf("%s, want %s", tc.err, tc.want)
		}
		if u := errors.Unwrap(tc.err); u != nil && u != why {
			t.Errorf("%s unwraps to %v", tc.err, u)
		}
	}
	long := &StatementError{SQL: strings.Repeat("é", 5000), Err: why}
	if len(long.Error()) > 500 {
		t.Errorf("an error of %d bytes", len(long.Error()))
	}
	defer func() {
		if recover() != why {
			t.Error("a panic that is not about memory was swallowed")
		}
	}()
	func() (err error) {
		defer rescue(&err)
		panic(why)
	}()
}

// A table that the log of changes does not know of, because it was made behind its back, fails the statement that writes it.
func TestARowThatCanNotBeRecorded(t *testing.T) {
	c := memory(t, people, threePeople...)
	c.Record(true)
	s := must(c.Prepare(Materialize, "DELETE FROM people"))(t)
	c.catalog.tables = map[string]*table{}
	if err := c.Savepoint(); err != nil {
		t.Fatal(err)
	}
	if err := s.Exec(nil); !errors.Is(err, errUnknownTable) {
		t.Errorf("%v, want that the table is not known", err)
	}
	if err := c.RollbackTo(); err != nil {
		t.Fatal(err)
	}
	c.log.fail("people", errUnknownTable)
	if err := c.Savepoint(); err != nil {
		t.Fatal(err)
	}
	if err := c.Release(); !errors.Is(err, errUnknownTable) {
		t.Errorf("released: %v", err)
	}
	if err := c.Undo(c.Take(Mark{})); !errors.Is(err, errUnknownTable) {
		t.Errorf("undone: %v", err)
	}
	if err := c.Release(); err != nil {
		t.Error(err)
	}
}
