package leader_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/leader"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/syncstate"
	"github.com/livestore-go/livestore/state"
)

// onto brings the leader onto a backend, whose log it is given in pages of two.
func (w *world) onto(id string, backend ...event.Global) error {
	w.t.Helper()
	common := int64(0)
	rest := backend
	for len(rest) > 0 {
		page := rest[:min(2, len(rest))]
		n, err := w.m.CommonWith(common, page)
		if err != nil {
			w.t.Fatal(err)
		}
		common, rest = common+int64(n), rest[n:]
		if n < len(page) {
			break
		}
	}
	return w.m.RebaseOnto(id, common, rest)
}

func (w *world) mustOnto(id string, backend ...event.Global) {
	w.t.Helper()
	if err := w.onto(id, backend...); err != nil {
		w.t.Fatal(err)
	}
	w.id, w.backend = id, backend
}

// confirmed has the backend store everything that is pending, and the leader hear of it.
func (w *world) confirmed() {
	w.t.Helper()
	w.mustPull()
	for batch := w.push(); batch != nil; batch = w.push() {
		w.stored(batch)
		w.m.BackendPushed(batch, nil)
	}
	w.mustPull()
}

// chained numbers events as a backend has them: "name" is another client's, "client:name" is of the session s of a client.
func chained(args ...string) []event.Global {
	events := make([]event.Global, len(args))
	for i, a := range args {
		client, arg, own := strings.Cut(a, ":")
		session := "s"
		if !own {
			client, session, arg = "other", "o", a
		}
		name, raw, _ := ev(arg)
		events[i] = event.Global{SeqNum: int64(i) + 1, ParentSeqNum: int64(i), Name: name, Args: raw, ClientID: client, SessionID: session}
	}
	return events
}

// archived renders the archive.
func (w *world) archived() string {
	w.t.Helper()
	r, err := w.m.Archive(link.ArchiveRequest{Limit: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, a := range r.Events {
		if !a.At.Equal(now) || a.Event.ClientID == "client" {
			w.t.Errorf("archived: %+v", a)
		}
		out = append(out, fmt.Sprintf("%s/%s", a.BackendID, show(a.Event.Client())))
	}
	return strings.Join(out, " ")
}

// aside renders what is set aside.
func (w *world) aside() string {
	w.t.Helper()
	s, _ := w.snapshot()
	var out []string
	for _, a := range s.SetAside {
		for _, e := range a.Events {
			out = append(out, fmt.Sprintf("%s=%s", e.ID, strings.TrimPrefix(show(e), "e0=")))
		}
	}
	return strings.Join(out, " ")
}

// ids renders the identities of the log.
func (w *world) ids() string {
	w.t.Helper()
	var out []string
	for e, err := range w.log.Read(event.SeqNum{}, 0) {
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, e.ID.String())
	}
	return strings.Join(out, " ")
}

// A backend without events and with another identity: what this client has committed is pushed to it again, and what others have is
// archived. Client-only events stay where they were among them.
func TestRebaseOntoAnEmptyBackend(t *testing.T) {
	w := newWorld(t, schema, nil)
	w.commit("s", "(m)")
	w.foreign("x")
	w.mustPull()
	w.commit("s", "a", "(n)", "b")
	w.commit("s", "(o)")
	w.confirmed()
	w.foreign("y")
	w.mustPull()
	w.commit("s", "c")
	w.expect("e0.1=m e1=x e2=a e2.1=n e3=b e3.1=o e4=y e5=c", "(m) (n) (o) a b c x y", 4)
	if err := w.m.BackendPulled("b2", 3, nil, true); err == nil {
		t.Fatal("another backend is taken for the one it was")
	}
	w.mustOnto("b2")
	w.expect("e0.1=m e1r1=a e1.1r1=n e2r1=b e2.1r1=o e3r1=c", "(m) (n) (o) a b c", 0)
	equal(t, "archived", w.archived(), "b/e1=x b/e4=y")
	equal(t, "identities", w.ids(), "s/1#0 s/2#0 s/2#1 s/2#2 s/3#0 s/4#0")
	if meta := w.log.Meta(); meta.BackendID != "b2" || meta.Generation != 1 || meta.Upstream != (event.SeqNum{}) {
		t.Errorf("the log says %+v", meta)
	}
	if w.m.Halted() != nil || w.m.Doubt() || w.m.BackendHead() != 0 || w.m.Cursor().BackendID != "b2" {
		t.Errorf("halted %v, doubt %t, head e%d, cursor %+v", w.m.Halted(), w.m.Doubt(), w.m.BackendHead(), w.m.Cursor())
	}
	if r := w.m.Published(w.pull); !r.Lost {
		t.Errorf("sessions are given %s", said(r.Published))
	}
	batch := w.push()
	if len(batch) != 3 || batch[0].ParentSeqNum != 0 {
		t.Errorf("then pushed: %v", batch)
	}
	w.stored(batch)
	w.m.BackendPushed(batch, nil)
	if err := w.m.BackendPulled("b2", 0, w.backend, true); err != nil {
		t.Fatal(err)
	}
	w.expect("e0.1=m e1r1=a e1.1r1=n e2r1=b e2.1r1=o e3r1=c", "(m) (n) (o) a b c", 3)
}

// The same backend, restored from an older copy. Others have written since, or not.
func TestRebaseOntoABackendThatWasSetBack(t *testing.T) {
	for name, c := range map[string]struct {
		since                []string
		log, state, archived string
		upstream             int64
	}{
		"to where it was":     {nil, "e1=x e2=a e3r1=b e4r1=c", "a b c x", "b/e3=y", 2},
		"and written since":   {[]string{"z"}, "e1=x e2=a e3=z e4r1=b e5r1=c", "a b c x z", "b/e3=y", 3},
		"and written as much": {[]string{"z", "v"}, "e1=x e2=a e3=z e4=v e5r1=b e6r1=c", "a b c v x z", "b/e3=y", 4},
		"and y is back":       {[]string{"z", "y"}, "e1=x e2=a e3=z e4=y e5r1=b e6r1=c", "a b c x y z", "", 4},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, schema, nil)
			w.foreign("x")
			w.mustPull()
			w.commit("s", "a")
			w.confirmed()
			w.foreign("y")
			w.mustPull()
			w.commit("s", "b")
			w.confirmed()
			w.commit("s", "c")
			w.expect("e1=x e2=a e3=y e4=b e5=c", "a b c x y", 4)
			backend := w.backend[:2:2]
			for _, arg := range c.since {
				n := int64(len(backend))
				name, raw, _ := ev(arg)
				backend = append(backend, event.Global{
					SeqNum: n + 1, ParentSeqNum: n, Name: name, Args: raw, ClientID: "other", SessionID: "o",
				})
			}
			w.rebuilt = nil
			w.mustOnto("b", backend...)
			w.expect(c.log, c.state, c.upstream)
			equal(t, "archived", w.archived(), c.archived)
			if len(w.rebuilt) != 1 || w.rebuilt[0] != (event.SeqNum{Global: 2}) {
				t.Errorf("state was rebuilt up to %v", w.rebuilt)
			}
			w.confirmed()
			if n := int64(len(w.backend)); n != c.upstream+2 {
				t.Errorf("in the end the backend has %d events", n)
			}
		})
	}
}

// Some of what this client has committed is there already, elsewhere: it keeps its identity, at the numbers of the backend, and is not
// pushed again. Of equal events, as many as the backend has are there.
func TestWhatTheBackendHasIsNotPushedAgain(t *testing.T) {
	w := newWorld(t, schemaOf(), nil)
	w.commit("s", "a", "b")
	w.commit("s", "c", "d")
	w.confirmed()
	w.mustOnto("b2", chained("x", "client:d", "client:b")...)
	w.expect("e1=x e2=d e3=b e4r1=a e5r1=c", "a b c d x", 3)
	equal(t, "identities", w.ids(), "- s/2#1 s/1#1 s/1#0 s/2#0")
	if id := w.m.Cursor().BackendID; id != "b2" {
		t.Errorf("the log is of backend %s", id)
	}
	if batch := w.push(); len(batch) != 2 || batch[0].SeqNum != 4 {
		t.Errorf("then pushed: %v", batch)
	} else {
		w.m.BackendPushed(batch, errors.New("the backend is gone"))
	}
	w.mustOnto("b3") // and their commits are whole again
	w.expect("e1r2=c e2r2=d e3r2=a e4r2=b", "a b c d", 0)
	equal(t, "identities", w.ids(), "s/2#0 s/2#1 s/1#0 s/1#1")
	equal(t, "archived", w.archived(), "b2/e1=x")
}

type tally struct {
	A string  `json:"a"`
	B float64 `json:"b"`
}

// tallied is an event of which there may be two with the same arguments.
var tallied = event.Synced[tally]("v1.Tallied")

func TestEqualEventsAreCounted(t *testing.T) {
	w := newWorld(t, schemaOf(state.On(tallied, func(*state.Tx, tally) error { return nil })), nil)
	same := func(n int) (args []event.Global) {
		for range n {
			k := int64(len(args))
			args = append(args, event.Global{
				SeqNum: k + 1, ParentSeqNum: k, Name: "v1.Tallied", Args: jsontext.Value(`{ "b":1.0, "a":"\u0061" }`), ClientID: "client", SessionID: "s",
			})
		}
		return args
	}
	r := w.request("s", "a", "b", "c")
	for i := range r.Commits[0].Events { // three times the same
		r.Commits[0].Events[i].Name, r.Commits[0].Events[i].Args = "v1.Tallied", jsontext.Value(`{"a":"a","b":1}`)
	}
	if res := w.m.Push([]link.PushRequest{r})[0]; !res.Reply.Taken {
		t.Fatal(res)
	}
	w.confirmed()
	events := same(3)
	events[0].SessionID = "t" // not the same
	w.mustOnto("b2", events...)
	equal(t, "identities", w.ids(), "- s/1#0 s/1#1 s/1#2")
	if batch := w.push(); len(batch) != 1 || batch[0].SeqNum != 4 || string(batch[0].Args) != `{"a":"a","b":1}` {
		t.Errorf("then pushed: %v", batch)
	}
}

// Events of this client that came back from a backend, after a reset or with a new directory, have no identity. They are pushed again, too.
func TestOwnEventsWithoutIdentity(t *testing.T) {
	w := newWorld(t, schema, nil)
	w.backend = chained("client:a", "x", "client:fails not", "client:b")
	w.mustPull()
	w.commit("s", "c")
	w.mustOnto("b2", chained("fails not")...)
	w.expect("e1=fails not e2r1=a e3r1=b e4r1=c", "a b c fails not", 1)
	equal(t, "archived", w.archived(), "b/e2=x")
	equal(t, "set aside", w.aside(), "id/2#0=fails not") // by another client since, and unique
	equal(t, "identities", w.ids(), "- id/1#0 id/3#0 s/1#0")
	w.confirmed()
	w.mustOnto("b3") // the next ones are others, also when the new journal has the same name
	w.expect("e1r2=a e2r2=b e3r2=c", "a b c", 0)
	equal(t, "identities", w.ids(), "id/1#0 id/3#0 s/1#0")
}

// A commit that does not apply where the backend's events are is set aside, with what is set aside of it already.
func TestSetAsideOnAnotherBackend(t *testing.T) {
	w := newWorld(t, schema, func(c *leader.Config) { c.MaxPush, c.Limits.Events = 1, 1 })
	cut := w.commit("s", "a", "b")
	w.commit("s", "(n)", "c")
	batch := w.push()
	w.stored(batch)
	w.m.BackendPushed(batch, nil)
	w.foreign("b")
	w.mustPull()
	w.confirmed()
	w.expect("e1=a e2=b e2.1r1=n e3r1=c", "(n) a b c", 3)
	equal(t, "set aside", w.aside(), cut.String()+"#1=b")
	w.mustOnto("b2", chained("a", "z")...)
	w.expect("e1=a e2=z e2.1r2=n e3r2=c", "(n) a c z", 2)
	equal(t, "set aside", w.aside(), cut.String()+"#0=a "+cut.String()+"#1=b")
	equal(t, "archived", w.archived(), "b/e2=b")
}

// Client-only events of a commit move with its synced ones; others stay where they are.
func TestClientOnlyEventsAtTheFork(t *testing.T) {
	w := newWorld(t, schema, nil)
	w.commit("s", "a", "(k)")
	w.commit("s", "(l)", "b")
	w.commit("s", "(m)")
	w.confirmed()
	w.expect("e1=a e1.1=k e1.2=l e2=b e2.1=m", "(k) (l) (m) a b", 2)
	w.mustOnto("b", append(w.backend[:1:1], chained("", "z")[1])...)
	w.expect("e1=a e1.1=k e2=z e2.1r1=l e3r1=b e3.1r1=m", "(k) (l) (m) a b z", 2)
}

// A backend that has all that it had confirmed is gone on with: nothing is undone, and sessions follow as they do when it is pulled.
func TestRebaseOntoABackendThatHasEverything(t *testing.T) {
	for _, id := range []string{"b", "b2"} {
		t.Run(id, func(t *testing.T) {
			w := newWorld(t, schema, nil)
			w.foreign("x")
			w.mustPull()
			w.commit("s", "a")
			w.published()
			w.mustOnto(id, w.backend...)
			w.expect("e1=x e2=a", "a x", 1)
			if p := w.published(); len(p) > 0 {
				t.Errorf("it published %s", said(p))
			}
			w.mustOnto(id, append(w.backend, chained("", "y", "z")[1:]...)...)
			w.expect("e1=x e2=y e3=z e4r1=a", "a x y z", 3)
			if meta := w.log.Meta(); meta.BackendID != id || len(w.rebuilt) > 0 {
				t.Errorf("the log is of backend %s, state was rebuilt at %v", meta.BackendID, w.rebuilt)
			}
			w.mustOnto(id, w.backend...)
			w.expect("e1=x e2=y e3=z e4r1=a", "a x y z", 3)
			if batch := w.push(); len(batch) != 1 || batch[0].SeqNum != 4 {
				t.Errorf("then pushed: %v", batch)
			}
			if err := w.onto(id, w.backend...); err == nil || !strings.Contains(err.Error(), "under way") {
				t.Errorf("rebased while a push is under way: %v", err)
			}
			if _, err := errors.AsType[*link.UnconfirmedError](w.m.Reset(true)); err {
				t.Error("reset while a push is under way")
			}
		})
	}
}

// What a push has stored, though its answer was lost, is confirmed by a rebase onto the same backend, and by one onto another that has it.
func TestRebaseOntoWhatAPushHasStored(t *testing.T) {
	for second, state := range map[string]string{"y": "a b c x y z", "v": "a b c v x z"} {
		backend := chained("x", second, "client:a", "client:b", "z")
		w := newWorld(t, schema, nil)
		w.foreign("x", "y")
		w.mustPull()
		w.commit("s", "a", "b")
		w.commit("s", "c")
		w.m.BackendPushed(w.push(), errors.New("the connection broke"))
		w.mustOnto("b", backend...)
		w.expect("e1=x e2="+second+" e3=a e4=b e5=z e6r1=c", state, 5)
		if w.m.Doubt() {
			t.Error("there still is doubt")
		}
	}
}

// An event of the backend that does not apply, and one that is missing, leave everything as it was.
func TestRebaseOntoWhatDoesNotApply(t *testing.T) {
	w := newWorld(t, schema, nil)
	w.foreign("x", "y")
	w.mustPull()
	w.commit("s", "a")
	if err := w.m.BackendPulled("b2", 0, nil, true); err == nil {
		t.Fatal("another backend is taken for the one it was")
	}
	err := w.onto("b2", chained("x", "z", "fails", "v")...)
	if e, ok := errors.AsType[*leader.EventError](err); !ok || e.Num != 3 || e.StoreID != "test" {
		t.Errorf("%v", err)
	}
	events := chained("x", "z", "v")
	if err, ok := errors.AsType[*syncstate.GapError](w.onto("b2", events[0], events[2])); !ok {
		t.Errorf("without e2: %v", err)
	}
	w.expect("e1=x e2=y e3=a", "a x y", 2)
	equal(t, "archived", w.archived(), "")
	if meta := w.log.Meta(); meta.BackendID != "b" || meta.Generation != 0 || w.m.Halted() == nil {
		t.Errorf("the log says %+v, halted: %v", meta, w.m.Halted())
	}
	if err := w.m.RebaseOnto("b2", 3, nil); err == nil {
		t.Error("more in common than the backend had confirmed")
	}
	w.commit("s", "b")
	w.expect("e1=x e2=y e3=a e4=b", "a b x y", 2)
}

// A session that has not heard of it yet pushes commits on numbers of before. They are refused, also when the number of the head is the
// same, and come again when it has booted anew.
func TestPushOnWhatWasWithdrawn(t *testing.T) {
	w := newWorld(t, schema, nil)
	w.foreign("x", "y")
	w.mustPull()
	late := w.request("s", "a")
	w.mustOnto("b", chained("x", "z")...)
	if num, id := w.log.Head(); num != late.Base || id != late.BaseID {
		t.Fatalf("the head is %s and was %s", num, late.Base)
	}
	if res := w.m.Push([]link.PushRequest{late})[0]; res.Err != nil || res.Reply.Taken || res.Reply.Cursor == w.pull.Cursor {
		t.Errorf("%+v", res)
	}
	w.expect("e1=x e2=z", "x z", 2)
}
