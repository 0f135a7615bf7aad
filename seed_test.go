package livestore_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/memory"
)

func TestSeedFillsAnEmptyLogOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		adapter := memory.New(nil)
		seeds := 0
		var all sync.WaitGroup
		for range 5 { // at the same moment
			all.Go(func() {
				s, err := livestore.Open(t.Context(), schema, adapter, &livestore.Options{
					StoreID: "test",
					Seed: func(s *livestore.Store) error {
						seeds++
						_, err := s.Commit(t.Context(), create("welcome", "Try me"))
						return err
					},
				})
				if err != nil {
					t.Error(err)
					return
				}
				t.Cleanup(func() { s.Close() })
				if got := get(t, s, open); len(got) != 1 {
					t.Errorf("opened with %q", texts(got))
				}
			})
		}
		all.Wait()
		if seeds != 1 {
			t.Errorf("seeded %d times", seeds)
		}
	})
}

func TestASeedThatPanicsLeavesNoStoreOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // ends only when no goroutine of a store is left
		adapter := memory.New(nil)
		var leaked *livestore.Store
		func() {
			defer func() {
				if p := recover(); p != "boom" {
					t.Errorf("panicked with %v", p)
				}
			}()
			_, err := livestore.Open(t.Context(), schema, adapter, &livestore.Options{
				StoreID: "test",
				Seed:    func(s *livestore.Store) error { leaked = s; panic("boom") },
			})
			t.Errorf("opened: %v", err)
		}()
		if _, err := livestore.Get(leaked, todos.Count()); !errors.Is(err, livestore.ErrClosed) {
			t.Errorf("the store is open: %v", err)
		}
		openOn(t, adapter) // nor is the seeding locked
	})
}

func TestASeedThatFailsFailsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		adapter := memory.New(nil)
		open := func(ctx context.Context, seed func(*livestore.Store) error) (*livestore.Store, error) {
			return livestore.Open(ctx, schema, adapter, &livestore.Options{StoreID: "test", Seed: seed})
		}
		boom := errors.New("boom")
		if _, err := open(t.Context(), func(*livestore.Store) error { return boom }); !errors.Is(err, boom) {
			t.Errorf("failing seed: %v", err)
		}

		impatient, cancel := context.WithCancel(t.Context())
		s, err := open(t.Context(), func(*livestore.Store) error { // nothing to sow, and somebody waits for it meanwhile
			go func() {
				_, err := open(impatient, func(*livestore.Store) error { return nil })
				if !errors.Is(err, context.Canceled) {
					t.Errorf("waiting seed: %v", err)
				}
			}()
			synctest.Wait()
			cancel()
			synctest.Wait()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := get(t, s, todos.Count()); n != 0 {
			t.Errorf("%d rows", n)
		}
		s.Close()
	})
}
