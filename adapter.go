package livestore

import (
	"context"

	"github.com/livestore-go/livestore/internal/session"
)

// Adapter realises sessions and their leader on one platform: package adapter/memory keeps everything in memory, adapter/local
// in files of one process. It can not be implemented outside this module: its method names internal types, which
// stay free to change.
type Adapter interface {
	// Open opens a session of a store. Two opens are two sessions of one client.
	Open(ctx context.Context, r session.Request) (*session.Session, error)
	// StorageMode says in a word where the adapter keeps what it is given: see [Store.StorageMode].
	StorageMode() string
}
