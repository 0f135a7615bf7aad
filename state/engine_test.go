package state_test

import (
	"testing"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/state"
)

// engine is state on a real database: what the materialize package is to a store, without an undo log.
type engine struct {
	tb     testing.TB
	conn   *sqlite.Conn
	schema *state.Schema
	mode   sqlite.Mode
	num    event.SeqNum
}

// open makes an empty state of a schema in memory.
func open(tb testing.TB, parts ...state.Part) *engine {
	tb.Helper()
	schema, err := state.NewSchema(parts...)
	if err != nil {
		tb.Fatal(err)
	}
	conn, err := sqlite.Open(":memory:", nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	for _, ddl := range schema.DDL() {
		if err := conn.Define(ddl); err != nil {
			tb.Fatalf("%v\nin %s", err, ddl)
		}
	}
	return &engine{tb: tb, conn: conn, schema: schema, mode: sqlite.Materialize}
}

// Exec and Query make the engine a state.DB.
func (e *engine) Exec(s state.Statement) error {
	stmt, err := e.conn.Prepare(e.mode, s.SQL)
	if err != nil {
		return err
	}
	return stmt.Exec(s.Args)
}

func (e *engine) Query(s state.Statement, fn func(state.Rows) error) error {
	stmt, err := e.conn.Prepare(e.mode, s.SQL)
	if err != nil {
		return err
	}
	rows, err := stmt.Query(s.Args)
	if err != nil {
		return err
	}
	defer rows.Close()
	return fn(rows)
}

// tx is the transaction of an event that nobody defined.
func (e *engine) tx() *state.Tx { return state.NewTx(e, event.Client{SessionID: "session"}) }

// do runs writes and expects them to work.
func (e *engine) do(writes ...state.Write) {
	e.tb.Helper()
	for _, w := range writes {
		if err := e.tx().Exec(w); err != nil {
			e.tb.Fatal(err)
		}
	}
}

// commit materializes a draft and expects it to work.
func (e *engine) commit(d event.Draft) {
	e.tb.Helper()
	if err := e.tryCommit(d); err != nil {
		e.tb.Fatal(err)
	}
}

func (e *engine) tryCommit(d event.Draft) error {
	args, err := d.Args("session")
	if err != nil {
		return err
	}
	num, parent := e.num.Next(d.Definition().Scope(), 0)
	err = e.schema.Materialize(e, event.Client{
		Num: num, Parent: parent, Name: d.Definition().Name(), Args: args, ClientID: "client", SessionID: "session",
	})
	if err == nil {
		e.num = num
	}
	return err
}

// get runs a query as an app's read and expects it to work.
func get[T any](e *engine, q state.Query[T]) T {
	e.tb.Helper()
	v, err := tryGet(e, q)
	if err != nil {
		e.tb.Fatal(err)
	}
	return v
}

func tryGet[T any](e *engine, q state.Query[T]) (v T, err error) {
	mode := e.mode
	e.mode = sqlite.Read
	defer func() { e.mode = mode }()
	s, err := q.Statement("session")
	if err != nil {
		return v, err
	}
	err = e.Query(s, func(r state.Rows) error {
		v, err = q.Decode(r)
		return err
	})
	return v, err
}
