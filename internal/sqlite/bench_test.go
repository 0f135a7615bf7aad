package sqlite

import (
	"fmt"
	"testing"
)

var benchSchema = []string{
	"CREATE TABLE todos (id TEXT PRIMARY KEY, text TEXT NOT NULL, completed INTEGER NOT NULL DEFAULT 0, " +
		"deletedAt TEXT)",
	"CREATE INDEX todos_completed ON todos(completed)",
}

const benchInsert = "INSERT INTO todos (id, text, completed, deletedAt) VALUES (?, ?, ?, ?)"

func todo(i int) []any {
	return []any{fmt.Sprintf("todo-%07d", i), "buy milk and bread", int64(i % 2), nil}
}

// The bare statements of a commit of one event: what everything else is measured against.
func BenchmarkSavepointInsert(b *testing.B) { benchmarkInsert(b, false) }

// The same with the undo log.
func BenchmarkSavepointInsertUndo(b *testing.B) { benchmarkInsert(b, true) }

func benchmarkInsert(b *testing.B, record bool) {
	c := memory(b, benchSchema)
	s := must(c.Prepare(Materialize, benchInsert))(b)
	c.Record(record)
	args := todo(0)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		args[0] = fmt.Sprintf("todo-%07d", i)
		mark := c.Mark()
		if err := c.Savepoint(); err != nil {
			b.Fatal(err)
		}
		if err := s.Exec(args); err != nil {
			b.Fatal(err)
		}
		if err := c.Release(); err != nil {
			b.Fatal(err)
		}
		if record && c.Take(mark).Len() != 1 {
			b.Fatal("nothing was recorded")
		}
	}
}

// An update and a delete record a whole row.
func BenchmarkUpdateUndo(b *testing.B) {
	c := memory(b, benchSchema)
	if err := c.Exec(Internal, benchInsert, todo(0)...); err != nil {
		b.Fatal(err)
	}
	s := must(c.Prepare(Materialize, "UPDATE todos SET completed = 1 - completed WHERE id = 'todo-0000000'"))(b)
	c.Record(true)
	b.ReportAllocs()
	for b.Loop() {
		mark := c.Mark()
		if err := s.Exec(nil); err != nil {
			b.Fatal(err)
		}
		c.Take(mark)
	}
}

func filled(b *testing.B, n int) *Conn {
	c := memory(b, benchSchema)
	if err := c.Begin(); err != nil {
		b.Fatal(err)
	}
	for i := range n {
		if err := c.Exec(Internal, benchInsert, todo(i)...); err != nil {
			b.Fatal(err)
		}
	}
	if err := c.Commit(); err != nil {
		b.Fatal(err)
	}
	return c
}

func BenchmarkPointSelect(b *testing.B) {
	c := filled(b, 10_000)
	s := must(c.Prepare(Read, "SELECT id, text, completed, deletedAt FROM todos WHERE id = ?"))(b)
	args := []any{"todo-0005000"}
	b.ReportAllocs()
	for b.Loop() {
		if n := readTodos(b, s, args); n != 1 {
			b.Fatal(n)
		}
	}
}

func BenchmarkRows100(b *testing.B) {
	c := filled(b, 10_000)
	s := must(c.Prepare(Read, "SELECT id, text, completed, deletedAt FROM todos ORDER BY id LIMIT 100"))(b)
	b.ReportAllocs()
	for b.Loop() {
		if n := readTodos(b, s, nil); n != 100 {
			b.Fatal(n)
		}
	}
}

func readTodos(b *testing.B, s *Stmt, args []any) (n int) {
	rows, err := s.Query(args)
	if err != nil {
		b.Fatal(err)
	}
	for rows.Next() {
		n += min(1, len(rows.Text(0)), len(rows.Text(1)))
		rows.Int64(2)
		rows.IsNull(3)
	}
	if err := rows.Close(); err != nil {
		b.Fatal(err)
	}
	return n
}

// 500 commits of one inserted row each are undone in one call, as a rebase does. The commits are not measured.
func BenchmarkUndo500(b *testing.B) { benchmarkUndo(b, benchSchema) }

// The same for a table with a full-text table kept by triggers.
func BenchmarkUndo500FullText(b *testing.B) {
	benchmarkUndo(b, append([]string{"CREATE VIRTUAL TABLE f USING fts5(text)"}, append(benchSchema,
		"CREATE TRIGGER t1 AFTER INSERT ON todos BEGIN INSERT INTO f(rowid, text) VALUES (new.rowid, new.text); END")...))
}

func benchmarkUndo(b *testing.B, schema []string) {
	c := memory(b, schema)
	s := must(c.Prepare(Materialize, benchInsert))(b)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		var all []Changes
		c.Record(true)
		for i := range 500 {
			mark := c.Mark()
			if err := s.Exec(todo(i)); err != nil {
				b.Fatal(err)
			}
			all = append(all, c.Take(mark))
		}
		c.Record(false)
		b.StartTimer()
		if err := c.Undo(all...); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSerialize(b *testing.B) {
	c := filled(b, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Serialize(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDeserialize(b *testing.B) {
	c := filled(b, 100_000)
	image := must(c.Serialize())(b)
	to := memory(b, nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(image)))
	for b.Loop() {
		if err := to.Deserialize(image); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenMemory(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		c, err := Open(":memory:", nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
