package materialize_test

import (
	"errors"
	"testing"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/materialize"
)

// State goes back to the last event that the log has under the same number and identity.
func TestRetreat(t *testing.T) {
	both(t, func(t *testing.T, e *materialize.Engine) {
		all := commits(20)
		apply(t, e, all...)
		asked := 0
		at := func(n event.SeqNum) (event.Client, bool, error) {
			asked++
			ev := all[n.Global-1][0]
			if n.Global > 7 {
				ev.ID.Commit.Journal = "other" // it has another one at this position
			}
			return ev, n.Global <= 15, nil
		}
		if err := materialize.Retreat(e, at); err != nil {
			t.Fatal(err)
		}
		if e.Head() != (materialize.Head{Num: all[6][0].Num, ID: all[6][0].ID}) || asked != 14 {
			t.Errorf("it stands at %v, and has asked for %d events", e.Head(), asked)
		}
		if got, want := dump(t, e.Conn()), "1:0=n0 2:1=n1 3:2=n2 4:3=n3 5:4=n4 6:5=n5 7:6=n6"; got != want {
			t.Errorf("it has %s, want %s", got, want)
		}
		apply(t, e, all[7:10]...)

		broken := errors.New("the log can not be read")
		if err := materialize.Retreat(e, func(event.SeqNum) (event.Client, bool, error) { return event.Client{}, false, broken }); !errors.Is(err, broken) {
			t.Errorf("from a log that can not be read: %v", err)
		}
		none := func(event.SeqNum) (event.Client, bool, error) { return event.Client{}, false, nil }
		if err := materialize.Retreat(e, none); err != nil || e.Head() != (materialize.Head{}) || dump(t, e.Conn()) != "" {
			t.Errorf("from a log that has nothing: %v at %s with %q", err, e.Head().Num, dump(t, e.Conn()))
		}
	})
}

func TestRetreatBeyondUndo(t *testing.T) {
	both(t, func(t *testing.T, e *materialize.Engine) {
		all := commits(20)
		apply(t, e, all...)
		if err := e.ForgetUndo(event.SeqNum{Global: 10}); err != nil {
			t.Fatal(err)
		}
		err := materialize.Retreat(e, func(event.SeqNum) (event.Client, bool, error) { return event.Client{}, false, nil })
		if !errors.Is(err, materialize.ErrUndoMissing) {
			t.Errorf("%v", err)
		}
	})
}
