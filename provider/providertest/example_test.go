package providertest_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/provider"
	"github.com/livestore-go/livestore/provider/providertest"
)

// A backend in memory stands for the real one. Somebody else's event comes first, so a push that does not know it is refused.
func ExampleNewBackend() {
	ctx := context.Background()
	backend := providertest.NewBackend()
	client, err := backend.Provider().Client(provider.Config{StoreID: "todos", ClientID: "me", Logger: slog.Default()})
	if err != nil {
		panic(err)
	}
	defer client.Close()

	backend.Append("todos", event.Global{Name: "v1.TodoCreated", Args: jsontext.Value(`{"text":"Buy milk"}`)})
	mine := event.Global{Name: "v1.TodoCreated", Args: jsontext.Value(`{}`), SeqNum: 1, ClientID: "me", SessionID: "s"}
	fmt.Println(client.Push(ctx, "", []event.Global{mine}))

	for page, err := range client.Pull(ctx, provider.Cursor{}, false) {
		fmt.Println(page.Events[0].SeqNum, page.Events[0].ClientID, string(page.Events[0].Args), err)
	}

	// Output:
	// store todos: the sync backend is at e1, and what was pushed follows e0: pull first
	// 1 other {"text":"Buy milk"} <nil>
}

// Faults can be switched on and off while a client is at work.
func ExampleFaults() {
	ctx := context.Background()
	backend := providertest.NewBackend()
	faults := providertest.NewFaults(backend.Provider())
	client, err := faults.Client(provider.Config{StoreID: "todos", ClientID: "me", Logger: slog.Default()})
	if err != nil {
		panic(err)
	}
	defer client.Close()

	faults.LoseAnswers(1, true)
	mine := event.Global{Name: "v1.TodoCreated", Args: jsontext.Value(`{}`), SeqNum: 1, ClientID: "me", SessionID: "s"}
	fmt.Println(client.Push(ctx, "", []event.Global{mine}))
	fmt.Println("stored all the same:", backend.Head("todos"))

	// Output:
	// store todos: no connection to the sync backend: the connection ended before the answer came
	// stored all the same: 1
}
