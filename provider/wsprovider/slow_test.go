package wsprovider_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/provider"
	"github.com/livestore-go/livestore/provider/wsprovider"
)

// A large page on links of several rates: it is not taken for silence.
func TestSlowDownlinks(t *testing.T) {
	for _, rate := range []int{18 << 10, 12 << 10, 6 << 10} {
		inBubble(t, wsprovider.Options{}, func(t *testing.T, b *bubble) {
			b.network.wrap = func(n net.Conn) net.Conn { return &slowConn{Conn: n, down: rate} }
			b.fake.log.Append("todos", newEvent(0, strings.Repeat("x", 880_000))...)
			c := b.client()
			began := time.Now()
			for _, err := range c.Pull(t.Context(), provider.Cursor{}, true) {
				if err != nil {
					t.Errorf("%d bytes a second: pull after %v: %v", rate, time.Since(began), err)
				}
				break
			}
		})
	}
}

// More came than was taken, so the client asks again; the backend says how much is left, and then dies without a word.
func TestPullThatIsAskedForAgain(t *testing.T) {
	inBubble(t, wsprovider.Options{}, func(t *testing.T, b *bubble) {
		log := b.fake.log.Append("todos", make([]event.Global, 400)...)
		id := b.fake.log.ID("todos")
		pulls := 0
		b.fake.on = func(n *fakeConn, m request) bool {
			if m.RPC != "SyncWsRpc.Pull" {
				return false
			}
			if pulls++; pulls > 1 {
				at := m.Payload.Cursor.Value.After
				n.send(chunk(m.ID, id, 400-int(at)-10, log[at:at+10]...)) // and then nothing more
				return true
			}
			n.send(chunk(m.ID, id, 0, log[:1]...))
			for i := 1; i < 40; i++ {
				n.send(chunk(m.ID, id, 0, log[i]))
			}
			return true
		}
		c := b.client()
		n := int64(0)
		began := time.Now()
		for page, err := range c.Pull(t.Context(), provider.Cursor{}, true) {
			if err != nil {
				if _, ok := errors.AsType[*provider.OfflineError](err); !ok || time.Since(began) > 2*time.Minute {
					t.Errorf("after %v: %v", time.Since(began), err)
				}
				return
			}
			if n == 0 {
				synctest.Wait() // a slow consumer
			}
			n += int64(len(page.Events))
			if len(page.Events) == 10 && int64(page.Remaining) != 400-n {
				t.Errorf("at e%d the backend has said that %d are left, and the page says %d", n, 400-n, page.Remaining)
				break
			}
		}
	})
}
