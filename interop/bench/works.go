package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/livestore-go/livestore/interop/official"
	"github.com/livestore-go/livestore/interop/relay"
	"github.com/livestore-go/livestore/interop/todomvc"
)

// store names a new store.
func store(work string, n int) string { return fmt.Sprintf("bench-%s-%d-%d", work, os.Getpid(), n) }

// at asks a client something that answers with a time: when it was so.
func at(ctx context.Context, c *official.Client, what string, args map[string]any) (us int64, err error) {
	args["timeout"] = (3 * time.Minute).Milliseconds()
	err = c.Do(ctx, what, args, &us)
	return us, err
}

// both waits for two times, and returns the later one.
func both(a, b func() (int64, error)) (int64, error) {
	var times [2]int64
	var errs [2]error
	var wg sync.WaitGroup
	wg.Go(func() { times[0], errs[0] = a() })
	wg.Go(func() { times[1], errs[1] = b() })
	wg.Wait()
	if errs[0] != nil {
		return 0, errs[0]
	}
	return max(times[0], times[1]), errs[1]
}

// commits has one client without a backend commit 10,000 events one by one.
func commits(ctx context.Context, s *side, n int) (figure, error) {
	const thousand = 1000
	c, err := s.open(ctx, todomvc.Options{StoreID: store("commit", n), ClientID: "client"})
	if err != nil {
		return nil, err
	}
	defer c.Kill()
	var rates [10]float64
	var all float64
	for i := range rates {
		var took struct{ At, Done int64 }
		if err := c.Do(ctx, "write", map[string]any{"prefix": fmt.Sprint(i, "-"), "n": thousand, "batch": 1}, &took); err != nil {
			return nil, err
		}
		all += seconds(took.Done - took.At)
		rates[i] = thousand / seconds(took.Done-took.At)
	}
	return figure{10 * thousand / all, rates[0], rates[9]}, nil
}

// bulk has one client commit 5,000 events, 100 at a time, until the other has them.
func bulk(ctx context.Context, s *side, n int) (figure, error) {
	const events = 5000
	a, b, end, err := s.pair(ctx, store("bulk", n), "")
	if err != nil {
		return nil, err
	}
	defer end()
	var wrote struct{ At int64 }
	var werr error
	var wg sync.WaitGroup
	wg.Go(func() { werr = a.Do(ctx, "write", map[string]any{"prefix": "e", "n": events, "batch": 100}, &wrote) })
	arrived, err := at(ctx, b, "rowsReach", map[string]any{"count": events})
	wg.Wait()
	if werr != nil {
		return nil, werr
	}
	return figure{events / seconds(arrived-wrote.At)}, err
}

func seconds(us int64) float64 { return float64(us) / 1e6 }

// latency has one client commit one event after the other, and measures until a subscription of the other shows it.
func latency(ctx context.Context, s *side, n int) (figure, error) {
	const warm, events = 10, 100
	a, b, end, err := s.pair(ctx, store("latency", n), "")
	if err != nil {
		return nil, err
	}
	defer end()
	if err := b.Do(ctx, "watch", nil, nil); err != nil {
		return nil, err
	}
	times := make([]float64, 0, events)
	for k := 1; k <= warm+events; k++ {
		var committed struct{ At int64 }
		e := map[string]any{"events": []todomvc.Event{todomvc.Create(fmt.Sprint("l", k), "x")}}
		if err := a.Do(ctx, "commit", e, &committed); err != nil {
			return nil, err
		}
		seen, err := at(ctx, b, "sighting", map[string]any{"n": k})
		if err != nil {
			return nil, err
		}
		if k > warm {
			times = append(times, float64(seen-committed.At)/1e3)
		}
		time.Sleep(15 * time.Millisecond) // the next one finds both at rest
	}
	slices.Sort(times)
	return figure{times[len(times)/2], times[len(times)*99/100]}, nil
}

// rebase has one client with 500 pending events come back to a backend that got 500 others meanwhile, and measures from when it is
// connected until all is confirmed and both clients have everything.
func rebase(ctx context.Context, s *side, n int) (figure, error) {
	const events = 500
	r, err := relay.New(s.backend)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	a, b, end, err := s.pair(ctx, store("rebase", n), r.URL())
	if err != nil {
		return nil, err
	}
	defer end()
	r.Down()
	write := func(c *official.Client, prefix string) error {
		return c.Do(ctx, "write", map[string]any{"prefix": prefix, "n": events, "batch": 100}, nil)
	}
	if err := write(a, "a"); err != nil {
		return nil, err
	}
	if _, err := at(ctx, a, "handedOver", map[string]any{}); err != nil {
		return nil, err
	}
	if err := write(b, "b"); err != nil {
		return nil, err
	}
	if _, err := at(ctx, b, "synced", map[string]any{"head": events}); err != nil {
		return nil, err
	}
	r.Up()
	done, err := both(
		func() (int64, error) { return at(ctx, a, "synced", map[string]any{"head": 2 * events}) },
		func() (int64, error) { return at(ctx, b, "rowsReach", map[string]any{"count": 2 * events}) },
	)
	if err != nil {
		return nil, err
	}
	_, accepted := r.Accepted()
	began := now() - time.Since(accepted).Microseconds()
	return figure{float64(done-began) / 1e3}, nil
}
