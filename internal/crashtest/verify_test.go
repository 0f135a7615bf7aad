package crashtest

import (
	"slices"
	"testing"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/session"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/state"
)

// found is what a client that has booted has.
type found struct {
	log   []event.Client
	aside []link.SetAside
	state string
}

// look reads everything from the leader.
func (w *world) look(t testing.TB) found {
	t.Helper()
	var f found
	for after := (event.SeqNum{}); ; {
		reply, err := w.leader.Events(link.EventsRequest{After: after, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		f.log = append(f.log, reply.Events...)
		if len(reply.Events) < 1000 {
			break
		}
		after = f.log[len(f.log)-1].Num
	}
	snap, err := w.leader.Boot(link.BootRequest{Version: link.Version})
	if err != nil {
		t.Fatal(err)
	}
	f.aside = snap.SetAside
	conn, err := sqlite.Open(":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Deserialize(snap.State); err != nil {
		t.Fatal(err)
	}
	f.state = dump(t, conn)
	return f
}

// verify checks what is there against what was promised: each commit that has come to the stage sure is in the log or set aside, once
// and whole; every other one likewise or not at all; nothing else is there but what the backend has; and state is what the log says.
// Afterwards what was found counts as persisted, and what was not is forgotten.
func (w *world) verify(t testing.TB, sure session.Stage) {
	t.Helper()
	f := w.look(t)
	chained(t, f.log)
	scratch := newDerived(t, schemaAt(w.schema))
	defer scratch.engine.Conn().Close()
	scratch.follow(t, f.log)
	same(t, "state", f.state, scratch.dump(t))

	// Everything confirmed is what the backend has.
	up := w.leader.Heads().Upstream
	var confirmed []event.Global
	for _, e := range f.log {
		if e.Num.ComparePosition(up) <= 0 && !e.Num.IsClientOnly() {
			confirmed = append(confirmed, e.Global())
		}
		if e.Num.ComparePosition(up) > 0 && e.ID.IsZero() {
			t.Errorf("event %s of another client is pending", e.Num)
		}
	}
	if n := len(confirmed); n > len(w.backend.log) || n > 0 && !equalGlobals(confirmed, w.backend.log[:n]) {
		t.Errorf("the %d confirmed events are not the first of the %d of the backend", n, len(w.backend.log))
	}

	places := w.places(t, f)
	for _, c := range w.commits {
		at := places[c.label]
		delete(places, c.label)
		if len(at) > 1 {
			t.Errorf("commit %s is there %d times: %v", c.label, len(at), at)
		}
		if len(at) == 0 && c.stage >= sure {
			t.Errorf("commit %s was %s and is gone", c.label, c.stage)
		}
		c.recovered = len(at) > 0
	}
	for l, at := range places {
		t.Errorf("commit %s was never admitted and is there: %v", l, at)
	}
	w.commits = slices.DeleteFunc(w.commits, func(c *tracked) bool { return !c.recovered })
	for _, c := range w.commits {
		c.stage, c.receipt = max(c.stage, session.Persisted), nil
	}
	w.inBackend(t)
}

func equalGlobals(a, b []event.Global) bool {
	return slices.EqualFunc(a, b, func(x, y event.Global) bool { return x.Equal(y) })
}

// places says for each commit where it is, and checks that it is whole there, and that the commits of each session come in order.
func (w *world) places(t testing.TB, f found) map[label][]string {
	t.Helper()
	places := map[label][]string{}
	newest := map[[2]int]label{}
	open := map[event.CommitID]label{} // in the log, with the events seen so far
	for _, e := range f.log {
		l, err := labelOf(e)
		if err != nil {
			t.Fatal(err)
		}
		if e.ID.IsZero() != (l.session == foreign) {
			t.Errorf("event %s of the log, %s, has the identity %s", e.Num, l, e.ID)
		}
		if l.session == foreign {
			continue
		}
		index := l.index
		l.index = 0
		if index == 0 {
			who := [2]int{l.run, l.session}
			if before, ok := newest[who]; ok && before.commit >= l.commit {
				t.Errorf("commit %s comes after %s", l, before)
			}
			newest[who], open[e.ID.Commit] = l, label{}
			places[l] = append(places[l], "log at "+e.Num.String())
		}
		seen, ok := open[e.ID.Commit]
		if !ok || seen.index != index || e.ID.Index != index {
			t.Errorf("event %s of the log is %s %d, %s, out of its order", e.Num, l, index, e.ID)
		}
		seen.index, seen.events = index+1, l.events
		open[e.ID.Commit] = seen
	}
	for id, seen := range open {
		if seen.index != seen.events {
			t.Errorf("commit %s has only %d of %d events in the log", id, seen.index, seen.events)
		}
	}
	for _, a := range f.aside {
		first, err := labelOf(a.Events[0])
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range a.Events {
			if l, err := labelOf(e); err != nil || l.index != i || l.commit != first.commit || l.events != len(a.Events) {
				t.Errorf("event %d of set-aside commit %s is %s (%v)", i, first, l, err)
			}
		}
		places[first] = append(places[first], "set aside: "+a.Err)
	}
	return places
}

// inBackend checks that the backend got no event twice.
func (w *world) inBackend(t testing.TB) {
	t.Helper()
	there := map[label]int64{}
	for _, e := range w.backend.log {
		l, err := labelOf(event.Client{Name: e.Name, Args: e.Args})
		if err != nil {
			t.Fatal(err)
		}
		if at, ok := there[l]; ok {
			t.Errorf("the backend has %s twice, at e%d and e%d", l, at, e.SeqNum)
		}
		there[l] = e.SeqNum
	}
}

// sessionsFollow checks, when all is settled, that the sessions stand where the leader does and read the same.
func (w *world) sessionsFollow(t testing.TB) {
	t.Helper()
	const sql = `SELECT count(*) || ' ' || coalesce(group_concat(id || prev), '') FROM (SELECT * FROM entries ORDER BY place)`
	var first string
	for i, s := range w.sessions {
		if got, want := s.m.Status().LocalHead, w.leader.Heads().Local; got != want {
			t.Errorf("session %d stands at %s, the leader at %s", s.slot, got, want)
		}
		var text string
		err := s.m.Query(state.Statement{SQL: sql}, func(r state.Rows) error {
			r.Next()
			text = r.Text(0)
			return r.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = text
		}
		if text != first {
			t.Errorf("sessions %d and %d read different entries", w.sessions[0].slot, s.slot)
		}
	}
}
