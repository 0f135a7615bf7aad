package sim

import (
	"errors"
	"fmt"
	"strings"

	"github.com/livestore-go/livestore/internal/reactive"
	"github.com/livestore-go/livestore/internal/session"
	"github.com/livestore-go/livestore/internal/touch"
	"github.com/livestore-go/livestore/state"
)

// live is the graph of live queries of a session, driven as a store does it: each step marks what depends on the tables it has changed,
// and a watcher that was woken reads when it gets round to it.
type live struct {
	graph    *reactive.Graph
	watchers []*watcher
	all      bool // the next step puts another state in the place of the old one
	turn     int
}

// watcher is a loop over the results of a live query.
type watcher struct {
	query *liveQuery
	in    *reactive.Watcher
	woken bool // there may be another result than it has seen
	begun bool // it has seen one
	last  string
}

// liveQuery is something to watch, and how to ask for it without the graph.
type liveQuery struct {
	def   *reactive.Def
	fresh func(*sess) (string, error)
}

// newLive makes the live queries of a session.
func newLive(m *session.Machine) *live {
	l := &live{graph: reactive.New(0)}
	index := touch.New(func(r touch.Read) { l.graph.Invalidate(r) })
	l.graph.OnSource(func(key any, used bool) {
		if used {
			index.Add(key.(touch.Read))
		} else {
			index.Remove(key.(touch.Read))
		}
	})
	m.OnRow(index.Row)
	return l
}

// asks makes a live query of a read of whole tables, or of anything else that has no filter.
func asks(sql string) *liveQuery { return asksFor(state.Statement{SQL: sql}) }

// asksFor makes a live query of a read.
func asksFor(st state.Statement) *liveQuery {
	q := &liveQuery{fresh: func(s *sess) (string, error) { return s.rows(st) }}
	q.def = &reactive.Def{Label: "query", Equal: equal, Compute: func(t *reactive.Tracker) (any, error) { return askTracked(t, st) }}
	return q
}

// askTracked runs a read and notes what it depends on.
func askTracked(t *reactive.Tracker, st state.Statement) (string, error) {
	s := t.Env().(*sess)
	tables, err := s.m.Reads(st.SQL)
	if err != nil {
		return "", err
	}
	for _, r := range touch.Of(nil, &st, tables) {
		t.Depend(r)
	}
	return s.rows(st)
}

func equal(a, b any) bool { return a == b }

// rows are what a read gives, as text.
func (s *sess) rows(st state.Statement) (string, error) {
	var b strings.Builder
	err := s.m.Query(st, func(r state.Rows) error {
		dumpRows(&b, r)
		return r.Err()
	})
	return b.String(), err
}

var errNone = errors.New("there is none")

// What is watched: reads of one table and of several, and computations over them, of which one is an error at times, and one uses
// another read when the first one says so.
var (
	watchItems  = asks(`SELECT id, name, qty FROM items ORDER BY id`)
	watchTotals = asks(`SELECT items, qty, notes FROM totals`)
	watchNotes  = asks(`SELECT i.name, count(n.key) FROM items AS i LEFT JOIN notes AS n ON n.item = i.id GROUP BY i.id ORDER BY i.id`)
	watchPins   = asks(`SELECT item, text FROM pins ORDER BY item`)
	watchPrefs  = asks(`SELECT id, value FROM prefs ORDER BY id`)
	watchCount  = asks(`SELECT count(*) FROM parts`)
	watchExists = asks(`SELECT EXISTS (SELECT 1 FROM notes WHERE item = 'i1')`)
	watchFound  = asks(searchDump)
	watchLabels = asks(`SELECT l.label, i.name FROM labels AS l JOIN items AS i ON i.id = l.item ORDER BY l.label`)

	watchSum = computes(func(ask func(*liveQuery) (string, error)) (string, error) {
		items, err := ask(watchItems)
		totals, err2 := ask(watchTotals)
		return fmt.Sprintf("%d items: %s", strings.Count(items, "\n"), totals), errors.Join(err, err2)
	})
	watchFirst = computes(func(ask func(*liveQuery) (string, error)) (string, error) {
		items, err := ask(watchItems)
		if err == nil && items == "" {
			err = errNone
		}
		line, _, _ := strings.Cut(items, "\n")
		return line, err
	})
	watchOne = computes(func(ask func(*liveQuery) (string, error)) (string, error) {
		exists, err := ask(watchExists)
		if err != nil {
			return "", err
		}
		if strings.HasPrefix(exists, "1") {
			return ask(watchNotes)
		}
		sum, err := ask(watchSum)
		prefs, err2 := ask(watchPrefs)
		return sum + prefs, errors.Join(err, err2)
	})
)

// computes makes a live query of others.
func computes(f func(ask func(*liveQuery) (string, error)) (string, error)) *liveQuery {
	q := &liveQuery{}
	q.fresh = func(s *sess) (string, error) {
		return f(func(o *liveQuery) (string, error) { return o.fresh(s) })
	}
	q.def = &reactive.Def{Label: "computed", Equal: equal, Compute: func(t *reactive.Tracker) (any, error) {
		return f(func(o *liveQuery) (string, error) {
			v, err := t.Use(o.def)
			if err != nil {
				return "", err
			}
			return v.(string), nil
		})
	}}
	return q
}

// once makes a live query that nobody asks for again.
func once(st state.Statement) *liveQuery {
	q := asksFor(st)
	q.def.Once = true
	return q
}

var watchable = []*liveQuery{
	watchItems, watchTotals, watchNotes, watchPins, watchPrefs, watchCount, watchExists, watchSum, watchFirst, watchOne,
}

// anything draws something to watch.
func (w *world) anything() *liveQuery {
	n := w.rng.IntN(len(watchable) + 4)
	switch {
	case n < len(watchable):
		return watchable[n]
	case n == len(watchable) && hasSearch(w.schema):
		return watchFound
	case n == len(watchable)+1 && knowsLabels(w.schema):
		return watchLabels
	}
	return once(someItems(w.rng.IntN(6)))
}

// someItems reads one item, or those of which there are so many, as a query that says which rows it can see.
func someItems(i int) state.Statement {
	if i == 5 {
		return state.Statement{
			SQL: `SELECT id, qty FROM items WHERE qty BETWEEN ? AND ? ORDER BY id`, Args: []any{int64(2), int64(6)},
			Filter: &state.Filter{Table: "items", Range: []state.ColumnRange{{Column: "qty", Min: int64(2), Max: int64(6)}}},
		}
	}
	id := fmt.Sprintf("i%d", i)
	return state.Statement{SQL: `SELECT name, qty FROM items WHERE id = ?`, Args: []any{id}, Filter: &state.Filter{
		Table: "items", Equal: []state.ColumnIn{{Column: "id", Values: []any{id}}},
	}}
}

// result is what a live query says now, as text.
func result(v string, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	return v
}

func resultOf(v any, err error) string {
	text, _ := v.(string)
	return result(text, err)
}

// stepped marks what a step of a session has changed, and looks whether a watcher that was not woken has missed something.
func (w *world) stepped(s *sess) error {
	l := s.live
	if l == nil || s.gone {
		return nil
	}
	if l.all {
		l.all = false
		l.graph.InvalidateAll()
	}
	if len(l.watchers) == 0 {
		return nil
	}
	l.turn++
	return w.notMissed(s, l.watchers[l.turn%len(l.watchers)])
}

// notMissed checks that a watcher that was not woken has seen what is there.
func (w *world) notMissed(s *sess, x *watcher) error {
	if x.woken || !x.begun {
		return nil
	}
	w.count("check: a live query that was not marked")
	if now := result(x.query.fresh(s)); now != x.last {
		return failf("session %s: a watcher was not told that its result has changed (R11).\n%s", s.id, difference(x.last, now))
	}
	return nil
}

// seen lets a watcher read.
func (w *world) seen(s *sess, x *watcher) error {
	x.woken = false
	v, changed, err := x.in.Read(s)
	got, want := resultOf(v, err), result(x.query.fresh(s))
	switch {
	case got != want:
		return failf("session %s: a watcher sees a result that is not one of the state (R11).\n%s", s.id, difference(got, want))
	case changed && x.begun && got == x.last:
		return failf("session %s: a watcher is called, and the result is the one before: %s", s.id, got)
	case !changed && (!x.begun || got != x.last):
		return failf("session %s: a watcher is not called, and the result is another one.\n%s", s.id, difference(got, x.last))
	case changed:
		w.count("watch: result")
	default:
		w.count("watch: the same result")
	}
	x.begun, x.last = true, got
	return nil
}

// mostWatchers is how many there are of a session at a time.
const mostWatchers = 4

func (f *fleet) watch(p *peer) (bool, error) {
	s := p.pick()
	if s.live == nil || len(s.live.watchers) == mostWatchers {
		return false, nil
	}
	x := &watcher{query: p.anything(), woken: true}
	x.in = s.live.graph.Watch(x.query.def, func() { x.woken = true })
	s.live.watchers = append(s.live.watchers, x)
	return true, nil
}

func (f *fleet) watchRead(p *peer) (bool, error) {
	s := p.pick()
	if s.live == nil || len(s.live.watchers) == 0 {
		return false, nil
	}
	x := s.live.watchers[f.rng.IntN(len(s.live.watchers))]
	if !x.woken {
		return false, nil
	}
	return true, p.seen(s, x)
}

func (f *fleet) watchStop(p *peer) (bool, error) {
	s := p.pick()
	if s.live == nil || len(s.live.watchers) == 0 {
		return false, nil
	}
	i := f.rng.IntN(len(s.live.watchers))
	s.live.watchers[i].in.Stop()
	s.live.watchers = append(s.live.watchers[:i], s.live.watchers[i+1:]...)
	return true, nil
}

// get reads without watching: what the graph holds may be an older result that nobody has watched since.
func (f *fleet) get(p *peer) (bool, error) {
	s := p.pick()
	if s.live == nil {
		return false, nil
	}
	q := p.anything()
	got, want := resultOf(s.live.graph.Read(s, q.def)), result(q.fresh(s))
	f.count("check: a live query that is read")
	if got != want {
		return true, failf("session %s: a live query is read, and its result is not one of the state (R10).\n%s", s.id, difference(got, want))
	}
	return true, nil
}

// watched checks, when everything is delivered, that each watcher has seen the newest result in the end.
func (w *world) watched(s *sess) error {
	if s.live == nil {
		return nil
	}
	for _, x := range s.live.watchers {
		if err := w.notMissed(s, x); err != nil {
			return err
		}
		if x.woken {
			if err := w.seen(s, x); err != nil {
				return err
			}
		}
	}
	return nil
}

// unwatch ends all loops of a session.
func (s *sess) unwatch() error {
	l := s.live
	if l == nil {
		return nil
	}
	s.live = nil
	for _, x := range l.watchers {
		x.in.Stop()
	}
	if n := l.graph.Len(); n > len(watchable)+2 {
		return failf("session %s: nobody watches any more, and the graph holds %d results", s.id, n)
	}
	return nil
}
