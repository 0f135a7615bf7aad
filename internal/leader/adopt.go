package leader

import (
	"fmt"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/syncstate"
)

// Adopt takes the commits of a session that is no more from its journal: those above the journal's high-water ordinal, numbered anew
// on the current head. One that does not apply is set aside. What it does is published to the sessions that are there.
func (m *Machine) Adopt(h journal.Header, records []journal.Record) error {
	if meta := m.log.Meta(); h.StoreID != meta.StoreID || h.ClientID != meta.ClientID {
		return &JournalError{
			Journal: h.Journal, StoreID: h.StoreID, ClientID: h.ClientID, WantStoreID: meta.StoreID, WantClientID: meta.ClientID,
		}
	}
	err := m.transact(func(s *step) error {
		p := link.Publish{}
		for _, r := range records {
			c := link.Commit{
				ID:    event.CommitID{Journal: h.Journal, Ordinal: r.Ordinal},
				Retry: link.RetryOf(r.Cause),
			}
			if s.has(c.ID) {
				continue
			}
			c.Events = make([]event.Client, len(r.Events))
			heads := s.heads
			for i, e := range r.Events {
				scope := event.ScopeSynced
				if e.ClientOnly {
					scope = event.ScopeClientOnly
				}
				num, parent := heads.Next(scope)
				c.Events[i] = event.Client{
					Num: num, Parent: parent, Name: e.Name, Args: e.Args, ClientID: h.ClientID, SessionID: h.SessionID,
					ID: event.ID{Commit: c.ID, Index: i}, Cause: r.Cause, SchemaHash: r.SchemaHash,
				}
				heads.Local = num
			}
			heads, err := syncstate.Push(s.heads, c.Events)
			if err != nil {
				return err
			}
			if err := s.commit(&c, heads, &p); err != nil {
				return err
			}
			s.publishFull(&p)
		}
		if len(s.taken) == 0 {
			return errNothing
		}
		s.publish(p)
		return nil
	})
	if err != nil {
		return fmt.Errorf("leader of store %s: take journal %s: %w", m.cfg.StoreID, h.Journal, err)
	}
	return nil
}

// JournalError says that a journal is not of the store and client whose directory it lies in.
type JournalError struct {
	Journal                   string
	StoreID, ClientID         string // what the journal says
	WantStoreID, WantClientID string // of the eventlog
}

func (e *JournalError) Error() string {
	return fmt.Sprintf("journal %s is of store %s and client %s, and the eventlog beside it of store %s and client %s: "+
		"move the journal to the directory it is from", e.Journal, e.StoreID, e.ClientID, e.WantStoreID, e.WantClientID)
}

// Forget deletes the high-water ordinal of a journal whose file is gone.
func (m *Machine) Forget(journal string) error {
	return m.transact(func(*step) error { return m.log.ForgetJournal(journal) })
}
