package livestore_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/state"
)

// record collects the calls of a subscription.
type record struct {
	mu    sync.Mutex
	calls []string
}

func subscribe[T any](s *livestore.Store, src livestore.Source[T]) (*record, func()) {
	r := &record{}
	return r, livestore.Subscribe(s, src, func(v T, err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if err != nil {
			r.calls = append(r.calls, "error: "+err.Error())
		} else {
			r.calls = append(r.calls, fmt.Sprint(v))
		}
	})
}

// expect checks the calls since the last time, when all goroutines of the bubble are at rest.
func (r *record) expect(t testing.TB, want ...string) {
	t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.calls, want) {
		t.Errorf("called with %q, want %q", r.calls, want)
	}
	r.calls = nil
}

func TestSubscribeCallsNowAndAfterEachChangeOfTheResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		a, stopA := subscribe(s, openCount)
		b, stopB := subscribe(s, todos.Count())
		a.expect(t, "0")
		b.expect(t, "0")
		commit(t, s, create("1", "a"))
		a.expect(t, "1")
		b.expect(t, "1")
		commit(t, s, create("2", "b"), complete("1"))
		a.expect(t)
		b.expect(t, "2")
		stopA()
		stopA()
		commit(t, s, create("3", "c"))
		a.expect(t)
		b.expect(t, "3")
		stopB()
	})
}

func TestACallbackMayDoAnything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		var log []string
		var stop func()
		ready := make(chan struct{})
		stop = livestore.Subscribe(s, todos.Count(), func(n int, err error) {
			<-ready
			log = append(log, fmt.Sprint(n, err))
			switch n {
			case 0, 1:
				commit(t, s, create(fmt.Sprint(n), "x"))
				if got := get(t, s, todos.Count()); got != n+1 {
					t.Errorf("read %d in the callback, want %d", got, n+1)
				}
			case 2:
				livestore.Subscribe(s, openCount, func(n int, err error) {
					log = append(log, fmt.Sprint("inner ", n, err))
					if err := s.Close(); err != nil {
						t.Error(err)
					}
					if _, err := s.Commit(t.Context(), create("late", "x")); !errors.Is(err, livestore.ErrClosed) {
						t.Errorf("commit after close: %v", err)
					}
				})
				stop()
				commit(t, s, create("after stop", "x"))
			}
		})
		close(ready)
		synctest.Wait()
		if want := []string{"0 <nil>", "1 <nil>", "2 <nil>", "inner 3 <nil>"}; !slices.Equal(log, want) {
			t.Errorf("got %q, want %q", log, want)
		}
	})
}

func TestASlowCallbackHoldsUpNoCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		entered, release := make(chan int), make(chan struct{})
		stop := livestore.Subscribe(s, todos.Count(), func(n int, err error) {
			entered <- n
			<-release
		})
		defer stop()
		if n := <-entered; n != 0 {
			t.Errorf("first call with %d", n)
		}
		for i := range 100 {
			commit(t, s, create(fmt.Sprint(i), "x"))
		}
		release <- struct{}{}
		if n := <-entered; n != 100 {
			t.Errorf("second call with %d, want the newest, 100", n)
		}
		close(release)
	})
}

func TestCloseStopsSubscriptionsAndDoesNotWaitForARunningOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		entered, release := make(chan int, 10), make(chan struct{})
		livestore.Subscribe(s, todos.Count(), func(n int, err error) {
			entered <- n
			<-release
		})
		<-entered
		commit(t, s, create("1", "a"))
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		close(release)
		synctest.Wait()
		if len(entered) != 0 {
			t.Error("called after Close")
		}
		stop := livestore.Subscribe(s, todos.Count(), func(n int, err error) { t.Error("called on a closed store") })
		stop()
		synctest.Wait()
	})
}

func TestStopFromElsewhere(t *testing.T) {
	s := openStore(t)
	for i := range 50 {
		calls := make(chan int, 100)
		stop := livestore.Subscribe(s, todos.Count(), func(n int, err error) { calls <- n })
		var both sync.WaitGroup
		both.Go(func() { commit(t, s, create(fmt.Sprint(i), "x")) })
		both.Go(stop)
		both.Wait()
		if n := len(calls); n > 2 {
			t.Errorf("%d calls", n)
		}
	}
}

func TestSubscribeReportsWhatCanNotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		r, stop := subscribe(s, livestore.Source[int](nil))
		r.expect(t, "error: read store test (client "+s.ClientID()+"): the source of type int is nil: it is read before it is declared")
		stop()
		bad, stop := subscribe(s, livestore.Query(state.Scalar[int]("SELECT n FROM nowhere"), livestore.Label("bad")))
		synctest.Wait()
		if len(bad.calls) != 1 {
			t.Errorf("%q", bad.calls)
		}
		stop()
	})
}

func TestWhatCanNeverBeCalledPanicsWhereItIsDeclared(t *testing.T) {
	s := openStore(t)
	for want, declare := range map[string]func(){
		"livestore: Subscribe: the function to call is nil": func() { livestore.Subscribe(s, openCount, nil) },
		"livestore: n: the function of Computed is nil":     func() { livestore.Computed[int](nil, livestore.Label("n")) },
		"livestore: q: the function of QueryFunc is nil":    func() { livestore.QueryFunc[int](nil, livestore.Label("q")) },
	} {
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("panicked with %v, want %s", got, want)
				}
			}()
			declare()
		}()
	}
}
