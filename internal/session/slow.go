package session

import (
	"fmt"
	"time"
)

// refused turns the breaker: the leader has not taken what was pushed, and the session rebases or boots anew before it pushes again.
func (m *Machine) refused() {
	m.breaker.Turn()
	if m.breaker.First() {
		m.cfg.Logger.Warn("pushes to the leader come too late, again and again", "store", m.cfg.StoreID, "session", m.cfg.SessionID,
			"why", m.breaker.Why("taken by the leader"))
	}
}

// PushWait returns how long the next push has to wait because the last ones came to nothing. It says so once: then the push may be made.
func (m *Machine) PushWait() time.Duration { return m.breaker.Wait() }

// Slow says in words why pushes wait, empty when they do not.
func (m *Machine) Slow() string {
	if !m.breaker.Open() {
		return ""
	}
	return fmt.Sprintf("store %s: what session %s has pending was %s", m.cfg.StoreID, m.cfg.SessionID, m.breaker.Why("taken by the leader"))
}

// Hurry lets the next push be made at once.
func (m *Machine) Hurry() { m.breaker.Progress() }

// hold waits for d, or until pushes need not wait any more. It returns false when the session ends.
func (s *Session) hold(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			return true
		case <-s.wake:
			s.mu.Lock()
			slow := s.m.breaker.Open()
			s.mu.Unlock()
			if !slow {
				return true
			}
		case <-s.ctx.Done():
			return false
		}
	}
}
