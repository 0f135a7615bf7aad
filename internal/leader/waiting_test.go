package leader_test

import (
	"errors"
	"testing"

	"github.com/livestore-go/livestore/internal/leader"
	"github.com/livestore-go/livestore/internal/migrate"
	"github.com/livestore-go/livestore/state"
)

// reopened is the world's leader anew, on the same log, with another version of the app.
func (w *world) reopened(schema *state.Schema) *world {
	w.t.Helper()
	v := newWorld(w.t, schema, func(c *leader.Config) {
		if err := errors.Join(c.Log.Close(), c.State.Conn().Close()); err != nil {
			w.t.Fatal(err)
		}
		c.Log = w.log
		var err error
		if c.State, err = migrate.Memory(w.log, schema, w.m.Heads().Local); err != nil {
			w.t.Fatal(err)
		}
	})
	v.log, v.backend, v.id = w.log, w.backend, w.id
	return v
}

// What does not apply waits in the log, and is applied when a version of the app that can opens it: before anything is pulled.
func TestWaiting(t *testing.T) {
	strict, newer := schemaOf(state.UnknownEvents(state.Fail)), schema
	halted := func() *world {
		w := newWorld(t, strict, nil)
		w.foreign("x", "y", "fails", "z")
		w.backend[1].Name = "v9.New"
		if w.pulled() == nil {
			t.Fatal("nothing unknown has come")
		}
		w.commit("s", "a")
		w.expect("e1=x e2=a", "a x", 1)
		return w
	}
	waits := func(w *world) (n int) {
		t.Helper()
		l, err := w.log.ReadWaiting()
		if err != nil {
			t.Fatal(err)
		}
		return len(l.Events)
	}
	t.Run("it is still not known", func(t *testing.T) {
		w := halted().reopened(strict)
		w.expect("e1=x e2=a", "a x", 1)
		if e, ok := errors.AsType[*leader.EventError](w.m.Halted()); !ok || e.Num != 2 || waits(w) != 3 {
			t.Errorf("halted: %v, and %d events wait", w.m.Halted(), waits(w))
		}
	})
	t.Run("it applies, and what comes next does not", func(t *testing.T) {
		w := halted().reopened(newer)
		w.expect("e1=x e2=y e3r1=a", "a x", 2)
		if e, ok := errors.AsType[*leader.EventError](w.m.Halted()); !ok || e.Num != 3 || waits(w) != 2 {
			t.Errorf("halted: %v, and %d events wait", w.m.Halted(), waits(w))
		}
		if err := w.m.Retry(); err != nil {
			t.Fatal(err)
		}
		w.backend[2].Name = "v9.New" // the backend was set back, and another event has this place now
		w.mustPull()
		w.expect("e1=x e2=y e3=fails e4=z e5r2=a", "a x z", 4)
		if waits(w) != 0 {
			t.Errorf("%d events wait", waits(w))
		}
	})
	t.Run("the backend was another one", func(t *testing.T) {
		w := halted()
		err := w.log.Update(func() error {
			l, err := w.log.ReadWaiting()
			l.BackendID = "another"
			return errors.Join(err, w.log.SetWaiting(l))
		})
		if err != nil {
			t.Fatal(err)
		}
		w = w.reopened(newer)
		w.expect("e1=x e2=a", "a x", 1)
		if w.m.Halted() != nil || waits(w) != 0 {
			t.Errorf("halted: %v, and %d events wait", w.m.Halted(), waits(w))
		}
	})
	t.Run("the app resets", func(t *testing.T) {
		w := halted()
		if err := w.m.Reset(true); err != nil || waits(w) != 0 {
			t.Errorf("%v, and %d events wait", err, waits(w))
		}
	})
}
