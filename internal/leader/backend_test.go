package leader_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/leader"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/syncstate"
	"github.com/livestore-go/livestore/provider"
	"github.com/livestore-go/livestore/state"
)

func TestAdvance(t *testing.T) {
	w := newWorld(t, schema, nil)
	w.foreign("a", "b")
	w.mustPull()
	w.expect("e1=a e2=b", "a b", 2)
	w.foreign("c")
	w.mustPull()
	w.expect("e1=a e2=b e3=c", "a b c", 3)
	equal(t, "published", said(w.published()), "e1=a e2=b backend e2; e3=c backend e3")
	w.mustPull()
	if more := w.published(); more != nil {
		t.Errorf("a pull of nothing new published %s", said(more))
	}
}

// The answer to a push confirms nothing; the echo in the pull stream does.
func TestEchoConfirms(t *testing.T) {
	w := newWorld(t, schema, nil)
	w.commit("s", "a", "b")
	w.commit("s", "c")
	batch := w.push()
	if len(batch) != 3 || w.push() != nil {
		t.Fatalf("pushed %v, and another while that is under way", batch)
	}
	w.stored(batch)
	w.m.BackendPushed(batch, nil)
	w.expect("e1=a e2=b e3=c", "a b c", 0)
	if again := w.push(); again != nil {
		t.Errorf("pushed again: %v", again)
	}
	w.commit("s", "d")
	if next := w.push(); len(next) != 1 || next[0].SeqNum != 4 {
		t.Errorf("after three that are stored comes %v", next)
	}
	w.published()
	w.mustPull()
	w.expect("e1=a e2=b e3=c e4=d", "a b c d", 3)
	equal(t, "published", said(w.published()), "backend e3")
}

// Who is second rebases. A commit that no longer applies is set aside whole, with the reason, and what follows it closes up.
func TestRebase(t *testing.T) {
	w := newWorld(t, schema, nil)
	w.commit("s", "a")
	late := w.commit("s", "b", "taken")
	w.commit("r", "c")
	w.published()
	w.foreign("taken")
	w.mustPull()
	w.expect("e1=taken e2r1=a e3r1=c", "a c taken", 1)
	equal(t, "published", said(w.published()), "back to e0 e1=taken e2r1=a e3r1=c aside "+late.String()+" backend e1")
	if g := w.log.Meta().Generation; g != 1 {
		t.Errorf("the log is in generation %d, want 1", g)
	}
	s, _ := w.snapshot()
	if len(s.SetAside) != 1 || s.SetAside[0].ID != late || len(s.SetAside[0].Events) != 2 || !s.SetAside[0].At.Equal(now) ||
		!strings.Contains(s.SetAside[0].Err, "v1.Added") {
		t.Errorf("set aside: %+v", s.SetAside)
	}
	if batch := w.push(); len(batch) != 2 || batch[0].SeqNum != 2 || batch[0].ParentSeqNum != 1 {
		t.Errorf("then pushed: %v", batch)
	}
}

// Another client's event gets in behind a prefix of what was pushed.
func TestRebaseOfTheRest(t *testing.T) {
	w := newWorld(t, schema, func(c *leader.Config) { c.MaxPush = 1 })
	w.commit("s", "a")
	w.commit("s", "b")
	batch := w.push()
	w.stored(batch)
	w.m.BackendPushed(batch, nil)
	w.foreign("x")
	w.published()
	w.mustPull()
	w.expect("e1=a e2=x e3r1=b", "a b x", 2)
	equal(t, "published", said(w.published()), "back to e1 e2=x e3r1=b backend e2")
}

// A backend that says it is ahead gets nothing until the leader has pulled as far.
func TestServerAheadParks(t *testing.T) {
	w := newWorld(t, schema, nil)
	w.commit("s", "a")
	batch := w.push()
	w.foreign("x", "y")
	w.m.BackendPushed(batch, &provider.ServerAheadError{Head: 2})
	if again := w.push(); again != nil {
		t.Errorf("pushed to a backend that is ahead: %v", again)
	}
	if err := w.m.BackendPulled("b", 0, w.backend[:1], false); err != nil {
		t.Fatal(err)
	}
	if again := w.push(); again != nil {
		t.Errorf("pushed half-way: %v", again)
	}
	w.mustPull()
	w.expect("e1=x e2=y e3r2=a", "a x y", 2)
	if again := w.push(); len(again) != 1 || again[0].SeqNum != 3 {
		t.Errorf("after the pull it pushes %v", again)
	}
}

// Whether a push that was not answered was stored is for a pull to find out.
func TestDoubtAfterLostAnswer(t *testing.T) {
	for _, was := range []string{"stored", "not stored"} {
		t.Run(was, func(t *testing.T) {
			w := newWorld(t, schema, nil)
			w.foreign("x")
			w.mustPull()
			w.commit("s", "a")
			batch := w.push()
			if was == "stored" {
				w.stored(batch)
			}
			w.m.BackendPushed(batch, errors.New("the connection broke"))
			if !w.m.Doubt() || w.push() != nil {
				t.Error("there is no doubt")
			}
			if after := w.m.Cursor().After; after != 0 {
				t.Errorf("pulls after e%d, want one before the head", after)
			}
			if err := w.m.BackendPulled("b", 0, w.backend[:1], false); err != nil {
				t.Fatal(err)
			}
			if !w.m.Doubt() {
				t.Error("a pull that does not reach the head has ended the doubt")
			}
			w.mustPull()
			if w.m.Doubt() {
				t.Error("there still is doubt")
			}
			if was == "stored" {
				w.expect("e1=x e2=a", "a x", 2)
				if again := w.push(); again != nil {
					t.Errorf("pushed twice: %v", again)
				}
				return
			}
			w.expect("e1=x e2=a", "a x", 1)
			if again := w.push(); len(again) != 1 || again[0].SeqNum != 2 {
				t.Errorf("it is not pushed again: %v", again)
			}
		})
	}
}

func TestGapIsPulledAgain(t *testing.T) {
	w := newWorld(t, schema, nil)
	w.commit("s", "(n)")
	w.foreign("x", "y", "z")
	w.mustPull()
	before := w.logged()
	w.foreign("p", "q")
	for _, after := range []int64{2, 3} {
		err := w.m.BackendPulled("b", after, w.backend[4:], true)
		if _, ok := errors.AsType[*syncstate.GapError](err); !ok {
			t.Errorf("pulled after e%d without e4: %v", after, err)
		}
	}
	if w.m.Halted() != nil || w.logged() != before {
		t.Errorf("a gap left %s, halted: %v", w.logged(), w.m.Halted())
	}
	w.mustPull()
	w.expect("e0.1=n e1=x e2=y e3=z e4=p e5=q", "(n) p q x y z", 5)
}

// A backend that is another one, or was set back, stops sync. Nothing is lost and the store goes on.
func TestBackendThatIsNotTheOneItWas(t *testing.T) {
	for name, change := range map[string]func(w *world) error{
		"another identity": func(w *world) error { return w.m.BackendPulled("b2", 1, w.backend[1:], true) },
		"set back": func(w *world) error {
			w.backend = w.backend[:1]
			return w.pulled()
		},
		"empty": func(w *world) error { return w.m.BackendPulled("b", 0, nil, true) },
		"other events": func(w *world) error {
			w.backend = w.backend[:0]
			w.foreign("p", "q", "r")
			return w.pulled()
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, schema, nil)
			w.foreign("x", "y")
			w.mustPull()
			w.commit("s", "a")
			err := change(w)
			changed, ok := errors.AsType[*leader.BackendChangedError](err)
			if !ok || changed.StoreID != "test" || !errors.Is(w.m.Halted(), err) {
				t.Fatalf("%v, halted: %v", err, w.m.Halted())
			}
			if batch := w.push(); batch != nil {
				t.Errorf("pushed to it: %v", batch)
			}
			w.commit("s", "b")
			w.expect("e1=x e2=y e3=a e4=b", "a b x y", 2)
			if id := w.m.Cursor().BackendID; id != "b" {
				t.Errorf("the log is of backend %q", id)
			}
		})
	}
}

func TestUnknownEventFromUpstream(t *testing.T) {
	var heard []string
	for name, policy := range map[string]state.UnknownPolicy{
		"warn": state.Warn, "ignore": state.Ignore, "fail": state.Fail,
		"callback": state.Callback(func(e event.Client) { heard = append(heard, e.Num.String()+" "+e.Name) }),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, schemaOf(state.UnknownEvents(policy)), nil)
			w.commit("s", "a")
			w.foreign("x", "y")
			w.backend[1].Name = "v9.New"
			err := w.pulled()
			if name == "fail" {
				if _, ok := errors.AsType[*state.UnknownEventError](err); !ok || w.m.Halted() == nil {
					t.Errorf("%v, halted: %v", err, w.m.Halted())
				}
				w.expect("e1=x e2r1=a", "a x", 1)
				w.commit("s", "b")
				w.expect("e1=x e2r1=a e3r1=b", "a b x", 1)
				return
			}
			if err != nil || w.m.Halted() != nil {
				t.Errorf("%v, halted: %v", err, w.m.Halted())
			}
			w.expect("e1=x e2=y e3r1=a", "a x", 2)
			// It is undone and applied like any other.
			w.commit("s", "b")
			w.foreign("z")
			w.mustPull()
			w.expect("e1=x e2=y e3=z e4r2=a e5r2=b", "a b x z", 3)
		})
	}
	equal(t, "the callback has heard", strings.Join(heard, ", "), "e2 v9.New")
}

// An event of another client that does not materialize here means that this app is older. Sync stops; the store goes on.
func TestFailingEventFromUpstreamHalts(t *testing.T) {
	w := newWorld(t, schema, nil)
	w.commit("s", "a")
	w.foreign("x", "fails")
	w.published()
	err := w.pulled()
	if e, ok := errors.AsType[*materialize.Error](err); !ok || e.Event != "v1.Added" || w.m.Halted() == nil {
		t.Errorf("%v, halted: %v", err, w.m.Halted())
	}
	if e, ok := errors.AsType[*leader.EventError](err); !ok || e.Num != 2 {
		t.Errorf("halted by %v", err)
	}
	// What comes before it is applied.
	w.expect("e1=x e2r1=a", "a x", 1)
	if again := w.pulled(); !errors.Is(again, err) || w.push() != nil {
		t.Errorf("pulled again: %v", again)
	}
	equal(t, "published", said(w.published()), "back to e0 e1=x e2r1=a backend e1")
	w.commit("s", "b")
	w.expect("e1=x e2r1=a e3r1=b", "a b x", 1)

	// The app wants to try again: with a backend that has come to another mind, say.
	w.m.Resume()
	w.backend[1].Args = jsontext.Value(`{"name":"y"}`)
	w.mustPull()
	w.expect("e1=x e2=y e3r2=a e4r2=b", "a b x y", 2)
}

// A commit that is larger than what a push may hold goes in parts. When another client gets between them, the rest is rebased, and set
// aside by itself when it does not apply any more.
func TestCommitThatIsPushedInParts(t *testing.T) {
	for _, tt := range []struct{ foreign, log, state, aside string }{
		{"x", "e1=a e2=b e3=x e4r1=c e5r1=d e6r1=e", "a b c d e x", ""},
		{"d", "e1=a e2=b e3=d e4r1=e", "a b d e", "[c d]"},
	} {
		w := newWorld(t, schema, func(c *leader.Config) { c.Limits.Events = 2 })
		w.mustPull()
		w.commit("s", "a", "b", "c", "d")
		w.commit("s", "e")
		w.published()
		batch := w.push()
		if len(batch) != 2 {
			t.Fatalf("pushed %v", batch)
		}
		w.stored(batch)
		w.m.BackendPushed(batch, nil)
		w.foreign(tt.foreign)
		w.mustPull()
		w.expect(tt.log, tt.state, 3)
		aside := ""
		for _, p := range w.published() {
			for _, a := range p.SetAside {
				var names []string
				for _, e := range a.Events {
					names = append(names, strings.TrimPrefix(show(e), "e0="))
				}
				aside += fmt.Sprint(names)
			}
		}
		equal(t, "set aside", aside, tt.aside)
		for batch := w.push(); batch != nil; batch = w.push() {
			w.stored(batch)
			w.m.BackendPushed(batch, nil)
		}
		w.mustPull()
		equal(t, "the backend has what the log has", fmt.Sprint(len(w.backend)), fmt.Sprint(w.m.Heads().Upstream.Global))
	}
}

// What no backend takes stops pushes, says which event it is, and stays.
func TestEventThatIsTooLargeToPush(t *testing.T) {
	w := newWorld(t, schema, func(c *leader.Config) { c.Limits.Bytes = 2000 })
	w.mustPull()
	w.commit("s", "a")
	w.commit("s", strings.Repeat("b", 2000))
	w.commit("s", "c")
	batch := w.push()
	if len(batch) != 1 {
		t.Errorf("pushed %v", batch)
	}
	w.stored(batch)
	w.m.BackendPushed(batch, nil)
	if batch := w.push(); batch != nil {
		t.Errorf("pushed %v", batch)
	}
	e, ok := errors.AsType[*provider.RejectedError](w.m.Rejected())
	if !ok || e.Num != 2 || e.Name != "v1.Added" {
		t.Errorf("rejected: %v", w.m.Rejected())
	}
	w.foreign("x") // it takes the place of the large one
	w.mustPull()
	if got := w.m.Heads(); got.Upstream.Global != 2 || got.Local.Global != 4 {
		t.Errorf("others are not pulled any more: %v", got)
	}
}

// Client-only events confirm with the synced ones around them, and by themselves they are no reason to rebase.
func TestClientOnlyEventsAroundAForeignOne(t *testing.T) {
	w := newWorld(t, schema, nil)
	w.commit("s", "(m)")
	w.commit("s", "(n)")
	if batch := w.push(); batch != nil {
		t.Errorf("pushed client-only events: %v", batch)
	}
	w.published()
	w.foreign("x")
	w.mustPull()
	w.expect("e0.1=m e0.2=n e1=x", "(m) (n) x", 1)
	equal(t, "published", said(w.published()), "e1=x backend e1")

	w.commit("s", "(o)")
	w.commit("s", "(p)", "a", "(q)")
	w.commit("s", "(r)")
	w.foreign("y")
	w.published()
	w.mustPull()
	// The first one had no synced event to wait for. The others move with theirs.
	w.expect("e0.1=m e0.2=n e1=x e1.1=o e2=y e2.1r1=p e3r1=a e3.1r1=q e3.2r1=r", "(m) (n) (o) (p) (q) (r) a x y", 2)
	equal(t, "published", said(w.published()), "back to e1.1 e2=y e2.1r1=p e3r1=a e3.1r1=q e3.2r1=r backend e2")

	batch := w.push()
	if len(batch) != 1 || batch[0].SeqNum != 3 || batch[0].ParentSeqNum != 2 {
		t.Fatalf("pushed %v", batch)
	}
	w.stored(batch)
	w.m.BackendPushed(batch, nil)
	w.mustPull()
	if up := w.m.Heads().Upstream.String(); up != "e3.2r1" {
		t.Errorf("confirmed up to %s, want e3.2r1", up)
	}
}

// What a client-only event has written is no reason to refuse what another client's event writes there: the latter wins the table.
func TestForeignEventOnATableOfClientOnlyEvents(t *testing.T) {
	w := newWorld(t, schema, nil)
	r := w.request("s", "(draft)")
	r.Commits[0].Events[0].Name = "v1.Drafted"
	if err := w.m.Push(reqs(r))[0].Err; err != nil {
		t.Fatal(err)
	}
	w.foreign("x")
	w.mustPull()
	w.expect("e0.1=draft e1=x", "draft x", 1)

	w.commit("s", "a") // the table is one of synced events now
	r = w.request("s", "(late)")
	r.Commits[0].Events[0].Name = "v1.Drafted"
	if res := w.m.Push(reqs(r))[0]; res.Err != nil || res.Reply.Taken {
		t.Errorf("a client-only event on it: %+v", res)
	}
	w.expect("e0.1=draft e1=x e2=a", "a draft x", 1)
}

// A rebase that goes further back than undo entries are kept rebuilds the state.
func TestRebaseBeyondUndo(t *testing.T) {
	w := newWorld(t, schema, nil)
	w.commit("s", "(first)")
	w.foreign("x")
	w.mustPull()
	const n = materialize.UndoCap + materialize.UndoCap/10
	for i := 0; i <= n; {
		var args []string
		for range 1000 {
			args = append(args, fmt.Sprint("n", i))
			i++
		}
		w.commit("s", args...)
	}
	count := w.log.Count()
	w.published()
	w.foreign("y")
	w.mustPull()
	if len(w.rebuilt) != 1 || w.rebuilt[0].String() != "e1" {
		t.Errorf("state was rebuilt up to %v, want once, up to e1", w.rebuilt)
	}
	if p := w.published(); len(p) != 1 || p[0].RollbackTo.String() != "e1" {
		t.Errorf("%d publishes", len(p))
	}
	if got := w.log.Count(); got != count+1 {
		t.Errorf("the log has %d events, want %d", got, count+1)
	}
	s, has := w.snapshot()
	if got := len(strings.Fields(has)); got != int(count)+1 || s.Head.Global != count+1-1 {
		t.Errorf("the state has %d rows at %s", got, s.Head)
	}
	// And once more, by undo entries: the rebuilt state keeps them.
	w.foreign("z")
	w.commit("s", "last")
	w.rebuilt = nil
	w.published()
	w.mustPull()
	if head, _ := w.log.Head(); head.Global != count+2 {
		t.Errorf("the log ends at %s", head)
	}
}

// The backend takes a batch whole. So a commit is never cut, or another client's event could get between its events.
func TestPushesCutNoCommit(t *testing.T) {
	w := newWorld(t, schema, func(c *leader.Config) { c.MaxPush = 3 })
	var sizes []string
	for i, n := range []int{2, 5, 1, 1, 1, 1} {
		var args []string
		for j := range n {
			args = append(args, fmt.Sprint(i, "-", j))
		}
		w.commit("s", args...)
		w.commit("s", fmt.Sprintf("(%d)", i))
	}
	for batch := w.push(); batch != nil; batch = w.push() {
		sizes = append(sizes, fmt.Sprint(len(batch)))
		w.stored(batch)
		w.m.BackendPushed(batch, nil)
		w.mustPull()
	}
	equal(t, "events in the pushes", strings.Join(sizes, " "), "7 3 1")
}

// A session is never told that the backend is ahead of what it has been given.
func TestLongPullIsPublishedInPieces(t *testing.T) {
	w := newWorld(t, schema, nil)
	for i := range 250 {
		w.foreign(fmt.Sprint("f", i))
	}
	w.mustPull()
	var pieces []string
	for _, p := range w.published() {
		last := p.Events[len(p.Events)-1].Num
		pieces = append(pieces, fmt.Sprintf("%d to %s backend %s", len(p.Events), last, p.BackendHead))
	}
	equal(t, "pieces", strings.Join(pieces, ", "), "100 to e100 backend e100, 100 to e200 backend e200, 50 to e250 backend e250")
}
