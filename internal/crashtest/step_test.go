package crashtest

import (
	"errors"
	"strings"

	"github.com/livestore-go/livestore/internal/session"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/internal/sqlite/crashvfs"
)

// step does one random thing that a client or its surroundings do.
func (w *world) step() error {
	defer w.note()
	if w.leader == nil {
		return w.boot()
	}
	if len(w.sessions) == 0 {
		return w.open()
	}
	s := w.sessions[w.r.IntN(len(w.sessions))]
	switch n := w.r.IntN(100); {
	case n < 25:
		return w.commit(s, []int{1, 1, 1, 3, 3, 20}[w.r.IntN(6)], false)
	case n < 33:
		return w.commit(s, 1, true)
	case n < 50:
		return w.push(w.r.IntN(2) == 0)
	case n < 67:
		return w.pull(s)
	case n < 75:
		return w.upload()
	case n < 85:
		return w.download(w.r.IntN(4))
	case n < 90:
		w.backend.foreign(1 + w.r.IntN(3))
		return nil
	case n < 93:
		if len(w.sessions) < 3 {
			return w.open()
		}
		return nil
	case n < 96:
		return w.leave(s)
	default:
		return w.restart()
	}
}

// leave closes a session in order when it can be, and else as a process that ends without waiting.
func (w *world) leave(s *member) error {
	for i := range w.sessions {
		if w.sessions[i] == s {
			w.sessions = append(w.sessions[:i:i], w.sessions[i+1:]...)
			break
		}
	}
	return s.m.Close()
}

// restart ends the process without waiting for anything, and starts the next one, now and then with another schema. What had been
// committed is in the log then.
func (w *world) restart() error {
	w.note()
	if w.disk != nil && w.r.IntN(2) == 0 {
		killed, left := w.disk.Kill(), w.op-w.disk.Ops() // as it is before anything is closed
		w.end()
		w.mount(crashvfs.Mount(killed))
		if w.op > 0 {
			w.powerOffAt(left)
		}
		if w.r.IntN(4) == 0 {
			if err := w.spoil(); err != nil {
				return err
			}
		}
	}
	w.end()
	w.turn++
	w.ids = 0
	if w.r.IntN(3) == 0 {
		w.schema = (w.schema + 1) % 3
	}
	if w.disk != nil && w.r.IntN(3) == 0 {
		if err := w.stripUndo(); err != nil {
			return err
		}
	}
	if err := w.boot(); err != nil {
		return err
	}
	for _, c := range w.commits {
		if c.stage == session.Committed {
			c.stage = session.Persisted
		}
	}
	return nil
}

// spoil makes the state files garbage, with their logs beside them as the last process has left them. State is made anew.
func (w *world) spoil() error {
	names, err := w.disk.List()
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasPrefix(name, "state-") || !strings.HasSuffix(name, ".db") {
			continue
		}
		f, err := w.disk.Edit(name)
		if err != nil {
			return err
		}
		_, err = f.WriteAt([]byte("this is not what was here before"), 0)
		if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// stripUndo takes the undo entries out of the state files, as if there had been more events than entries are kept for: a rebase then
// has to rebuild state.
func (w *world) stripUndo() error {
	names, err := w.disk.List()
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasPrefix(name, "state-") || !strings.HasSuffix(name, ".db") {
			continue
		}
		conn, err := sqlite.Open(name, &sqlite.Options{VFS: w.disk.Name()})
		if sqlite.IsCorrupt(err) {
			continue // it was spoilt
		}
		if err != nil {
			return err
		}
		err = conn.Script("DELETE FROM __livestore_undo")
		if err := errors.Join(err, conn.Close()); err != nil {
			return err
		}
	}
	return nil
}
