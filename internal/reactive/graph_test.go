package reactive

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// world is a graph over integer sources, with a log of what was computed.
type world struct {
	*Graph
	src map[string]int
	log []string
}

func newWorld(idle int) *world { return &world{Graph: New(idle), src: map[string]int{}} }

func (w *world) set(key string, v int) {
	w.src[key] = v
	w.Invalidate(key)
}

// def defines a node that logs its label when it is computed.
func (w *world) def(label string, f func(t *Tracker) (int, error)) *Def {
	return &Def{
		Label:   label,
		Compute: func(t *Tracker) (any, error) { w.log = append(w.log, label); v, err := f(t); return v, err },
		Equal:   func(a, b any) bool { return a == b },
	}
}

func (w *world) source(t *Tracker, key string) int {
	t.Depend(key)
	return w.src[key]
}

func use(t *Tracker, d *Def) int {
	v, err := t.Use(d)
	if err != nil {
		panic(err)
	}
	return v.(int)
}

// computed checks what was computed since the last call.
func (w *world) computed(t *testing.T, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, w.log); d != "" {
		t.Errorf("computed (-want +got):\n%s", d)
	}
	w.log = nil
}

func (w *world) read(t *testing.T, d *Def, want int) {
	t.Helper()
	if v, err := w.Read(nil, d); v != want || err != nil {
		t.Errorf("%s = %v, %v; want %d", d.Label, v, err, want)
	}
}

func TestReadComputesOnceUntilASourceChanges(t *testing.T) {
	w := newWorld(0)
	a := w.def("a", func(t *Tracker) (int, error) { return w.source(t, "x") + 1, nil })
	w.read(t, a, 1)
	w.read(t, a, 1)
	w.computed(t, "a")
	w.set("x", 5)
	w.set("y", 5)
	w.computed(t)
	w.read(t, a, 6)
	w.computed(t, "a")
}

func TestDiamondIsComputedOnceAndSeesOneMoment(t *testing.T) {
	w := newWorld(0)
	a := w.def("a", func(t *Tracker) (int, error) { return w.source(t, "x"), nil })
	l := w.def("l", func(t *Tracker) (int, error) { return use(t, a) * 2, nil })
	r := w.def("r", func(t *Tracker) (int, error) { return use(t, a) * 3, nil })
	top := w.def("top", func(t *Tracker) (int, error) {
		l, r := use(t, l), use(t, r)
		if l*3 != r*2 {
			return 0, fmt.Errorf("torn: %d and %d", l, r)
		}
		return l + r, nil
	})
	w.read(t, top, 0)
	w.computed(t, "top", "l", "a", "r")
	w.set("x", 1)
	w.read(t, top, 5)
	w.computed(t, "a", "l", "top", "r")
}

func TestEqualResultStopsTheChange(t *testing.T) {
	w := newWorld(0)
	parity := w.def("parity", func(t *Tracker) (int, error) { return w.source(t, "x") % 2, nil })
	top := w.def("top", func(t *Tracker) (int, error) { return use(t, parity) * 10, nil })
	w.read(t, top, 0)
	w.computed(t, "top", "parity")
	w.set("x", 2)
	w.read(t, top, 0)
	w.computed(t, "parity")
	w.set("x", 3)
	w.read(t, top, 10)
	w.computed(t, "parity", "top")
}

func TestDependenciesFollowTheLastComputation(t *testing.T) {
	w := newWorld(0)
	a := w.def("a", func(t *Tracker) (int, error) { return w.source(t, "a"), nil })
	b := w.def("b", func(t *Tracker) (int, error) { return w.source(t, "b"), nil })
	top := w.def("top", func(t *Tracker) (int, error) {
		if w.source(t, "which") == 0 {
			return use(t, a), nil
		}
		return use(t, b), nil
	})
	w.read(t, top, 0)
	w.computed(t, "top", "a")
	w.set("b", 9)
	w.read(t, top, 0)
	w.computed(t)
	w.set("which", 1)
	w.read(t, top, 9)
	w.computed(t, "top", "b")
	w.set("a", 7) // no longer used
	w.read(t, top, 9)
	w.computed(t)
}

// A guard must protect what stands behind it also while the graph looks for changes: b may not be computed when a says no.
func TestNothingIsComputedThatIsNotNeeded(t *testing.T) {
	w := newWorld(0)
	a := w.def("a", func(t *Tracker) (int, error) { return w.source(t, "x"), nil })
	b := w.def("b", func(t *Tracker) (int, error) { return 100 / w.source(t, "x"), nil })
	top := w.def("top", func(t *Tracker) (int, error) {
		if use(t, a) == 0 {
			return -1, nil
		}
		return use(t, b), nil
	})
	w.set("x", 10)
	w.read(t, top, 10)
	w.set("x", 0)
	w.read(t, top, -1)
}

func TestErrorsAreResults(t *testing.T) {
	w := newWorld(0)
	a := w.def("a", func(t *Tracker) (int, error) {
		if x := w.source(t, "x"); x < 0 {
			return 0, fmt.Errorf("negative: %d", x)
		}
		return 0, nil
	})
	wakes := 0
	watch := w.Watch(a, func() { wakes++ })
	step := func(x int, changed bool, text string) {
		t.Helper()
		w.set("x", x)
		_, ch, err := watch.Read(nil)
		if ch != changed || fmt.Sprint(err) != text {
			t.Errorf("x = %d: changed %v, error %v; want %v, %s", x, ch, err, changed, text)
		}
	}
	step(0, true, "<nil>")
	step(-1, true, "negative: -1")
	step(-1, false, "negative: -1")
	step(-2, true, "negative: -2")
	step(1, true, "<nil>") // the same value as before the error, and yet news
	step(2, false, "<nil>")
	w.log = nil
	w.set("x", -5)
	for range 3 {
		if _, err := w.Read(nil, a); err == nil {
			t.Error("no error")
		}
	}
	w.computed(t, "a")
}

func TestWatcherIsToldOnceAnInvalidation(t *testing.T) {
	w := newWorld(0)
	a := w.def("a", func(t *Tracker) (int, error) { return w.source(t, "x"), nil })
	b := w.def("b", func(t *Tracker) (int, error) { return w.source(t, "x") + use(t, a), nil })
	wakes := 0
	watch := w.Watch(b, func() { wakes++ })
	expect := func(n int) {
		t.Helper()
		if wakes != n {
			t.Errorf("woken %d times, want %d", wakes, n)
		}
		wakes = 0
	}
	w.set("x", 1)
	expect(0) // nothing was read yet
	watch.Read(nil)
	w.set("x", 2)
	expect(1)
	w.set("x", 3)
	expect(0) // told already
	w.log = nil
	if v, changed, err := watch.Read(nil); v != 6 || !changed || err != nil {
		t.Errorf("read %v %v %v", v, changed, err)
	}
	w.computed(t, "b", "a")
	w.InvalidateAll()
	expect(1)
	if _, changed, _ := watch.Read(nil); changed {
		t.Error("changed though nothing did")
	}
	watch.Stop()
	watch.Stop()
	w.set("x", 4)
	expect(0)
}

func TestPanicLeavesTheGraphUsable(t *testing.T) {
	w := newWorld(0)
	a := w.def("a", func(t *Tracker) (int, error) {
		if w.source(t, "x") == 1 {
			panic("boom")
		}
		return w.src["x"], nil
	})
	top := w.def("top", func(t *Tracker) (int, error) { return w.source(t, "y") + use(t, a), nil })
	wakes := 0
	watch := w.Watch(top, func() { wakes++ })
	watch.Read(nil)
	w.set("x", 1)
	for range 2 {
		func() {
			defer func() {
				if r := recover(); r != "boom" {
					t.Errorf("recovered %v", r)
				}
			}()
			watch.Read(nil)
		}()
	}
	wakes = 0
	w.set("x", 2)
	if wakes != 1 {
		t.Errorf("woken %d times after the panic, want 1", wakes)
	}
	if v, changed, err := watch.Read(nil); v != 2 || !changed || err != nil {
		t.Errorf("read %v %v %v", v, changed, err)
	}
	w.check(t)
}

func TestCycleIsAnErrorWithLabels(t *testing.T) {
	w := newWorld(4)
	var a, b, c *Def
	used := func(t *Tracker, d *Def) (int, error) {
		v, err := t.Use(d)
		n, _ := v.(int)
		return n, err
	}
	a = w.def("a", func(t *Tracker) (int, error) {
		if w.source(t, "open") == 1 {
			return 7, nil
		}
		return used(t, b)
	})
	b = w.def("b", func(t *Tracker) (int, error) { return used(t, c) })
	c = w.def("c", func(t *Tracker) (int, error) { return used(t, a) })
	for _, d := range []*Def{a, b, c, a} {
		_, err := w.Read(nil, d)
		ce, ok := errors.AsType[*CycleError](err)
		if !ok || len(ce.Labels) != 4 || ce.Labels[0] != ce.Labels[3] {
			t.Errorf("reading %s: %v", d.Label, err)
		}
	}
	w.check(t)

	wakes := 0
	watch := w.Watch(c, func() { wakes++ }) // hears of what opens the cycle, though it never got past it
	watch.Read(nil)
	if _, changed, err := watch.Read(nil); changed || err == nil {
		t.Errorf("read again: changed %v, error %v", changed, err)
	}
	w.set("open", 1)
	if wakes == 0 {
		t.Error("not woken when the cycle opened")
	}
	if v, changed, err := watch.Read(nil); v != 7 || !changed || err != nil {
		t.Errorf("read %v %v %v", v, changed, err)
	}
	w.read(t, b, 7)
	watch.Stop()
	w.check(t)
}

func TestSelfCycle(t *testing.T) {
	w := newWorld(0)
	var a *Def
	a = w.def("a", func(t *Tracker) (int, error) { v, err := t.Use(a); n, _ := v.(int); return n, err })
	_, err := w.Read(nil, a)
	if want := "reactive: cycle: a → a: a computation must not need its own result"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestUnwatchedResultsAreBounded(t *testing.T) {
	w := newWorld(3)
	base := w.def("base", func(t *Tracker) (int, error) { return w.source(t, "x"), nil })
	defs := make([]*Def, 10)
	for i := range defs {
		defs[i] = w.def(fmt.Sprint(i), func(t *Tracker) (int, error) { return use(t, base) + i, nil })
		w.read(t, defs[i], i)
	}
	w.check(t)
	if w.Len() > 4 {
		t.Errorf("%d results kept, want 3 and the one they use", w.Len())
	}
	w.log = nil
	w.read(t, defs[9], 9)
	w.computed(t)
	w.read(t, defs[0], 0)
	w.computed(t, "0")
	w.read(t, defs[7], 7) // the eldest went
	w.computed(t, "7")
}

func TestOnceIsForgottenWithItsLastWatcher(t *testing.T) {
	w := newWorld(0)
	base := w.def("base", func(t *Tracker) (int, error) { return w.source(t, "x"), nil })
	d := w.def("d", func(t *Tracker) (int, error) { return use(t, base), nil })
	d.Once = true
	w1, w2 := w.Watch(d, func() {}), w.Watch(d, func() {})
	w1.Read(nil)
	w2.Read(nil)
	w1.Stop()
	if w.Len() != 2 {
		t.Errorf("%d results, want 2 while one watches", w.Len())
	}
	w2.Stop()
	if w.Len() != 1 {
		t.Errorf("%d results, want only the shared one", w.Len())
	}
	w.Read(nil, d)
	if w.Len() != 1 {
		t.Errorf("%d results after a read, want 1", w.Len())
	}
	w.check(t)
}

func TestManyDependenciesAreKeptOnce(t *testing.T) {
	w := newWorld(0)
	d := w.def("d", func(t *Tracker) (int, error) {
		sum := 0
		for range 3 {
			for i := range 100 {
				sum += w.source(t, fmt.Sprint(i))
			}
		}
		return sum, nil
	})
	w.read(t, d, 0)
	w.set("50", 1)
	w.read(t, d, 3)
	if n := len(w.nodes[d].deps); n != 100 {
		t.Errorf("%d edges, want 100", n)
	}
	w.check(t)
}

// check asserts what holds between any two calls.
func (w *world) check(t rapid.TB) {
	t.Helper()
	idle := map[*node]bool{}
	for n := w.idle.root.next; n != &w.idle.root; n = n.next {
		idle[n] = true
	}
	if len(idle) != w.idle.len || w.idle.len > w.idle.limit {
		t.Errorf("idle list has %d nodes and says %d, limit %d", len(idle), w.idle.len, w.idle.limit)
	}
	vertex := func(v *vertex, name any) (strong int) {
		for i, e := range v.out {
			if e.to != v || e.at != i || w.nodes[e.from.def] != e.from {
				t.Errorf("%v: edge %d to %s is wrong", name, i, e.from.def.Label)
			}
			if !e.weak {
				strong++
			}
		}
		return strong
	}
	for key, s := range w.sources {
		if vertex(s, key) == 0 {
			t.Errorf("source %v is kept for nobody", key)
		}
	}
	for d, n := range w.nodes {
		if users := vertex(&n.vertex, d.Label); users != n.users {
			t.Errorf("%s: %d users, says %d", d.Label, users, n.users)
		}
		for _, e := range n.deps {
			if e.from != n || e.at < 0 || e.to.out[e.at] != e {
				t.Errorf("%s: edge away is wrong", d.Label)
			}
			if e.to.node != nil && w.nodes[e.to.node.def] != e.to.node {
				t.Errorf("%s uses a forgotten node", d.Label)
			}
			if d := e.to.node; n.state == clean && d != nil && d.state != clean {
				t.Errorf("%s is clean, %s is not", n.def.Label, d.def.Label)
			}
		}
		if n.running || idle[n] != (n.users == 0 && len(n.watcher) == 0) {
			t.Errorf("%s: running %v, idle %v, users %d, watchers %d", d.Label, n.running, idle[n], n.users, len(n.watcher))
		}
	}
}
