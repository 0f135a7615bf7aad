package tasks

import (
	"cmp"
	"context"
	"log/slog"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/local"
	"github.com/livestore-go/livestore/provider/wsprovider"
)

// OpenOptions changes how a list is opened; nil means the defaults.
type OpenOptions struct {
	// Store is the id of the store, which names the list on a server. Default "todo".
	Store string
	// Sync is the address of the server that keeps the list of several machines one, ws://HOST:PORT. Default: none, the
	// list stays on this machine.
	Sync string
	// Token is what the server lets people in by. Default: none.
	Token string
	// Logger gets what nobody can be told by an error. Default: slog.Default.
	Logger *slog.Logger
}

// payload is what a server is told with every connection.
type payload struct {
	AuthToken string `json:"authToken"`
}

// Open opens the list in a directory, which is made when there is none. One process at a time may have it open. It does not wait for
// the server.
func Open(ctx context.Context, dir string, opts *OpenOptions) (*livestore.Store, error) {
	if opts == nil {
		opts = &OpenOptions{}
	}
	var files local.Options
	if opts.Sync != "" {
		files.Sync = wsprovider.New(opts.Sync, nil)
	}
	o := livestore.Options{StoreID: cmp.Or(opts.Store, "todo"), Logger: opts.Logger}
	if opts.Token != "" {
		o.SyncPayload = payload{AuthToken: opts.Token}
	}
	return livestore.Open(ctx, Schema, local.New(dir, &files), &o)
}
