package livestore_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/state"
)

func TestGetTakesEverySource(t *testing.T) {
	s := openStore(t)
	commit(t, s, create("1", "Buy milk"), create("2", "Bake bread"))
	if got := texts(get(t, s, open)); fmt.Sprint(got) != "[Bake bread Buy milk]" {
		t.Errorf("live query: %q", got)
	}
	if got := get(t, s, todos.Where(state.Eq(&todos.Row.ID, "2")).First()); got == nil || got.Text != "Bake bread" {
		t.Errorf("query: %v", got)
	}
	if got := get(t, s, todos.Where(state.Eq(&todos.Row.ID, "3")).First()); got != nil {
		t.Errorf("query without a row: %v", got)
	}
	if got := get(t, s, openCount); got != 2 {
		t.Errorf("computed: %d", got)
	}
	if got := get(t, s, livestore.NewSignal("x")); got != "x" {
		t.Errorf("signal: %q", got)
	}
	if got := get(t, s, uiState.Get("main")); got.Filter != "all" {
		t.Errorf("document: %v", got)
	}
}

func TestALiveQueryRunsOnceAChange(t *testing.T) {
	s := openStore(t)
	runs := 0
	q := livestore.Query(state.Map(todos.Count(), func(n int) int { runs++; return n }))
	expect := func(n, r int) {
		t.Helper()
		if got := get(t, s, q); got != n || runs != r {
			t.Errorf("result %d after %d runs, want %d after %d", got, runs, n, r)
		}
	}
	expect(0, 1)
	expect(0, 1)
	commit(t, s, create("1", "a"))
	expect(1, 2)
	expect(1, 2)
	commit(t, s, uiState.Set("main", UIState{Filter: "x"}))
	expect(1, 2)
	commit(t, s, create("2", "b"))
	commit(t, s, create("3", "c"))
	expect(3, 3)
}

func TestQueryFuncFollowsSignalsAndTables(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		filter := livestore.NewSignal("a%", livestore.Label("filter"))
		found := livestore.QueryFunc(func(g *livestore.Getter) state.Query[int] {
			return todos.Where(state.Like(&todos.Row.Text, livestore.Use(g, filter))).Count()
		}, livestore.Label("found"))
		f := watch(t, s, found)
		f.expect(t, "0")
		commit(t, s, create("1", "apple"), create("2", "pear"), create("3", "plum"))
		f.expect(t, "1")
		filter.Set(s, "p%")
		f.expect(t, "2")
		filter.Set(s, "p%")
		filter.Update(s, func(v string) string { return "pe%" })
		f.expect(t, "1")
		commit(t, s, create("4", "peach"))
		f.expect(t, "2")
		f.nothing(t)
	})
}

func TestAStoreHasItsOwnSignals(t *testing.T) {
	a, b := openStore(t), openStore(t)
	n := livestore.NewSignal(1)
	n.Set(a, 5)
	n.Update(a, func(v int) int { return v + 1 })
	n.Update(b, func(v int) int { return v + 10 })
	if va, vb := get(t, a, n), get(t, b, n); va != 6 || vb != 11 {
		t.Errorf("%d and %d, want 6 and 11", va, vb)
	}
	a.Close()
	n.Set(a, 7)
	n.Update(a, func(v int) int { t.Error("updated a closed store"); return v })
}

// f of Update runs outside the lock: it may read the store, and a change meanwhile makes it run again.
func TestUpdateReadsTheStoreAndRunsAgain(t *testing.T) {
	s := openStore(t)
	n := livestore.NewSignal(1)
	runs := 0
	n.Update(s, func(v int) int {
		if runs++; runs == 1 {
			n.Set(s, 100)
		}
		return v + get(t, s, todos.Count()) + 1
	})
	if got := get(t, s, n); got != 101 || runs != 2 {
		t.Errorf("%d after %d runs, want 101 after 2", got, runs)
	}
}

func TestEqualDecidesWhatIsNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		n := livestore.NewSignal(10, livestore.Equal(func(a, b int) bool { return a == b }))
		tens := livestore.Computed(func(g *livestore.Getter) int { return livestore.Use(g, n) },
			livestore.Equal(func(a, b int) bool { return a/10 == b/10 }))
		f := watch(t, s, tens)
		f.expect(t, "10")
		n.Set(s, 15)
		f.nothing(t)
		n.Set(s, 25)
		f.expect(t, "25")
	})
}

func TestEqualOfAnotherTypeIsRefused(t *testing.T) {
	defer func() {
		if r := fmt.Sprint(recover()); !strings.Contains(r, "Equal compares values of type string, the result is of type int") {
			t.Errorf("panicked with %s", r)
		}
	}()
	livestore.NewSignal(1, livestore.Equal(func(a, b string) bool { return a == b }))
}

func TestAnErrorEndsTheComputationsThatUseIt(t *testing.T) {
	s := openStore(t)
	broken := livestore.Query(state.Scalar[int]("SELECT n FROM nowhere"), livestore.Label("broken"))
	c := livestore.Computed(func(g *livestore.Getter) int {
		n := livestore.Use(g, broken)
		t.Error("went on after a failed Use")
		return n
	})
	top := livestore.Computed(func(g *livestore.Getter) int { return livestore.Use(g, c) })
	_, err := livestore.Get(s, top)
	qe, ok := errors.AsType[*livestore.QueryError](err)
	if !ok || qe.Label != "broken" || !strings.HasPrefix(err.Error(), "read store test (client ") {
		t.Errorf("got %v", err)
	}
	commit(t, s, create("1", "a")) // the store goes on
}

func TestTheDefaultLabelIsThePlace(t *testing.T) {
	s := openStore(t)
	_, err := livestore.Get(s, livestore.Query(state.Scalar[int]("SELECT n FROM nowhere")))
	if err == nil || !strings.Contains(err.Error(), "query at node_test.go:") {
		t.Errorf("got %v", err)
	}
}

func TestACycleIsAnError(t *testing.T) {
	s := openStore(t)
	on := livestore.NewSignal(true)
	var a, b *livestore.Node[int]
	a = livestore.Computed(func(g *livestore.Getter) int {
		if !livestore.Use(g, on) {
			return 1
		}
		return livestore.Use(g, b)
	}, livestore.Label("a"))
	b = livestore.Computed(func(g *livestore.Getter) int { return livestore.Use(g, a) }, livestore.Label("b"))
	_, err := livestore.Get(s, a)
	if ce, ok := errors.AsType[*livestore.CycleError](err); !ok || fmt.Sprint(ce.Labels) != "[a b a]" {
		t.Errorf("got %v", err)
	}
	on.Set(s, false)
	if got := get(t, s, b); got != 1 {
		t.Errorf("got %d, want 1", got)
	}
}

func TestAPanicOfTheAppPassesThrough(t *testing.T) {
	s := openStore(t)
	bomb := livestore.NewSignal(true)
	c := livestore.Computed(func(g *livestore.Getter) int {
		if livestore.Use(g, bomb) {
			panic("boom")
		}
		return 1
	})
	func() {
		defer func() {
			if r := recover(); r != "boom" {
				t.Errorf("recovered %v", r)
			}
		}()
		livestore.Get(s, c)
	}()
	bomb.Set(s, false)
	if got := get(t, s, c); got != 1 {
		t.Errorf("got %d, want 1", got)
	}
}

func TestAGetterThatIsKeptIsRefused(t *testing.T) {
	s := openStore(t)
	var kept *livestore.Getter
	get(t, s, livestore.Computed(func(g *livestore.Getter) int { kept = g; return 1 }))
	defer func() {
		if r := recover(); r == nil {
			t.Error("Use with a kept Getter went through")
		}
	}()
	livestore.Use(kept, openCount)
}

func TestACaughtErrorStillEndsTheComputation(t *testing.T) {
	s := openStore(t)
	broken := livestore.Query(state.Scalar[int]("SELECT n FROM nowhere"))
	c := livestore.Computed(func(g *livestore.Getter) (n int) {
		defer func() { recover(); n = 42 }()
		return livestore.Use(g, broken)
	})
	if v, err := livestore.Get(s, c); err == nil {
		t.Errorf("got %d without an error", v)
	}
}

func TestNilQueriesAreErrors(t *testing.T) {
	s := openStore(t)
	if _, err := livestore.Get(s, livestore.Query[int](nil)); err == nil || !strings.Contains(err.Error(), "the query is nil") {
		t.Errorf("got %v", err)
	}
	var none *livestore.Node[int]
	if _, err := livestore.Get(s, none); err == nil || !strings.Contains(err.Error(), "nil") {
		t.Errorf("got %v", err)
	}
}

// foreign is made to look like a source.
type foreign struct{ state.Yield[int] }

func TestAForeignSourceIsAnError(t *testing.T) {
	s := openStore(t)
	_, err := livestore.Get(s, foreign{})
	if err == nil || !strings.Contains(err.Error(), "livestore_test.foreign is no source") {
		t.Errorf("got %v", err)
	}
	for _, err := range livestore.Watch(t.Context(), s, foreign{}) {
		if err == nil {
			t.Error("watched a foreign source")
		}
	}
	if _, err := livestore.Get(s, livestore.Computed(func(g *livestore.Getter) int { return livestore.Use(g, foreign{}) })); err == nil {
		t.Error("used a foreign source")
	}
}
