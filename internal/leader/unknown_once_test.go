package leader_test

import (
	"testing"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/state"
)

func TestRebaseOntoTellsUnknownOnce(t *testing.T) {
	n := 0
	w := newWorld(t, schemaOf(state.UnknownEvents(state.Callback(func(event.Client) { n++ }))), nil)
	w.foreign("x", "y")
	w.backend[1].Name = "v9.Newer"
	w.mustPull()
	if n != 1 {
		t.Fatal(n)
	}
	e := w.backend[1]
	e.SeqNum, e.ParentSeqNum = 1, 0
	w.mustOnto("b2", e)
	if n != 1 {
		t.Errorf("told %d times", n)
	}
}
