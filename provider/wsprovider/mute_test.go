package wsprovider_test

import (
	"testing"
	"time"

	"github.com/livestore-go/livestore/provider"
	"github.com/livestore-go/livestore/provider/wsprovider"
)

// TestMuteBackend is about a backend that answers pings and nothing else: its end of the connection has died.
func TestMuteBackend(t *testing.T) {
	inBubble(t, wsprovider.Options{}, func(t *testing.T, b *bubble) {
		c := b.client()
		connect(t, c)
		b.fake.set(func() { b.fake.on = func(_ *fakeConn, m request) bool { return m.RPC != "" } })
		for what, ask := range map[string]func() error{
			"pull": func() (last error) {
				for _, last = range c.Pull(t.Context(), provider.Cursor{}, true) {
				}
				return last
			},
			"push": func() error { return c.Push(t.Context(), "", newEvent(0, "a")) },
		} {
			connect(t, c)
			if what == "push" {
				c = b.client() // one that has not pulled
				connect(t, c)
			}
			began := time.Now()
			err := ask()
			if !is[*provider.OfflineError](err) {
				t.Errorf("%s: %v", what, err)
			}
			if d := time.Since(began); d < 30*time.Second || d > 31*time.Second {
				t.Errorf("%s: given up after %v, want 30 s: %v", what, d, err)
			}
		}
		b.fake.set(func() { b.fake.on = nil })
		connect(t, c)
		if err := c.Ping(t.Context()); err != nil {
			t.Errorf("ping on the next connection: %v", err)
		}
	})
}
