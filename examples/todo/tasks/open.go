package tasks

import (
	"context"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/local"
)

// Open opens the list in a directory, which is made when there is none. One process at a time may have it open.
func Open(ctx context.Context, dir string) (*livestore.Store, error) {
	return livestore.Open(ctx, Schema, local.New(dir, nil), &livestore.Options{StoreID: "todo"})
}
