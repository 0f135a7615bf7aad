package eventlog_test

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
	"github.com/livestore-go/livestore/internal/sqlite/crashvfs"
)

// model is what a log should hold.
type model struct {
	events []event.Client
	taken  map[string]uint64
	asides []eventlog.SetAside
	meta   eventlog.Meta
	next   uint64 // ordinal of the next commit
}

func (m *model) clone() *model {
	c := *m
	c.events, c.taken, c.asides = slices.Clone(m.events), maps.Clone(m.taken), slices.Clone(m.asides)
	return &c
}

func (m *model) head() event.SeqNum {
	if len(m.events) == 0 {
		return event.SeqNum{}
	}
	return m.events[len(m.events)-1].Num
}

// step does one random thing to the log, in its transaction, and to the model.
func (m *model) step(t *rapid.T, l *eventlog.Log) error {
	scopes := rapid.StringOfN(rapid.RuneFrom([]rune("sc")), 1, 20, -1)
	switch rapid.SampledFrom([]string{"commit", "commit", "pull", "rebase", "drop"}).Draw(t, "step") {
	case "commit":
		m.next++
		events := chain(m.head(), m.meta.Generation, m.next, scopes.Draw(t, "scopes"))
		m.events = append(m.events, events...)
		m.taken["j1"] = m.next
		return errors.Join(l.Append(events), l.SetTaken("j1", m.next))
	case "pull": // an event of the backend at the head, which confirms everything before
		events := chain(event.SeqNum{Global: m.head().Global, Client: m.head().Client}, 0, 0, "s")
		m.events = append(m.events, events...)
		m.meta.Upstream = m.head()
		return errors.Join(l.Append(events), l.SetUpstream(m.meta.Upstream))
	case "rebase":
		return m.rebase(t, l)
	default:
		if len(m.asides) == 0 {
			return nil
		}
		i := rapid.IntRange(0, len(m.asides)-1).Draw(t, "aside")
		found, err := l.DeleteSetAside(m.asides[i].ID)
		if !found && err == nil {
			err = errors.New("the commit is not set aside")
		}
		m.asides = slices.Delete(m.asides, i, i+1)
		return err
	}
}

// rebase puts some events of the backend before those that it has not confirmed. Each commit follows them or is set aside.
func (m *model) rebase(t *rapid.T, l *eventlog.Log) error {
	up := m.meta.Upstream
	first := slices.IndexFunc(m.events, func(e event.Client) bool { return e.Num.ComparePosition(up) > 0 })
	if first < 0 {
		first = len(m.events)
	}
	pending := slices.Clone(m.events[first:])
	m.events = m.events[:first:first]
	err := l.DeleteAfter(up)
	events := chain(event.SeqNum{Global: up.Global}, 0, 0, rapid.SampledFrom([]string{"s", "sss"}).Draw(t, "new"))
	m.events = append(m.events, events...)
	m.meta.Upstream = m.head()
	m.meta.Generation++
	err = errors.Join(err, l.Append(events), l.SetUpstream(m.meta.Upstream), l.SetGeneration(m.meta.Generation))
	for len(pending) > 0 {
		n := 1
		for n < len(pending) && pending[n].ID.Commit == pending[0].ID.Commit {
			n++
		}
		commit := pending[:n]
		pending = pending[n:]
		if rapid.Bool().Draw(t, "applies") {
			head := m.head()
			for i := range commit {
				scope := event.ScopeSynced
				if commit[i].Num.IsClientOnly() {
					scope = event.ScopeClientOnly
				}
				commit[i].Num, commit[i].Parent = head.Next(scope, m.meta.Generation)
				head = commit[i].Num
			}
			m.events = append(m.events, commit...)
			err = errors.Join(err, l.Append(commit))
			continue
		}
		aside := eventlog.SetAside{ID: commit[0].ID.Commit, Events: commit, Err: "it does not apply"}
		m.asides = append(m.asides, aside)
		err = errors.Join(err, l.PutSetAside(aside))
	}
	return err
}

// check compares everything that can be read of the log.
func (m *model) check(t *rapid.T, l *eventlog.Log) {
	got, err := eventlog.Collect(l.Read(event.SeqNum{}, 0))
	if err != nil {
		t.Fatal(err)
	}
	asides, err := l.ListSetAside()
	if err != nil {
		t.Fatal(err)
	}
	head, id := l.Head()
	var last event.ID
	if n := len(m.events); n > 0 {
		last = m.events[n-1].ID
		i := rapid.IntRange(0, n-1).Draw(t, "event")
		tail, err := eventlog.Collect(l.Read(m.events[i].Num, 0))
		if err != nil || len(tail) != n-1-i {
			t.Fatalf("after %s: %d events of %d, %v", m.events[i].Num, len(tail), n-1-i, err)
		}
		e, ok, err := l.At(m.events[i].Num)
		if err != nil || !ok || cmp.Diff(e, m.events[i]) != "" {
			t.Fatalf("At(%s) = %v, %v, %v", m.events[i].Num, e, ok, err)
		}
		if want := m.events[i]; !want.ID.IsZero() {
			if e, ok, err := l.Find(want.ID); err != nil || !ok || cmp.Diff(e, want) != "" {
				t.Fatalf("Find(%s) = %v, %v, %v", want.ID, e, ok, err)
			}
		}
	}
	type everything struct {
		Events []event.Client
		Asides []eventlog.SetAside
		Meta   eventlog.Meta
		Taken  map[string]uint64
		Head   event.SeqNum
		ID     event.ID
		Count  int64
	}
	is := everything{got, asides, l.Meta(), l.AllTaken(), head, id, l.Count()}
	should := everything{m.events, m.asides, m.meta, m.taken, m.head(), last, int64(len(m.events))}
	empty := func(e *everything) {
		if len(e.Events) == 0 {
			e.Events = nil
		}
		if len(e.Asides) == 0 {
			e.Asides = nil
		}
	}
	empty(&is)
	empty(&should)
	if d := cmp.Diff(should, is); d != "" {
		t.Fatalf("(-model +log):\n%s", d)
	}
}

// A log that commits, pulls, rebases, rolls back and is opened again holds what a slice would.
func TestLogIsLikeItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		disk := crashvfs.New() // files that take no time
		defer disk.Close()
		l, err := openOn(disk)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { l.Close() }()
		m := &model{taken: map[string]uint64{}, meta: l.Meta()}
		for range rapid.IntRange(1, 12).Draw(t, "transactions") {
			next := m.clone()
			err := l.Update(func() error {
				for range rapid.IntRange(1, 4).Draw(t, "steps") {
					if err := next.step(t, l); err != nil {
						return err
					}
				}
				next.check(t, l) // a transaction sees itself
				if rapid.IntRange(0, 3).Draw(t, "roll back") == 0 {
					return errUndone
				}
				return nil
			})
			switch {
			case err == nil:
				m = next
			case errors.Is(err, errUndone):
				m.next = next.next
			default:
				t.Fatal(err)
			}
			m.check(t, l)
			if rapid.IntRange(0, 4).Draw(t, "reopen") == 0 {
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				if l, err = openOn(disk); err != nil {
					t.Fatal(err)
				}
				m.check(t, l)
			}
		}
	})
}

var errUndone = errors.New("roll this back")
