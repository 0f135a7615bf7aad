// Package memory is the adapter that keeps everything in memory: for tests, servers that read, and trying things out.
//
// All stores opened with one store id on one adapter value are sessions of one client. When the last of them is closed, its data
// is gone, but for what a sync backend has confirmed.
package memory

import (
	"context"
	"errors"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/client"
	"github.com/livestore-go/livestore/internal/eventlog"
	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/internal/leader"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/migrate"
	"github.com/livestore-go/livestore/internal/session"
	"github.com/livestore-go/livestore/provider"
)

// Options changes an adapter.
type Options struct {
	// ClientID names the client. The default is a random id.
	ClientID string

	// Sync is the sync provider: package provider/wsprovider makes one. The default is nil: the store stays on this machine.
	Sync provider.Provider
}

// Adapter opens stores in memory. It may be used from any goroutine.
type Adapter struct {
	opts Options
	set  *client.Set
}

// New returns an adapter. Nil options mean the defaults.
func New(opts *Options) *Adapter {
	a := &Adapter{}
	if opts != nil {
		a.opts = *opts
	}
	if a.opts.ClientID == "" {
		a.opts.ClientID = client.NewID()
	}
	a.set = client.NewSet(a.open)
	return a
}

// Open opens a session. The store calls it.
func (a *Adapter) Open(ctx context.Context, r session.Request) (*session.Session, error) {
	return a.set.Open(ctx, r)
}

// StorageMode returns "memory".
func (a *Adapter) StorageMode() string { return "memory" }

func (a *Adapter) open(_ context.Context, r session.Request) (client.Config, error) {
	log, err := eventlog.Open("memory", &eventlog.Options{
		StoreID: r.StoreID, Memory: true, NewClientID: func() string { return a.opts.ClientID },
	})
	if err != nil {
		return client.Config{}, err
	}
	rebuild := func(upTo event.SeqNum) (*materialize.Engine, error) { return migrate.Memory(log, r.Schema, upTo) }
	start := time.Now()
	state, err := rebuild(event.SeqNum{})
	if err != nil {
		return client.Config{}, errors.Join(err, log.Close())
	}
	boot := session.BootReport{Action: session.BootRebuilt, Why: session.BootNoState, Took: time.Since(start)}
	if r.OnBoot != nil {
		r.OnBoot("rebuild", 0, 0) // as for any store that is new
	}
	m, err := leader.NewMachine(leader.Config{
		StoreID: r.StoreID, Log: log, State: state, Synced: a.opts.Sync != nil, NewID: client.NewID, Logger: r.Logger, Rebuild: rebuild,
		Now: time.Now,
	})
	if err != nil {
		return client.Config{}, err
	}
	cfg, err := client.Start(m, a.opts.Sync, r, log.Meta().ClientID)
	if err != nil {
		return client.Config{}, errors.Join(err, m.Close())
	}
	cfg.Boot = boot
	cfg.Journal = func(h journal.Header) (session.Journal, error) { return &counter{id: h.Journal}, nil }
	return cfg, nil
}

// counter is the journal of a session that keeps none: it only gives identities.
type counter struct {
	id   string
	last uint64
}

func (c *counter) Next() event.CommitID { return event.CommitID{Journal: c.id, Ordinal: c.last + 1} }

func (c *counter) Append(r journal.Record) error { c.last = r.Ordinal; return nil }

func (c *counter) Taken(event.CommitID) {}

func (c *counter) Close() error { return nil }
