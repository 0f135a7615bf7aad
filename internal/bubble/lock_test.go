package bubble

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/livestore-go/livestore"
)

// call is one public method of a store, and how long it may take by the clock of the bubble.
type call struct {
	what string
	most time.Duration
	asks bool // it asks the leader, and may wait for that
	do   func(ctx context.Context, n int) error
}

// calls are all public methods of a store that work on what it has and does. Those that do not ask the leader are local: they wait for
// nobody (R10). And none waits for the network.
func calls(t *testing.T, c *client, s *livestore.Store) []call {
	return []call{
		{"Commit", 0, false, func(ctx context.Context, n int) error {
			_, err := s.Commit(ctx, set.New(itemSet{ID: fmt.Sprint("row", n%rows), Text: fmt.Sprint(n)}))
			return err
		}},
		{"Commit of a document", 0, false, func(ctx context.Context, n int) error {
			_, err := s.Commit(ctx, look.Set("look", view{Filter: fmt.Sprint(n)}))
			return err
		}},
		{"Commit that is refused", 0, false, func(ctx context.Context, _ int) error {
			if _, err := s.Commit(ctx, add("first")); err == nil {
				return errors.New("it was taken")
			}
			return nil
		}},
		{"Get", 0, false, func(context.Context, int) error {
			_, err := livestore.Get(s, byID)
			return err
		}},
		{"Get of another query", 0, false, func(_ context.Context, n int) error {
			_, err := livestore.Get(s, items.Where(stateEq(fmt.Sprint("row", n%rows))))
			return err
		}},
		{"Watch", 0, false, func(ctx context.Context, _ int) error {
			for _, err := range livestore.Watch(ctx, s, byID) {
				return err
			}
			return nil
		}},
		{"Subscribe", 0, false, func(_ context.Context, _ int) error {
			called := make(chan error, 100)
			stop := livestore.Subscribe(s, count, func(_ int, err error) {
				select {
				case called <- err:
				default:
				}
			})
			defer stop()
			return <-called
		}},
		{"SyncStatus", 0, false, func(context.Context, int) error {
			_, _ = s.SyncStatus(), s.NetworkStatus()
			return nil
		}},
		{"WatchSyncStatus", 0, false, func(ctx context.Context, _ int) error {
			for range s.WatchSyncStatus(ctx) {
				break
			}
			return nil
		}},
		{"SetAside", 0, false, func(ctx context.Context, _ int) error {
			_ = s.SetAside()
			for range s.WatchSetAside(ctx) {
				break
			}
			return nil
		}},
		{"Events", 0, true, func(ctx context.Context, _ int) error {
			n := 0
			for _, err := range s.Events(ctx, nil) {
				if n++; err != nil || n > 2000 {
					return err
				}
			}
			return nil
		}},
		{"PauseSync", 0, true, func(ctx context.Context, _ int) error { return s.PauseSync(ctx) }},
		{"ResumeSync", 0, true, func(ctx context.Context, _ int) error { return s.ResumeSync(ctx) }},
		{"SetAsideRejected", 0, true, func(ctx context.Context, _ int) error {
			_, err := s.SetAsideRejected(ctx)
			return err
		}},
		{"Wait for a receipt", time.Second, false, func(ctx context.Context, n int) error {
			r, err := s.Commit(ctx, set.New(itemSet{ID: "waited", Text: fmt.Sprint(n)}))
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			if err := r.Wait(ctx, livestore.Confirmed); !errors.Is(err, context.DeadlineExceeded) {
				return err
			}
			return nil
		}},
		{"Open and Close of another session", 0, true, func(ctx context.Context, n int) error {
			opts := c.opts
			o, err := livestore.Open(ctx, c.schema, c.adapter, &opts)
			if err != nil {
				return err
			}
			if _, err := o.Commit(ctx, set.New(itemSet{ID: "other", Text: fmt.Sprint(n)})); err != nil {
				return err
			}
			return o.Close()
		}},
	}
}

// together calls everything at once, over and over, until what during does is over. patience is how long the leader may take.
func together(t *testing.T, c *client, s *livestore.Store, patience time.Duration, during func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for i, f := range calls(t, c, s) {
		running.Go(func() {
			r := rand.New(rand.NewPCG(5, uint64(i)))
			most := f.most
			if f.asks {
				most += patience
			}
			for n := 0; sleep(ctx, time.Duration(r.Int64N(int64(30*time.Second)))) == nil; n++ {
				start := time.Now()
				if err := f.do(ctx, n); err != nil && ctx.Err() == nil {
					t.Errorf("%s: %v", f.what, err)
				}
				if d := time.Since(start); d > most {
					t.Errorf("%s took %v", f.what, d)
				}
			}
		})
	}
	during()
	cancel()
	running.Wait()
	if err := s.ResumeSync(t.Context()); err != nil {
		t.Error(err)
	}
}

// For an hour of the bubble's clock everything is called at once, over and over, while the network is one or the other kind of bad.
//
// Time goes on in a bubble only while every goroutine waits for a channel, a timer or a condition. One that waits for a mutex does not count
// as waiting. So if any driver waited under a lock that one of these calls wants, for a timer, for the leader or for the network, time would
// stand still, and what the driver waits for would never come: the test would run into its limit of real time, see guard. And if such a
// wait came to an end without the help of time, the call would still have taken longer than the nothing that it may.
func TestNoLockIsHeldAcrossAWait(t *testing.T) {
	for what, q := range map[string]quality{"black": black, "stuck": stuck, "refused": refusing, "good": good} {
		for _, files := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s,files=%t", what, files), func(t *testing.T) {
				in(t, "memstore", nil, func(t *testing.T, b *bed) {
					c := b.client("x", files)
					s := c.session()
					confirm(t, commit(t, s, add("first")))
					until(t, s, minutes, "synced", synced)
					c.line.slow(10 * time.Millisecond)
					together(t, c, s, 0, func() {
						pass(time.Minute)
						c.line.set(q)
						if q == refusing {
							c.line.cut()
						}
						pass(time.Hour)
						c.line.set(good)
					})
					b.converge(t, minutes, s)
					if err := s.Close(); err != nil {
						t.Error(err)
					}
					noneLeft(t, c)
				})
			})
		}
	}
}

// The same with a leader that takes two seconds for some commits: what does not ask it does not wait for it.
func TestNoLockIsHeldWhileTheLeaderWorks(t *testing.T) {
	for _, files := range []bool{false, true} {
		t.Run(fmt.Sprintf("files=%t", files), func(t *testing.T) {
			in(t, "memstore", nil, func(t *testing.T, b *bed) {
				c := b.client("x", files)
				var slow atomic.Bool
				c.schema = newSchema(func() {
					if slow.Load() && byLeader() {
						pass(2 * time.Second)
					}
				})
				s := c.session()
				confirm(t, commit(t, s, add("first")))
				until(t, s, minutes, "synced", synced)
				slow.Store(true)
				together(t, c, s, 20*time.Second, func() {
					for n := range 300 {
						start := time.Now()
						commit(t, s, add(fmt.Sprint("slow", n)))
						if d := time.Since(start); d > 0 {
							t.Errorf("Commit took %v", d)
						}
						pass(5 * time.Second)
					}
				})
				b.converge(t, minutes, s)
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				noneLeft(t, c)
			})
		})
	}
}

// byLeader says whether it is the leader that applies an event.
func byLeader() bool {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	for {
		f, more := frames.Next()
		if strings.Contains(f.Function, "/internal/leader.") {
			return true
		}
		if !more {
			return false
		}
	}
}
