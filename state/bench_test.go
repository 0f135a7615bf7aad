package state_test

import (
	"fmt"
	"testing"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/state"
)

func BenchmarkBuildQuery(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		q := todos.Where(state.Eq(&todos.Row.Done, false)).OrderBy(state.Asc(&todos.Row.Text)).Limit(100)
		if _, err := q.Statement("session"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStatementOfBuiltQuery(b *testing.B) {
	q := todos.Where(state.Eq(&todos.Row.Done, false)).OrderBy(state.Asc(&todos.Row.Text)).Limit(100)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := q.Statement("session"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBuildInsert(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := todos.Insert(Todo{ID: "1", Text: "Buy milk"}).Statement(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBuildUpdate(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := todos.Update(state.Set(&todos.Row.Done, true)).Where(state.Eq(&todos.Row.ID, "1")).Statement(); err != nil {
			b.Fatal(err)
		}
	}
}

func hundred(b *testing.B) *engine {
	b.Helper()
	e := open(b, todos, lists)
	e.do(lists.Insert(List{"l", "home"}))
	for i := range 100 {
		e.do(todos.Insert(Todo{ID: fmt.Sprint("id-", i), List: "l", Text: fmt.Sprint("a todo of some length, number ", i)}))
	}
	return e
}

// The rows as the library gives them, to subtract from the next.
func Benchmark100RowsBare(b *testing.B) {
	e := hundred(b)
	s, err := todos.Statement("")
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		err := e.Query(s, func(r state.Rows) error {
			for r.Next() {
				n += len(r.Text(0)) + len(r.Text(1)) + len(r.Text(2)) + int(r.Int64(3))
			}
			return r.Err()
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func Benchmark100Rows(b *testing.B) {
	e := hundred(b)
	q := todos.All()
	b.ReportAllocs()
	for b.Loop() {
		if rows := get(e, q); len(rows) != 100 {
			b.Fatal(len(rows))
		}
	}
}

func Benchmark100RowsSQL(b *testing.B) {
	e := hundred(b)
	q := state.SQL[Todo]("SELECT * FROM todos")
	b.ReportAllocs()
	for b.Loop() {
		if rows := get(e, q); len(rows) != 100 {
			b.Fatal(len(rows))
		}
	}
}

func BenchmarkMaterializeInsertAndUpdate(b *testing.B) {
	done := event.Synced[Opened]("v1.Done")
	e := open(b, todos, lists, state.On(added, add), state.On(done, func(tx *state.Tx, e Opened) error {
		return tx.Exec(todos.Update(state.Set(&todos.Row.Done, true)).Where(state.Eq(&todos.Row.ID, e.ID)))
	}))
	e.do(lists.Insert(List{"l", "home"}))
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i++
		id := fmt.Sprint(i)
		e.commit(added.New(Added{id, "Buy milk"}))
		e.commit(done.New(Opened{id}))
	}
}
