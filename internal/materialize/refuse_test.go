package materialize_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/state"
)

type text struct {
	SQL string `json:"sql"`
}

// swallowing materializes an event by running its argument, and says that all is well whatever comes of it.
func swallowing(t *testing.T, ddl ...string) (*materialize.Engine, func(sql string) error) {
	t.Helper()
	ev := event.Synced[text]("v1.Ran")
	schema := state.MustSchema(rows, state.NewDocument("doc", text{}), state.DDL(ddl...), state.On(ev, func(tx *state.Tx, e text) error {
		_ = tx.Exec(state.Exec(e.SQL))
		return tx.Exec(rows.Upsert(row{ID: "fallback", Name: "x"}))
	}))
	conn, err := sqlite.Open(":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	e, err := materialize.Create(conn, schema, false)
	if err != nil {
		t.Fatal(err)
	}
	return e, func(sql string) error {
		num, parent := e.Head().Num.Next(event.ScopeSynced, 0)
		return e.Apply([]event.Client{{
			Num: num, Parent: parent, Name: "v1.Ran", Args: jsontext.Value(fmt.Sprintf(`{"sql":%q}`, sql)),
			ID: event.ID{Commit: event.CommitID{Journal: "j", Ordinal: uint64(num.Global)}},
		}})
	}
}

const allOthers = "CREATE TABLE keys (id INTEGER PRIMARY KEY, v)"

// What is refused at one client may be allowed at another, so a materializer can not pass over it. A constraint it can: that is part of
// the state.
func TestRefusalCanNotBeSwallowed(t *testing.T) {
	e, run := swallowing(t, allOthers)
	for _, sql := range []string{
		"INSERT INTO keys VALUES (1, random())",
		"INSERT INTO keys SELECT 1, count(*) FROM doc",
		"INSERT INTO nowhere VALUES (1)",
		fmt.Sprintf("INSERT INTO keys VALUES (%d, 1)", int64(math.MaxInt64)), // SQLite would choose later rowids at random
	} {
		if _, ok := errors.AsType[*materialize.Error](run(sql)); !ok {
			t.Errorf("%s: the event was applied", sql)
		}
	}
	if e.Head().Num.Global != 0 {
		t.Errorf("the engine stands at %s", e.Head().Num)
	}
	for range 2 { // the second time the key is there
		if err := run("INSERT INTO keys VALUES (1, 'once')"); err != nil {
			t.Errorf("a constraint that the materializer tried: %v", err)
		}
	}
}

// The same without undo entries, as in a rebuild.
func TestLastRowidIsRefusedInARebuild(t *testing.T) {
	e, run := swallowing(t, allOthers)
	e.KeepUndo(false)
	if _, ok := errors.AsType[*materialize.Error](run(fmt.Sprintf("INSERT INTO keys VALUES (%d, 1)", int64(math.MaxInt64)))); !ok {
		t.Error("the last rowid was accepted")
	}
	if err := run("INSERT INTO keys VALUES (NULL, 1)"); err != nil {
		t.Error(err)
	}
}

// A full-text table runs the view it takes its text from out of the authorizer's sight.
func TestViewBehindFullTextIsChecked(t *testing.T) {
	_, run := swallowing(t, allOthers, `CREATE VIEW v AS SELECT id, "random"() AS t FROM keys`,
		`CREATE VIRTUAL TABLE f USING fts5(t, content='v', content_rowid='id')`, `CREATE TABLE out (t)`)
	if err := run("INSERT INTO keys VALUES (1, 1)"); err != nil {
		t.Fatal(err)
	}
	err := run("INSERT INTO out SELECT t FROM f")
	if _, ok := errors.AsType[*sqlite.DeniedError](err); !ok {
		t.Errorf("random text reached the state: %v", err)
	}
}
