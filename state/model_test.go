package state_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/livestore-go/livestore/state"
)

type point struct {
	ID int    `db:"id,primarykey"`
	X  int    `db:"x"`
	Y  *int   `db:"y"`
	S  string `db:"s"`
}

var points = state.NewTable[point]("points", state.Index("x", "y"))

// truth is what a condition is for one row: SQL has three values.
type truth int

const (
	no truth = iota
	unknown
	yes
)

func (t truth) not() truth { return yes - t }

// test pairs a condition with what it means in Go.
type test struct {
	cond state.Condition
	is   func(point) truth
	text string
}

func of(b bool) truth {
	if b {
		return yes
	}
	return no
}

// nullable says what comparing a column that may be NULL gives.
func nullable(y *int, is func(int) bool) truth {
	if y == nil {
		return unknown
	}
	return of(is(*y))
}

// leaf draws one comparison.
func leaf(t *rapid.T) test {
	r := points.Row
	v := rapid.IntRange(-2, 2).Draw(t, "value")
	vs := rapid.SliceOfN(rapid.IntRange(-2, 2), 0, 3).Draw(t, "values")
	ps := make([]*int, 0, len(vs)+1)
	hasNil := rapid.Bool().Draw(t, "nil among the values")
	for i := range vs {
		ps = append(ps, &vs[i])
	}
	if hasNil {
		ps = append(ps, nil)
	}
	in := func(y *int) truth {
		switch {
		case y == nil && hasNil:
			return yes
		case len(ps) == 0:
			return no
		default:
			return nullable(y, func(y int) bool { return slices.Contains(vs, y) })
		}
	}
	leaves := []test{
		{state.Eq(&r.X, v), func(p point) truth { return of(p.X == v) }, fmt.Sprint("x=", v)},
		{state.Ne(&r.X, v), func(p point) truth { return of(p.X != v) }, fmt.Sprint("x≠", v)},
		{state.Lt(&r.X, v), func(p point) truth { return of(p.X < v) }, fmt.Sprint("x<", v)},
		{state.Le(&r.Y, &v), func(p point) truth { return nullable(p.Y, func(y int) bool { return y <= v }) }, fmt.Sprint("y≤", v)},
		{state.Gt(&r.Y, &v), func(p point) truth { return nullable(p.Y, func(y int) bool { return y > v }) }, fmt.Sprint("y>", v)},
		{state.Ge(&r.X, v), func(p point) truth { return of(p.X >= v) }, fmt.Sprint("x≥", v)},
		{state.Eq(&r.Y, &v), func(p point) truth { return nullable(p.Y, func(y int) bool { return y == v }) }, fmt.Sprint("y=", v)},
		{state.Eq(&r.Y, nil), func(p point) truth { return of(p.Y == nil) }, "y=nil"},
		{state.Ne(&r.Y, nil), func(p point) truth { return of(p.Y != nil) }, "y≠nil"},
		{state.IsNull(&r.Y), func(p point) truth { return of(p.Y == nil) }, "y is null"},
		{state.NotNull(&r.X), func(point) truth { return yes }, "x is not null"},
		{state.In(&r.X, vs...), func(p point) truth { return of(slices.Contains(vs, p.X)) }, fmt.Sprint("x in ", vs)},
		{state.NotIn(&r.X, vs...), func(p point) truth { return of(!slices.Contains(vs, p.X)) }, fmt.Sprint("x not in ", vs)},
		{state.In(&r.Y, ps...), func(p point) truth { return in(p.Y) }, fmt.Sprint("y in ", vs, hasNil)},
		{state.NotIn(&r.Y, ps...), func(p point) truth { return in(p.Y).not() }, fmt.Sprint("y not in ", vs, hasNil)},
	}
	return leaves[rapid.IntRange(0, len(leaves)-1).Draw(t, "comparison")]
}

// tree draws a condition of some depth.
func tree(t *rapid.T, depth int) test {
	kind := rapid.IntRange(0, 5).Draw(t, "kind")
	if depth == 0 || kind < 2 {
		return leaf(t)
	}
	if kind == 2 {
		in := tree(t, depth-1)
		return test{state.Not(in.cond), func(p point) truth { return in.is(p).not() }, "not(" + in.text + ")"}
	}
	var conds []state.Condition
	var tests []test
	text := ""
	for range rapid.IntRange(0, 3).Draw(t, "conditions") {
		in := tree(t, depth-1)
		conds, tests, text = append(conds, in.cond), append(tests, in), text+in.text+", "
	}
	if kind == 3 {
		return test{state.And(conds...), func(p point) truth {
			all := yes
			for _, in := range tests {
				all = min(all, in.is(p))
			}
			return all
		}, "and(" + text + ")"}
	}
	return test{state.Or(conds...), func(p point) truth {
		one := no
		for _, in := range tests {
			one = max(one, in.is(p))
		}
		return one
	}, "or(" + text + ")"}
}

// Whatever a condition is made of, SQLite finds the rows Go finds.
func TestConditionsMeanWhatTheySay(t *testing.T) {
	e := open(t, points)
	var all []point
	for x := -2; x <= 2; x++ {
		all = append(all, point{ID: len(all), X: x})
		for y := -2; y <= 2; y++ {
			all = append(all, point{len(all), x, new(y), ""})
		}
	}
	e.do(points.InsertMany(all))
	rapid.Check(t, func(t *rapid.T) {
		c := tree(t, 3)
		var want []int
		for _, p := range all {
			if c.is(p) == yes {
				want = append(want, p.ID)
			}
		}
		q := points.Where(c.cond).OrderBy(state.Asc(&points.Row.ID))
		if got := get(e, state.Pluck(q, &points.Row.ID)); !slices.Equal(got, want) {
			s, _ := q.Statement("")
			t.Fatalf("%s\n%s %v\nfound %v, want %v", c.text, s.SQL, s.Args, got, want)
		}
		if n := get(e, q.Count()); n != len(want) {
			t.Fatalf("counted %d, want %d", n, len(want))
		}
	})
}

// Whatever writes are run, the table holds what a map would.
func TestWritesDoWhatTheySay(t *testing.T) {
	r := points.Row
	e := open(t, points)
	rapid.Check(t, func(t *rapid.T) {
		e.do(points.Delete())
		model := map[int]point{}
		small := rapid.IntRange(0, 5)
		for range rapid.IntRange(1, 20).Draw(t, "writes") {
			p := point{ID: small.Draw(t, "id"), X: small.Draw(t, "x"), S: rapid.String().Draw(t, "s")}
			if rapid.Bool().Draw(t, "y is there") {
				p.Y = new(small.Draw(t, "y"))
			}
			old, there := model[p.ID]
			switch rapid.IntRange(0, 5).Draw(t, "write") {
			case 0:
				e.do(points.Upsert(p))
				model[p.ID] = p
			case 1:
				e.do(points.Insert(p).OnConflict(&r.ID).DoNothing())
				if !there {
					model[p.ID] = p
				}
			case 2:
				e.do(points.Insert(p).OnConflict(&r.ID).Update(state.SetSQL(&r.X, "x + excluded.x"), state.Excluded(&r.S)))
				if there {
					old.X, old.S = old.X+p.X, p.S
					p = old
				}
				model[p.ID] = p
			case 3:
				e.do(points.Update(state.Set(&r.Y, p.Y), state.Set(&r.S, p.S)).Where(state.Le(&r.X, p.X)))
				for id, m := range model {
					if m.X <= p.X {
						m.Y, m.S = p.Y, p.S
						model[id] = m
					}
				}
			case 4:
				e.do(points.Delete().Where(state.Eq(&r.Y, p.Y)))
				maps.DeleteFunc(model, func(_ int, m point) bool { return (m.Y == nil) == (p.Y == nil) && (m.Y == nil || *m.Y == *p.Y) })
			case 5:
				rows, err := state.Read(e.tx(), points.Delete().Where(state.Eq(&r.ID, p.ID)).Returning())
				if err != nil || len(rows) == 1 != there || there && !cmp.Equal(rows[0], old) {
					t.Fatalf("deleted %v, %v, want %v", rows, err, old)
				}
				delete(model, p.ID)
			}
		}
		want := slices.SortedFunc(maps.Values(model), func(a, b point) int { return a.ID - b.ID })
		if got := get(e, points.OrderBy(state.Asc(&r.ID))); !cmp.Equal(got, append([]point{}, want...)) {
			t.Fatal(cmp.Diff(want, got))
		}
	})
}

// Whatever is set and patched, a document holds what a struct would.
func TestDocumentsDoWhatTheySay(t *testing.T) {
	r := settings.Row
	e := open(t, settings)
	rapid.Check(t, func(t *rapid.T) {
		e.do(state.Exec("DELETE FROM settings"))
		model := map[string]Settings{"a": standard(), "b": standard()}
		for range rapid.IntRange(1, 12).Draw(t, "changes") {
			id := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "id")
			v := model[id]
			var sets []state.Assignment
			some := func(label string, assign state.Assignment, set func()) {
				if rapid.Bool().Draw(t, label) {
					sets = append(sets, assign)
					set()
				}
			}
			text := rapid.SampledFrom([]string{"", "x", "\u2028\"\\"}).Draw(t, "text")
			n := rapid.IntRange(0, 2).Draw(t, "number")
			tags := make([]string, n)
			some("theme", state.Set(&r.Theme, text), func() { v.Theme = text })
			some("draft", state.Set(&r.Draft, text), func() { v.Draft = text })
			some("filter", state.Set(&r.Filter, text), func() { v.Filter = text })
			some("panel", state.Set(&r.Panel, Panel{n, n == 1}), func() { v.Panel = Panel{n, n == 1} })
			some("tags", state.Set(&r.Tags, tags), func() { v.Tags = tags })
			some("sizes", state.Set(&r.Sizes, map[string]int{text: n}), func() { v.Sizes = map[string]int{text: n} })
			some("big", state.Set(&r.Big, int64(n)<<60), func() { v.Big = int64(n) << 60 })
			some("at", state.Set(&r.At, nil), func() { v.At = nil })
			if rapid.IntRange(0, 3).Draw(t, "set or patch") == 0 {
				e.commit(settings.Set(id, v))
			} else {
				e.commit(settings.Patch(id, sets...))
			}
			model[id] = v
		}
		for id, want := range model {
			if diff := cmp.Diff(want, get(e, settings.Get(id)), cmp.AllowUnexported(Settings{})); diff != "" {
				t.Fatalf("%s: %s", id, diff)
			}
		}
	})
}
