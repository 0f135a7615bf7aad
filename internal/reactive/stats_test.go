package reactive

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// statsOf returns the statistics of a definition, none when the graph does not hold it.
func statsOf(g *Graph, label string) (found Stats) {
	for _, s := range g.Stats() {
		if s.Label == label {
			found = s
		}
	}
	return found
}

// Time is counted where it was spent, and the first of several causes is why.
func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(0)
		inner := w.def("inner", func(t *Tracker) (int, error) {
			time.Sleep(3 * time.Second)
			t.Note("noted", w.src["x"])
			return w.source(t, "x") / 10, nil
		})
		inner.Kind = "query"
		outer := w.def("outer", func(t *Tracker) (int, error) {
			time.Sleep(time.Second)
			return use(t, inner) + w.source(t, "y") + w.source(t, "z"), nil
		})
		watcher := w.Watch(outer, func() {})
		expect := func(want ...Stats) {
			t.Helper()
			for _, want := range want {
				if d := cmp.Diff(want, statsOf(w.Graph, want.Label)); d != "" {
					t.Errorf("%s (-want +got):\n%s", want.Label, d)
				}
			}
		}
		expect(Stats{Label: "outer", Watchers: 1, Count: -1})

		w.read(t, outer, 0)
		expect(Stats{
			Label: "inner", Kind: "query", Users: 1, Runs: 1, Time: 3 * time.Second, Last: 3 * time.Second,
			Text: "noted", Why: First,
		}, Stats{Label: "outer", Watchers: 1, Runs: 1, Time: time.Second, Last: time.Second, Count: -1, Why: First})

		w.set("x", 1) // and the result is equal: the outer one does not run
		w.read(t, outer, 0)
		expect(Stats{
			Label: "inner", Kind: "query", Users: 1, Runs: 2, Time: 6 * time.Second, Last: 3 * time.Second,
			Text: "noted", Count: 1, Why: "x",
		}, Stats{Label: "outer", Watchers: 1, Runs: 1, Time: time.Second, Last: time.Second, Count: -1, Why: First})

		w.set("x", 20)
		w.read(t, outer, 2)
		if why := statsOf(w.Graph, "outer").Why; why != inner {
			t.Errorf("outer ran because of %v, not of inner", why)
		}
		w.set("z", 1)
		w.set("y", 1)
		w.InvalidateAll()
		w.read(t, outer, 4)
		if why := statsOf(w.Graph, "outer").Why; why != "z" {
			t.Errorf("outer ran because of %v, not of z", why)
		}
		if why := statsOf(w.Graph, "inner").Why; why != All {
			t.Errorf("inner ran because of %v, not of everything", why)
		}
		watcher.Stop()
		expect(Stats{Label: "outer", Runs: 3, Time: 3 * time.Second, Last: time.Second, Count: -1, Why: "z"})
	})
}

func TestStatsOfACycle(t *testing.T) {
	w := newWorld(0)
	var a, b *Def
	a = w.def("a", func(t *Tracker) (int, error) { _, err := t.Use(b); return 0, err })
	b = w.def("b", func(t *Tracker) (int, error) { _, err := t.Use(a); return 0, err })
	for range 2 {
		if _, err := w.Read(nil, a); err == nil {
			t.Fatal("a cycle is no error")
		}
	}
	if s := statsOf(w.Graph, "a"); s.Runs != 2 || s.Why != Again {
		t.Errorf("%+v", s)
	}
}
