package leader_test

import (
	"errors"
	"testing"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/leader"
	"github.com/livestore-go/livestore/internal/link"
)

// unconfirmed checks that a reset is refused, and says what would be lost.
func (w *world) unconfirmed(events, aside int) {
	w.t.Helper()
	before := w.logged()
	err := w.m.Reset(false)
	e, ok := errors.AsType[*link.UnconfirmedError](err)
	if !ok || *e != (link.UnconfirmedError{StoreID: "test", ClientID: "client", Events: events, SetAside: aside}) {
		w.t.Errorf("reset: %v", err)
	}
	if got := w.logged(); got != before {
		w.t.Errorf("what was refused left %s", got)
	}
}

func TestReset(t *testing.T) {
	w := newWorld(t, schema, nil)
	w.foreign("x")
	w.mustPull()
	w.commit("s", "a", "(n)")
	w.commit("s", "(o)")
	w.unconfirmed(1, 0)
	w.foreign("a")
	w.mustPull()
	w.unconfirmed(0, 1)
	asides, _ := w.snapshot()
	if _, err := w.m.Drop(link.DropRequest{ID: asides.SetAside[0].ID}); err != nil {
		t.Fatal(err)
	}
	w.commit("s", "b")
	w.confirmed()
	w.expect("e1=x e2=a e2.1r1=o e3r1=b", "(o) a b x", 3)
	w.published()

	if err := w.m.Reset(false); err != nil { // client-only events alone stop nothing
		t.Fatal(err)
	}
	w.expect("", "", 0)
	if r := w.m.Published(w.pull); !r.Lost || !r.Anew {
		t.Errorf("sessions are given %+v", r)
	}
	meta := w.log.Meta()
	if meta.Generation != 2 || meta.ClientID != "client" || meta.BackendID != "" || w.log.Taken("s") != 3 {
		t.Errorf("the log says %+v, s/%d is taken", meta, w.log.Taken("s"))
	}
	if c := w.m.Cursor(); c.After != 0 || c.BackendID != "" || w.m.BackendHead() != 0 || w.m.Halted() != nil {
		t.Errorf("it pulls from %+v", c)
	}
	snap, err := w.m.Boot(link.BootRequest{Version: link.Version, Asks: []link.Range{{Journal: "s", From: 1}, {Journal: "r", From: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(snap.Reset) != 1 || snap.Reset[0] != (event.CommitID{Journal: "s", Ordinal: 3}) || len(snap.Events) > 0 {
		t.Errorf("a session is told %v and %v", snap.Reset, snap.Events)
	}
	w.commit("s", "c")
	w.mustPull()
	w.expect("e1=x e2=a e3=b e4r3=c", "a b c x", 3)
	equal(t, "identities", w.ids(), "- - - s/4#0")
}

// Nothing is known to be with a backend that is not the one it was.
func TestResetAfterTheBackendHasChanged(t *testing.T) {
	for name, changed := range map[string]func(w *world){
		"pulled": func(w *world) {
			if err := w.m.BackendPulled("b2", 1, nil, true); err == nil {
				w.t.Fatal("another backend is taken for the one it was")
			}
		},
		"said by the provider": func(w *world) { w.m.Changed(errors.New("it has another identity")) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, schema, nil)
			w.foreign("x")
			w.mustPull()
			w.commit("s", "a")
			w.confirmed()
			changed(w)
			if _, ok := errors.AsType[*leader.BackendChangedError](w.m.Halted()); !ok {
				t.Fatalf("halted: %v", w.m.Halted())
			}
			w.unconfirmed(2, 0)
			if err := w.m.Reset(true); err != nil {
				t.Fatal(err)
			}
			w.expect("", "", 0)
			w.backend, w.id = chained("z"), "b2"
			w.mustPull()
			w.expect("e1=z", "z", 1)
		})
	}
}

func TestResetOfALeaderWithoutABackend(t *testing.T) {
	w := newWorld(t, schema, func(c *leader.Config) { c.Synced = false })
	w.commit("s", "(n)")
	if err := w.m.Reset(false); err != nil {
		t.Fatal(err)
	}
	w.commit("s", "a", "b")
	w.unconfirmed(2, 0)
	if err := w.m.Reset(true); err != nil {
		t.Fatal(err)
	}
	w.commit("s", "a")
	w.expect("e1r2=a", "a", 0)
}
