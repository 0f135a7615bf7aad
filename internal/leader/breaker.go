package leader

import (
	"fmt"
	"time"

	"github.com/livestore-go/livestore/internal/syncstate"
)

// merged turns the breaker, or says that there is progress, after a merge that came to res. Only what was pushed can come too late: what is
// pending while the leader catches up is rebased many times, and that is no loop.
func (m *Machine) merged(res syncstate.Result) {
	b := &m.backend
	confirmed, rebased := 0, false
	switch r := res.(type) {
	case syncstate.Advance:
		confirmed = r.Confirmed
	case syncstate.Rebase:
		confirmed, rebased = r.Confirmed, true
	}
	switch {
	case confirmed > 0 || m.pendingEvents() == 0:
		b.breaker.Progress()
	case rebased && b.tried:
		m.Turn()
	}
}

// Turn says that a push has come to nothing: after it what was pending was rebased, or the events that the backend has before it do not
// come.
func (m *Machine) Turn() {
	b := &m.backend
	b.tried = false
	b.breaker.Turn()
	if b.breaker.First() {
		m.cfg.Logger.Warn("pushes to the sync backend come too late, again and again", "store", m.cfg.StoreID, "why", m.slow())
	}
}

// PushWait returns how long the next push to the backend has to wait because the last ones came to nothing, and that in words. It is said
// once: then the push may be made.
func (m *Machine) PushWait() (time.Duration, string) {
	if m.pendingEvents() == 0 {
		m.backend.breaker.Progress()
	}
	d := m.backend.breaker.Wait()
	if d == 0 {
		return 0, ""
	}
	return d, fmt.Sprintf("store %s: what is pending was %s", m.cfg.StoreID, m.slow())
}

func (m *Machine) slow() string { return m.backend.breaker.Why("stored by the sync backend") }
