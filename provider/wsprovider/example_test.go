package wsprovider_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/provider"
	"github.com/livestore-go/livestore/provider/wsprovider"
	"github.com/livestore-go/livestore/server"
	"github.com/livestore-go/livestore/server/memstore"
)

// Apps give the provider to their adapter. What the leader of a store then does with it is this.
func ExampleNew() {
	backend := server.New(memstore.New(), nil)
	defer backend.Close()
	srv := httptest.NewServer(backend)
	defer srv.Close()

	ctx := context.Background()
	client, err := wsprovider.New(srv.URL, &wsprovider.Options{HTTPClient: srv.Client()}).Client(provider.Config{
		StoreID: "todos", ClientID: "me", Logger: slog.Default(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	err = client.Push(ctx, "", []event.Global{{
		Name: "v1.TodoCreated", Args: jsontext.Value(`{"text":"Buy milk"}`), SeqNum: 1, ParentSeqNum: 0, ClientID: "me", SessionID: "s",
	}})
	fmt.Println("pushed:", err)
	for page, err := range client.Pull(ctx, provider.Cursor{}, false) {
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, e := range page.Events {
			fmt.Printf("e%d %s %s\n", e.SeqNum, e.Name, e.Args)
		}
	}

	// Output:
	// pushed: <nil>
	// e1 v1.TodoCreated {"text":"Buy milk"}
}
