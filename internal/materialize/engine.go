// Package materialize derives state from events: it applies commits to an SQLite database through the materializers of
// a schema, all or nothing, and undoes them again from its undo log.
//
// An [Engine] stands at a head, the last event it has applied. It keeps that head and, for as many events as its cap
// allows, what each one changed. A session's engine keeps both in memory beside an in-memory database; a leader's
// engine keeps both in the state file, so they move in the same transaction as the rows.
package materialize

import (
	"errors"
	"fmt"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/state"
)

// UndoCap is how many events an engine keeps undo entries for. To undo more, state is rebuilt. At 300 bytes an entry
// this is 3 MB.
const UndoCap = 10_000

// Head is the position of an engine: the number and the identity of the last event applied.
type Head struct {
	Num event.SeqNum
	ID  event.ID
}

// ErrUndoMissing says that an event can not be undone because its undo entry is no longer kept. State stands where it
// stood, and has to be rebuilt.
var ErrUndoMissing = errors.New("materialize: the undo entry is no longer kept; state has to be rebuilt")

// Error says that an event could not be applied. Nothing of its commit was.
type Error struct {
	Event string
	Num   event.SeqNum
	Err   error
}

func (e *Error) Error() string {
	return fmt.Sprintf("materialize %s %s: %v", e.Num, e.Event, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Engine applies events to one database. It is not safe for concurrent use.
type Engine struct {
	conn    *sqlite.Conn
	schema  *state.Schema
	persist bool
	noUndo  bool // no undo entries are kept: KeepUndo

	head   Head
	scopes map[string]event.Scope // who writes a table: synced or client-only events
	undo   []entry                // in memory, oldest first; below them lie those of the undo table
	stored int64                  // entries in the undo table
	top    int64                  // id of the newest entry in the undo table
	forgot event.SeqNum           // where ForgetUndo was last asked to forget up to

	onUnknown func(event.Client) // told of each event that is none of the schema's; may be nil

	digest  bool     // Digest
	digests []uint64 // of the events of the last Apply

	cur db // what the running materializer writes through; reused, so that a commit does not allocate it
}

// entry is what one event changed.
type entry struct {
	head    Head // position before the event
	num     event.SeqNum
	changes sqlite.Changes
}

// Create makes the tables of a schema in an empty database and returns an engine that stands at e0. With persist, head and undo
// entries are kept in the database. Call it inside a transaction when the database is a file.
func Create(conn *sqlite.Conn, schema *state.Schema, persist bool) (*Engine, error) {
	if err := conn.Script(metaDDL); err != nil {
		return nil, fmt.Errorf("create state: %w", err)
	}
	for _, ddl := range schema.DDL() {
		if err := conn.Define(ddl); err != nil {
			return nil, fmt.Errorf("create state: %w: in %s", err, ddl)
		}
	}
	if err := conn.Exec(sqlite.Internal, `INSERT INTO __livestore_head VALUES (1, ?, 0, 0, 0, '', 0, 0)`, schema.Hash()); err != nil {
		return nil, fmt.Errorf("create state: %w", err)
	}
	for _, t := range schema.Tables() {
		if t.ClientOnly {
			if err := conn.Exec(sqlite.Internal, `INSERT INTO __livestore_tables VALUES (?, ?)`, t.Name, int64(event.ScopeClientOnly)); err != nil {
				return nil, fmt.Errorf("create state: %w", err)
			}
		}
	}
	return Open(conn, schema, persist)
}

// What marks a database as a state, and the version of the engine's own tables in it. A state of another version is rebuilt.
const (
	ApplicationID = 0x4C535354 // "LSST"
	Version       = 1
)

// metaDDL makes the engine's own tables: its head, who writes a table, and the undo entries.
var metaDDL = fmt.Sprintf(`PRAGMA application_id = %d; PRAGMA user_version = %d;`, ApplicationID, Version) + `
CREATE TABLE __livestore_head (
  one INTEGER PRIMARY KEY CHECK (one = 1), schema_hash TEXT NOT NULL,
  global INTEGER NOT NULL, client INTEGER NOT NULL, generation INTEGER NOT NULL,
  journal TEXT NOT NULL, ordinal INTEGER NOT NULL, idx INTEGER NOT NULL
) STRICT;
CREATE TABLE __livestore_tables (name TEXT PRIMARY KEY, scope INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE __livestore_undo (
  id INTEGER PRIMARY KEY, global INTEGER NOT NULL, client INTEGER NOT NULL, generation INTEGER NOT NULL,
  prev_global INTEGER NOT NULL, prev_client INTEGER NOT NULL, prev_generation INTEGER NOT NULL,
  prev_journal TEXT NOT NULL, prev_ordinal INTEGER NOT NULL, prev_idx INTEGER NOT NULL,
  changes BLOB NOT NULL
) STRICT;
`

// ErrOtherSchema says that a state database was made under another schema or in another format, or is none at all. It has to
// be rebuilt.
var ErrOtherSchema = errors.New("materialize: state of another schema or format; it has to be rebuilt")

// Open returns an engine on a database that [Create] made. A database of another schema is [ErrOtherSchema].
func Open(conn *sqlite.Conn, schema *state.Schema, persist bool) (*Engine, error) {
	e := &Engine{
		conn: conn, schema: schema, persist: persist,
		scopes: map[string]event.Scope{},
	}
	e.cur.e = e
	var app, version int64
	err := errors.Join(
		e.query(`PRAGMA application_id`, nil, func(r *sqlite.Rows) { app = r.Int64(0) }),
		e.query(`PRAGMA user_version`, nil, func(r *sqlite.Rows) { version = r.Int64(0) }))
	if err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	if app != ApplicationID || version != Version {
		return nil, ErrOtherSchema
	}
	var hash string
	err = e.query(`SELECT schema_hash, global, client, generation, journal, ordinal, idx FROM __livestore_head`, nil, func(r *sqlite.Rows) {
		hash = r.Text(0)
		e.head = readHead(r, 1)
	})
	if err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	if hash != schema.Hash() {
		return nil, ErrOtherSchema
	}
	err = e.query(`SELECT count(*), coalesce(max(id), 0) FROM __livestore_undo`, nil, func(r *sqlite.Rows) {
		e.stored, e.top = r.Int64(0), r.Int64(1)
	})
	if err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	if err := e.loadScopes(); err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	return e, nil
}

func (e *Engine) loadScopes() error {
	clear(e.scopes)
	return e.query(`SELECT name, scope FROM __livestore_tables`, nil, func(r *sqlite.Rows) {
		e.scopes[r.Text(0)] = event.Scope(r.Int64(1))
	})
}

// query runs one of the engine's own reads.
func (e *Engine) query(sql string, args []any, each func(*sqlite.Rows)) error {
	stmt, err := e.conn.Prepare(sqlite.Internal, sql)
	if err != nil {
		return err
	}
	return stmt.Each(args, each)
}

func readHead(r *sqlite.Rows, i int) Head {
	return Head{
		Num: event.SeqNum{Global: r.Int64(i), Client: r.Int64(i + 1), Generation: r.Int64(i + 2)},
		ID:  event.ID{Commit: event.CommitID{Journal: r.Text(i + 3), Ordinal: uint64(r.Int64(i + 4))}, Index: int(r.Int64(i + 5))},
	}
}

// Digest has each Apply add up what its events write, from now on or not any more.
func (e *Engine) Digest(on bool) { e.digest = on }

// Digests returns what each event of the last Apply has written, as a number that is the same where the same is written; nil without
// [Engine.Digest]. It holds until the next Apply.
func (e *Engine) Digests() []uint64 { return e.digests }

// Head returns the position of the last event applied.
func (e *Engine) Head() Head { return e.head }

// Conn returns the database, for reads.
func (e *Engine) Conn() *sqlite.Conn { return e.conn }

// Schema returns the schema the engine materializes.
func (e *Engine) Schema() *state.Schema { return e.schema }
