package leader_test

import (
	"errors"
	"testing"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
	"github.com/livestore-go/livestore/internal/leader"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/migrate"
	"github.com/livestore-go/livestore/internal/sqlite/crashvfs"
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
		if w.m.Halted() != nil {
			t.Errorf("halted: %v", w.m.Halted())
		}
	})
	t.Run("nothing was ever confirmed", func(t *testing.T) {
		w := newWorld(t, strict, nil)
		w.foreign("x")
		w.backend[0].Name = "v9.New"
		if w.pulled() == nil || waits(w) != 1 {
			t.Fatal("nothing unknown has come")
		}
		w = w.reopened(newer)
		w.backend, w.id = nil, "another" // the app has another backend by now
		w.foreign("q")
		w.mustPull()
		w.expect("e1=q", "q", 1)
		if waits(w) != 0 {
			t.Errorf("%d events wait", waits(w))
		}
	})
	t.Run("the backend is set back, and pulled from", func(t *testing.T) {
		w := halted()
		w.backend = w.backend[:1]
		if err := w.m.Retry(); err != nil {
			t.Fatal(err)
		}
		w.mustPull()
		if waits(w) != 0 {
			t.Errorf("%d events wait that the backend has no more", waits(w))
		}
		w = w.reopened(newer)
		w.expect("e1=x e2=a", "a x", 1)
		w.mustPull()
	})
	t.Run("the app rebases onto the backend that was set back", func(t *testing.T) {
		w := halted()
		w.backend = w.backend[:1]
		if err := w.m.RebaseOnto(w.id, 1, nil); err != nil || waits(w) != 0 {
			t.Errorf("%v, and %d events wait", err, waits(w))
		}
	})
	t.Run("the disk is full when it opens", func(t *testing.T) {
		disk := crashvfs.New()
		t.Cleanup(disk.Close)
		log, err := eventlog.Open("eventlog.db", &eventlog.Options{
			StoreID: "test", VFS: disk.Name(), NewClientID: func() string { return "client" },
		})
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, strict, func(c *leader.Config) {
			if err := c.Log.Close(); err != nil {
				t.Fatal(err)
			}
			c.Log = log
		})
		w.log = log
		w.foreign("x", "y")
		w.backend[1].Name = "v9.New"
		if w.pulled() == nil {
			t.Fatal("nothing unknown has come")
		}
		before := disk.Ops()
		if w.m.Retry() != nil || w.pulled() == nil || disk.Ops() != before {
			t.Errorf("another round that halts wrote what waits again, in %d operations", disk.Ops()-before)
		}
		disk.SetFree(0)
		w = w.reopened(newer)
		w.expect("e1=x", "x", 1)
		disk.SetFree(-1)
		w.mustPull()
		w.expect("e1=x e2=y", "x", 2)
	})
	t.Run("the app resets", func(t *testing.T) {
		w := halted()
		if err := w.m.Reset(true); err != nil || waits(w) != 0 {
			t.Errorf("%v, and %d events wait", err, waits(w))
		}
	})
}

// While the leader takes events of the backend, state has to be rebuilt, and then a pending event does not apply: it is no event of the
// backend.
func TestPendingEventThatFailsBetweenTwoTries(t *testing.T) {
	broken := false
	schema := state.MustSchema(rows, notes, state.UnknownEvents(state.Fail),
		state.On(added, func(tx *state.Tx, e named) error {
			if broken = broken || e.Name == "bad"; broken && e.Name != "x" && e.Name != "y" {
				return errors.New("does not apply")
			}
			return tx.Exec(rows.Insert(row(e)))
		}),
		state.On(noted, func(tx *state.Tx, e named) error {
			if broken {
				return errors.New("does not apply")
			}
			return tx.Exec(notes.Insert(row(e)))
		}))
	w := newWorld(t, schema, nil)
	w.foreign("x")
	w.mustPull()
	w.commit("s", "(c)", "p")
	v := newWorld(t, schema, func(c *leader.Config) {
		err := errors.Join(c.Log.Close(), c.State.Conn().Close())
		c.Log = w.log
		if err == nil {
			c.State, err = migrate.Memory(w.log, schema, w.m.Heads().Upstream)
		}
		if err != nil {
			t.Fatal(err)
		}
		c.State.KeepUndo(false) // as when undo entries do not reach back
		for e, err := range w.log.Read(w.m.Heads().Upstream, 0) {
			if err := errors.Join(err, c.State.Apply([]event.Client{e})); err != nil {
				t.Fatal(err)
			}
		}
		c.Rebuild = func(upTo event.SeqNum) (*materialize.Engine, error) { return migrate.Memory(w.log, schema, upTo) }
	})
	v.log, v.backend, v.id = w.log, w.backend, w.id
	v.foreign("y", "bad")
	if _, ok := errors.AsType[*materialize.Error](v.pulled()); !ok {
		t.Errorf("pulled: %v", v.m.Halted())
	}
}
