package migrate_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/internal/migrate"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/state"
)

type benchRow struct {
	Name string `db:"name,primarykey"`
	Done bool   `db:"done,default:false"`
}

var (
	benchRows   = state.NewTable[benchRow]("todos")
	benchSchema = state.MustSchema(benchRows, state.On(added, func(tx *state.Tx, e named) error {
		return tx.Exec(benchRows.Insert(benchRow{Name: e.Name}))
	}))
)

// BenchmarkRebuild50000 derives state from 50,000 confirmed events into a file, and by turns inserts the same rows into a file in one
// transaction, which no rebuild can be faster than. times-bare is what docs/performance.md has a floor for.
func BenchmarkRebuild50000(b *testing.B) {
	const n = 50_000
	p := newPlace(b, n)
	confirm := func() error { return p.log.SetUpstream(event.SeqNum{Global: n}) }
	if err := p.log.Update(confirm); err != nil {
		b.Fatal(err)
	}
	s := &migrate.State{FS: journal.OS(p.dir), Dir: p.dir, Log: p.log, Schema: benchSchema, Synced: true, Logger: slog.New(slog.DiscardHandler)}
	var bare, ours time.Duration
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		inserts(b, filepath.Join(p.dir, fmt.Sprintf("bare-%d.db", i)), n)
		bare += time.Since(start)
		start = time.Now()
		e, err := s.Rebuild(event.SeqNum{Global: n})
		ours += time.Since(start)
		if err != nil {
			b.Fatal(err)
		}
		if got, err := e.Conn().Integer("SELECT count(*) FROM todos"); err != nil || got != n {
			b.Fatalf("%d rows, %v", got, err)
		}
		if err := e.Conn().Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(bare.Milliseconds())/float64(b.N), "bare-ms")
	b.ReportMetric(float64(ours.Milliseconds())/float64(b.N), "rebuild-ms")
	b.ReportMetric(float64(ours)/float64(bare), "times-bare")
}

// inserts makes a file with the rows of the events, in one transaction, and waits for the disk once.
func inserts(b *testing.B, path string, n int) {
	b.Helper()
	conn, err := sqlite.Open(path, &sqlite.Options{NoWAL: true, Sync: sqlite.Off})
	if err != nil {
		b.Fatal(err)
	}
	try := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	for _, ddl := range benchSchema.DDL() {
		try(conn.Script(ddl))
	}
	try(conn.Begin())
	for i := range n {
		try(conn.Exec(sqlite.Internal, `INSERT INTO todos (name, done) VALUES (?, ?)`, fmt.Sprintf("n%d", i+1), false))
	}
	try(conn.Commit())
	try(conn.Close())
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	try(err)
	try(errors.Join(f.Sync(), f.Close(), os.Remove(path)))
}
