package sqlite

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/ncruces/go-sqlite3"
)

// Stmt is a prepared statement. It may be held as long as the connection: when the schema changes, or it is displaced
// from the cache, it is prepared anew at its next use.
type Stmt struct {
	c    *Conn
	mode Mode
	sql  string

	raw        *sqlite3.Stmt // nil when it is to be prepared
	generation uint64
	reads      []string
	readsOf    []TableRead // in mode Read
	writes     []string
	names      []string // of its result columns, once asked for
	parameters int
	ddl        bool // it changes the schema
	fts        bool // it writes a full-text table
	heavy      bool // large values are bound
	open       bool // its rows are being read

	prev, next *Stmt // in the cache; nil when it is not there
}

var (
	errNotOne  = errors.New("it must be exactly one statement")
	errOpen    = errors.New("its rows are still being read: close them first")
	errClosed  = errors.New("the connection is closed")
	errExplain = errors.New("EXPLAIN shows how SQLite works, which is not the same everywhere")
	errPartial = errors.New("OR FAIL and OR ROLLBACK leave a part of the work, or undo more than the statement: use OR ABORT, " +
		"which is the default")
)

// heavyValue is the size from which a bound value is not kept until the next use of its statement, in bytes.
const heavyValue = 64 << 10

// Prepare compiles one statement, or finds it among those of the mode that were used last. Text after the statement is
// refused. An error of the mode is a *[DeniedError], one of the text a *[StatementError].
func (c *Conn) Prepare(mode Mode, sql string) (*Stmt, error) {
	if s := c.cache[mode].get(sql); s != nil && !s.open {
		return s, nil
	}
	s := &Stmt{c: c, mode: mode, sql: sql}
	if err := s.ready(); err != nil {
		return nil, err
	}
	return s, nil
}

// Exec prepares and executes one statement.
func (c *Conn) Exec(mode Mode, sql string, args ...any) error {
	s, err := c.Prepare(mode, sql)
	if err != nil {
		return err
	}
	return s.Exec(args)
}

// ready prepares s unless it is.
func (s *Stmt) ready() (err error) {
	c := s.c
	if s.raw != nil && s.generation == c.generation {
		return nil
	}
	if c.raw == nil {
		return &StatementError{SQL: s.sql, Err: errClosed}
	}
	defer rescue(&err)
	s.close()
	if err := c.ensureCatalog(); err != nil {
		return err
	}
	raw, tail, g, err := c.compile(s.mode, s.sql)
	s.ddl = g.ddl
	switch {
	case g.denied != nil:
		raw.Close()
		return g.denied
	case err != nil:
		return &StatementError{SQL: s.sql, Err: err}
	case raw == nil || !blank(tail):
		raw.Close()
		return &StatementError{SQL: s.sql, Err: errNotOne}
	}
	if err := s.admit(g); err != nil {
		raw.Close()
		return err
	}
	if err := s.unhide(g); err != nil {
		raw.Close()
		return err
	}
	reads, err := c.contents(s.mode, g)
	if err != nil {
		raw.Close()
		return &StatementError{SQL: s.sql, Err: err}
	}
	s.raw, s.generation, s.names = raw, c.generation, nil
	s.reads, s.writes = distinct(reads), distinct(g.writes)
	if s.mode == Read {
		s.readsOf = c.readsOf(g, s.reads)
	}
	s.parameters = raw.BindCount()
	s.fts = slices.ContainsFunc(s.writes, func(name string) bool { return c.catalog.find(name).fts })
	if s.prev == nil && c.cache[s.mode].bySQL[s.sql] == nil {
		c.cache[s.mode].put(s)
	}
	return nil
}

// compile prepares a statement under the eyes of the authorizer, and returns what that saw.
func (c *Conn) compile(mode Mode, sql string) (raw *sqlite3.Stmt, tail string, g *gathering, err error) {
	g = &gathering{}
	earlier := c.sawDDL
	c.mode, c.preparing, c.sawDDL = mode, g, false
	defer func() {
		g.ddl = c.sawDDL
		c.preparing, c.sawDDL = nil, earlier
	}()
	raw, tail, err = c.raw.PrepareFlags(sql, sqlite3.PREPARE_PERSISTENT)
	return raw, tail, g, err
}

// admit refuses what the authorizer is not asked about.
func (s *Stmt) admit(g *gathering) error {
	if s.mode != Read && s.mode != Materialize {
		return nil
	}
	tokens := lex(s.sql)
	switch {
	case !g.acts: // VACUUM is one
		return &DeniedError{Op: "this statement", Mode: s.mode}
	case s.mode == Read:
	case len(tokens) > 0 && tokens[0].is("explain"):
		return &StatementError{SQL: s.sql, Err: errExplain}
	case sequence(tokens, "insert|update", "or", "fail|rollback"):
		return &StatementError{SQL: s.sql, Err: errPartial}
	}
	return nil
}

func blank(tail string) bool {
	for _, t := range lex(tail) {
		if !t.is(";") {
			return false
		}
	}
	return true
}

func (s *Stmt) close() {
	if s.raw != nil {
		s.raw.Close()
		s.raw = nil
	}
}

// SQL returns the text of the statement.
func (s *Stmt) SQL() string { return s.sql }

// Reads returns the tables the statement reads, sorted: through views, common table expressions, subqueries and triggers, and
// those from which a full-text table takes its text. Tables of SQLite's own, and views, are not named; a full-text table
// stands for its shadow tables. The result is shared: do not change it.
func (s *Stmt) Reads() []string { return s.reads }

// Writes returns the tables the statement may write, sorted, those of triggers and foreign key actions included. The
// result is shared: do not change it.
func (s *Stmt) Writes() []string { return s.writes }

// Exec executes the statement with arguments for its parameters: nil, bool, int, int64, float64, string, []byte or
// jsontext.Value, which is bound as text. A nil []byte is NULL; so is NaN. Result rows are not kept.
//
// A statement that fails has changed nothing, and recorded nothing.
func (s *Stmt) Exec(args []any) (err error) {
	defer rescue(&err)
	if err := s.start(args); err != nil {
		return err
	}
	mark := s.c.log.mark()
	err = s.raw.Exec()
	return s.finish(mark, err)
}

// start makes the statement ready to be stepped.
func (s *Stmt) start(args []any) error {
	if s.open {
		return &StatementError{SQL: s.sql, Err: errOpen}
	}
	if err := s.ready(); err != nil {
		return err
	}
	if err := s.bind(args); err != nil {
		return err
	}
	if s.c.ftsDirty && s.c.recording && len(s.writes) > 0 {
		// What a full-text table still holds back belongs to the statements before: were it written while this one
		// runs, it would be forgotten if this one fails.
		s.c.flush()
	}
	return nil
}

// finish settles what was stepped to its end, or to an error.
func (s *Stmt) finish(mark Mark, err error) error {
	c := s.c
	if s.fts {
		c.ftsDirty = true
	}
	if s.heavy {
		s.heavy = false
		_ = s.raw.ClearBindings() // it can not fail
	}
	if s.prev == nil { // not in the cache: another statement of this text is, or the schema has changed
		s.close()
	}
	if err == nil {
		err = c.log.err
	}
	if err != nil {
		if len(s.writes) > 0 {
			c.log.truncate(mark)
		}
		c.settle()
		return fmt.Errorf("execute %q: %w", shorten(s.sql), err)
	}
	if s.ddl {
		c.sawDDL = true
		c.settle()
	}
	return nil
}

func (s *Stmt) bind(args []any) error {
	if len(args) != s.parameters {
		return &StatementError{SQL: s.sql, Err: fmt.Errorf("it has %d parameters and was given %d arguments", s.parameters, len(args))}
	}
	for i, arg := range args {
		if err := s.bindOne(i+1, arg); err != nil {
			return &StatementError{SQL: s.sql, Err: fmt.Errorf("argument %d: %w", i+1, err)}
		}
	}
	return nil
}

func (s *Stmt) bindOne(n int, arg any) error {
	size := 0
	var err error
	switch v := arg.(type) {
	case nil:
		err = s.raw.BindNull(n)
	case string:
		size, err = len(v), s.raw.BindText(n, v)
	case int64:
		err = s.raw.BindInt64(n, v)
	case int:
		err = s.raw.BindInt64(n, int64(v))
	case bool:
		err = s.raw.BindBool(n, v)
	case float64:
		err = s.raw.BindFloat(n, v)
	case []byte:
		size, err = len(v), s.raw.BindBlob(n, v)
	case jsontext.Value:
		size, err = len(v), s.raw.BindRawText(n, v)
	default:
		err = fmt.Errorf("SQLite has no value for Go type %T", arg)
	}
	s.heavy = s.heavy || size >= heavyValue
	return err
}

// Each runs a query and calls row for each of its rows.
func (s *Stmt) Each(args []any, row func(*Rows)) error {
	rows, err := s.Query(args)
	if err != nil {
		return err
	}
	for rows.Next() {
		row(rows)
	}
	return errors.Join(rows.Err(), rows.Close())
}

// Integer runs a statement of our own that gives one integer.
func (c *Conn) Integer(sql string) (n int64, err error) {
	s, err := c.Prepare(Internal, sql)
	if err != nil {
		return 0, err
	}
	err = s.Each(nil, func(r *Rows) { n = r.Int64(0) })
	return n, err
}
