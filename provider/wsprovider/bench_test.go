package wsprovider_test

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/provider"
	"github.com/livestore-go/livestore/provider/wsprovider"
	"github.com/livestore-go/livestore/server"
	"github.com/livestore-go/livestore/server/memstore"
)

// benchClient returns a client of a server with a store in memory, over a socket.
func benchClient(b *testing.B) provider.Client {
	b.Helper()
	backend := server.New(memstore.New(), nil)
	srv := httptest.NewServer(backend)
	c, err := wsprovider.New(srv.URL, &wsprovider.Options{HTTPClient: srv.Client()}).Client(provider.Config{StoreID: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = c.Close()
		_ = backend.Close()
		srv.Close()
	})
	if err := c.Connect(context.Background()); err != nil {
		b.Fatal(err)
	}
	return c
}

func benchBatch(head int64, n int) []event.Global {
	batch := make([]event.Global, 0, n)
	for i := range int64(n) {
		batch = append(batch, newEvent(head+i, "Buy milk, and look whether there is bread")...)
	}
	return batch
}

// BenchmarkPush50 is a push of 50 events with its answer.
func BenchmarkPush50(b *testing.B) {
	c := benchClient(b)
	var head int64
	for b.Loop() {
		b.StopTimer()
		batch := benchBatch(head, 50)
		b.StartTimer()
		if err := c.Push(b.Context(), "", batch); err != nil {
			b.Fatal(err)
		}
		head += 50
	}
}

// BenchmarkPull10000 is a pull of 10,000 events in 100 pages.
func BenchmarkPull10000(b *testing.B) {
	c := benchClient(b)
	for head := int64(0); head < 10_000; head += 100 {
		if err := c.Push(b.Context(), "", benchBatch(head, 100)); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		n := 0
		for page, err := range c.Pull(b.Context(), provider.Cursor{}, false) {
			if err != nil {
				b.Fatal(err)
			}
			n += len(page.Events)
		}
		if n != 10_000 {
			b.Fatalf("%d events", n)
		}
	}
}
