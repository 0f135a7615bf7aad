package livestore_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"testing"
	"time"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/local"
	"github.com/livestore-go/livestore/adapter/memory"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/provider"
	"github.com/livestore-go/livestore/provider/providertest"
	"github.com/livestore-go/livestore/state"
)

// The benchmarks of this file are the floors of docs/performance.md that need a whole store: each reports what it is measured against in the
// same run.

// storeOf makes a store directory with n to-dos, a page of events a commit, and syncs it when b is not nil.
func storeOf(b *testing.B, dir string, n int, p provider.Provider) {
	b.Helper()
	s := openBench(b, schema, local.New(dir, &local.Options{Sync: p}))
	var last *livestore.Receipt
	for from := 0; from < n; from += 500 {
		drafts := make([]event.Draft, 500)
		for i := range drafts {
			drafts[i] = createN(from + i)
		}
		var err error
		last, err = s.Commit(b.Context(), drafts...)
		must(b, err)
	}
	if p != nil {
		must(b, last.Wait(b.Context(), livestore.Confirmed))
	}
	must(b, s.Close())
}

// stateFile returns the state of a store directory.
func stateFile(b *testing.B, dir string) string {
	b.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*", "state-*.db"))
	must(b, err)
	if len(found) != 1 {
		b.Fatalf("state files: %v", found)
	}
	return found[0]
}

// BenchmarkFloorBoot opens a store with 50,000 events and an unchanged schema, and by turns reads its state file into a database in memory.
// over-ms is how much longer than one and a half times that the opening takes: the floor is 10.
func BenchmarkFloorBoot(b *testing.B) {
	for _, name := range []string{"pending", "confirmed"} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			var p provider.Provider
			if name == "confirmed" {
				p = providertest.NewBackend().Provider()
			}
			storeOf(b, dir, 50_000, p)
			path := stateFile(b, dir)
			var copied, opened time.Duration
			for b.Loop() {
				start := time.Now()
				data, err := os.ReadFile(path)
				must(b, err)
				conn, err := sqlite.Open(":memory:", nil)
				must(b, err)
				must(b, conn.Deserialize(data))
				copied += time.Since(start)
				must(b, conn.Close())

				start = time.Now()
				s := openBench(b, schema, local.New(dir, &local.Options{Sync: p}))
				opened += time.Since(start)
				must(b, s.Close())
			}
			ms := func(d time.Duration) float64 { return d.Seconds() * 1000 / float64(b.N) }
			b.ReportMetric(ms(copied), "copy-ms")
			b.ReportMetric(ms(opened), "open-ms")
			b.ReportMetric(ms(opened)-1.5*ms(copied), "over-ms")
		})
	}
}

// BenchmarkFloorPersisted commits 10,000 events one by one and waits for the disk once, at the end.
func BenchmarkFloorPersisted(b *testing.B) {
	const n = 10_000
	var all time.Duration
	for b.Loop() {
		s := openBench(b, schema, local.New(b.TempDir(), nil))
		live := livestore.Query(todos.Where(state.Eq(&todos.Row.ID, "0")))
		defer livestore.Subscribe(s, live, func([]Todo, error) {})()
		start := time.Now()
		var last *livestore.Receipt
		for i := range n {
			last = commit(b, s, createN(i))
		}
		must(b, last.Wait(b.Context(), livestore.Persisted))
		all += time.Since(start)
		must(b, s.Close())
	}
	b.ReportMetric(float64(all.Microseconds())/float64(b.N)/n, "µs/event")
}

// BenchmarkFloorRebase has 500 events pending when 500 others come: how long until a watcher sees all of them, and until both clients
// have everything confirmed.
func BenchmarkFloorRebase(b *testing.B) {
	var seen, confirmed time.Duration
	for i := 0; b.Loop(); i++ {
		backend := providertest.NewBackend()
		open := func(id string) *livestore.Store {
			return openBench(b, schema, memory.New(&memory.Options{ClientID: id, Sync: backend.Provider()}))
		}
		x, y := open("x"), open("y")
		ctx := b.Context()
		wait(b, x, func(st livestore.SyncStatus) bool { return st.Synced() })
		wait(b, y, func(st livestore.SyncStatus) bool { return st.Synced() })
		must(b, x.PauseSync(ctx))
		var last *livestore.Receipt
		for n := range 500 {
			last = commit(b, y, todoCreated.New(TodoCreated{ID: "y" + strconv.Itoa(n), Text: "Buy milk"}))
			commit(b, x, todoCreated.New(TodoCreated{ID: "x" + strconv.Itoa(n), Text: "Buy milk"}))
		}
		must(b, last.Wait(ctx, livestore.Confirmed))
		count := livestore.Query(state.Scalar[int]("SELECT count(*) FROM todos"))
		all := make(chan struct{}, 1)
		stop := livestore.Subscribe(x, count, func(n int, err error) {
			if err == nil && n == 1000 {
				all <- struct{}{}
			}
		})
		start := time.Now()
		must(b, x.ResumeSync(ctx))
		<-all
		seen += time.Since(start)
		for _, s := range []*livestore.Store{x, y} {
			wait(b, s, func(st livestore.SyncStatus) bool { return st.Synced() && st.UpstreamHead.Global == 1000 })
		}
		confirmed += time.Since(start)
		stop()
		must(b, x.Close())
		must(b, y.Close())
	}
	b.ReportMetric(seen.Seconds()*1000/float64(b.N), "watcher-ms")
	b.ReportMetric(confirmed.Seconds()*1000/float64(b.N), "confirmed-ms")
}

// wait waits until the sync status of a store is as wanted.
func wait(b *testing.B, s *livestore.Store, wanted func(livestore.SyncStatus) bool) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	for st := range s.WatchSyncStatus(ctx) {
		if wanted(st) {
			return
		}
	}
	b.Fatalf("store %s: %+v", s.ClientID(), s.SyncStatus())
}

// BenchmarkFloorMemory opens a store with 50,000 to-dos: by how much the process grows, beside the pages of the database.
func BenchmarkFloorMemory(b *testing.B) {
	for _, name := range []string{"pending", "confirmed"} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			var p provider.Provider
			if name == "confirmed" {
				p = providertest.NewBackend().Provider()
			}
			storeOf(b, dir, 50_000, p)
			info, err := os.Stat(stateFile(b, dir))
			must(b, err)
			for b.Loop() {
				before := resident(b)
				s := openBench(b, schema, local.New(dir, &local.Options{Sync: p}))
				_, err := livestore.Get(s, livestore.Query(todos.Where(state.Eq(&todos.Row.ID, "7"))))
				must(b, err)
				b.ReportMetric(float64(resident(b)-before)/1e6, "grown-MB")
				must(b, s.Close())
			}
			b.ReportMetric(float64(info.Size())/1e6, "pages-MB")
		})
	}
}

// resident is the memory of the process that is its own, in bytes, after what is free was given back.
func resident(b *testing.B) (n int64) {
	b.Helper()
	debug.FreeOSMemory()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("no /proc: memory is measured on Linux")
	}
	i := bytes.Index(status, []byte("RssAnon:"))
	if _, err := fmt.Sscanf(string(status[i:]), "RssAnon: %d kB", &n); err != nil {
		b.Fatal(err)
	}
	return n << 10
}
