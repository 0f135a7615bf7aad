package session_test

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
	"github.com/livestore-go/livestore/internal/leader"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/migrate"
	"github.com/livestore-go/livestore/internal/session"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/state"
)

var epochs int

func newLog(t testing.TB) *eventlog.Log {
	t.Helper()
	log, err := eventlog.Open("test", &eventlog.Options{StoreID: "test", Memory: true, NewClientID: func() string { return "client" }})
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// leaderMachine returns the machine of a leader in memory.
func leaderMachine(t testing.TB, schema *state.Schema, synced bool) *leader.Machine {
	t.Helper()
	return leaderOn(t, newLog(t), schema, synced)
}

// leaderOn returns the machine of a leader on a log.
func leaderOn(t testing.TB, log *eventlog.Log, schema *state.Schema, synced bool) *leader.Machine {
	t.Helper()
	rebuild := func(upTo event.SeqNum) (*materialize.Engine, error) { return migrate.Memory(log, schema, upTo) }
	head, _ := log.Head()
	engine, err := rebuild(head)
	if err != nil {
		t.Fatal(err)
	}
	epochs++
	m, err := leader.NewMachine(leader.Config{
		StoreID: "test", Log: log, State: engine, Synced: synced, Logger: slog.New(slog.DiscardHandler), Rebuild: rebuild,
		NewID: func() string { return fmt.Sprint("id", epochs) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// machine returns the machine of a session that has booted from a leader.
func machine(t testing.TB, lm *leader.Machine, name string, change func(*session.Config)) *session.Machine {
	t.Helper()
	cfg := session.Config{
		Request:  session.Request{StoreID: "test", Schema: schema, MaxPending: 100_000, Logger: slog.New(slog.DiscardHandler)},
		ClientID: "client", SessionID: name, Journal: &counter{id: name}, Durable: true, Synced: true,
	}
	if change != nil {
		change(&cfg)
	}
	m := session.NewMachine(cfg)
	boot(t, lm, m)
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func boot(t testing.TB, lm *leader.Machine, m *session.Machine) {
	t.Helper()
	snap, err := lm.Boot(m.BootRequest())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Booted(snap); err != nil {
		t.Fatal(err)
	}
}

func admit(t testing.TB, m *session.Machine, drafts ...event.Draft) *session.Commit {
	t.Helper()
	c, err := m.Commit(drafts, event.CommitID{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// push hands over what the session has, as far as the leader takes it.
func push(t testing.TB, lm *leader.Machine, m *session.Machine) {
	t.Helper()
	for {
		req, ok := m.NextPush()
		if !ok {
			return
		}
		r := lm.Push([]link.PushRequest{req})[0]
		if m.Pushed(r.Reply, r.Err); r.Err != nil {
			t.Fatal(r.Err)
		}
	}
}

// pull applies what the leader has published.
func pull(lm *leader.Machine, m *session.Machine) error {
	for {
		r := lm.Published(m.PullRequest())
		if r.Lost {
			return errors.New("lost")
		}
		if len(r.Published) == 0 {
			return nil
		}
		for _, p := range r.Published {
			if err := m.Pulled(p); err != nil {
				return err
			}
		}
	}
}

// settle lets sessions and leader talk until there is nothing left to say.
func settle(t testing.TB, lm *leader.Machine, sessions ...*session.Machine) {
	t.Helper()
	for range 2 * len(sessions) {
		for _, m := range sessions {
			push(t, lm, m)
			if err := pull(lm, m); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// foreign returns n events of another client after a global number.
func foreign(after int64, n int) []event.Global {
	out := make([]event.Global, n)
	for i := range out {
		g := after + int64(i) + 1
		out[i] = event.Global{
			SeqNum: g, ParentSeqNum: g - 1, Name: "v1.Added", ClientID: "other", SessionID: "o",
			Args: jsontext.Value(fmt.Sprintf(`{"id":"f%d","name":"f%d"}`, g, g)),
		}
	}
	return out
}

// has reads the rows of a session, in order.
func has(t testing.TB, m *session.Machine) string {
	t.Helper()
	var out []string
	err := m.Query(state.Statement{SQL: "SELECT id FROM rows ORDER BY id"}, func(rows state.Rows) error {
		for rows.Next() {
			out = append(out, rows.Text(0))
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

func many(prefix string, n int) []event.Draft {
	drafts := make([]event.Draft, n)
	for i := range drafts {
		drafts[i] = add(fmt.Sprint(prefix, i), fmt.Sprint(prefix, i))
	}
	return drafts
}

// A commit of more events than undo entries are kept for is undone whole when it can not be admitted.
func TestBigCommitThatCanNotBeJournaled(t *testing.T) {
	lm := leaderMachine(t, schema, true)
	j := &counter{id: "a"}
	m := machine(t, lm, "a", func(c *session.Config) { c.Journal = j })
	admit(t, m, add("first", "first"))
	j.fail = errors.New("no space left on device")
	if _, err := m.Commit(many("n", materialize.UndoCap+2000), event.CommitID{}); !errors.Is(err, j.fail) {
		t.Errorf("a commit that can not be journaled: %v", err)
	}
	j.fail = nil
	if got := has(t, m); got != "first" || m.Lost() != nil || m.Heads().Local.Global != 1 {
		t.Errorf("it left %q at %s, lost: %v", got, m.Heads().Local, m.Lost())
	}
	admit(t, m, add("second", "second"))
	settle(t, lm, m)
	if got := has(t, m); got != "first second" || !m.Idle() {
		t.Errorf("there is %q", got)
	}
}

// When not even that succeeds, the session takes nothing until it has booted anew.
func TestCommitThatCanNotBeUndone(t *testing.T) {
	lm := leaderMachine(t, schema, true)
	j := &counter{id: "a"}
	m := machine(t, lm, "a", func(c *session.Config) { c.Journal = j })
	admit(t, m, add("first", "first"))
	j.fail, j.failing = errors.New("no space left on device"), m.BreakState
	_, err := m.Commit([]event.Draft{add("second", "second")}, event.CommitID{})
	if !errors.Is(err, j.fail) || m.Lost() == nil {
		t.Errorf("%v, lost: %v", err, m.Lost())
	}
	j.fail, j.failing = nil, nil
	if _, err := m.Commit([]event.Draft{add("second", "second")}, event.CommitID{}); err == nil {
		t.Error("a commit on a state that is broken succeeded")
	}
	if req, ok := m.NextPush(); ok {
		t.Errorf("pushed from a state that is broken: %v", req)
	}
	boot(t, lm, m)
	if got := has(t, m); got != "first" || m.Lost() != nil {
		t.Errorf("booted anew there is %q, lost: %v", got, m.Lost())
	}
	admit(t, m, add("second", "second"))
	settle(t, lm, m)
	if got := has(t, m); got != "first second" {
		t.Errorf("there is %q", got)
	}
}

// Two sessions try the same set-aside commit again before they hear of each other. It applies once.
func TestRetryInTwoSessions(t *testing.T) {
	lm := leaderMachine(t, schema, true)
	a, b := machine(t, lm, "a", nil), machine(t, lm, "b", nil)
	admit(t, a, add("1", "same"))
	late := admit(t, b, add("2", "same"))
	settle(t, lm, a, b)
	if len(a.SetAside()) != 1 || len(b.SetAside()) != 1 {
		t.Fatalf("set aside: %v and %v", a.SetAside(), b.SetAside())
	}
	for i, m := range []*session.Machine{a, b} {
		if _, err := m.Commit([]event.Draft{seen.Set("k", named{"r", fmt.Sprint(i)})}, late.ID()); err != nil {
			t.Fatal(err)
		}
	}
	settle(t, lm, a, b)
	r, err := lm.Events(link.EventsRequest{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	retried := 0
	for _, e := range r.Events {
		if e.Cause != "" {
			retried++
		}
	}
	if retried != 1 || len(a.SetAside()) != 1 || a.SetAside()[0].ID.Journal != "b" || len(b.SetAside()) != 1 {
		t.Errorf("commit %s is %d times in the log; set aside: %v and %v", late.ID(), retried, a.SetAside(), b.SetAside())
	}
}

// What is published in pieces keeps what a rebase on the next piece has to undo, whatever the pieces say of the backend.
func TestPublishInPieces(t *testing.T) {
	for _, early := range []bool{false, true} {
		lm := leaderMachine(t, schema, true)
		m := machine(t, lm, "a", nil)
		if err := lm.BackendPulled("b", 0, foreign(0, 250), true); err != nil {
			t.Fatal(err)
		}
		c := admit(t, m, add("mine", "mine"))
		pieces := lm.Published(m.PullRequest()).Published
		if len(pieces) < 3 {
			t.Fatalf("%d pieces", len(pieces))
		}
		for i, p := range pieces {
			if early {
				p.BackendHead = event.SeqNum{Global: 250}
			}
			if err := m.Pulled(p); err != nil {
				t.Fatalf("piece %d: %v", i, err)
			}
			if got := len(strings.Fields(has(t, m))); got != min(100*(i+1), 250)+1 {
				t.Errorf("after piece %d there are %d rows", i, got)
			}
		}
		settle(t, lm, m)
		if n := c.Events()[0].Num.Global; n != 251 || c.Stage() != session.Persisted {
			t.Errorf("the commit is e%d, %s", n, c.Stage())
		}
	}
}

// A leader that starts anew counts its publishes anew. A session that comes to it boots, and then follows.
func TestLeaderThatStartsAnew(t *testing.T) {
	log := newLog(t)
	first := leaderOn(t, log, schema, true)
	m := machine(t, first, "a", nil)
	for i := range 3 {
		admit(t, m, add(fmt.Sprint(i), fmt.Sprint(i)))
		settle(t, first, m)
	}
	second := leaderOn(t, log, schema, true)
	if !second.Published(m.PullRequest()).Lost {
		t.Fatal("the cursor of the leader before is good for the new one")
	}
	boot(t, second, m)
	if second.Published(m.PullRequest()).Lost {
		t.Fatal("it is lost after it has booted")
	}
	c := admit(t, m, add("new", "new"))
	settle(t, second, m)
	if c.Stage() != session.Persisted || m.Lost() != nil {
		t.Errorf("the next commit is %s, lost: %v", c.Stage(), m.Lost())
	}
}

// A publish of which a part does not apply here changes nothing, and the session boots anew.
func TestPublishThatFailsHalfWay(t *testing.T) {
	for name, pending := range map[string]bool{"advance": false, "rebase": true} {
		t.Run(name, func(t *testing.T) {
			fail := false
			flaky := state.MustSchema(rows, state.On(added, func(tx *state.Tx, e named) error {
				if fail && e.ID == "2" {
					return errors.New("out of memory")
				}
				return tx.Exec(rows.Insert(row(e)))
			}))
			lm := leaderMachine(t, flaky, true)
			with := func(c *session.Config) { c.Schema = flaky }
			a, b := machine(t, lm, "a", with), machine(t, lm, "b", with)
			admit(t, a, add("1", "1"))
			admit(t, a, add("2", "2"))
			push(t, lm, a)
			want := ""
			if pending {
				admit(t, b, add("mine", "mine"))
				want = "mine"
			}
			head := b.Heads()
			fail = true
			err := pull(lm, b)
			if err == nil || b.Lost() == nil {
				t.Fatalf("%v, lost: %v", err, b.Lost())
			}
			if got := has(t, b); got != want || b.Heads() != head {
				t.Errorf("it left %q at %v, want %q at %v", got, b.Heads(), want, head)
			}
			admit(t, b, add("3", "3"))
			if _, ok := b.NextPush(); ok {
				t.Error("a session that is lost pushes")
			}
			fail = false
			boot(t, lm, b)
			settle(t, lm, b)
			if got := has(t, b); got != strings.TrimSpace("1 2 3 "+want) || !b.Idle() {
				t.Errorf("booted anew there is %q", got)
			}
		})
	}
}

// A leader that has rebased further back than a session keeps undo entries makes it boot anew, and nothing is lost.
func TestLeaderRebasesBeyondUndo(t *testing.T) {
	lm := leaderMachine(t, schema, true)
	m := machine(t, lm, "a", nil)
	for k := range 12 {
		admit(t, m, many(fmt.Sprint(k, "-"), 1000)...)
		settle(t, lm, m)
	}
	c := admit(t, m, add("mine", "mine"))
	if err := lm.BackendPulled("b", 0, foreign(0, 1), true); err != nil {
		t.Fatal(err)
	}
	if err := pull(lm, m); !errors.Is(err, materialize.ErrUndoMissing) || m.Lost() == nil {
		t.Fatalf("%v, lost: %v", err, m.Lost())
	}
	boot(t, lm, m)
	settle(t, lm, m)
	if got := len(strings.Fields(has(t, m))); got != 12_002 || c.Events()[0].Num.Global != 12_002 {
		t.Errorf("there are %d rows, and the last commit is %s", got, c.Events()[0].Num)
	}
}

// Of persisted commits that wait for the backend only those are kept that somebody has a receipt of.
func TestReceiptThatNobodyHolds(t *testing.T) {
	lm := leaderMachine(t, schema, true)
	m := machine(t, lm, "a", nil)
	held := admit(t, m, add("held", "held"))
	for i := range 50 {
		admit(t, m, add(fmt.Sprint(i), fmt.Sprint(i)))
	}
	settle(t, lm, m)
	waiting, receipts := m.Confirming()
	for range 10 {
		if receipts < 10 {
			break
		}
		runtime.GC()
		waiting, receipts = m.Confirming()
	}
	if waiting != 51 || receipts < 1 || receipts > 9 { // the stack may hold some
		t.Errorf("%d commits wait, and %d receipts are kept", waiting, receipts)
	}
	_, batch, err := lm.NextBackendPush()
	for ; err == nil && batch != nil; _, batch, err = lm.NextBackendPush() {
		lm.BackendPushed(batch, nil)
		if err := lm.BackendPulled("b", batch[0].SeqNum-1, batch, true); err != nil {
			t.Fatal(err)
		}
	}
	settle(t, lm, m)
	if waiting, _ := m.Confirming(); waiting != 0 || held.Stage() != session.Confirmed || err != nil {
		t.Errorf("%d commits wait, the one that is held is %s, %v", waiting, held.Stage(), err)
	}
}

// What is handed out of a session is not what it will push.
func TestEventsAreCopies(t *testing.T) {
	lm := leaderMachine(t, schema, true)
	m := machine(t, lm, "a", nil)
	c := admit(t, m, add("1", "one"))
	want := string(c.Events()[0].Args)
	for _, events := range [][]event.Client{c.Events(), m.Pending(event.SeqNum{})} {
		events[0].Num.Global = 99
		copy(events[0].Args, `{"id":"x`)
	}
	req, ok := m.NextPush()
	if !ok {
		t.Fatal("nothing to push")
	}
	if e := req.Commits[0].Events[0]; string(e.Args) != want || e.Num.Global != 1 {
		t.Errorf("pushed as %s %s, want %s", e.Num, e.Args, want)
	}
}

// A table of client-only events that a synced event of another client writes does not keep a session from following.
func TestSessionFollowsForeignEventOnAClientOnlyTable(t *testing.T) {
	draft := event.ClientOnly[named]("v1.Draft")
	insert := func(tx *state.Tx, e named) error { return tx.Exec(rows.Insert(row(e))) }
	mixed := state.MustSchema(rows, state.On(added, insert), state.On(draft, insert))
	lm := leaderMachine(t, mixed, true)
	m := machine(t, lm, "a", func(c *session.Config) { c.Schema = mixed })
	admit(t, m, draft.New(named{"draft", "draft"}))
	settle(t, lm, m)
	if err := lm.BackendPulled("b", 0, foreign(0, 1), true); err != nil || lm.Halted() != nil {
		t.Fatalf("%v, halted: %v", err, lm.Halted())
	}
	settle(t, lm, m)
	if got := has(t, m); got != "draft f1" {
		t.Errorf("there is %q", got)
	}
	_, err := m.Commit([]event.Draft{draft.New(named{"late", "late"})}, event.CommitID{})
	if _, ok := errors.AsType[*materialize.ScopeError](err); !ok {
		t.Errorf("a client-only event on what is a table of synced events now: %v", err)
	}
}

// A snapshot that was asked for before the session went on is of no use.
func TestSnapshotThatCameLate(t *testing.T) {
	lm := leaderMachine(t, schema, true)
	m := machine(t, lm, "a", nil)
	late, err := lm.Boot(m.BootRequest())
	if err != nil {
		t.Fatal(err)
	}
	c := admit(t, m, add("1", "one"))
	settle(t, lm, m)
	if err := m.Booted(late); err != nil {
		t.Fatal(err)
	}
	if got := has(t, m); got != "1" || m.Heads().Local != c.Events()[0].Num {
		t.Errorf("the session went back to %s with %q", m.Heads().Local, got)
	}
	// One that is damaged leaves the session as it was.
	late.Cursor, late.State = 100, []byte("no database")
	if err := m.Booted(late); !sqlite.IsCorrupt(err) {
		t.Errorf("a damaged snapshot: %v", err)
	}
	if got := has(t, m); got != "1" {
		t.Errorf("it left %q", got)
	}
}

// Confirmed means in the backend's log: not that the backend's head has passed the number that a commit had before.
func TestConfirmedAfterBootingAnew(t *testing.T) {
	lm := leaderMachine(t, schema, true)
	m := machine(t, lm, "a", nil)
	c := admit(t, m, add("1", "one"))
	settle(t, lm, m)
	if err := lm.BackendPulled("b", 0, foreign(0, 3), true); err != nil {
		t.Fatal(err)
	}
	boot(t, lm, m)
	if c.Stage() != session.Persisted || c.Events()[0].Num.Global != 4 {
		t.Errorf("the commit is %s and %s; the backend has nothing of it", c.Events()[0].Num, c.Stage())
	}
}
