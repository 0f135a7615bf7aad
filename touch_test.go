package livestore_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/state"
)

// runsOf is a live query that counts how often it runs.
func runsOf[T any](q state.Query[T]) (*livestore.Node[T], *int) {
	runs := new(int)
	return livestore.QueryFunc(func(*livestore.Getter) state.Query[T] { *runs++; return q }), runs
}

// A live query runs again when a row that it can see has changed, and not else.
func TestLiveQueriesRunOnlyWhenTouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		commit(t, s, create("1", "one"), create("2", "two"))
		id := &todos.Row.ID
		point, points := runsOf(todos.Where(state.Eq(id, "1")).First())
		either, eithers := runsOf(todos.Where(state.In(id, "2", "3")))
		span, spans := runsOf(todos.Where(state.Ge(&todos.Row.Text, "t")).Count())
		texts, textRuns := runsOf(state.Pluck(todos.OrderBy(state.Asc(id)), &todos.Row.Text))
		size, sizes := runsOf(todos.Count())
		document, documents := runsOf(uiState.Get("x"))
		for _, stop := range []func(){
			livestore.Subscribe(s, point, func(*Todo, error) {}), livestore.Subscribe(s, either, func([]Todo, error) {}),
			livestore.Subscribe(s, span, func(int, error) {}), livestore.Subscribe(s, texts, func([]string, error) {}),
			livestore.Subscribe(s, size, func(int, error) {}), livestore.Subscribe(s, document, func(UIState, error) {}),
		} {
			defer stop()
		}
		ran := func() string {
			synctest.Wait()
			out := fmt.Sprintf("point %d either %d span %d texts %d size %d document %d", *points, *eithers, *spans, *textRuns, *sizes, *documents)
			*points, *eithers, *spans, *textRuns, *sizes, *documents = 0, 0, 0, 0, 0, 0
			return out
		}
		expect := func(what, want string) {
			t.Helper()
			if got := ran(); got != want {
				t.Errorf("%s:\n ran %s\nwant %s", what, got, want)
			}
		}
		expect("at first", "point 1 either 1 span 1 texts 1 size 1 document 1")
		commit(t, s, complete("1"))
		expect("completed 1", "point 1 either 0 span 0 texts 0 size 0 document 0")
		commit(t, s, complete("2"))
		expect("completed 2", "point 0 either 1 span 0 texts 0 size 0 document 0")
		commit(t, s, create("3", "a third"))
		expect("created 3", "point 0 either 1 span 0 texts 1 size 1 document 0")
		commit(t, s, create("4", "the fourth"))
		expect("created 4", "point 0 either 0 span 1 texts 1 size 1 document 0")
		commit(t, s, uiState.Set("y", UIState{Filter: "open"}))
		expect("another document", "point 0 either 0 span 0 texts 0 size 0 document 0")
		commit(t, s, uiState.Set("x", UIState{Filter: "open"}))
		expect("the document", "point 0 either 0 span 0 texts 0 size 0 document 1")
	})
}

// anyQuery draws a live query over to-dos, whose result is text.
func anyQuery(rng *rand.Rand) state.Query[string] {
	r := todos.Row
	one := func() state.Condition {
		id, text := fmt.Sprint(rng.IntN(6)), string(rune('a'+rng.IntN(6)))
		return []state.Condition{
			state.Eq(&r.ID, id), state.In(&r.ID, id, "1"), state.Eq(&r.Text, text), state.Ge(&r.Text, text), state.Lt(&r.Text, text),
			state.Eq(&r.Completed, rng.IntN(2) == 0), state.IsNull(&r.DeletedAt), state.Ne(&r.ID, id), state.Not(state.Eq(&r.Text, text)),
			state.Or(state.Eq(&r.ID, id), state.Eq(&r.Text, text)), state.WhereSQL(`text = (SELECT max(text) FROM todos)`),
		}[rng.IntN(11)]
	}
	q := todos.OrderBy(state.Asc(&r.Text), state.Asc(&r.ID))
	for range rng.IntN(3) {
		q = q.Where(one())
	}
	if rng.IntN(3) == 0 {
		q = q.Limit(1 + rng.IntN(3))
	}
	switch rng.IntN(6) {
	case 0:
		return state.Map(q.Count(), func(n int) string { return fmt.Sprint(n) })
	case 1:
		return state.Map(state.Pluck(q, &r.ID), func(ids []string) string { return fmt.Sprint(ids) })
	case 2:
		return state.Map(q.First(), func(t *Todo) string { return fmt.Sprintf("%+v", t) })
	case 3:
		return state.Map(state.Scalar[string](`SELECT group_concat(a.id || b.text) FROM todos AS a JOIN todos AS b USING (text)`),
			func(s string) string { return s })
	default:
		return state.Map(q, func(all []Todo) string { return fmt.Sprintf("%+v", all) })
	}
}

// Random commits, and random queries that come and go: the last result of every watcher is what a fresh read gives.
func TestWatchersMissNothing(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 7))
			s := openStore(t)
			type watched struct {
				query state.Query[string]
				last  string
				calls int
				stop  func()
			}
			var all []*watched
			for step := range 60 {
				if len(all) < 4 || rng.IntN(3) == 0 {
					w := &watched{query: anyQuery(rng)}
					w.stop = livestore.Subscribe(s, livestore.Query(w.query), func(v string, err error) {
						if err != nil {
							t.Error(err)
						}
						w.last = v
						w.calls++
					})
					all = append(all, w)
				}
				if len(all) > 12 {
					all[0].stop()
					all = all[1:]
				}
				id, text := fmt.Sprint(rng.IntN(6)), string(rune('a'+rng.IntN(6)))
				if rng.IntN(2) == 0 {
					commit(t, s, complete(id))
				} else if _, err := s.Commit(t.Context(), create(id, text)); err != nil { // there is one: it is undone
					commit(t, s, complete(id), uiState.Set(id, UIState{Filter: text}))
				}
				synctest.Wait()
				for _, w := range all {
					if fresh := get(t, s, w.query); w.last != fresh || w.calls == 0 {
						st, _ := w.query.Statement("")
						t.Fatalf("seed %d, step %d: %s %v was last told\n%s\nand a fresh read gives\n%s", seed, step, st.SQL, st.Args, w.last, fresh)
					}
				}
			}
			for _, w := range all {
				w.stop()
			}
		})
	}
}
