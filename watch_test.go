package livestore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/memory"
	"github.com/livestore-go/livestore/state"
)

func TestWatchYieldsNowAndAfterEachChangeOfTheResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		n := watch(t, s, openCount)
		n.expect(t, "0")
		commit(t, s, create("1", "Buy milk"))
		n.expect(t, "1")
		commit(t, s, create("2", "Bake bread"), complete("1")) // the rows are others, their number is not
		n.nothing(t)
		commit(t, s, uiState.Set("x", UIState{Filter: "none"})) // a table it does not read
		n.nothing(t)
		commit(t, s, complete("2"))
		n.expect(t, "0")
		n.nothing(t)
	})
}

func TestAllSourcesCanBeWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		sig := livestore.NewSignal(1)
		query := watch(t, s, todos.Count())
		live := watch(t, s, livestore.Query(todos.Count()))
		doc := watch(t, s, uiState.Get(state.SessionID))
		signal := watch(t, s, sig)
		for f, first := range map[*follow]string{query: "0", live: "0", doc: "{all}", signal: "1"} {
			f.expect(t, first)
		}
		commit(t, s, create("1", "a"), uiState.Set(state.SessionID, UIState{Filter: "open"}))
		sig.Set(s, 2)
		for f, second := range map[*follow]string{query: "1", live: "1", doc: "{open}", signal: "2"} {
			f.expect(t, second)
			f.nothing(t)
		}
	})
}

func TestLeavingAWatchEndsIt(t *testing.T) {
	s := openStore(t)
	for range 3 {
		for n, err := range livestore.Watch(t.Context(), s, openCount) {
			if n != 0 || err != nil {
				t.Errorf("got %d, %v", n, err)
			}
			break
		}
	}
}

func TestWatchEndsWithItsContextAndSaysNothing(t *testing.T) {
	s := openStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rounds := 0
	for _, err := range livestore.Watch(ctx, s, openCount) {
		if err != nil {
			t.Error(err)
		}
		rounds++
		commit(t, s, create("1", "a")) // there is news, but nobody to hear it
		cancel()
	}
	for range livestore.Watch(ctx, s, openCount) {
		rounds++
	}
	if rounds != 1 {
		t.Errorf("%d rounds, want 1", rounds)
	}
}

func TestWatchEndsWithTheStore(t *testing.T) {
	s := openStore(t)
	var got []error
	for _, err := range livestore.Watch(t.Context(), s, openCount) {
		got = append(got, err)
		if err := s.Close(); err != nil { // in the loop: it holds no lock
			t.Error(err)
		}
	}
	if len(got) != 2 || got[0] != nil || !errors.Is(got[1], livestore.ErrClosed) {
		t.Errorf("got %v, want one result and ErrClosed", got)
	}
	got = nil
	for _, err := range livestore.Watch(t.Context(), s, openCount) {
		got = append(got, err)
	}
	if len(got) != 1 || !errors.Is(got[0], livestore.ErrClosed) {
		t.Errorf("on a closed store: %v, want ErrClosed", got)
	}
}

func TestWatchYieldsErrorsAndHearsWhenTheyAreCured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		most := livestore.Query(state.Scalar[int](
			"SELECT coalesce(max(json_extract(text, '$.n')), 0) FROM todos WHERE completed = 0"), livestore.Label("most"))
		f := watch(t, s, livestore.Computed(func(g *livestore.Getter) int { return livestore.Use(g, most) }))
		f.expect(t, "0")
		commit(t, s, create("good", `{"n": 7}`))
		f.expect(t, "7")
		commit(t, s, create("bad", `{"n": `))
		if got := <-f.seen; !strings.HasPrefix(got, "error: read store test (client ") || !strings.Contains(got, "most: ") {
			t.Errorf("saw %s, want an error of query most", got)
		}
		commit(t, s, create("worse", `{`))
		f.nothing(t) // the same error is no news
		commit(t, s, complete("bad"), complete("worse"))
		f.expect(t, "7")
	})
}

func TestASlowWatcherSeesTheNewestResult(t *testing.T) {
	s := openStore(t)
	var seen []int
	for n := range livestore.Watch(t.Context(), s, todos.Count()) {
		seen = append(seen, n)
		if n == 100 {
			break
		}
		for i := range 100 { // while the loop is busy
			commit(t, s, create(fmt.Sprint(i), "x"))
		}
	}
	if !slices.Equal(seen, []int{0, 100}) {
		t.Errorf("saw %v, want 0 and 100", seen)
	}
}

// Each commit moves two counts together. Nobody may ever see them apart, and everybody must see the last state.
func TestWatchersNeverSeeATornState(t *testing.T) {
	s := openStore(t)
	const writers, commits = 4, 50
	even := livestore.Query(state.Scalar[int]("SELECT count(*) FROM todos WHERE text = 'even'"))
	odd := livestore.Query(state.Scalar[int]("SELECT count(*) FROM todos WHERE text = 'odd'"))
	pair := livestore.Computed(func(g *livestore.Getter) [2]int { return [2]int{livestore.Use(g, even), livestore.Use(g, odd)} })
	nested := livestore.Computed(func(g *livestore.Getter) [2]int {
		return [2]int{livestore.Use(g, pair)[1], livestore.Use(g, even)}
	})
	var watchers sync.WaitGroup
	for _, src := range []*livestore.Node[[2]int]{pair, nested, pair} {
		watchers.Go(func() {
			last := -1
			for v, err := range livestore.Watch(t.Context(), s, src) {
				switch {
				case err != nil:
					t.Error(err)
					return
				case v[0] != v[1]:
					t.Errorf("torn: %v", v)
				case v[0] <= last:
					t.Errorf("%v after %d", v, last)
				}
				if last = v[0]; last == writers*commits {
					return
				}
			}
		})
	}
	var done sync.WaitGroup
	for w := range writers {
		done.Go(func() {
			for i := range commits {
				id := fmt.Sprintf("%d/%d", w, i)
				commit(t, s, create(id+"e", "even"), create(id+"o", "odd"))
			}
		})
	}
	done.Wait()
	watchers.Wait()
}

// Two sessions commit at the same time, so that one of them rebases again and again. What watchers saw last is what is there.
func TestWatchersFollowRebases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		adapter := memory.New(nil)
		stores := []*livestore.Store{openOn(t, adapter), openOn(t, adapter)}
		byID := livestore.Query(state.Pluck(todos.OrderBy(state.Asc(&todos.Row.ID)), &todos.Row.ID))
		var last [2]string
		for i, s := range stores {
			livestore.Subscribe(s, byID, func(ids []string, err error) { last[i] = fmt.Sprint(ids, err) })
		}
		for round := range 30 {
			for i, s := range stores {
				commit(t, s, create(fmt.Sprintf("%02d.%d", round, i), "x"))
			}
			if round%3 == 0 {
				synctest.Wait()
			}
		}
		synctest.Wait()
		for i, s := range stores {
			ids, err := livestore.Get(s, byID)
			if now := fmt.Sprint(ids, err); last[i] != now || len(ids) != 60 {
				t.Errorf("session %d saw %s last, has %d rows: %s", i, last[i], len(ids), now)
			}
		}
		a, b := get(t, stores[0], byID), get(t, stores[1], byID)
		if !slices.Equal(a, b) {
			t.Errorf("sessions differ: %v and %v", a, b)
		}
	})
}

// A live query that takes long and is always out of date leaves the store to those who commit for as long as it had it.
func TestASlowQueryGivesWayToCommits(t *testing.T) {
	s := openStore(t)
	const long = 5 * time.Millisecond
	var ended time.Time
	gaps, fair := 0, 0
	q := livestore.Query(state.Map(todos.Count(), func(n int) int {
		if !ended.IsZero() {
			if gaps++; time.Since(ended) >= long {
				fair++
			}
		}
		time.Sleep(long) // the work it does
		ended = time.Now()
		return n
	}))
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				commit(t, s, create(fmt.Sprint(i), "x"))
			}
		}
	}()
	rounds := 0
	for range livestore.Watch(t.Context(), s, q) {
		if rounds++; rounds == 10 {
			break
		}
	}
	close(stop)
	<-done
	if fair < gaps/2 {
		t.Errorf("of %d pauses %d were as long as the query", gaps, fair)
	}
}
