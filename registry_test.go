package livestore_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/memory"
	"github.com/livestore-go/livestore/internal/session"
)

// slow lets a test decide when, and whether, an open goes on.
type slow struct {
	livestore.Adapter
	mu    sync.Mutex
	opens int
	gate  chan error // nil: no gate
}

func (s *slow) Open(ctx context.Context, r session.Request) (*session.Session, error) {
	s.mu.Lock()
	s.opens++
	s.mu.Unlock()
	if s.gate != nil {
		select {
		case err := <-s.gate:
			if err != nil {
				return nil, err
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return s.Adapter.Open(ctx, r)
}

func TestARegistrySharesStoresAndClosesWhatNobodyUses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &slow{Adapter: memory.New(nil)}
		r := livestore.NewRegistry(schema, a, &livestore.RegistryOptions{Linger: time.Minute})
		one, releaseOne, err := r.Open(t.Context(), "one")
		if err != nil {
			t.Fatal(err)
		}
		again, releaseAgain, err := r.Open(t.Context(), "one")
		if err != nil || again != one {
			t.Errorf("a second store of the same id: %v", err)
		}
		two, releaseTwo, err := r.Open(t.Context(), "two")
		if err != nil || two == one || a.opens != 2 {
			t.Errorf("%d opens, %v", a.opens, err)
		}
		releaseOne()
		releaseOne() // does nothing
		time.Sleep(2 * time.Minute)
		commit(t, one, create("1", "a")) // still used
		releaseAgain()
		time.Sleep(59 * time.Second)
		back, releaseBack, err := r.Open(t.Context(), "one")
		if err != nil || back != one {
			t.Errorf("gone before its time: %v", err)
		}
		releaseBack()
		time.Sleep(61 * time.Second)
		if _, err := one.Commit(t.Context(), create("2", "b")); !errors.Is(err, livestore.ErrClosed) {
			t.Errorf("commit to a store that nobody uses: %v", err)
		}
		fresh, releaseFresh, err := r.Open(t.Context(), "one")
		if err != nil || fresh == one {
			t.Errorf("the closed store again: %v", err)
		}
		releaseFresh()
		releaseTwo()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if _, err := livestore.Get(fresh, todos.Count()); !errors.Is(err, livestore.ErrClosed) {
			t.Errorf("read after the registry was closed: %v", err)
		}
		if _, _, err := r.Open(t.Context(), "one"); !errors.Is(err, livestore.ErrClosed) {
			t.Errorf("open after close: %v", err)
		}
	})
}

func TestARegistryOpensOnceForAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &slow{Adapter: memory.New(nil), gate: make(chan error)}
		r := livestore.NewRegistry(schema, a, &livestore.RegistryOptions{Linger: -1})
		impatient, cancel := context.WithCancel(t.Context())
		var stores [3]*livestore.Store
		var release [3]func()
		var errs [3]error
		for i := range stores {
			ctx := t.Context()
			if i == 0 {
				ctx = impatient // the one who asked first gives up; the others get their store
			}
			go func() { stores[i], release[i], errs[i] = r.Open(ctx, "one") }()
			synctest.Wait()
		}
		cancel()
		synctest.Wait()
		a.gate <- nil
		synctest.Wait()
		if !errors.Is(errs[0], context.Canceled) || errs[1] != nil || errs[2] != nil || stores[1] != stores[2] || a.opens != 1 {
			t.Errorf("errors %v, %d opens", errs, a.opens)
		}
		release[1]()
		get(t, stores[2], todos.Count())
		release[2]()
		if _, err := livestore.Get(stores[2], todos.Count()); !errors.Is(err, livestore.ErrClosed) {
			t.Errorf("not closed at once: %v", err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestARegistryForgetsAnOpenThatFailedOrIsWantedByNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &slow{Adapter: memory.New(nil), gate: make(chan error, 1)}
		r := livestore.NewRegistry(schema, a, nil)
		boom := errors.New("boom")
		a.gate <- boom
		if _, _, err := r.Open(t.Context(), "one"); !errors.Is(err, boom) {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := r.Open(ctx, "one"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		a.gate <- nil
		s, release, err := r.Open(t.Context(), "one")
		if err != nil {
			t.Fatal(err)
		}
		s.Close() // by somebody who should not: the next one gets a new store
		a.gate <- nil
		other, releaseOther, err := r.Open(t.Context(), "one")
		if err != nil || other == s {
			t.Errorf("the closed store again: %v", err)
		}
		release()
		releaseOther()
		if _, _, err := r.Open(t.Context(), "no such/id"); err == nil {
			t.Error("a wrong id went through")
		}
		go r.Open(t.Context(), "slow") // closed while it opens
		synctest.Wait()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}
