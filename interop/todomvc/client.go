package todomvc

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/local"
	"github.com/livestore-go/livestore/adapter/memory"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/provider"
	"github.com/livestore-go/livestore/provider/wsprovider"
	"github.com/livestore-go/livestore/state"
)

// Options says how a client opens its store. js/client.mjs takes the same.
type Options struct {
	URL      string `json:"url,omitempty"` // of the backend; empty for none
	StoreID  string `json:"storeId"`
	ClientID string `json:"clientId"`
	Dir      string `json:"dir,omitempty"` // for its files; empty for memory
	Payload  any    `json:"payload,omitempty"`

	Logger *slog.Logger `json:"-"` // nil for none
}

// Client is a Go client.
type Client struct {
	Store *livestore.Store
}

// Open opens the store of a client.
func Open(ctx context.Context, o Options) (*Client, error) {
	var sync provider.Provider
	if o.URL != "" {
		sync = wsprovider.New(o.URL, nil)
	}
	var adapter livestore.Adapter
	if o.Dir == "" {
		adapter = memory.New(&memory.Options{ClientID: o.ClientID, Sync: sync})
	} else {
		adapter = local.New(o.Dir, &local.Options{ClientID: o.ClientID, Sync: sync})
	}
	logger := o.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	store, err := livestore.Open(ctx, Schema, adapter, &livestore.Options{StoreID: o.StoreID, SyncPayload: o.Payload, Logger: logger})
	if err != nil {
		return nil, err
	}
	return &Client{Store: store}, nil
}

// Commit commits events as one.
func (c *Client) Commit(ctx context.Context, events ...Event) error {
	_, err := c.commit(ctx, events)
	return err
}

func (c *Client) commit(ctx context.Context, events []Event) (*livestore.Receipt, error) {
	drafts := make([]event.Draft, len(events))
	for i, e := range events {
		d, err := e.draft()
		if err != nil {
			return nil, err
		}
		drafts[i] = d
	}
	return c.Store.Commit(ctx, drafts...)
}

// Write creates n to-dos of a writer in commits of batch, with a pause after each.
func (c *Client) Write(ctx context.Context, prefix string, n, batch int, pause time.Duration) error {
	for i := 0; i < n; i += batch {
		drafts := make([]event.Draft, 0, batch)
		for k := i; k < min(i+batch, n); k++ {
			drafts = append(drafts, TodoCreated.New(Created{ID: fmt.Sprint(prefix, k), Text: fmt.Sprint("Todo number ", k)}))
		}
		if _, err := c.Store.Commit(ctx, drafts...); err != nil {
			return err
		}
		if err := rest(ctx, pause); err != nil {
			return err
		}
	}
	return nil
}

// rest waits for a moment.
func rest(ctx context.Context, pause time.Duration) error {
	if pause == 0 {
		return nil
	}
	select {
	case <-time.After(pause):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Rows returns the rows of the table todos.
func (c *Client) Rows(context.Context) ([]Row, error) { return livestore.Get(c.Store, rows) }

var (
	rows  = state.SQL[Row]("SELECT id AS ID, text AS Text, completed AS Completed, deletedAt AS DeletedAt FROM todos ORDER BY id")
	count = Todos.Count()
)

// Count returns how many there are.
func (c *Client) Count(context.Context) (int, error) { return livestore.Get(c.Store, count) }

// Counts iterates over how many there are, now and whenever that has changed.
func (c *Client) Counts(ctx context.Context) iter.Seq2[int, error] {
	return livestore.Watch(ctx, c.Store, count)
}

// Log returns the synced events of the eventlog.
func (c *Client) Log(ctx context.Context) ([]Entry, error) {
	var log []Entry
	for e, err := range c.Store.Events(ctx, nil) {
		if err != nil {
			return nil, err
		}
		if e.Num.IsClientOnly() {
			continue
		}
		log = append(log, Entry{
			Seq: e.Num.Global, Parent: e.Parent.Global, Name: e.Name, Args: json.RawMessage(e.Args), Client: e.ClientID, Session: e.SessionID,
		})
	}
	return log, nil
}

// Await waits until the store is synced and everything up to an event is confirmed and here.
func (c *Client) Await(ctx context.Context, head int) error {
	return c.AwaitStatus(ctx, func(s livestore.SyncStatus) bool { return s.Synced() && s.UpstreamHead.Global >= int64(head) })
}

// AwaitRows waits until there are n rows at least.
func (c *Client) AwaitRows(ctx context.Context, n int) error {
	for have, err := range c.Counts(ctx) {
		if err != nil {
			return err
		}
		if have >= n {
			return nil
		}
	}
	have, _ := c.Count(ctx)
	return fmt.Errorf("%d rows, not %d: %w, %+v", have, n, ctx.Err(), c.Store.SyncStatus())
}

// AwaitConnected waits until there is a connection, or none.
func (c *Client) AwaitConnected(ctx context.Context, is bool) error {
	return c.AwaitStatus(ctx, func(s livestore.SyncStatus) bool { return s.Connected == is })
}

// AwaitStatus waits until the status is as wanted.
func (c *Client) AwaitStatus(ctx context.Context, wanted func(livestore.SyncStatus) bool) error {
	for s := range c.Store.WatchSyncStatus(ctx) {
		if wanted(s) {
			return nil
		}
	}
	return fmt.Errorf("the status does not come: %w, %+v", ctx.Err(), c.Store.SyncStatus())
}

// Close closes the store.
func (c *Client) Close(context.Context) error { return c.Store.Close() }
