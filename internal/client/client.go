// Package client wires one client together: its leader and the sessions that share it in one process. Adapters give it the files,
// or the lack of them.
package client

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/internal/leader"
	"github.com/livestore-go/livestore/internal/session"
)

// Config is one client of one store, ready to run.
type Config struct {
	StoreID    string
	ClientID   string
	SchemaHash string
	Leader     *leader.Leader
	Durable    bool // what the leader has is on disk
	Synced     bool // there is a sync provider
	MaxEvent   int  // bytes of a synced event that the sync backend takes, 0 for any

	Boot session.BootReport // how its leader came to the state

	// Journal makes the journal of a session.
	Journal func(h journal.Header) (session.Journal, error)
	// Adopt hands what a closed session left in its journal to the leader. It may be nil.
	Adopt func(journal string) error
	// Release lets go of what the adapter holds, after the leader has ended. It may be nil.
	Release func() error
}

// client is a running leader and the sessions that use it.
type client struct {
	Config
	slots []bool // which session numbers are taken
}

// place is where the client of one store is opened and ended, by one caller at a time.
type place struct {
	gate   chan struct{} // one slot
	users  int           // who holds the gate or waits for it
	client *client       // nil while no session is open
}

// Set is the clients of one adapter value: at most one a store.
type Set struct {
	open func(ctx context.Context, r session.Request) (Config, error)

	mu     sync.Mutex
	places map[string]*place
}

// NewSet returns a set that opens a client with open when its first session is asked for.
func NewSet(open func(ctx context.Context, r session.Request) (Config, error)) *Set {
	return &Set{open: open, places: map[string]*place{}}
}

// enter waits until nobody else opens or ends the client of a store.
func (s *Set) enter(ctx context.Context, storeID string) (*place, error) {
	s.mu.Lock()
	p := s.places[storeID]
	if p == nil {
		p = &place{gate: make(chan struct{}, 1)}
		s.places[storeID] = p
	}
	p.users++
	s.mu.Unlock()
	select {
	case p.gate <- struct{}{}:
		return p, nil
	case <-ctx.Done():
		s.forget(storeID, p)
		return nil, ctx.Err()
	}
}

func (s *Set) leave(storeID string, p *place) {
	<-p.gate
	s.forget(storeID, p)
}

func (s *Set) forget(storeID string, p *place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.users--; p.users == 0 && p.client == nil {
		delete(s.places, storeID)
	}
}

// StoreIDError says that a store id can not be one.
type StoreIDError struct{ StoreID string }

func (e *StoreIDError) Error() string {
	return fmt.Sprintf("store id %q: it has to be letters, digits, _ and - ([A-Za-z0-9_-]+)", e.StoreID)
}

var storeID = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// SchemaError says that a store is open in this process under another schema.
type SchemaError struct{ StoreID string }

func (e *SchemaError) Error() string {
	return fmt.Sprintf("store %s is open already with another schema: open all its sessions with one schema value", e.StoreID)
}

// Open opens one more session of the client of a store, and the client with the first.
func (s *Set) Open(ctx context.Context, r session.Request) (*session.Session, error) {
	if !storeID.MatchString(r.StoreID) {
		return nil, &StoreIDError{StoreID: r.StoreID}
	}
	p, err := s.enter(ctx, r.StoreID)
	if err != nil {
		return nil, err
	}
	defer s.leave(r.StoreID, p)
	if p.client == nil {
		cfg, err := s.open(ctx, r)
		if err != nil {
			return nil, err
		}
		p.client = &client{Config: cfg}
	}
	if p.client.SchemaHash != r.Schema.Hash() {
		return nil, &SchemaError{StoreID: r.StoreID}
	}
	sess, err := s.session(ctx, p.client, r)
	if err != nil {
		return nil, errors.Join(err, p.end())
	}
	return sess, nil
}

func (s *Set) session(ctx context.Context, c *client, r session.Request) (_ *session.Session, err error) {
	slot := c.slot()
	defer func() {
		if err != nil {
			c.slots[slot] = false
		}
	}()
	id, err := c.Leader.SessionID(ctx, slot)
	if err != nil {
		return nil, err
	}
	h := journal.Header{Journal: NewID(), ClientID: c.ClientID, SessionID: id, StoreID: c.StoreID, Created: time.Now()}
	j, err := c.Journal(h)
	if err != nil {
		return nil, err
	}
	sess, err := session.Open(ctx, session.Config{
		Request: r, ClientID: c.ClientID, SessionID: id, Leader: c.Leader, Journal: j, Durable: c.Durable, Synced: c.Synced,
		MaxEvent: c.MaxEvent, Boot: c.Boot,
		OnClose: func() error { return s.closed(c, slot, h.Journal) },
	})
	if err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return sess, nil
}

// closed ends what a session has used. What the leader has not taken of its commits it takes now, for the sessions that stay; when
// none stays, at the next boot.
func (s *Set) closed(c *client, slot int, journal string) error {
	p, err := s.enter(context.Background(), c.StoreID) // held no longer than one open of this store takes
	if err != nil {
		return err
	}
	defer s.leave(c.StoreID, p)
	c.slots[slot] = false
	if c.Adopt != nil && slices.Contains(c.slots, true) {
		err = c.Adopt(journal)
	}
	return errors.Join(err, p.end())
}

// slot takes the lowest free session number.
func (c *client) slot() int {
	for i, taken := range c.slots {
		if !taken {
			c.slots[i] = true
			return i
		}
	}
	c.slots = append(c.slots, true)
	return len(c.slots) - 1
}

// end ends a client that has no session left.
func (p *place) end() error {
	c := p.client
	if c == nil || slices.Contains(c.slots, true) {
		return nil
	}
	p.client = nil
	err := c.Leader.Close()
	if c.Release != nil {
		err = errors.Join(err, c.Release())
	}
	return err
}
