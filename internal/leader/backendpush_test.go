package leader_test

import (
	"errors"
	"testing"

	"github.com/livestore-go/livestore/internal/leader"
)

// An older version of the app finds a commit of a newer one that has not been pushed yet. It can not tell whether that applies on what others
// have done meanwhile, so it keeps it, with all that comes after it.
func TestUnknownPendingEventIsHeld(t *testing.T) {
	w := newWorld(t, schema, nil)
	w.commit("s", "a")
	newer := w.request("s", "b", "c")
	newer.Commits[0].Events[1].Name = "v9.OfANewerVersion"
	if res := w.m.Push(reqs(newer))[0]; res.Err != nil || !res.Reply.Taken {
		t.Fatalf("%+v", res)
	}
	w.commit("s", "d")
	batch := w.push()
	if len(batch) != 1 || batch[0].SeqNum != 1 {
		t.Fatalf("pushed %v, want e1 alone", batch)
	}
	w.stored(batch)
	w.m.BackendPushed(batch, nil)
	w.mustPull()
	if batch := w.push(); batch != nil {
		t.Fatalf("pushed %v", batch)
	}
	held, ok := errors.AsType[*leader.HeldError](w.m.Rejected())
	if !ok || held.Num != 3 {
		t.Fatalf("why nothing is pushed: %v", w.m.Rejected())
	}
	if found, err := w.m.SetAsideRejected(); !found || err != nil {
		t.Fatal(found, err)
	}
	if batch := w.push(); len(batch) != 1 || batch[0].SeqNum != 2 {
		t.Fatalf("pushed %v, want what came after it", batch)
	}
}
