package sim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/internal/syncstate"
	"github.com/livestore-go/livestore/state"
)

func check(who string, h syncstate.Heads, pending []event.Client) error {
	if err := syncstate.Check(h, pending); err != nil {
		return failf("%s: %v", who, err)
	}
	return nil
}

// look is what a watcher of a session sees after a step, and the cheap checks of the machine.
func (w *world) look(s *sess) error {
	if s.gone {
		return nil
	}
	w.hearOf(s)
	if err := w.stepped(s); err != nil {
		return err
	}
	if err := check("session "+s.id, s.m.Heads(), s.m.Pending(s.m.Heads().Upstream)); err != nil {
		return err
	}
	if s.looks++; w.app != nil && s.looks%3 != 0 {
		return w.receipts(s)
	}
	torn, err := w.torn(s, tornCommits)
	if err == nil && len(torn) == 0 && knowsLabels(w.schema) {
		torn, err = w.torn(s, tornLabels)
	}
	if err != nil {
		return err
	}
	if len(torn) > 0 {
		d, _ := s.dump([]string{syncedDump[0], clientDump[0]})
		return failf("session %s: a watcher sees part of the commits %v, or an event of them twice\n%s", s.id, torn, d)
	}
	err = s.m.Query(state.Statement{SQL: wrongTotals}, func(r state.Rows) error {
		if r.Next() {
			return failf("session %s: a watcher sees totals that are not those of the rows", s.id)
		}
		return r.Err()
	})
	if err != nil {
		return err
	}
	return w.receipts(s)
}

// torn returns the commits that a read finds only a part of.
func (w *world) torn(s *sess, sql string) (torn []string, err error) {
	err = s.m.Query(state.Statement{SQL: sql}, func(r state.Rows) error {
		for r.Next() {
			// Of two sessions that try a commit again the second sees both, until the leader has set its own aside.
			if tag := r.Text(0); !w.mayTear(tag) {
				torn = append(torn, tag)
			}
		}
		return r.Err()
	})
	return torn, err
}

// heading is the part of a query that says what it reads, on one line.
func heading(sql string) string {
	_, from, _ := strings.Cut(sql, "FROM")
	return "FROM " + strings.Join(strings.Fields(from), " ")
}

// dump is all rows of a state as text.
func dump(conn *sqlite.Conn, queries []string) (string, error) {
	var b strings.Builder
	for _, sql := range queries {
		b.WriteString(heading(sql))
		b.WriteByte('\n')
		stmt, err := conn.Prepare(sqlite.Read, sql)
		if err != nil {
			return "", err
		}
		rows, err := stmt.Query(nil)
		if err != nil {
			return "", err
		}
		dumpRows(&b, rows)
		err = rows.Err()
		rows.Close()
		if err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

func dumpRows(b *strings.Builder, rows state.Rows) {
	n := len(rows.Columns())
	for rows.Next() {
		for i := range n {
			fmt.Fprintf(b, "%s|", rows.Text(i))
		}
		b.WriteByte('\n')
	}
}

// dump is all rows of the state of a session as text.
func (s *sess) dump(queries []string) (string, error) {
	var b strings.Builder
	for _, sql := range queries {
		b.WriteString(heading(sql))
		b.WriteByte('\n')
		err := s.m.Query(state.Statement{SQL: sql}, func(r state.Rows) error {
			dumpRows(&b, r)
			return r.Err()
		})
		if err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// queries are all that a state of the world's schema holds.
func (w *world) queries() []string {
	q := slices.Concat(syncedDump, clientDump)
	if hasSearch(w.schema) {
		q = append(q, searchDump)
	}
	if knowsLabels(w.schema) {
		q = append(q, labelDump...)
	}
	return q
}

// rebuilt derives a state from events anew.
func (w *world) rebuilt(events []event.Client) (*materialize.Engine, error) {
	e, err := newState(w.schema)
	if err != nil {
		return nil, err
	}
	for i := range events {
		if err := e.Apply(events[i : i+1]); err != nil {
			return nil, failf("a rebuild fails: %v", err)
		}
	}
	return e, nil
}

// compare compares a dump with that of a state that is derived from events anew.
func (w *world) compare(events []event.Client, what, got string) error {
	e, err := w.rebuilt(events)
	if err != nil {
		return err
	}
	defer e.Conn().Close()
	want, err := dump(e.Conn(), w.queries())
	if err != nil {
		return err
	}
	if got != want {
		return failf("%s is not what a rebuild derives.\n%s", what, difference(got, want))
	}
	return nil
}

// difference shows the lines that only one of two dumps has.
func difference(got, want string) string {
	var b strings.Builder
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		switch {
		case i >= len(g):
			fmt.Fprintf(&b, "want %s\n", w[i])
		case i >= len(w):
			fmt.Fprintf(&b, "got  %s\n", g[i])
		case g[i] != w[i]:
			fmt.Fprintf(&b, "got  %s\nwant %s\n", g[i], w[i])
		}
	}
	return b.String()
}

// converged compares everything when nothing is under way any more.
func (w *world) converged() error {
	if err := w.alone(false); err != nil || !w.synced {
		return err
	}
	all, err := eventsAfter(w.log, event.SeqNum{})
	if err != nil {
		return err
	}
	if err := w.remembered(); err != nil {
		return err
	}
	return w.sameAsBackend(all)
}

// alone compares all there is at a client, which may have stopped to sync.
func (w *world) alone(stopped bool) error {
	all, err := eventlog.Collect(w.log.Read(event.SeqNum{}, 0))
	if err != nil {
		return err
	}
	if err := w.follow(); err != nil {
		return failf("the leader of %s can not bring its state to the log: %v", w.client, err)
	}
	at, err := dump(w.state(), w.queries())
	if err != nil {
		return err
	}
	if !w.light {
		if err := w.compare(all, "the leader's state", at); err != nil {
			return err
		}
	}
	if err := w.leaderTorn(); err != nil {
		return err
	}
	for _, s := range w.sessions {
		if err := w.watched(s); err != nil {
			return err
		}
		got, err := s.dump(w.queries())
		if err != nil {
			return err
		}
		w.count("check: R5, all sessions have what the leader has")
		if got != at {
			return failf("the state of session %s is not the leader's.\n%s", s.id, difference(got, at))
		}
		if h := s.m.Heads(); h.Local != w.leader.Heads().Local || h.Upstream != h.Local || !s.m.Idle() {
			return failf("session %s stands at %s, the leader at %s", s.id, h, w.leader.Heads())
		}
	}
	if w.light {
		return w.ended(stopped)
	}
	if err := w.state().IntegrityCheck(); err != nil {
		return failf("the state file: %v", err)
	}
	if err := w.log.Check(); err != nil {
		return failf("the eventlog: %v", err)
	}
	if err := w.ended(stopped); err != nil {
		return err
	}
	return w.account(false)
}

// leaderTorn looks for parts of commits in the leader's state.
func (w *world) leaderTorn() error {
	torn, err := dump(w.state(), []string{tornCommits, wrongTotals})
	if err != nil {
		return err
	}
	for line := range strings.Lines(torn) {
		tag, isRow := strings.CutSuffix(line, "|\n")
		if isRow && (w.maxEvents == 0 || !w.mayTear(tag)) {
			return failf("the leader has part of a commit, or an event twice:\n%s", torn)
		}
	}
	return nil
}

func (w *world) sameAsBackend(all []event.Client) error {
	n := int64(0)
	for _, e := range all {
		if e.Num.IsClientOnly() {
			continue
		}
		if n++; n > w.backend.head() || !w.backend.events[n-1].Equal(e.Global()) {
			return failf("event %s of the log is not that of the backend", e.Num)
		}
	}
	if n != w.backend.head() {
		return failf("the log has %d synced events and the backend %d", n, w.backend.head())
	}
	reads := syncedDump
	if w.app != nil && knowsLabels(w.schema) {
		reads = slices.Concat(syncedDump, labelDump)
	}
	got, err := dump(w.state(), reads)
	if err != nil {
		return err
	}
	want, err := dump(w.backend.state.Conn(), reads)
	if err != nil {
		return err
	}
	if got != want {
		return failf("what synced events derive is not what they derive elsewhere.\n%s", difference(got, want))
	}
	return nil
}
