package provider_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"log/slog"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/provider"
	"github.com/livestore-go/livestore/provider/providertest"
)

// What the leader of a store does with a client: it pulls what the backend has, and pushes what the backend lacks.
func ExampleClient() {
	backend := providertest.NewBackend()
	backend.Append("todos", event.Global{Name: "v1.TodoCreated", Args: jsontext.Value(`{"id":"1"}`)})
	client, err := backend.Provider().Client(provider.Config{
		StoreID: "todos", ClientID: "laptop", Payload: json.RawMessage(`{"authToken":"…"}`), Logger: slog.Default(),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	ctx := context.Background()
	for page, err := range client.Pull(ctx, provider.Cursor{}, true) {
		if err != nil {
			log.Fatal(err)
		}
		for _, e := range page.Events {
			fmt.Printf("e%d %s %s\n", e.SeqNum, e.Name, e.Args)
		}
		if len(page.Events) == 0 || page.Events[0].SeqNum > 1 {
			break // a live pull goes on for ever
		}
		err := client.Push(ctx, page.BackendID, []event.Global{{
			SeqNum: 2, ParentSeqNum: 1, Name: "v1.TodoCompleted", Args: jsontext.Value(`{"id":"1"}`), ClientID: "laptop", SessionID: "s",
		}})
		if err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// e1 v1.TodoCreated {"id":"1"}
	// e2 v1.TodoCompleted {"id":"1"}
}
