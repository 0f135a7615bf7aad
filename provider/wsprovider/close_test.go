package wsprovider_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livestore-go/livestore/provider"
	"github.com/livestore-go/livestore/provider/wsprovider"
)

// An attempt to connect that hangs does not outlast the client: net/http goes on with one whose request was cancelled.
func TestCloseEndsAnAttempt(t *testing.T) {
	before := http.DefaultTransport
	defer func() { http.DefaultTransport = before }()
	synctest.Test(t, func(t *testing.T) {
		dialing, ended := make(chan struct{}), make(chan struct{})
		http.DefaultTransport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			close(dialing)
			<-ctx.Done() // or in half a minute
			close(ended)
			return nil, ctx.Err()
		}}
		c, err := wsprovider.New("ws://backend.test/", nil).Client(provider.Config{StoreID: "todos"})
		if err != nil {
			t.Fatal(err)
		}
		<-dialing
		start := time.Now()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		<-ended
		if d := time.Since(start); d > 0 {
			t.Errorf("it took %v", d)
		}
	})
}
