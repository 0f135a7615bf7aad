package storagetest_test

import (
	"testing"

	"github.com/livestore-go/livestore/server"
	"github.com/livestore-go/livestore/server/memstore"
	"github.com/livestore-go/livestore/server/storagetest"
)

// The test of a storage is one call.
func ExampleRun() {
	_ = func(t *testing.T) { // TestStorage
		storagetest.Run(t, func(*testing.T) server.Storage { return memstore.New() }, nil)
	}
	// Output:
}
