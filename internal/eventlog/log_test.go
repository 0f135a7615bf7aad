package eventlog_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
)

func options() *eventlog.Options {
	return &eventlog.Options{StoreID: "todos", NewClientID: func() string { return "me" }}
}

func open(t testing.TB, path string) *eventlog.Log {
	t.Helper()
	l, err := eventlog.Open(path, options())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func memory(t testing.TB) *eventlog.Log {
	t.Helper()
	o := options()
	o.Memory = true
	l, err := eventlog.Open("memory", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func num(t testing.TB, s string) event.SeqNum {
	t.Helper()
	n, err := event.ParseSeqNum(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func commitID(ordinal uint64) event.CommitID { return event.CommitID{Journal: "j1", Ordinal: ordinal} }

// chain numbers one event for each scope letter behind a head: s synced, c client-only. Together they are the commit with an ordinal
// of journal j1, or events of another client when that is 0.
func chain(head event.SeqNum, generation int64, ordinal uint64, scopes string) []event.Client {
	var events []event.Client
	for i, s := range scopes {
		scope, name := event.ScopeSynced, "v1.TodoCreated"
		if s == 'c' {
			scope, name = event.ScopeClientOnly, "uiStateSet"
		}
		e := event.Client{
			Name: name, Args: jsontext.Value(fmt.Sprintf(`{"id": "%d-%d",  "text":"\u00e4"}`, ordinal, i)),
			ClientID: "other", SessionID: "s9", SchemaHash: "5f3a",
		}
		if ordinal > 0 {
			e.ClientID, e.SessionID = "me", "s1"
			e.ID = event.ID{Commit: commitID(ordinal), Index: i}
		}
		e.Num, e.Parent = head.Next(scope, generation)
		head = e.Num
		events = append(events, e)
	}
	return events
}

func update(t testing.TB, l *eventlog.Log, changes ...func() error) {
	t.Helper()
	err := l.Update(func() error {
		for _, c := range changes {
			if err := c(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func appending(l *eventlog.Log, events []event.Client) func() error {
	return func() error { return l.Append(events) }
}

// commit appends one commit on the head and counts it as taken.
func commit(t testing.TB, l *eventlog.Log, ordinal uint64, scopes string) []event.Client {
	t.Helper()
	head, _ := l.Head()
	events := chain(head, l.Meta().Generation, ordinal, scopes)
	update(t, l, appending(l, events), func() error { return l.SetTaken("j1", ordinal) })
	return events
}

func all(t testing.TB, l *eventlog.Log) []event.Client {
	t.Helper()
	events, err := eventlog.Collect(l.Read(event.SeqNum{}, 0))
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func equal[T any](t testing.TB, got, want T) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("(-want +got):\n%s", d)
	}
}

// notation writes the numbers of events.
func notation(events []event.Client) string {
	var s []string
	for _, e := range events {
		s = append(s, e.Num.String())
	}
	return strings.Join(s, " ")
}

func TestEverythingIsThereAfterReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	l := open(t, path)
	equal(t, l.Meta(), eventlog.Meta{ClientID: "me", StoreID: "todos"})
	events := chain(event.SeqNum{}, 0, 0, "s")
	events[0].SyncMeta = jsontext.Value(`{ "createdAt" : "2026" }`)
	events = append(events, chain(num(t, "e1"), 0, 1, "scc")...)
	events[2].Cause = "retry j0/9"
	aside := eventlog.SetAside{ID: commitID(2), Err: "no such table: todos", At: time.Date(2026, 11, 24, 6, 0, 0, 5, time.UTC)}
	aside.Events = chain(event.SeqNum{}, 0, 2, "sc")
	for i := range aside.Events {
		aside.Events[i].Num, aside.Events[i].Parent = event.SeqNum{}, event.SeqNum{}
	}
	update(t, l, appending(l, events),
		func() error { return l.SetTaken("j1", 2) },
		func() error { return l.SetTaken("j2", 7) },
		func() error { return l.SetGeneration(3) },
		func() error { return l.SetUpstream(num(t, "e1")) },
		func() error { return l.SetBackendID("backend") },
		func() error { return l.PutSetAside(aside) })
	slot, err := l.SessionID(0, func() string { return "s1" })
	if err != nil || slot != "s1" {
		t.Fatal(slot, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	o := options()
	o.NewClientID = func() string { t.Error("an old log got a new client id"); return "x" }
	l, err = eventlog.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	equal(t, all(t, l), events)
	equal(t, l.Meta(), eventlog.Meta{
		ClientID: "me", StoreID: "todos", Generation: 3, Upstream: num(t, "e1"), BackendID: "backend",
	})
	head, id := l.Head()
	equal(t, head, num(t, "e2.2"))
	equal(t, id, events[3].ID)
	equal(t, l.Count(), 4)
	equal(t, l.AllTaken(), map[string]uint64{"j1": 2, "j2": 7})
	asides, err := l.ListSetAside()
	if err != nil {
		t.Fatal(err)
	}
	equal(t, asides, []eventlog.SetAside{aside})
	slot, err = l.SessionID(0, func() string { t.Error("an old slot got a new session id"); return "x" })
	if err != nil || slot != "s1" {
		t.Fatal(slot, err)
	}
	if err := l.Check(); err != nil {
		t.Fatal(err)
	}
}

func TestNewLogMakesItsOwnClientID(t *testing.T) {
	ids := map[string]bool{}
	for range 2 {
		l, err := eventlog.Open("memory", &eventlog.Options{StoreID: "todos", Memory: true})
		if err != nil {
			t.Fatal(err)
		}
		ids[l.Meta().ClientID] = true
		l.Close()
	}
	if len(ids) != 2 || ids[""] {
		t.Fatalf("client ids %v", ids)
	}
	if _, err := eventlog.Open("memory", &eventlog.Options{Memory: true}); err == nil {
		t.Fatal("a log without a store id was opened")
	}
}

func TestReadingFromAnyPosition(t *testing.T) {
	l := memory(t)
	commit(t, l, 1, "cc")    // e0.1 e0.2
	commit(t, l, 2, "sccsc") // e1 e1.1 e1.2 e2 e2.1
	for _, c := range []struct {
		after string
		limit int
		want  string
	}{
		{"e0", 0, "e0.1 e0.2 e1 e1.1 e1.2 e2 e2.1"},
		{"e0.1", 3, "e0.2 e1 e1.1"},
		{"e0.7", 1, "e1"},
		{"e1", 1, "e1.1"},
		{"e1.1r4", 0, "e1.2 e2 e2.1"}, // whatever the generation
		{"e1.900", 0, "e2 e2.1"},
		{"e2.1", 0, ""},
		{"e9", 5, ""},
	} {
		events, err := eventlog.Collect(l.Read(num(t, c.after), c.limit))
		if err != nil || notation(events) != c.want {
			t.Errorf("after %s, %d: %s, %v; want %s", c.after, c.limit, notation(events), err, c.want)
		}
	}
	e, ok, err := l.At(num(t, "e1.2r7"))
	if err != nil || !ok || e.Num != num(t, "e1.2") {
		t.Errorf("At = %v, %v, %v", e, ok, err)
	}
	if _, ok, err := l.At(num(t, "e1.3")); ok || err != nil {
		t.Errorf("At a position without an event = %v, %v", ok, err)
	}
}

func TestReadingMoreThanAPageWhileTheLogChanges(t *testing.T) {
	l := memory(t)
	for o := range uint64(20) {
		commit(t, l, o+1, strings.Repeat("s", 100))
	}
	n := 0
	for e, err := range l.Read(event.SeqNum{}, 0) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		if e.Num.Global != int64(n) {
			t.Fatalf("event %d is %s", n, e.Num)
		}
		if n == 700 { // a read and a write inside the loop
			if got, err := eventlog.Collect(l.Read(event.SeqNum{}, 600)); err != nil || len(got) != 600 {
				t.Fatal(len(got), err)
			}
			commit(t, l, 21, "s")
		}
	}
	if n != 2001 {
		t.Fatalf("read %d events", n)
	}
	for _, limit := range []int{1, 63, 64, 65, 192, 193, 511, 512, 513, 1024, 2001, 5000} {
		if got, err := eventlog.Collect(l.Read(event.SeqNum{}, limit)); err != nil || len(got) != min(limit, 2001) {
			t.Errorf("limit %d: %d events, %v", limit, len(got), err)
		}
	}
	n = 0
	for _, err := range l.Read(event.SeqNum{}, 0) {
		if n++; n == 3 {
			l.Close()
		}
		if err != nil && !errors.Is(err, eventlog.ErrClosed) {
			t.Fatal(err)
		}
	}
	if n != 65 { // the first page that was read, and the error
		t.Fatalf("read %d events of a log that was closed", n)
	}
}

func TestFindingByIdentity(t *testing.T) {
	l := memory(t)
	update(t, l, appending(l, chain(event.SeqNum{}, 0, 0, "ss")))
	commit(t, l, 1, "s")
	second := commit(t, l, 2, "scs")
	got, err := l.Committed(commitID(2))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, second)
	e, ok, err := l.Find(second[1].ID)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	equal(t, e, second[1])
	for _, id := range []event.CommitID{commitID(3), {}, {Journal: "j7", Ordinal: 1}} {
		if got, err := l.Committed(id); err != nil || len(got) > 0 {
			t.Errorf("Committed(%s) = %v, %v", id, got, err)
		}
		if _, ok, err := l.Find(event.ID{Commit: id}); err != nil || ok {
			t.Errorf("Find(%s) = %v, %v", id, ok, err)
		}
	}
}

func TestRollbackBringsEverythingBack(t *testing.T) {
	l := memory(t)
	commit(t, l, 1, "sc")
	update(t, l, func() error {
		return l.PutSetAside(eventlog.SetAside{ID: commitID(9), Events: chain(event.SeqNum{}, 0, 9, "s")})
	})
	events, meta, taken, count := all(t, l), l.Meta(), l.AllTaken(), l.Count()
	head, id := l.Head()

	sorry := errors.New("the state did not apply")
	err := l.Update(func() error {
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(l.DeleteAfter(num(t, "e1")))
		must(l.Append(chain(num(t, "e1"), 1, 0, "ss")))
		must(l.SetUpstream(num(t, "e3")))
		must(l.SetGeneration(1))
		must(l.SetBackendID("b"))
		must(l.SetTaken("j5", 3))
		must(l.SetTaken("j1", 4))
		must(l.ForgetJournal("j1"))
		if found, err := l.DeleteSetAside(commitID(9)); !found || err != nil {
			t.Fatal(found, err)
		}
		if slot, err := l.SessionID(3, func() string { return "s3" }); slot != "s3" || err != nil {
			t.Fatal(slot, err)
		}
		// Inside the transaction its changes are seen.
		if h, _ := l.Head(); h != num(t, "e3r1") || l.Count() != 3 || l.Meta().Upstream != num(t, "e3") || l.Taken("j5") != 3 {
			t.Fatalf("head %s, %d events, %+v", h, l.Count(), l.Meta())
		}
		return sorry
	})
	if !errors.Is(err, sorry) {
		t.Fatal(err)
	}
	h, i := l.Head()
	equal(t, h, head)
	equal(t, i, id)
	equal(t, l.Meta(), meta)
	equal(t, l.AllTaken(), taken)
	equal(t, l.Count(), count)
	equal(t, all(t, l), events)
	if asides, err := l.ListSetAside(); err != nil || len(asides) != 1 {
		t.Fatal(asides, err)
	}
	if slot, err := l.SessionID(3, func() string { return "s4" }); slot != "s4" || err != nil {
		t.Fatal(slot, err)
	}
	update(t, l, func() error { return l.SetTaken("j6", 1) }) // the row the rolled back journal had is free again
	commit(t, l, 2, "s")
	equal(t, l.AllTaken(), map[string]uint64{"j1": 2, "j6": 1})
}

func TestEventsFollowTheHead(t *testing.T) {
	l := memory(t)
	commit(t, l, 1, "sc") // head e1.1
	for _, n := range []string{"e1", "e1.1", "e1.3", "e2.1", "e3", "e0", "e0.2"} {
		e := chain(event.SeqNum{}, 0, 2, "s")
		e[0].Num = num(t, n)
		oe, ok := errors.AsType[*eventlog.OrderError](l.Update(appending(l, e)))
		if !ok || oe.Got != e[0].Num || oe.Head != num(t, "e1.1") {
			t.Errorf("%s: %v", n, oe)
		}
	}
	// The whole is refused when the second does not follow, and the transaction goes on as if nothing had been.
	update(t, l, func() error {
		e := chain(num(t, "e1.1"), 0, 2, "ss")
		e[1].Num.Global++
		if _, ok := errors.AsType[*eventlog.OrderError](l.Append(e)); !ok {
			t.Error("a gap was appended")
		}
		return l.Append(chain(num(t, "e1.1"), 0, 3, "s"))
	})
	equal(t, notation(all(t, l)), "e1 e1.1 e2")
}

func TestWrongEventsAreRefused(t *testing.T) {
	l := memory(t)
	for want, spoil := range map[string]func(*event.Client){
		"no name":      func(e *event.Client) { e.Name = "" },
		"no arguments": func(e *event.Client) { e.Args = nil },
		"no identity":  func(e *event.Client) { e.ID.Commit.Ordinal = 1 << 63 },
		"no identity:": func(e *event.Client) { e.ID.Index = -1 },
		"follow":       func(e *event.Client) { e.Num.Generation = -1 },
	} {
		e := chain(event.SeqNum{}, 0, 1, "s")
		spoil(&e[0])
		if err := l.Update(appending(l, e)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	equal(t, l.Count(), 0)
}

func TestAnIdentityIsInTheLogOnce(t *testing.T) {
	l := memory(t)
	first := commit(t, l, 1, "ss")
	again := chain(num(t, "e2"), 0, 1, "ss")
	err := l.Update(appending(l, again))
	ie, ok := errors.AsType[*eventlog.IdentityError](err)
	if !ok || ie.ID != first[0].ID || ie.At != num(t, "e1") || ie.Got != num(t, "e3") {
		t.Fatal(err)
	}
	equal(t, ie.Error(), "eventlog: event j1/1#0 is in the log already, as e1, and can not be appended as e3")
	equal(t, all(t, l), first)
	for at := range 20 { // wherever it stands in a longer commit
		long := chain(num(t, "e2"), 0, 2, strings.Repeat("s", 20))
		long[at].ID = first[1].ID
		err := l.Update(appending(l, long))
		if ie, ok := errors.AsType[*eventlog.IdentityError](err); !ok || ie.ID != first[1].ID || ie.At != num(t, "e2") || ie.Got != long[at].Num {
			t.Fatalf("at %d: %v", at, err)
		}
		long[at].ID = long[(at+1)%20].ID
		err = l.Update(appending(l, long))
		if ie, ok := errors.AsType[*eventlog.IdentityError](err); !ok || ie.ID != long[at].ID {
			t.Fatalf("twice, at %d: %v", at, err)
		}
	}
	equal(t, all(t, l), first)
	foreign := chain(num(t, "e2"), 0, 0, "ss") // many events of others: none has an identity
	update(t, l, appending(l, foreign))
	equal(t, l.Count(), 4)
	// Nor is a commit that is in the log set aside.
	err = l.Update(func() error { return l.PutSetAside(eventlog.SetAside{ID: commitID(1), Events: first}) })
	if _, ok := errors.AsType[*eventlog.IdentityError](err); !ok {
		t.Fatal(err)
	}
}

func TestRebase(t *testing.T) {
	l := memory(t)
	update(t, l, appending(l, chain(event.SeqNum{}, 0, 0, "s")), func() error { return l.SetUpstream(num(t, "e1")) })
	c1, c2, c3 := commit(t, l, 1, "s"), commit(t, l, 2, "cs"), commit(t, l, 3, "s")
	equal(t, notation(all(t, l)), "e1 e2 e2.1 e3 e4")

	// The backend has another e2. The first commit follows it, the second no longer applies, the third follows.
	renumber := func(events []event.Client, head string) []event.Client {
		events = slices.Clone(events)
		h := num(t, head)
		for i := range events {
			scope := event.ScopeSynced
			if events[i].Num.IsClientOnly() {
				scope = event.ScopeClientOnly
			}
			events[i].Num, events[i].Parent = h.Next(scope, 1)
			h = events[i].Num
		}
		return events
	}
	update(t, l,
		func() error { return l.DeleteAfter(num(t, "e1")) },
		appending(l, chain(num(t, "e1"), 0, 0, "s")),
		appending(l, renumber(c1, "e2")),
		func() error { return l.PutSetAside(eventlog.SetAside{ID: commitID(2), Events: c2, Err: "UNIQUE"}) },
		appending(l, renumber(c3, "e3r1")),
		func() error { return l.SetGeneration(1) },
		func() error { return l.SetUpstream(num(t, "e2")) })
	equal(t, notation(all(t, l)), "e1 e2 e3r1 e4r1")
	moved, err := l.Committed(commitID(3))
	if err != nil || notation(moved) != "e4r1" {
		t.Fatal(notation(moved), err)
	}
	asides, err := l.ListSetAside()
	if err != nil {
		t.Fatal(err)
	}
	equal(t, asides, []eventlog.SetAside{{ID: commitID(2), Events: c2, Err: "UNIQUE"}})
}

func TestATransactionThatWouldLoseACommitIsRefused(t *testing.T) {
	l := memory(t)
	commit(t, l, 1, "s")
	c2 := commit(t, l, 2, "ss")
	before := all(t, l)
	err := l.Update(func() error {
		return errors.Join(l.DeleteAfter(num(t, "e1")), l.Append(c2[:1]))
	})
	le, ok := errors.AsType[*eventlog.LostError](err)
	if !ok {
		t.Fatal(err)
	}
	equal(t, le.Events, []event.ID{{Commit: commitID(2), Index: 1}})
	equal(t, all(t, l), before)
	// Events of others may go: the backend withdraws them.
	update(t, l, appending(l, chain(num(t, "e3"), 0, 0, "ss")))
	update(t, l, func() error { return l.DeleteAfter(num(t, "e3")) })
	equal(t, all(t, l), before)
}

func TestChangesNeedATransaction(t *testing.T) {
	l := memory(t)
	changes := map[string]func() error{
		"Append":         func() error { return l.Append(nil) },
		"DeleteAfter":    func() error { return l.DeleteAfter(event.SeqNum{}) },
		"SetGeneration":  func() error { return l.SetGeneration(1) },
		"SetUpstream":    func() error { return l.SetUpstream(event.SeqNum{}) },
		"SetBackendID":   func() error { return l.SetBackendID("b") },
		"SetTaken":       func() error { return l.SetTaken("j1", 1) },
		"ForgetJournal":  func() error { return l.ForgetJournal("j1") },
		"PutSetAside":    func() error { return l.PutSetAside(eventlog.SetAside{}) },
		"DeleteSetAside": func() error { _, err := l.DeleteSetAside(commitID(1)); return err },
		"Commit":         l.Commit,
	}
	for what, change := range changes {
		if err := change(); !errors.Is(err, eventlog.ErrNoTransaction) {
			t.Errorf("%s = %v", what, err)
		}
	}
	if err := l.Rollback(); err != nil {
		t.Errorf("Rollback = %v", err)
	}
	if err := l.Begin(); err != nil {
		t.Fatal(err)
	}
	if err := l.Begin(); !errors.Is(err, eventlog.ErrInTransaction) {
		t.Errorf("second Begin = %v", err)
	}
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	changes["Begin"] = l.Begin
	changes["Check"] = l.Check
	changes["ListSetAside"] = func() error { _, err := l.ListSetAside(); return err }
	changes["At"] = func() error { _, _, err := l.At(event.SeqNum{}); return err }
	changes["Find"] = func() error { _, _, err := l.Find(event.ID{}); return err }
	changes["Committed"] = func() error { _, err := l.Committed(commitID(1)); return err }
	changes["Read"] = func() error { _, err := eventlog.Collect(l.Read(event.SeqNum{}, 0)); return err }
	changes["SessionID"] = func() error { _, err := l.SessionID(1, nil); return err }
	for what, change := range changes {
		if err := change(); !errors.Is(err, eventlog.ErrClosed) {
			t.Errorf("%s of a closed log = %v", what, err)
		}
	}
}

func TestSessionSlots(t *testing.T) {
	l := memory(t)
	id := func(slot int, fresh string) string {
		t.Helper()
		got, err := l.SessionID(slot, func() string { return fresh })
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	equal(t, []string{id(0, "a"), id(1, "b"), id(0, "c"), id(1, "d")}, []string{"a", "b", "a", "b"})
	if _, err := l.SessionID(2, func() string { return "a" }); err == nil {
		t.Error("two slots share a session id")
	}
	if _, err := l.SessionID(2, func() string { return "" }); err == nil {
		t.Error("a slot has an empty session id")
	}
}

// What the process leaves when it is killed are the files as they are: a copy of them at any moment between two calls.
func TestEveryCommitIsInTheFilesWhenItReturns(t *testing.T) {
	dir := t.TempDir()
	l := open(t, filepath.Join(dir, "log.db"))
	for o := uint64(1); o <= 12; o++ {
		commit(t, l, o, strings.Repeat("sc", int(o)))
		if err := l.Begin(); err != nil { // and half of another
			t.Fatal(err)
		}
		head, _ := l.Head()
		if err := l.Append(chain(head, 0, o+1, strings.Repeat("s", 100))); err != nil {
			t.Fatal(err)
		}
		killed := t.TempDir()
		if err := os.CopyFS(killed, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		if err := l.Rollback(); err != nil {
			t.Fatal(err)
		}
		again := open(t, filepath.Join(killed, "log.db"))
		equal(t, all(t, again), all(t, l))
		equal(t, again.Taken("j1"), o)
		again.Close()
	}
}
