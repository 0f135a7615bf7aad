package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/ncruces/go-sqlite3"
)

// ErrTransactionLost says that SQLite has rolled the whole transaction back on its own, as it does when the disk is full
// or can not be written. Nothing of the transaction is left; what the undo log recorded in it is to be truncated.
var ErrTransactionLost = errors.New("sqlite: the transaction was rolled back as a whole after an error; begin it anew")

// ErrOutOfMemory says that a statement needed more memory than a connection may have. [IsFull] is true of it.
var ErrOutOfMemory = errors.New("sqlite: the connection has no memory left; the database or the statement is too large for it")

// DeniedError says that a statement may not do what it does in the mode it was prepared in. Nothing was executed.
type DeniedError struct {
	Op     string // what it does: "call function", "write table", "PRAGMA", …
	Object string // what it does it to: a function, a table; empty when there is none
	Mode   Mode   // the mode it was prepared in
}

func (e *DeniedError) Error() string {
	what := e.Op
	if e.Object != "" {
		what += " " + e.Object
	}
	return fmt.Sprintf("sqlite: %s is refused in %s: %s", what, e.Mode, e.cure())
}

func (e *DeniedError) cure() string {
	switch {
	case e.Mode == Read:
		return "a read is one SELECT; change state by committing events"
	case e.Op == opCallFunction:
		return "the same events must give the same state on every client; compute the value when the event is committed and " +
			"carry it in its arguments"
	case e.Mode == Materialize:
		return "a materializer reads and writes rows of the app's own tables and nothing else"
	default:
		return "state must be the same on every client and must be able to be undone row by row"
	}
}

// CorruptError says that a file or an image is no SQLite database, or a damaged one.
type CorruptError struct {
	Path string // the file; empty for an image in memory
	Err  error  // what is wrong with it
}

func (e *CorruptError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("sqlite: the database is damaged: %v", e.Err)
	}
	return fmt.Sprintf("sqlite: %s is no usable database: %v", e.Path, e.Err)
}

func (e *CorruptError) Unwrap() error { return e.Err }

// UndoError says that changes could not be undone because the rows are not as the changes left them: the database and the
// undo log do not belong together, and the state is to be rebuilt. The database is as it was before the call.
type UndoError struct {
	Table string // the table
	Err   error  // what does not fit
}

func (e *UndoError) Error() string {
	return fmt.Sprintf("sqlite: undo a change of table %s: %v; the undo log is not of this state, rebuild it", e.Table, e.Err)
}

func (e *UndoError) Unwrap() error { return e.Err }

// StatementError says that the text of a statement, or what was passed with it, can not be used.
type StatementError struct {
	SQL string // the text of the statement
	Err error  // what is wrong
}

func (e *StatementError) Error() string {
	return fmt.Sprintf("sqlite: statement %q: %v", shorten(e.SQL), e.Err)
}

func (e *StatementError) Unwrap() error { return e.Err }

func shorten(sql string) string {
	sql = strings.Join(strings.Fields(sql), " ")
	if r := []rune(sql); len(r) > 200 {
		return string(r[:200]) + "…"
	}
	return sql
}

// IsFull says whether err is about a full disk, a quota, or a database in memory that may not grow.
func IsFull(err error) bool {
	return errors.Is(err, sqlite3.FULL) || errors.Is(err, ErrOutOfMemory) || errors.Is(err, syscall.ENOSPC)
}

// IsReadOnly says whether err is about a file or directory that may not be written.
func IsReadOnly(err error) bool {
	return errors.Is(err, sqlite3.READONLY) || errors.Is(err, sqlite3.PERM) ||
		errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// IsConstraint says whether err is about a constraint of a table: unique, not null, check, foreign key, or a type of a
// STRICT table.
func IsConstraint(err error) bool { return errors.Is(err, sqlite3.CONSTRAINT) }

// IsCorrupt says whether err is about a database that is damaged, or a file that is no database.
func IsCorrupt(err error) bool {
	if errors.Is(err, sqlite3.CORRUPT) || errors.Is(err, sqlite3.NOTADB) {
		return true
	}
	_, ok := errors.AsType[*CorruptError](err)
	return ok
}

// IsBusy says whether err is about a file that another connection, of this process or another one, has open.
func IsBusy(err error) bool { return errors.Is(err, sqlite3.BUSY) }

// IsFault says whether err is about the machine or the file and not about the statement: a full disk, exhausted memory, I/O, damage,
// a file in use. The same statement may succeed another time.
func IsFault(err error) bool {
	return IsFull(err) || IsReadOnly(err) || IsCorrupt(err) || IsBusy(err) || errors.Is(err, sqlite3.IOERR) ||
		errors.Is(err, sqlite3.NOMEM) || errors.Is(err, sqlite3.INTERRUPT) || errors.Is(err, sqlite3.CANTOPEN)
}

// rescue turns the panic by which the library reports exhausted memory into an error. SQLite itself has unwound by
// then, so the connection stays usable.
func rescue(err *error) {
	switch r := recover(); r := r.(type) {
	case nil:
	case error:
		if !strings.HasSuffix(r.Error(), "out of memory") {
			panic(r)
		}
		*err = ErrOutOfMemory
	default:
		panic(r)
	}
}
