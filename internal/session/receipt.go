package session

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/livestore-go/livestore/event"
)

// Stage is how far a commit has come.
type Stage uint8

const (
	// Committed means admitted by the session; it survives the end of the process where the adapter is durable.
	Committed Stage = iota + 1
	// Persisted means in the eventlog of the client, on disk.
	Persisted
	// Confirmed means in the log of the sync backend.
	Confirmed
)

// String returns "committed", "persisted" or "confirmed".
func (s Stage) String() string {
	switch s {
	case Committed:
		return "committed"
	case Persisted:
		return "persisted"
	case Confirmed:
		return "confirmed"
	}
	return fmt.Sprintf("stage %d", uint8(s))
}

// StageError says that a commit can never come to a stage, and why.
type StageError struct {
	Stage   Stage
	StoreID string
	Why     string
}

func (e *StageError) Error() string {
	return fmt.Sprintf("store %s: the commit can not become %s: %s", e.StoreID, e.Stage, e.Why)
}

// SetAsideError says that a commit no longer applied after a rebase. It is kept, listed by SetAside, and can be
// tried again or dropped.
type SetAsideError struct {
	StoreID string
	ID      event.CommitID
	Why     string
}

func (e *SetAsideError) Error() string {
	return fmt.Sprintf("store %s: commit %s was set aside: %s", e.StoreID, e.ID, e.Why)
}

// Commit follows one commit through its stages.
type Commit struct {
	mu *sync.Mutex // the session's; guards all below
	m  *Machine

	id     event.CommitID
	retry  event.CommitID // the set-aside commit it tries again
	events []event.Client // as numbered now
	failed string         // it did not apply on the newest base; the leader has still to set it aside
	writes []uint64       // what each event has written here, when that is checked
	stage  Stage
	err    error         // the commit's end short of Confirmed: set aside, or the store was closed
	moved  chan struct{} // closed at the next change; nil while nobody waits
}

// ID returns the identity of the commit.
func (c *Commit) ID() event.CommitID { return c.id }

// Stage returns how far the commit has come.
func (c *Commit) Stage() Stage {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stage
}

// Events returns the events as they are numbered now; a rebase changes the numbers.
func (c *Commit) Events() []event.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	events := slices.Clone(c.events)
	for i := range events { // what is on its way to the leader is not for others to change
		events[i].Args = events[i].Args.Clone()
	}
	return events
}

// Wait waits until the commit has come to a stage. It returns a *[StageError] at once when the stage can never come, a
// *[SetAsideError] when the commit was set aside, [ErrClosed] when the store was closed before, or the error of ctx.
func (c *Commit) Wait(ctx context.Context, stage Stage) error {
	for {
		c.mu.Lock()
		switch {
		case c.stage >= stage:
			c.mu.Unlock()
			return nil
		case c.err != nil:
			err := c.err
			c.mu.Unlock()
			return err
		}
		if err := c.m.never(c, stage); err != nil {
			c.mu.Unlock()
			return err
		}
		if c.moved == nil {
			c.moved = make(chan struct{})
		}
		moved := c.moved
		c.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// never says why a stage can not come.
func (m *Machine) never(c *Commit, stage Stage) error {
	no := func(why string) error { return &StageError{Stage: stage, StoreID: m.cfg.StoreID, Why: why} }
	switch stage {
	case Committed:
		return nil
	case Persisted:
		if !m.cfg.Durable {
			return no("its adapter keeps everything in memory; use a durable one such as adapter/local")
		}
		return nil
	case Confirmed:
		if !m.cfg.Synced {
			return no("the store has no sync provider")
		}
		if !c.synced() {
			return no("it holds client-only events, which never leave the client")
		}
		return nil
	}
	return no("there is no such stage")
}

// synced says whether any of the events goes to the backend.
func (c *Commit) synced() bool {
	return slices.ContainsFunc(c.events, func(e event.Client) bool { return !e.Num.IsClientOnly() })
}

// reach moves the commit on to a stage. The caller holds the lock.
func (c *Commit) reach(stage Stage) {
	if c.stage < stage {
		c.stage = stage
		c.notify()
	}
}

// end ends the commit with an error. The caller holds the lock.
func (c *Commit) end(err error) {
	if c.err == nil {
		c.err = err
		c.notify()
	}
}

func (c *Commit) notify() {
	if c.moved != nil {
		close(c.moved)
		c.moved = nil
	}
}
