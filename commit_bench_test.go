package livestore_test

import (
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/local"
	"github.com/livestore-go/livestore/adapter/memory"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/state"
)

// The benchmarks of this file are those of docs/performance.md: what a store costs, beside the bare statements that do the same work
// in the same SQLite library and nothing else.

// each measures f once a round and reports the median of its times, beside the mean that the benchmark reports itself.
func each(b *testing.B, f func(i int)) {
	b.Helper()
	var times []time.Duration
	i := 0
	for b.Loop() {
		start := time.Now()
		f(i)
		times = append(times, time.Since(start))
		i++
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Nanoseconds()), "p50-ns/op")
	b.ReportMetric(float64(times[len(times)*99/100].Nanoseconds()), "p99-ns/op")
}

// BenchmarkBareCommit inserts a row in a savepoint with an undo recorder, and reads a row.
func BenchmarkBareCommit(b *testing.B) {
	for _, name := range []string{"memory", "local"} {
		b.Run(name, func(b *testing.B) {
			path := ":memory:"
			if name == "local" {
				path = filepath.Join(b.TempDir(), "bare.db")
			}
			conn := bare(b, path)
			conn.Record(true)
			var kept []sqlite.Changes
			read, err := conn.Prepare(sqlite.Read, `SELECT * FROM todos WHERE id = ?`)
			must(b, err)
			b.ReportAllocs()
			each(b, func(i int) {
				must(b, conn.Savepoint())
				mark := conn.Mark()
				must(b, conn.Exec(sqlite.Internal, `INSERT INTO todos (id, text, completed, "deletedAt") VALUES (?,?,?,?)`,
					strconv.Itoa(i), "Buy milk", false, nil))
				kept = append(kept, conn.Take(mark))
				must(b, conn.Release())
				rows, err := read.Query([]any{"0"})
				must(b, err)
				for rows.Next() {
					_ = rows.Text(1)
				}
				must(b, rows.Close())
			})
		})
	}
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func bare(b *testing.B, path string) *sqlite.Conn {
	b.Helper()
	conn, err := sqlite.Open(path, nil)
	must(b, err)
	b.Cleanup(func() { must(b, conn.Close()) })
	for _, ddl := range schema.DDL() {
		must(b, conn.Define(ddl))
	}
	return conn
}

// adapterFor returns the adapter of a name, on a new place.
func adapterFor(b *testing.B, name string) livestore.Adapter {
	if name == "local" {
		return local.New(b.TempDir(), nil)
	}
	return memory.New(nil)
}

func openBench(b *testing.B, schema *state.Schema, a livestore.Adapter) *livestore.Store {
	b.Helper()
	s, err := livestore.Open(b.Context(), schema, a, &livestore.Options{StoreID: "bench", MaxPending: 1 << 30})
	must(b, err)
	return s
}

func createN(i int) event.Draft {
	return todoCreated.New(TodoCreated{ID: strconv.Itoa(i), Text: "Buy milk"})
}

// BenchmarkLiveCommit commits one event at a time while a live query is watched.
func BenchmarkLiveCommit(b *testing.B) {
	for _, name := range []string{"memory", "local"} {
		b.Run(name, func(b *testing.B) {
			s := openBench(b, schema, adapterFor(b, name))
			defer s.Close()
			point := livestore.Query(todos.Where(state.Eq(&todos.Row.ID, "0")).First())
			defer livestore.Subscribe(s, point, func(*Todo, error) {})()
			b.ReportAllocs()
			each(b, func(i int) {
				_, err := s.Commit(b.Context(), createN(i))
				must(b, err)
			})
		})
	}
}

// BenchmarkCommitFlat commits 100,000 events, of which none is ever confirmed, and compares the last 1,000 with the first.
func BenchmarkCommitFlat(b *testing.B) {
	for _, name := range []string{"memory", "local"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s := openBench(b, schema, adapterFor(b, name))
				times := make([]time.Duration, 100_000)
				for i := range times {
					start := time.Now()
					_, err := s.Commit(b.Context(), createN(i))
					must(b, err)
					times[i] = time.Since(start)
				}
				first, last := times[:1000], times[99_000:]
				slices.Sort(first)
				slices.Sort(last)
				b.ReportMetric(float64(first[500].Nanoseconds()), "first-p50-ns")
				b.ReportMetric(float64(last[500].Nanoseconds()), "last-p50-ns")
				must(b, s.Close())
			}
		})
	}
}

// BenchmarkCommit10000Events commits 10,000 events as one.
func BenchmarkCommit10000Events(b *testing.B) {
	for _, name := range []string{"memory", "local"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				s := openBench(b, schema, adapterFor(b, name))
				drafts := make([]event.Draft, 10_000)
				for i := range drafts {
					drafts[i] = createN(i)
				}
				b.StartTimer()
				start := time.Now()
				r, err := s.Commit(b.Context(), drafts...)
				must(b, err)
				b.ReportMetric(float64(time.Since(start).Milliseconds()), "commit-ms")
				if name == "local" {
					must(b, r.Wait(b.Context(), livestore.Persisted))
				}
				b.StopTimer()
				must(b, s.Close())
				b.StartTimer()
			}
		})
	}
}

// BenchmarkBareInserts10000 is what BenchmarkCommit10000Events can not be faster than.
func BenchmarkBareInserts10000(b *testing.B) {
	for b.Loop() {
		conn := bare(b, ":memory:")
		conn.Record(true)
		must(b, conn.Savepoint())
		mark := conn.Mark()
		for i := range 10_000 {
			must(b, conn.Exec(sqlite.Internal, `INSERT INTO todos (id, text, completed, "deletedAt") VALUES (?,?,?,?)`,
				strconv.Itoa(i), "Buy milk", false, nil))
		}
		conn.Take(mark)
		must(b, conn.Release())
	}
}

type wideTodo struct {
	ID        string     `db:"id,primarykey"`
	Text      string     `db:"text"`
	Completed bool       `db:"completed,default:false"`
	DeletedAt *time.Time `db:"deletedAt"`
	Length    int        `db:"length"`
}

// BenchmarkBoot50000 opens a store with 50,000 events, all of them pending for ever.
func BenchmarkBoot50000(b *testing.B) {
	wide := state.NewTable[wideTodo]("todos")
	widened := state.MustSchema(wide, state.On(todoCreated, func(tx *state.Tx, e TodoCreated) error {
		return tx.Exec(wide.Insert(wideTodo{ID: e.ID, Text: e.Text, Length: len(e.Text)}))
	}))
	dir := b.TempDir()
	s := openBench(b, schema, local.New(dir, nil))
	for from := 0; from < 50_000; from += 500 {
		drafts := make([]event.Draft, 500)
		for i := range drafts {
			drafts[i] = createN(from + i)
		}
		_, err := s.Commit(b.Context(), drafts...)
		must(b, err)
	}
	must(b, s.Close())
	open := func(b *testing.B, schema *state.Schema) {
		b.Helper()
		s := openBench(b, schema, local.New(dir, nil))
		b.StopTimer()
		n, err := livestore.Get(s, state.Scalar[int]("SELECT count(*) FROM todos"))
		must(b, err)
		if n != 50_000 {
			b.Fatalf("%d rows", n)
		}
		must(b, s.Close())
		b.StartTimer()
	}
	b.Run("unchanged", func(b *testing.B) {
		for b.Loop() {
			open(b, schema)
		}
	})
	b.Run("changed", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			open(b, []*state.Schema{widened, schema}[i%2])
		}
	})
}

// BenchmarkCommitPointQueries commits a change of one document while live queries watch one document each, of which one is affected: with that
// one alone, and with 10,000.
func BenchmarkCommitPointQueries(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			s := openBench(b, schema, memory.New(nil))
			defer s.Close()
			var told atomic.Int64
			for i := range n {
				defer livestore.Subscribe(s, uiState.Get(strconv.Itoa(i)), func(UIState, error) { told.Add(1) })()
			}
			for told.Load() < int64(n) {
				runtime.Gosched()
			}
			b.ReportAllocs()
			each(b, func(i int) { commit(b, s, uiState.Set("0", UIState{Filter: strconv.Itoa(i)})) })
		})
	}
}
