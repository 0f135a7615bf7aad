package memstore_test

import (
	"testing"

	"github.com/livestore-go/livestore/server"
	"github.com/livestore-go/livestore/server/memstore"
	"github.com/livestore-go/livestore/server/storagetest"
)

func TestStorage(t *testing.T) {
	storagetest.Run(t, func(*testing.T) server.Storage { return memstore.New() }, nil)
}
