package leader_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/livestore-go/livestore/internal/link"
)

// What a leader keeps for sessions that are behind is bounded, in publishes, in events and in bytes: one that is further behind is told that
// it has lost the thread.
func TestFeedIsBounded(t *testing.T) {
	for what, c := range map[string]struct {
		commits, events, size int    // how many, of how many events, of how many bytes each
		keeps                 uint64 // publishes at most
	}{
		"many small commits": {commits: 3000, events: 1, size: 1, keeps: 1024},
		"large events":       {commits: 60, events: 1, size: 1 << 20, keeps: 32},
		"many events":        {commits: 250, events: 100, size: 1, keeps: 200},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, schema, nil)
			filler := strings.Repeat("x", c.size)
			for n := range c.commits {
				args := make([]string, c.events)
				for i := range args {
					args[i] = fmt.Sprint(n, "-", i, filler)
				}
				w.commit("a", args...)
			}
			last := uint64(c.commits)
			if r := w.m.Published(link.PullRequest{Epoch: "id", Cursor: last}); r.Lost || len(r.Published) > 0 {
				t.Fatalf("after %d commits, each of which is a publish, there is %+v", last, r)
			}
			if r := w.m.Published(link.PullRequest{Epoch: "id", Cursor: last - c.keeps - 1}); !r.Lost {
				t.Errorf("it keeps more than %d publishes", c.keeps)
			}
			if r := w.m.Published(link.PullRequest{Epoch: "id", Cursor: last - c.keeps*9/10}); r.Lost {
				t.Errorf("it keeps less than %d publishes, a tenth less", c.keeps)
			}
		})
	}
}
