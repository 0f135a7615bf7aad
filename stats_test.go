package livestore_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/state"
)

// What a store keeps up to date, how often each ran, and why.
func ExampleStore_LiveQueries() {
	ctx := context.Background()
	store := exampleStore()
	defer store.Close()

	show := func() {
		for _, q := range store.LiveQueries() { // what took most time comes first
			fmt.Printf("%s %s: %d rows, ran %d times, last for: %s\n", q.Kind, q.Label, q.Rows, q.Runs, q.Why)
		}
	}
	for range 3 {
		if _, err := livestore.Get(store, open); err != nil {
			fmt.Println(err)
		}
	}
	show()
	if _, err := store.Commit(ctx, todoCompleted.New(TodoCompleted{ID: "1"})); err != nil {
		fmt.Println(err)
	}
	if _, err := livestore.Get(store, open); err != nil {
		fmt.Println(err)
	}
	show()
	// Output:
	// query open: 2 rows, ran 1 times, last for: first read
	// query open: 1 rows, ran 2 times, last for: table todos, by row
}

// statOf returns the entry with a label, which must be the only one.
func statOf(t testing.TB, s *livestore.Store, label string) livestore.LiveQuery {
	t.Helper()
	var found []livestore.LiveQuery
	for _, q := range s.LiveQueries() {
		if q.Label == label {
			found = append(found, q)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d entries are labelled %q, want 1: %+v", len(found), label, found)
	}
	return found[0]
}

// expectStat checks an entry but for how long it took.
func expectStat(t testing.TB, s *livestore.Store, want *livestore.LiveQuery) {
	t.Helper()
	got := statOf(t, s, want.Label)
	if d := cmp.Diff(*want, got, cmpopts.IgnoreFields(got, "SQL", "Time", "Last")); d != "" {
		t.Errorf("%s (-want +got):\n%s", want.Label, d)
	}
}

func TestStatsCountRunsAndWhy(t *testing.T) {
	s := openStore(t)
	text := livestore.NewSignal("%", livestore.Label("text"))
	var (
		rows  = livestore.Query(todos.Where(state.Eq(&todos.Row.Completed, false)), livestore.Label("rows"))
		above = livestore.Query(todos.Where(state.Gt(&todos.Row.Text, "m")), livestore.Label("above"))
		all   = livestore.Query(state.Pluck(todos, &todos.Row.Completed), livestore.Label("all"))
		count = livestore.Query(todos.Count(), livestore.Label("count"))
		found = livestore.QueryFunc(func(g *livestore.Getter) state.Query[[]Todo] {
			return todos.Where(state.Like(&todos.Row.Text, livestore.Use(g, text)))
		}, livestore.Label("found"))
		twice = livestore.Computed(func(g *livestore.Getter) int { return 2 * livestore.Use(g, count) }, livestore.Label("twice"))
	)
	read := func() {
		get(t, s, rows)
		get(t, s, above)
		get(t, s, all)
		get(t, s, found)
		get(t, s, twice)
	}
	if got := s.LiveQueries(); len(got) != 0 {
		t.Errorf("nothing was read, and there are %+v", got)
	}
	commit(t, s, create("1", "x"), create("2", "b"))
	read()
	read()
	expectStat(t, s, &livestore.LiveQuery{Label: "rows", Kind: "query", Runs: 1, Rows: 2, Why: "first read"})
	expectStat(t, s, &livestore.LiveQuery{Label: "above", Kind: "query", Runs: 1, Rows: 1, Why: "first read"})
	expectStat(t, s, &livestore.LiveQuery{Label: "count", Kind: "query", Users: 1, Runs: 1, Rows: 1, Why: "first read"})
	expectStat(t, s, &livestore.LiveQuery{Label: "twice", Kind: "computed", Runs: 1, Rows: -1, Why: "first read"})
	if sql := statOf(t, s, "rows").SQL; !strings.HasPrefix(sql, "SELECT ") || !strings.Contains(sql, "todos") {
		t.Errorf("the SQL is %q", sql)
	}
	if sql := statOf(t, s, "twice").SQL; sql != "" {
		t.Errorf("a computed that runs no query has SQL %q", sql)
	}

	commit(t, s, create("3", "y"))
	if got := statOf(t, s, "rows").Runs; got != 1 {
		t.Errorf("a query that nobody has read since the commit ran %d times", got)
	}
	read()
	text.Set(s, "y%")
	read()
	expectStat(t, s, &livestore.LiveQuery{Label: "rows", Kind: "query", Runs: 2, Rows: 3, Why: "table todos, by row"})
	expectStat(t, s, &livestore.LiveQuery{Label: "above", Kind: "query", Runs: 2, Rows: 2, Why: "table todos, by range"})
	expectStat(t, s, &livestore.LiveQuery{Label: "all", Kind: "query", Runs: 2, Rows: 3, Why: "table todos, by column"})
	expectStat(t, s, &livestore.LiveQuery{Label: "count", Kind: "query", Users: 1, Runs: 2, Rows: 1, Why: "table todos"})
	expectStat(t, s, &livestore.LiveQuery{Label: "found", Kind: "query", Runs: 3, Rows: 1, Why: "signal text"})
	expectStat(t, s, &livestore.LiveQuery{Label: "twice", Kind: "computed", Runs: 2, Rows: -1, Why: "result of count"})
}

func TestStatsAreSharedByDefinition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		shared := livestore.Query(todos.Count(), livestore.Label("shared"))
		a, b := watch(t, s, shared), watch(t, s, shared)
		adHoc := watch(t, s, todos.Count())
		stop := livestore.Subscribe(s, shared, func(int, error) {})
		synctest.Wait()
		expectStat(t, s, &livestore.LiveQuery{Label: "shared", Kind: "query", Watchers: 3, Runs: 1, Rows: 1, Why: "first read"})
		expectStat(t, s, &livestore.LiveQuery{Label: "query", Kind: "query", Watchers: 1, Runs: 1, Rows: 1, Why: "first read"})
		commit(t, s, create("1", "one"))
		synctest.Wait()
		expectStat(t, s, &livestore.LiveQuery{Label: "shared", Kind: "query", Watchers: 3, Runs: 2, Rows: 1, Why: "table todos"})

		stop()
		a.stop()
		b.stop()
		adHoc.stop()
		synctest.Wait()
		expectStat(t, s, &livestore.LiveQuery{Label: "shared", Kind: "query", Runs: 2, Rows: 1, Why: "table todos"})
		if got := s.LiveQueries(); len(got) != 1 {
			t.Errorf("what was watched as it is stays: %+v", got)
		}
	})
}

// Time is counted once, where it was spent, and what took most comes first.
func TestStatsCountTime(t *testing.T) {
	const long = 10 * time.Millisecond
	s := openStore(t)
	inner := livestore.Computed(func(g *livestore.Getter) int {
		time.Sleep(long)
		return livestore.Use(g, todos.Count())
	}, livestore.Label("inner"))
	outer := livestore.Computed(func(g *livestore.Getter) int { return livestore.Use(g, inner) }, livestore.Label("outer"))
	get(t, s, outer)
	commit(t, s, create("1", "one"))
	get(t, s, outer)
	got := s.LiveQueries()
	if len(got) != 2 || got[0].Label != "inner" || got[1].Label != "outer" {
		t.Fatalf("%+v", got)
	}
	if got[0].Last < long || got[0].Time < long+got[0].Last || got[1].Time > got[0].Time {
		t.Errorf("%+v", got)
	}
	// A query that a computed runs itself is its own.
	if !strings.HasPrefix(got[0].SQL, "SELECT ") || got[0].Rows != 1 || got[1].SQL != "" {
		t.Errorf("%+v", got)
	}
}

func TestStatsOfARunThatFails(t *testing.T) {
	s := openStore(t)
	fails := livestore.Query(state.SQL[int]("SELECT abs(-9223372036854775807 - 1) FROM todos"), livestore.Label("fails"))
	commit(t, s, create("1", "one"))
	if _, err := livestore.Get(s, fails); err == nil {
		t.Fatal("an overflow is no error")
	}
	expectStat(t, s, &livestore.LiveQuery{Label: "fails", Kind: "query", Runs: 1, Rows: -1, Why: "first read"})

	bad := true
	panics := livestore.Computed(func(*livestore.Getter) int {
		if bad {
			panic("bad")
		}
		return 1
	}, livestore.Label("panics"))
	func() {
		defer func() { _ = recover() }()
		_, _ = livestore.Get(s, panics)
	}()
	bad = false
	get(t, s, panics)
	expectStat(t, s, &livestore.LiveQuery{Label: "panics", Kind: "computed", Runs: 2, Rows: -1, Why: "panic or cycle"})
}

// The store keeps 512 results that nobody watches or uses, those that were read last.
func TestStatsOfIdleResultsGo(t *testing.T) {
	const bound = 512
	s := openStore(t)
	nodes := make([]*livestore.Node[int], bound+10)
	for i := range nodes {
		nodes[i] = livestore.Query(todos.Count(), livestore.Label(strconv.Itoa(i)))
		get(t, s, nodes[i])
		get(t, s, nodes[0])
	}
	list := s.LiveQueries()
	if len(list) != bound {
		t.Errorf("%d results are kept, want %d", len(list), bound)
	}
	have := map[string]bool{}
	for _, q := range list {
		have[q.Label] = true
	}
	if !have["0"] || have["1"] || have["10"] || !have["11"] || !have[strconv.Itoa(len(nodes)-1)] {
		t.Error("those that stay are not those that were read last")
	}
	get(t, s, nodes[1])
	expectStat(t, s, &livestore.LiveQuery{Label: "1", Kind: "query", Runs: 1, Rows: 1, Why: "first read"})
}

func TestStatsOfAClosedStore(t *testing.T) {
	s := openStore(t)
	get(t, s, open)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := s.LiveQueries(); len(got) != 0 {
		t.Errorf("a closed store has %+v", got)
	}
}

// For the race detector: everything at once.
func TestStatsMeanwhile(t *testing.T) {
	s := openStore(t)
	count := livestore.Query(todos.Count(), livestore.Label("count"))
	double := livestore.Computed(func(g *livestore.Getter) int { return 2 * livestore.Use(g, count) }, livestore.Label("double"))
	stop := livestore.Subscribe(s, double, func(int, error) {})
	defer stop()
	const rounds = 200
	var all sync.WaitGroup
	all.Go(func() {
		for i := range rounds {
			commit(t, s, createN(i))
		}
	})
	for range 2 {
		all.Go(func() {
			for range rounds {
				if _, err := livestore.Get(s, double); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			runs := 0
			for range rounds {
				for _, q := range s.LiveQueries() {
					if q.Last > q.Time || (q.Why == "") != (q.Runs == 0) {
						t.Errorf("%+v", q)
					}
					if q.Label == "count" && q.Runs < runs {
						t.Errorf("%d runs after %d", q.Runs, runs)
					} else if q.Label == "count" {
						runs = q.Runs
					}
				}
			}
		})
	}
	all.Wait()
	if got := get(t, s, double); got != 2*rounds {
		t.Errorf("%d to-dos, want %d", got/2, rounds)
	}
}
