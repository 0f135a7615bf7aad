package reactive

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// rule is what a random node computes: the sum of what it reads, modulo mod, after choosing by the first source what to read.
type rule struct {
	pick         int   // source that decides between odd and even
	even, odd    []int // nodes used
	sources      []int // sources read in any case
	mod          int
	fails, bombs int // values of the sum at which it fails, or panics; -1 for never
}

// errCycle and errBomb are how the oracle says what the graph says in its own way.
var (
	errCycle = errors.New("cycle")
	errBomb  = errors.New("bomb")
)

// oracle computes everything anew each time.
type oracle struct {
	src   []int
	rules []rule
}

func (o *oracle) eval(i int, path []int) (int, error) {
	if slices.Contains(path, i) {
		return 0, errCycle
	}
	path = append(slices.Clip(path), i)
	r := o.rules[i]
	used := r.even
	if o.src[r.pick]%2 != 0 {
		used = r.odd
	}
	sum := i
	for _, u := range used {
		v, err := o.eval(u, path)
		if err != nil {
			return 0, err
		}
		sum += v
	}
	for _, s := range r.sources {
		sum += o.src[s]
	}
	return r.finish(sum)
}

func (r rule) finish(sum int) (int, error) {
	switch sum %= r.mod; sum {
	case r.bombs:
		return 0, errBomb
	case r.fails:
		return 0, fmt.Errorf("fails at %d", sum)
	default:
		return sum, nil
	}
}

// TestAgainstRecomputingEverything runs random graphs: dynamic dependencies, errors, panics, cycles in some, eviction.
func TestAgainstRecomputingEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const sources = 4
		nodes := rapid.IntRange(1, 9).Draw(t, "nodes")
		cycles := rapid.Bool().Draw(t, "cycles")
		o := &oracle{src: make([]int, sources)}
		for i := range nodes {
			from := rapid.IntRange(0, max(i-1, 0))
			if cycles {
				from = rapid.IntRange(0, nodes-1)
			}
			limit := 3
			if i == 0 && !cycles {
				limit = 0
			}
			r := rule{
				pick: rapid.IntRange(0, sources-1).Draw(t, "pick"),
				even: rapid.SliceOfN(from, 0, limit).Draw(t, "even"), odd: rapid.SliceOfN(from, 0, limit).Draw(t, "odd"),
				sources: rapid.SliceOfN(rapid.IntRange(0, sources-1), 0, 2).Draw(t, "sources"),
				mod:     rapid.IntRange(2, 7).Draw(t, "mod"), fails: -1, bombs: -1,
			}
			if rapid.Bool().Draw(t, "may fail") {
				r.fails = rapid.IntRange(0, 6).Draw(t, "fails")
			}
			if rapid.IntRange(0, 3).Draw(t, "may panic") == 0 {
				r.bombs = rapid.IntRange(0, 6).Draw(t, "bombs")
			}
			o.rules = append(o.rules, r)
		}

		idle := rapid.SampledFrom([]int{1, 2, 100}).Draw(t, "idle")
		w := &world{Graph: New(idle)}
		defs := make([]*Def, nodes)
		computed := make([]int, nodes) // in the current operation
		for i, r := range o.rules {
			defs[i] = &Def{
				Label: fmt.Sprint(i),
				Equal: func(a, b any) bool { return a == b },
				Once:  rapid.IntRange(0, 4).Draw(t, "once") == 0,
				Compute: func(tr *Tracker) (any, error) {
					computed[i]++
					tr.Depend(r.pick)
					used := r.even
					if o.src[r.pick]%2 != 0 {
						used = r.odd
					}
					sum := i
					for _, u := range used {
						v, err := tr.Use(defs[u])
						if err != nil {
							return 0, err
						}
						sum += v.(int)
					}
					for _, s := range r.sources {
						tr.Depend(s)
						sum += o.src[s]
					}
					v, err := r.finish(sum)
					if err == errBomb {
						panic(errBomb)
					}
					return v, err
				},
			}
		}

		type watching struct {
			*Watcher
			of     int
			woken  bool
			primed bool // read without a panic at least once
			last   string
		}
		var watchers []*watching

		said := func(v any, err error) string {
			if _, ok := errors.AsType[*CycleError](err); ok || err == errCycle {
				return "cycle"
			}
			if err != nil {
				return err.Error()
			}
			return fmt.Sprint(v)
		}
		guard := func(f func() string) (s string) {
			defer func() {
				if r := recover(); r != nil {
					if r != errBomb {
						panic(r)
					}
					s = "bomb"
				}
			}()
			return f()
		}
		want := func(i int) string { return said(o.eval(i, nil)) }
		none := func(when string) {
			for i, n := range computed {
				if n != 0 {
					t.Fatalf("%s computed node %d", when, i)
				}
			}
		}
		read := func(i int, f func() string) {
			clear(computed)
			got, exp := guard(f), want(i)
			if got != exp {
				t.Fatalf("node %d is %s, want %s", i, got, exp)
			}
			if exp == "cycle" || exp == "bomb" || cycles || idle < 100 {
				return
			}
			for i, n := range computed {
				if n > 1 && !defs[i].Once {
					t.Fatalf("one read computed node %d %d times", i, n)
				}
			}
			clear(computed)
			if guard(f); !defs[i].Once {
				none("a second read")
			}
		}

		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				s := rapid.IntRange(0, sources-1).Draw(t, "source")
				o.src[s] = rapid.IntRange(0, 3).Draw(t, "value")
				clear(computed)
				w.Invalidate(s)
				none("an invalidation")
			},
			"set two at once": func(t *rapid.T) {
				o.src[0], o.src[1] = rapid.IntRange(0, 3).Draw(t, "value"), rapid.IntRange(0, 3).Draw(t, "value")
				w.Invalidate(0)
				w.Invalidate(1)
			},
			"invalidate all": func(t *rapid.T) { w.InvalidateAll() },
			"read": func(t *rapid.T) {
				i := rapid.IntRange(0, nodes-1).Draw(t, "node")
				read(i, func() string { return said(w.Read(nil, defs[i])) })
			},
			"watch": func(t *rapid.T) {
				ws := &watching{of: rapid.IntRange(0, nodes-1).Draw(t, "node")}
				clear(computed)
				ws.Watcher = w.Watch(defs[ws.of], func() { ws.woken = true })
				none("watching")
				watchers = append(watchers, ws)
			},
			"watcher reads": func(t *rapid.T) {
				if len(watchers) == 0 {
					t.Skip("nobody watches")
				}
				ws := rapid.SampledFrom(watchers).Draw(t, "watcher")
				ws.woken = false
				first := true
				read(ws.of, func() string {
					v, changed, err := ws.Watcher.Read(nil)
					now := said(v, err)
					if news := first && (!ws.primed || now != ws.last); changed != news {
						t.Fatalf("node %d: %q after %q, changed %v", ws.of, now, ws.last, changed)
					}
					ws.last, ws.primed, first = now, true, false
					return now
				})
			},
			"stop": func(t *rapid.T) {
				if len(watchers) == 0 {
					t.Skip("nobody watches")
				}
				i := rapid.IntRange(0, len(watchers)-1).Draw(t, "watcher")
				watchers[i].Stop()
				watchers = append(watchers[:i], watchers[i+1:]...)
			},
			"": func(t *rapid.T) {
				w.check(t)
				for _, ws := range watchers {
					if now := want(ws.of); ws.primed && !ws.woken && now != ws.last && now != "bomb" {
						t.Fatalf("node %d went from %s to %s and its watcher was not woken", ws.of, ws.last, now)
					}
				}
			},
		})
		for _, ws := range watchers {
			ws.Stop()
		}
		w.check(t)
	})
}
