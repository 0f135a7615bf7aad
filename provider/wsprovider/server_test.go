package wsprovider_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/livestore-go/livestore/provider/providertest"
	"github.com/livestore-go/livestore/provider/wsprovider"
	"github.com/livestore-go/livestore/server"
	"github.com/livestore-go/livestore/server/memstore"
)

// TestServer runs the suite on the server of this project.
func TestServer(t *testing.T) {
	for _, d := range []wsprovider.Dialect{wsprovider.E3, wsprovider.E4} {
		t.Run(d.String(), func(t *testing.T) {
			var refuse atomic.Bool
			opts := &server.Options{Authorize: func(context.Context, server.AuthRequest) error {
				if refuse.Load() {
					return errors.New("token expired")
				}
				return nil
			}}
			var backend atomic.Pointer[server.Server]
			backend.Store(server.New(memstore.New(), opts))
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { backend.Load().ServeHTTP(w, r) }))
			defer srv.Close()
			defer func() { backend.Load().Close() }()
			links := &links{}
			providertest.Run(t, providertest.Target{
				Provider: wsprovider.New(srv.URL, &wsprovider.Options{
					Dialect: d, HTTPClient: links.client(), BackoffMin: 5 * time.Millisecond,
				}),
				Payload: []byte(`{"authToken":"secret"}`),
				Drop:    links.cut,
				Refuse:  refuse.Store,
				Reset:   func(string) { backend.Swap(server.New(memstore.New(), opts)).Close() },
			})
		})
	}
}

// links are the connections of a client that can be cut from outside.
type links struct {
	mu   sync.Mutex
	open []func()
}

func (l *links) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, cut := range l.open {
		cut()
	}
	l.open = nil
}

func (l *links) client() *http.Client {
	var d net.Dialer
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := d.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			l.open = append(l.open, func() { _ = c.Close() })
			return c, nil
		},
	}}
}
