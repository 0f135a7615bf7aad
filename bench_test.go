package livestore_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/local"
	"github.com/livestore-go/livestore/adapter/memory"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/state"
)

// filled opens a store in memory with n to-dos.
func filled(b *testing.B, n int) *livestore.Store {
	s := openStore(b)
	var drafts []event.Draft
	for i := range n {
		drafts = append(drafts, create(strconv.Itoa(i), "Buy milk"))
	}
	commit(b, s, drafts...)
	return s
}

func BenchmarkGetLiveQueryUnchanged(b *testing.B) {
	s := filled(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		get(b, s, open)
	}
}

func BenchmarkGetComputedUnchanged(b *testing.B) {
	s := filled(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		get(b, s, openCount)
	}
}

func BenchmarkGetPoint(b *testing.B) {
	s := filled(b, 1000)
	q := todos.Where(state.Eq(&todos.Row.ID, "500")).First()
	b.ReportAllocs()
	for b.Loop() {
		get(b, s, q)
	}
}

func BenchmarkGetPointBuilt(b *testing.B) {
	s := filled(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		get(b, s, todos.Where(state.Eq(&todos.Row.ID, "500")).First())
	}
}

func BenchmarkGet100Rows(b *testing.B) {
	s := filled(b, 1000)
	q := todos.OrderBy(state.Asc(&todos.Row.ID)).Limit(100)
	b.ReportAllocs()
	for b.Loop() {
		get(b, s, q)
	}
}

// newest reads 100 rows by an index, however many there are.
var newest = livestore.Query(todos.OrderBy(state.Desc(&todos.Row.ID)).Limit(100))

// BenchmarkCommit commits one event while a watcher follows a live query of 100 rows.
func BenchmarkCommit(b *testing.B) {
	adapters := map[string]func() livestore.Adapter{
		"memory": func() livestore.Adapter { return memory.New(nil) },
		"local":  func() livestore.Adapter { return local.New(b.TempDir(), nil) },
	}
	for _, name := range []string{"memory", "local"} {
		for _, watched := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/live=%v", name, watched), func(b *testing.B) {
				s := openOn(b, adapters[name]())
				if watched {
					ctx, cancel := context.WithCancel(b.Context())
					end := make(chan struct{})
					go func() {
						defer close(end)
						for range livestore.Watch(ctx, s, newest) {
						}
					}()
					defer func() { cancel(); <-end }()
				}
				i := 0
				b.ReportAllocs()
				for b.Loop() {
					i++
					commitOrWait(b, s, create(strconv.Itoa(i), "Buy milk"))
				}
			})
		}
	}
}

// BenchmarkCommitManyQueries commits one event while 1,000 sources are watched, of which one depends on it.
func BenchmarkCommitManyQueries(b *testing.B) {
	s := openStore(b)
	for i := range 999 {
		stop := livestore.Subscribe(s, uiState.Get(strconv.Itoa(i)), func(UIState, error) {})
		defer stop()
	}
	stop := livestore.Subscribe(s, todos.Count(), func(int, error) {})
	defer stop()
	i := 0
	for b.Loop() {
		i++
		commitOrWait(b, s, create(strconv.Itoa(i), "Buy milk"))
	}
}

// commitOrWait commits, and waits for the leader when too much is pending.
func commitOrWait(b *testing.B, s *livestore.Store, drafts ...event.Draft) {
	for {
		_, err := s.Commit(b.Context(), drafts...)
		if err == nil {
			return
		}
		if _, ok := errors.AsType[*livestore.PendingFullError](err); !ok {
			b.Fatal(err)
		}
		for st := range s.WatchSyncStatus(b.Context()) {
			if st.Pending < 90_000 {
				break
			}
		}
	}
}
