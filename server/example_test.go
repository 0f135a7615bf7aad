package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/livestore-go/livestore/server"
	"github.com/livestore-go/livestore/server/memstore"
)

// A server with its own idea of who may use a store, mounted below a path.
func ExampleNew() {
	storage := memstore.New()
	defer storage.Close()
	sync := server.New(storage, &server.Options{
		Authorize: func(_ context.Context, r server.AuthRequest) error {
			var payload struct {
				AuthToken string `json:"authToken"`
			}
			if json.Unmarshal(r.Payload, &payload) != nil || payload.AuthToken != "secret of "+r.StoreID {
				return errors.New("invalid auth token")
			}
			return nil
		},
	})
	mux := http.NewServeMux()
	mux.Handle("/sync/", sync)
	web := httptest.NewServer(mux)
	defer web.Close()
	defer sync.Shutdown(context.Background())

	request, _ := http.NewRequest(http.MethodGet, web.URL+"/sync/?storeId=todos&transport=ws", http.NoBody)
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "websocket")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	fmt.Printf("%d %s", response.StatusCode, text)
	// Output: 401 Unauthorized: invalid auth token
}

func ExampleCheckStoreID() {
	fmt.Println(server.CheckStoreID("todos-2026"))
	fmt.Println(server.CheckStoreID("../todos"))
	// Output:
	// <nil>
	// store id "../todos" is none: give it 1 to 128 letters (a to z, A to Z), digits, _ and -
}
