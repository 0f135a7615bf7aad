package session

import (
	"fmt"

	"github.com/livestore-go/livestore/event"
)

// HaltPolicy says what becomes of commits while an event of the sync backend does not apply here.
type HaltPolicy uint8

const (
	// AcceptCommits admits them: they are kept, and pushed when sync goes on.
	AcceptCommits HaltPolicy = iota
	// RefuseCommits refuses them with a *[HaltedError].
	RefuseCommits
)

// String returns "accept commits" or "refuse commits".
func (p HaltPolicy) String() string {
	switch p {
	case AcceptCommits:
		return "accept commits"
	case RefuseCommits:
		return "refuse commits"
	}
	return fmt.Sprintf("halt policy %d", uint8(p))
}

// HaltedError says that a commit is refused because an event of the sync backend does not apply here. Nothing was committed.
type HaltedError struct {
	StoreID  string
	ClientID string
	Event    event.SeqNum // the event of the backend
	Why      string       // why it does not apply
}

func (e *HaltedError) Error() string {
	return fmt.Sprintf("store %s (client %s): commits are refused because event %s of the sync backend does not apply: "+
		"update the app, or open the store with AcceptCommits: %s", e.StoreID, e.ClientID, e.Event, e.Why)
}

// halted says why a commit is refused now, nil when it is not.
func (m *Machine) halted() error {
	if m.cfg.WhenHalted != RefuseCommits || m.uplink.HaltedAt == (event.SeqNum{}) {
		return nil
	}
	return &HaltedError{StoreID: m.cfg.StoreID, ClientID: m.cfg.ClientID, Event: m.uplink.HaltedAt, Why: m.uplink.HaltedWhy}
}
