package materialize_test

import (
	"fmt"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/state"
)

type named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type row struct {
	ID   string `db:"id,primarykey"`
	Name string `db:"name"`
}

var (
	added  = event.Synced[named]("v1.Added")
	rows   = state.NewTable[row]("rows")
	schema = state.MustSchema(rows, state.On(added, func(tx *state.Tx, e named) error { return tx.Exec(rows.Insert(row(e))) }))
)

// commits returns n commits of one event each, numbered from e1.
func commits(n int) [][]event.Client {
	out := make([][]event.Client, n)
	for i := range out {
		g := int64(i + 1)
		out[i] = []event.Client{{
			Num: event.SeqNum{Global: g}, Parent: event.SeqNum{Global: g - 1}, Name: "v1.Added",
			Args: jsontext.Value(fmt.Sprintf(`{"id":"%d","name":"n%d"}`, i, i)),
			ID:   event.ID{Commit: event.CommitID{Journal: "j", Ordinal: uint64(g)}},
		}}
	}
	return out
}

func newEngine(t testing.TB, persist bool) *materialize.Engine {
	t.Helper()
	conn, err := sqlite.Open(":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	e, err := materialize.Create(conn, schema, persist)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// BenchmarkRollbackReapply500 is the work of a session in a rebase of 500 pending events.
func BenchmarkRollbackReapply500(b *testing.B) {
	for _, persist := range []bool{false, true} {
		b.Run(fmt.Sprintf("persist=%v", persist), func(b *testing.B) {
			e := newEngine(b, persist)
			all := commits(500)
			for _, c := range all {
				if err := e.Apply(c); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				err := e.Atomically(func() error {
					if err := e.RollbackTo(event.SeqNum{}); err != nil {
						return err
					}
					for _, c := range all {
						if err := e.Apply(c); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
