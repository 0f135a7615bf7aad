package leader

import (
	"fmt"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/syncstate"
)

// Reset empties log and state. What the sync backend has is pulled from its beginning then, and its identity taken as it is. What stays:
// the client's id, the archive, how far the journals have been taken, and that no number is given twice. Client-only events go.
//
// Unless drop is set it refuses to lose anything that is nowhere else: it returns a *[link.UnconfirmedError], and nothing has happened.
// After the backend has turned out to be another one than it was, nothing counts as confirmed. No push may be under way.
func (m *Machine) Reset(drop bool) error {
	if err := m.idle("reset"); err != nil {
		return err
	}
	if !drop {
		if err := m.unconfirmed(); err != nil {
			return err
		}
	}
	err := m.transact(func(s *step) error {
		// First the state, for good: one that stood at an event the log has no more would pass for one whose log was lost.
		if err := s.rebuild(event.SeqNum{}); err != nil {
			return err
		}
		if err := m.log.Clear(); err != nil {
			return err
		}
		s.base = materialize.Head{}
		s.heads = syncstate.Heads{Generation: s.heads.Generation + 1}
		return m.log.SetBackendID("")
	})
	if err != nil {
		return fmt.Errorf("reset store %s: %w", m.cfg.StoreID, err)
	}
	m.backend = backend{}
	m.cleared = m.log.AllTaken()
	m.feed.cut()
	return nil
}

// unconfirmed says what a reset would lose, nil when nothing.
func (m *Machine) unconfirmed() error {
	asides, err := m.log.ListSetAside()
	if err != nil {
		return err
	}
	n := m.heads.Local.Global
	if m.cfg.Synced && !m.backend.changed {
		n -= m.heads.Upstream.Global
	}
	if n == 0 && len(asides) == 0 {
		return nil
	}
	return &link.UnconfirmedError{StoreID: m.cfg.StoreID, ClientID: m.log.Meta().ClientID, Events: int(n), SetAside: len(asides)}
}
