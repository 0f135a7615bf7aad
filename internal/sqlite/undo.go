package sqlite

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ncruces/go-sqlite3"
)

// undoStatements bring back one row of a table. They are prepared when they are first needed.
type undoStatements struct {
	remove *sqlite3.Stmt // takes an inserted row away
	insert *sqlite3.Stmt // brings a deleted row back
	update *sqlite3.Stmt // brings back the values of a row that kept its rowid
	move   *sqlite3.Stmt // brings back the values of a row and its rowid or key
}

func (u *undoStatements) close() {
	for _, s := range []*sqlite3.Stmt{u.remove, u.insert, u.update, u.move} {
		s.Close()
	}
	*u = undoStatements{}
}

var (
	errColumns  = errors.New("it has other columns than the table")
	errNoRow    = errors.New("the row is not there")
	errNoTable  = errors.New("there is no such table")
	errNoRowid  = errors.New("its columns hide all names of the rowid")
	errBadEntry = errors.New("an entry is of another kind than the table")
)

// Undo brings back what was there before the changes: the last of changes first, and in each the last row first. Rows,
// rowids and full-text tables are then exactly as they were. Triggers and foreign keys do not act, and nothing is recorded.
// All happens or nothing; when the rows are not as the changes left them the error is an *[UndoError]. No rows of
// the connection may be open.
//
// Undo many changes in one call when there are many: switching triggers off makes SQLite prepare every statement anew.
func (c *Conn) Undo(changes ...Changes) (err error) {
	defer rescue(&err)
	rows := 0
	for _, ch := range changes {
		if ch.err != nil {
			return fmt.Errorf("undo: %w", ch.err)
		}
		rows += ch.Len()
	}
	if rows == 0 {
		return nil
	}
	if err := c.ensureCatalog(); err != nil {
		return fmt.Errorf("undo: %w", err)
	}
	touched, err := c.touched(changes)
	if err != nil {
		return err
	}
	c.flush()
	defer func(was bool) { c.undoing = was }(c.undoing)
	c.undoing = true
	if err := c.Savepoint(); err != nil {
		return fmt.Errorf("undo: %w", err)
	}
	err = c.undoAll(changes, touched)
	if err == nil {
		err = c.Release()
	}
	if err != nil {
		if rollback := c.RollbackTo(); rollback != nil {
			err = errors.Join(err, rollback)
		}
	}
	return err
}

// touched finds the tables of the changes, by their place in the names of each.
func (c *Conn) touched(changes []Changes) ([][]*table, error) {
	all := make([][]*table, len(changes))
	for i, ch := range changes {
		if i > 0 && len(ch.names) > 0 && len(ch.names) == len(changes[i-1].names) && &ch.names[0] == &changes[i-1].names[0] {
			all[i] = all[i-1] // the same list
		} else {
			all[i] = make([]*table, len(ch.names))
		}
		for _, e := range ch.entries {
			if all[i][e.table] != nil {
				continue
			}
			name := ch.names[e.table].name
			t := c.catalog.find(name)
			switch {
			case t == nil || t.kind != kindTable && t.kind != kindShadow:
				return nil, &UndoError{Table: name, Err: errNoTable}
			case t.rowid == "" && !t.withoutRowid:
				return nil, &UndoError{Table: name, Err: errNoRowid}
			}
			all[i][e.table] = t
		}
	}
	return all, nil
}

func (c *Conn) undoAll(changes []Changes, touched [][]*table) (err error) {
	guarded, fts := false, map[string]bool{}
	for i := range touched {
		for _, t := range touched[i] {
			if t != nil {
				guarded = guarded || t.guarded
				if t.kind == kindShadow {
					fts[t.owner] = true
				}
			}
		}
	}
	if guarded {
		restore, uerr := c.unguard()
		defer func() { err = errors.Join(err, restore()) }()
		if uerr != nil {
			return fmt.Errorf("switch triggers off: %w", uerr)
		}
	}
	for i, ch := range slices.Backward(changes) {
		for _, e := range slices.Backward(ch.entries) {
			t := touched[i][e.table]
			if err := c.undoRow(t, e, ch.data[e.offset:e.offset+int(e.size)]); err != nil {
				return &UndoError{Table: t.name, Err: err}
			}
		}
	}
	for name := range fts {
		if err := c.dropCaches(name); err != nil {
			return fmt.Errorf("undo changes of full-text table %s: %w", name, err)
		}
	}
	return nil
}

// unguard switches triggers and foreign keys off and returns what switches them on again. PRAGMA foreign_keys would be
// ignored inside a transaction.
func (c *Conn) unguard() (restore func() error, err error) {
	var on []sqlite3.DBConfig
	restore = func() (err error) {
		for _, option := range on {
			if _, e := c.raw.Config(option, true); e != nil {
				err = fmt.Errorf("switch triggers on: %w", e)
			}
		}
		return err
	}
	for _, option := range []sqlite3.DBConfig{sqlite3.DBCONFIG_ENABLE_TRIGGER, sqlite3.DBCONFIG_ENABLE_FKEY} {
		was, err := c.raw.Config(option)
		if err != nil {
			return restore, err
		}
		if !was {
			continue
		}
		if _, err := c.raw.Config(option, false); err != nil {
			return restore, err
		}
		on = append(on, option)
	}
	return restore, nil
}

// dropCaches makes a full-text table forget what it holds in memory of its shadow tables, which have changed behind its
// back: it does when it takes part in a transaction and that is rolled back.
func (c *Conn) dropCaches(name string) error {
	t := c.catalog.find(name)
	if t == nil || !t.fts {
		return nil
	}
	if err := c.Savepoint(); err != nil {
		return err
	}
	quoted := sqlite3.QuoteIdentifier(t.name)
	// Any write would do. This one is possible for every kind of full-text table.
	err := c.Exec(Internal, "INSERT INTO "+quoted+"("+quoted+", rank) VALUES ('automerge', 4)")
	return errors.Join(err, c.RollbackTo())
}

func (c *Conn) undoRow(t *table, e entry, data []byte) error {
	if t.withoutRowid != (e.op >= opKeyInsert) {
		return errBadEntry
	}
	r := reader{data: data}
	u := undoing{c: c, t: t, r: &r}
	switch e.op {
	case opInsert:
		u.use(&t.undo.remove, removeSQL)
		u.bindInt(r.varint())
	case opKeyInsert:
		u.use(&t.undo.remove, removeSQL)
		u.bindRow(len(t.key))
	case opDelete:
		u.use(&t.undo.insert, insertSQL)
		u.bindInt(r.varint())
		u.bindRow(len(t.columns))
	case opKeyDelete:
		u.use(&t.undo.insert, insertSQL)
		u.bindRow(len(t.columns))
	case opUpdate:
		before, after := r.varint(), r.varint()
		if before == after && len(t.columns) == 0 {
			return nil
		}
		if before == after {
			u.use(&t.undo.update, updateSQL)
		} else {
			u.use(&t.undo.move, moveSQL)
		}
		u.bindInt(after)
		if before != after {
			u.bindInt(before)
		}
		u.bindRow(len(t.columns))
	case opKeyUpdate:
		u.use(&t.undo.move, moveSQL)
		u.bindRow(len(t.key))
		u.bindRow(len(t.columns))
	}
	return u.do()
}

// undoing is one row that is brought back.
type undoing struct {
	c   *Conn
	t   *table
	r   *reader
	s   *sqlite3.Stmt
	n   int // parameters bound
	err error
}

func (u *undoing) use(s **sqlite3.Stmt, text func(*table) string) {
	if *s == nil {
		*s, _, u.err = u.c.raw.PrepareFlags(text(u.t), sqlite3.PREPARE_PERSISTENT)
	}
	u.s = *s
}

func (u *undoing) bindInt(v int64) {
	if u.n++; u.err == nil {
		u.err = u.s.BindInt64(u.n, v)
	}
}

// bindRow binds the next row of the entry, which must have as many values as there are columns.
func (u *undoing) bindRow(columns int) {
	if n := u.r.count(1); u.err == nil && n != columns {
		u.err = errColumns
	}
	for range columns {
		if u.err != nil {
			return
		}
		u.n++
		u.err = u.bindValue(u.r.value())
	}
}

func (u *undoing) bindValue(v value) error {
	switch v.kind {
	case Integer:
		return u.s.BindInt64(u.n, int64(v.bits))
	case Float:
		return u.s.BindFloat(u.n, math.Float64frombits(v.bits))
	case Text:
		return u.s.BindText(u.n, string(v.bytes))
	case Blob:
		return u.s.BindBlob(u.n, v.bytes)
	default:
		return u.s.BindNull(u.n)
	}
}

func (u *undoing) do() error {
	if u.err == nil && u.r.err != nil {
		u.err = u.r.err
	}
	if u.err != nil {
		return u.err
	}
	if err := u.s.Exec(); err != nil {
		return err
	}
	if u.c.raw.Changes() != 1 {
		return errNoRow
	}
	return nil
}

// The statements say OR ABORT because a constraint of the table may say to ignore or to replace.

func removeSQL(t *table) string {
	return "DELETE FROM " + t.quoted() + " WHERE " + t.where()
}

func insertSQL(t *table) string {
	names, n := t.columnNames(), len(t.columns)
	if !t.withoutRowid {
		names, n = append([]string{sqlite3.QuoteIdentifier(t.rowid)}, names...), n+1
	}
	return "INSERT OR ABORT INTO " + t.quoted() + " (" + strings.Join(names, ", ") + ") VALUES (" +
		strings.TrimSuffix(strings.Repeat("?, ", n), ", ") + ")"
}

func updateSQL(t *table) string {
	return "UPDATE OR ABORT " + t.quoted() + " SET " + t.assign(2) + " WHERE " + t.where()
}

func moveSQL(t *table) string {
	if t.withoutRowid {
		return "UPDATE OR ABORT " + t.quoted() + " SET " + t.assign(1+len(t.key)) + " WHERE " + t.where()
	}
	assign := sqlite3.QuoteIdentifier(t.rowid) + " = ?2"
	if len(t.columns) > 0 {
		assign += ", " + t.assign(3)
	}
	return "UPDATE OR ABORT " + t.quoted() + " SET " + assign + " WHERE " + t.where()
}

func (t *table) quoted() string { return "main." + sqlite3.QuoteIdentifier(t.name) }

func (t *table) columnNames() []string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = sqlite3.QuoteIdentifier(c.name)
	}
	return names
}

// assign lists the columns with parameters from number n on.
func (t *table) assign(n int) string {
	names := t.columnNames()
	for i := range names {
		names[i] += fmt.Sprintf(" = ?%d", n+i)
	}
	return strings.Join(names, ", ")
}

// where names one row by its rowid or key, with the first parameters.
func (t *table) where() string {
	if !t.withoutRowid {
		return sqlite3.QuoteIdentifier(t.rowid) + " = ?1"
	}
	var terms []string
	for i, k := range t.key {
		terms = append(terms, sqlite3.QuoteIdentifier(t.columns[k].name)+fmt.Sprintf(" = ?%d", 1+i))
	}
	return strings.Join(terms, " AND ")
}
