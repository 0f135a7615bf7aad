package sqlitestore_test

import (
	"fmt"
	"os"

	"github.com/livestore-go/livestore/server"
	"github.com/livestore-go/livestore/server/sqlitestore"
)

// A sync backend that keeps its stores in a directory.
func Example() {
	dir, err := os.MkdirTemp("", "livestore")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	storage, err := sqlitestore.Open(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	sync := server.New(storage, nil) // an http.Handler
	fmt.Println(sync.Close(), storage.Close())
	// Output: <nil> <nil>
}
