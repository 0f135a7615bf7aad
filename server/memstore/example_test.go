package memstore_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"github.com/livestore-go/livestore/server"
	"github.com/livestore-go/livestore/server/memstore"
)

// A whole sync backend for a test.
func Example() {
	storage := memstore.New()
	defer storage.Close()
	sync := server.New(storage, nil)
	web := httptest.NewServer(sync)
	defer web.Close()
	defer sync.Shutdown(context.Background())

	log, err := storage.Open(context.Background(), "todos")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer log.Close()
	head, err := log.Head(context.Background())
	fmt.Println(head, err)
	// Output: 0 <nil>
}
