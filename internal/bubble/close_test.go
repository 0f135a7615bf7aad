package bubble

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/event"
)

var moments = flag.Int("moments", 10, "at how many moments of each scene a store is closed")

// closing is how long Close may take: whatever the network does, it waits for nobody there but for the answer to a goodbye.
const closing = goodbye + 100*time.Millisecond

// busy does everything with a store until it is closed. What it returns waits until all of it has ended, which it does by itself, and says
// how many commits were admitted.
func busy(t *testing.T, s *livestore.Store) (wait func() int) {
	t.Helper()
	var running sync.WaitGroup
	ctx := context.Background()
	n := 0
	check := func(what string, err error) {
		if err != nil && !errors.Is(err, livestore.ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	running.Go(func() {
		for i := range 50 {
			r, err := s.Commit(ctx, add(fmt.Sprint(s.ClientID(), s.SessionID(), i)))
			if err != nil {
				check("commit", err)
				return
			}
			n++
			running.Go(func() { check("wait for a commit", r.Wait(ctx, livestore.Confirmed)) })
			pass(5 * time.Millisecond)
		}
	})
	running.Go(func() {
		for _, err := range livestore.Watch(ctx, s, byID) {
			check("watch", err)
		}
	})
	running.Go(func() {
		for range s.WatchSyncStatus(ctx) {
		}
	})
	running.Go(func() {
		for range s.WatchSetAside(ctx) {
		}
	})
	stop := livestore.Subscribe(s, count, func(_ int, err error) { check("subscribe", err) })
	return func() int {
		running.Wait()
		stop()
		return n
	}
}

// A store is closed at every moment of what goes on between it and the server: the line is slow, so that there are many. Close takes no
// longer than it should, everything that ran in the store has ended when it returns, and what was committed is there when the store is
// opened again.
func TestCloseAtEveryMoment(t *testing.T) {
	for what, scene := range map[string]struct {
		span    time.Duration            // over which the moments lie
		prepare func(b *bed, c *client)  // before the store is opened
		during  func(s *livestore.Store) // right after
		connect bool                     // what happens begins when it is synced
		happens func(b *bed, c *client)  // and is closed some steps later
	}{
		"it connects and pulls and pushes": {span: 200 * time.Millisecond, prepare: func(b *bed, c *client) {
			filled(b, 500)
			c.line.slow(10 * time.Millisecond)
		}},
		"nobody answers":          {span: 30 * time.Second, prepare: func(_ *bed, c *client) { c.line.set(black) }},
		"the line takes nothing":  {span: 30 * time.Second, prepare: func(_ *bed, c *client) { c.line.set(stuck) }},
		"connections are refused": {span: 15 * time.Second, prepare: func(_ *bed, c *client) { c.line.set(refusing) }},
		"the credentials are refused": {span: 75 * time.Second, prepare: func(b *bed, _ *client) {
			b.stop()
			b.authorize(func() error { return errors.New("who are you?") })
			b.start()
		}},
		"the connection is half-open":       {span: 30 * time.Second, connect: true, happens: func(_ *bed, c *client) { c.line.set(black) }},
		"the connection takes nothing more": {span: 75 * time.Second, connect: true, happens: func(_ *bed, c *client) { c.line.set(stuck) }},
		"the connection is lost": {span: 3 * time.Second, connect: true, happens: func(_ *bed, c *client) {
			c.line.slow(10 * time.Millisecond)
			c.line.cut()
		}},
		"the server stops": {span: 3 * time.Second, connect: true, happens: func(b *bed, c *client) {
			c.line.slow(20 * time.Millisecond)
			b.stop()
			b.start()
		}},
		"sync is paused and goes on": {span: 50 * time.Millisecond, connect: true, happens: func(_ *bed, c *client) {
			c.line.slow(5 * time.Millisecond)
		}, during: func(s *livestore.Store) {
			for s.PauseSync(context.Background()) == nil && s.ResumeSync(context.Background()) == nil {
				pass(3 * time.Millisecond)
			}
		}},
	} {
		t.Run(what, func(t *testing.T) {
			for moment := range *moments {
				for _, files := range []bool{false, true} {
					in(t, "memstore", nil, func(t *testing.T, b *bed) {
						c := b.client("x", files)
						if scene.prepare != nil {
							scene.prepare(b, c)
						}
						s := c.session()
						if scene.connect {
							until(t, s, minutes, "synced", synced)
						}
						wait := busy(t, s)
						var during sync.WaitGroup
						if scene.during != nil {
							during.Go(func() { scene.during(s) })
						}
						if scene.happens != nil {
							scene.happens(b, c)
						}
						pass(scene.span * time.Duration(moment) / time.Duration(*moments))
						start := time.Now()
						if err := s.Close(); err != nil {
							t.Errorf("moment %d: %v", moment, err)
						}
						if d := time.Since(start); d > closing {
							t.Errorf("moment %d: Close took %v", moment, d)
						}
						committed := wait()
						during.Wait()
						noneLeft(t, c)
						if files {
							c.line.set(good)
							again(t, c, committed)
						}
					})
					if t.Failed() {
						return
					}
				}
			}
		})
	}
}

// filled gives the server events of somebody else.
func filled(b *bed, n int) {
	b.t.Helper()
	c := b.client("other", false)
	s := c.session()
	drafts := make([]event.Draft, n)
	for i := range drafts {
		drafts[i] = add(fmt.Sprint("other", i))
	}
	confirm(b.t, commit(b.t, s, drafts...))
	if err := s.Close(); err != nil {
		b.t.Error(err)
	}
}

// again opens a client anew, as the next process does, and checks that what it had committed is there.
func again(t *testing.T, c *client, committed int) {
	t.Helper()
	c.restart()
	s := c.session()
	n := 0
	for e, err := range s.Events(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		if e.ClientID == c.id {
			n++
		}
	}
	if n != committed {
		t.Errorf("%d commits had returned, and %d are there", committed, n)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A commit that runs when the store is closed is admitted or refused, and Close waits for it.
func TestCloseWhileACommitRuns(t *testing.T) {
	for _, files := range []bool{false, true} {
		in(t, "memstore", nil, func(t *testing.T, b *bed) {
			var s *livestore.Store
			var closed chan error
			c := b.client("x", files)
			c.schema = newSchema(func() {
				if byLeader() || s == nil || closed != nil {
					return
				}
				closed = make(chan error, 1)
				go func() { closed <- s.Close() }()
				for range 100 {
					runtime.Gosched() // Close waits for the lock by now
				}
			})
			store := c.session()
			until(t, store, minutes, "synced", synced)
			s = store
			r := commit(t, store, add("1"))
			if err := <-closed; err != nil {
				t.Error(err)
			}
			if err := r.Wait(t.Context(), livestore.Confirmed); err != nil && !errors.Is(err, livestore.ErrClosed) {
				t.Errorf("its receipt: %v", err)
			}
			noneLeft(t, c)
			if files {
				again(t, c, 1)
			}
		})
	}
}

// Close is called from inside what it ends, and from several sides at once.
func TestCloseFromInside(t *testing.T) {
	for what, from := range map[string]func(t *testing.T, s *livestore.Store){
		"a loop over results": func(t *testing.T, s *livestore.Store) {
			for _, err := range livestore.Watch(t.Context(), s, byID) {
				if err != nil && !errors.Is(err, livestore.ErrClosed) {
					t.Error(err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
		},
		"a loop over the status": func(t *testing.T, s *livestore.Store) {
			for range s.WatchSyncStatus(t.Context()) {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
		},
		"a subscription": func(t *testing.T, s *livestore.Store) {
			closed := make(chan error, 1)
			livestore.Subscribe(s, byID, func([]item, error) { closed <- s.Close() })
			if err := <-closed; err != nil {
				t.Error(err)
			}
		},
		"a loop over the events": func(t *testing.T, s *livestore.Store) {
			for _, err := range s.Events(t.Context(), nil) {
				if err != nil {
					t.Error(err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
		},
		"everywhere": func(t *testing.T, s *livestore.Store) {
			var all sync.WaitGroup
			for range 10 {
				all.Go(func() {
					if err := s.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		},
	} {
		t.Run(what, func(t *testing.T) {
			in(t, "memstore", nil, func(t *testing.T, b *bed) {
				c := b.client("x", true)
				s, stays := c.session(), c.session()
				until(t, s, minutes, "synced", synced)
				commit(t, s, add("1"))
				wait := busy(t, s)
				from(t, s)
				wait()
				pass(time.Second) // the leader has it, and tells the other session
				if n := get(t, stays, count); n == 0 {
					t.Error("the session that stays has nothing")
				}
				if err := stays.Close(); err != nil {
					t.Error(err)
				}
				noneLeft(t, c)
			})
		})
	}
}
