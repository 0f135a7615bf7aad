package bubble

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/local"
)

// most is how many bytes of Go's heap what is done once may leave behind: the row of a session's journal is among the dearest.
const most = 100

// What is done again and again leaves nothing behind in memory: not at the client, not at the server. Commits are not among it: the
// server keeps the newest 4 MiB of what it sends, which takes many to fill, and events that are not confirmed can be undone. See
// [TestCommitsAreNotKept] and [TestSteadyLoad].
func TestNothingIsKept(t *testing.T) {
	const (
		first = 50 // turns that do not count
		turns = 300
	)
	background := context.Background()
	for what, act := range map[string]func(t *testing.T, b *bed, c *client, s *livestore.Store, n int){
		"a connection is cut": func(t *testing.T, _ *bed, c *client, s *livestore.Store, _ int) {
			c.line.cut()
			time.Sleep(5 * time.Second)
			until(t, s, minutes, "synced", synced)
		},
		"a connection is half-open": func(t *testing.T, _ *bed, c *client, s *livestore.Store, _ int) {
			c.line.set(black)
			time.Sleep(90 * time.Second)
			c.line.set(good)
			until(t, s, minutes, "synced", synced)
		},
		"no connection is made": func(t *testing.T, _ *bed, c *client, s *livestore.Store, _ int) {
			c.line.set(refusing)
			c.line.cut()
			time.Sleep(5 * time.Minute)
			c.line.set(good)
			until(t, s, minutes, "synced", synced)
		},
		"the server starts anew": func(t *testing.T, b *bed, _ *client, s *livestore.Store, _ int) {
			b.stop()
			b.start()
			until(t, s, minutes, "offline", offline)
			until(t, s, minutes, "synced", synced)
		},
		"a session is opened": func(t *testing.T, _ *bed, c *client, _ *livestore.Store, _ int) {
			if err := c.session().Close(); err != nil {
				t.Error(err)
			}
		},
		"another client comes and goes": func(t *testing.T, b *bed, _ *client, _ *livestore.Store, _ int) {
			c := &client{b: b, id: "other", line: b.network.line(), schema: schema, opts: livestore.Options{StoreID: storeID, Logger: quiet}}
			c.restart()
			s := c.session()
			until(t, s, minutes, "synced", synced)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			c.line.wait()
		},
		"a live query is watched": func(t *testing.T, _ *bed, _ *client, s *livestore.Store, _ int) {
			for _, err := range livestore.Watch(background, s, byID) {
				if err != nil {
					t.Error(err)
				}
				break
			}
		},
		"a query is watched, another one each time": func(t *testing.T, _ *bed, _ *client, s *livestore.Store, n int) {
			for _, err := range livestore.Watch(background, s, items.Where(stateEq(fmt.Sprint(n)))) {
				if err != nil {
					t.Error(err)
				}
				break
			}
		},
		"a subscription is made": func(_ *testing.T, _ *bed, _ *client, s *livestore.Store, _ int) {
			called := make(chan struct{}, 1)
			stop := livestore.Subscribe(s, byID, func([]item, error) { called <- struct{}{} })
			<-called
			stop()
		},
		"the status is watched": func(_ *testing.T, _ *bed, _ *client, s *livestore.Store, _ int) {
			for range s.WatchSyncStatus(background) {
				break
			}
			for range s.WatchSetAside(background) {
				break
			}
		},
		"sync is paused": func(t *testing.T, _ *bed, _ *client, s *livestore.Store, _ int) {
			if err := s.PauseSync(background); err != nil {
				t.Error(err)
			}
			if err := s.ResumeSync(background); err != nil {
				t.Error(err)
			}
			until(t, s, minutes, "synced", synced)
		},
		"a commit is refused": func(t *testing.T, _ *bed, _ *client, s *livestore.Store, _ int) {
			if _, err := s.Commit(background, add("first")); err == nil {
				t.Error("it was taken")
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			in(t, "sqlitestore", nil, func(t *testing.T, b *bed) {
				c := b.client("x", true)
				s := c.open()
				confirm(t, commit(t, s, add("first")))
				for i := range first {
					act(t, b, c, s, i)
				}
				time.Sleep(2 * time.Minute) // idle connections and rooms go
				before := measure(t)
				for i := range turns {
					act(t, b, c, s, first+i)
				}
				time.Sleep(2 * time.Minute)
				after := measure(t)
				if per := (after.heap - before.heap) / turns; per > most {
					t.Errorf("each time leaves %d bytes behind: %d before, %d after", per, before.heap, after.heap)
				}
				if after.goroutines != before.goroutines {
					t.Errorf("%d goroutines before, %d after", before.goroutines, after.goroutines)
				}
			})
		})
	}
}

// Events are on disk. In a store without a provider nothing but the newest of them is in memory: what the leader has published, for sessions
// that are behind.
func TestCommitsAreNotKept(t *testing.T) {
	guard(t)
	synctest.Test(t, func(t *testing.T) {
		s, err := livestore.Open(t.Context(), schema, local.New(scratch(t), nil), &livestore.Options{StoreID: storeID, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		turn := func(n int) {
			id := fmt.Sprint("row", n%rows)
			r := commit(t, s, set.New(itemSet{ID: id, Text: fmt.Sprint("turn ", n)}), look.Set("look", view{Filter: id}))
			if err := r.Wait(t.Context(), livestore.Persisted); err != nil {
				t.Fatal(err)
			}
		}
		const first, turns = 1100, 1000 // so many publishes are kept
		for n := range first {
			turn(n)
		}
		before := measure(t)
		for n := range turns {
			turn(first + n)
		}
		after := measure(t)
		if per := (after.heap - before.heap) / turns; per > most {
			t.Errorf("each commit leaves %d bytes behind: %d before, %d after", per, before.heap, after.heap)
		}
	})
}
