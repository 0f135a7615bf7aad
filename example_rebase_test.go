package livestore_test

import (
	"context"
	"fmt"
	"log"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/memory"
	"github.com/livestore-go/livestore/provider/providertest"
)

// The sync backend has lost its data and begins anew. Sync pauses; the app, or the person in front of it, decides to go on with it.
func ExampleStore_Rebase() {
	ctx := context.Background()
	backend := providertest.NewBackend()
	store, err := livestore.Open(ctx, schema, memory.New(&memory.Options{Sync: backend.Provider()}), &livestore.Options{StoreID: "todos"})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	receipt, err := store.Commit(ctx, todoCreated.New(TodoCreated{ID: "1", Text: "Buy milk"}))
	if err != nil {
		log.Fatal(err)
	}
	if err := receipt.Wait(ctx, livestore.Confirmed); err != nil {
		log.Fatal(err)
	}

	backend.Reset("todos")
	for status := range store.WatchSyncStatus(ctx) {
		if status.Paused == livestore.PausedBackend {
			fmt.Println("paused:", status.Paused)
			if err := store.Rebase(ctx); err != nil {
				log.Fatal(err)
			}
		}
		if status.Paused == "" && status.Synced() && backend.Head("todos") == 1 {
			fmt.Println("synced, and the backend has the event again")
			break
		}
	}
	// Output:
	// paused: another backend
	// synced, and the backend has the event again
}
