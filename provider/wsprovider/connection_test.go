package wsprovider_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/livestore-go/livestore/provider"
	"github.com/livestore-go/livestore/provider/wsprovider"
)

// inBubble runs a scenario in virtual time, on a fake backend behind pipes.
func inBubble(t *testing.T, opts wsprovider.Options, run func(t *testing.T, b *bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		l := f.onPipes(t)
		opts.HTTPClient = l.client()
		if opts.Addresses == nil {
			opts.Addresses = func() ([]net.Addr, error) { return nil, nil }
		}
		run(t, &bubble{t: t, fake: f, network: l, opts: opts})
	})
}

type bubble struct {
	t       *testing.T
	fake    *fake
	network *network
	opts    wsprovider.Options
}

// client makes a client that is closed with the scenario.
func (b *bubble) client() provider.Client {
	b.t.Helper()
	c, err := wsprovider.New("ws://backend.test/sync?region=eu", &b.opts).Client(provider.Config{
		StoreID: "todos", Payload: json.RawMessage(`{"token":"from config"}`),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = c.Close() })
	return c
}

func gaps(times []time.Time) []time.Duration {
	var d []time.Duration
	for i := 1; i < len(times); i++ {
		d = append(d, times[i].Sub(times[i-1]))
	}
	return d
}

func around(d, middle time.Duration) bool {
	return d >= middle*8/10-time.Millisecond && d <= middle*12/10+time.Millisecond
}

func connect(t *testing.T, c provider.Client) {
	t.Helper()
	if err := c.Connect(t.Context()); err != nil {
		t.Fatalf("connect: %v", err)
	}
}

func TestPauseGrowsBetweenAttempts(t *testing.T) {
	inBubble(t, wsprovider.Options{}, func(t *testing.T, b *bubble) {
		down := errors.New("network is unreachable")
		b.network.down = down
		c := b.client()
		time.Sleep(3 * time.Minute)
		got := gaps(b.network.dialed())
		for i, middle := range []float64{1, 2, 4, 8, 16, 30, 30, 30} {
			if !around(got[i], time.Duration(middle*float64(time.Second))) {
				t.Errorf("pause %d is %v, want %v s ± a fifth", i, got[i], middle)
			}
		}
		if slices.Contains(got, 30*time.Second) && got[6] == got[5] {
			t.Errorf("pauses do not vary: %v", got)
		}
		status, changed := c.Status()
		if _, ok := errors.AsType[*provider.OfflineError](status.Err); !ok || !errors.Is(status.Err, down) || status.Connected {
			t.Errorf("status: %+v", status)
		}
		if text := status.Err.Error(); strings.Contains(text, "payload") || strings.Contains(text, "token") {
			t.Errorf("the error tells the credentials: %s", text)
		}
		if err := c.Ping(t.Context()); !errors.Is(err, down) {
			t.Errorf("ping: %v", err)
		}

		b.network.set(func() { b.network.down = nil })
		began := time.Now()
		c.Reconnect()
		<-changed
		connect(t, c)
		if d := time.Since(began); d != 0 {
			t.Errorf("Reconnect took %v", d)
		}
		if status, _ := c.Status(); !status.Connected || status.Err != nil {
			t.Errorf("status: %+v", status)
		}

		// The connection lives for more than a ping interval: pauses begin small again.
		time.Sleep(time.Minute)
		b.network.set(func() { b.network.down, b.network.dials = down, nil })
		b.fake.drop()
		time.Sleep(2500 * time.Millisecond)
		if got := b.network.dialed(); len(got) == 0 || len(got) > 2 {
			t.Errorf("%d attempts in the first 2.5 s after a connection that lived", len(got))
		}
	})
}

func TestNewAddressesEndThePause(t *testing.T) {
	var mu sync.Mutex
	var addrs []net.Addr
	inBubble(t, wsprovider.Options{Addresses: func() ([]net.Addr, error) {
		mu.Lock()
		defer mu.Unlock()
		return addrs, nil
	}}, func(t *testing.T, b *bubble) {
		b.network.down = errors.New("network is unreachable")
		c := b.client()
		time.Sleep(2 * time.Minute)
		b.network.set(func() { b.network.down = nil })
		mu.Lock()
		addrs = []net.Addr{&net.IPNet{IP: net.IPv4(192, 0, 2, 7), Mask: net.CIDRMask(24, 32)}}
		mu.Unlock()
		began := time.Now()
		connect(t, c)
		if d := time.Since(began); d > time.Second {
			t.Errorf("connected %v after the network came back", d)
		}
	})
}

func TestHalfOpenConnection(t *testing.T) {
	inBubble(t, wsprovider.Options{}, func(t *testing.T, b *bubble) {
		c := b.client()
		connect(t, c)
		ended := make(chan error, 1)
		go func() {
			for _, err := range c.Pull(t.Context(), provider.Cursor{}, true) {
				if err != nil {
					ended <- err
				}
			}
		}()
		time.Sleep(5 * time.Minute) // pings keep it alive
		if n := len(b.network.dialed()); n != 1 {
			t.Fatalf("%d connections in five quiet minutes", n)
		}
		b.fake.set(func() { b.fake.mute = true })
		began := time.Now()
		err := <-ended
		if _, ok := errors.AsType[*provider.OfflineError](err); !ok {
			t.Fatalf("pull on a half-open connection: %v", err)
		}
		if d := time.Since(began); d < 10*time.Second || d > 20*time.Second {
			t.Errorf("noticed after %v, want one or two intervals of 10 s", d)
		}
		b.fake.set(func() { b.fake.mute = false })
		began = time.Now()
		connect(t, c)
		if d := time.Since(began); !around(d, time.Second) {
			t.Errorf("connected again after %v, want about 1 s", d)
		}
	})
}

func TestBackendThatNeverAnswers(t *testing.T) {
	inBubble(t, wsprovider.Options{}, func(t *testing.T, b *bubble) {
		b.fake.mute = true
		c := b.client()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := c.Connect(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("connect: %v", err)
		}
		if status, _ := c.Status(); status.Connected {
			t.Error("connected, and nothing has come")
		}
		time.Sleep(10 * time.Second)
		if n := len(b.network.dialed()); n != 2 {
			t.Errorf("%d attempts, want a second one", n)
		}
	})
}

func TestUpgradeThatHangs(t *testing.T) {
	inBubble(t, wsprovider.Options{ConnectTimeout: 3 * time.Second}, func(t *testing.T, b *bubble) {
		b.fake.hang = true
		c := b.client()
		time.Sleep(3500 * time.Millisecond)
		status, _ := c.Status()
		if status.Err == nil || !strings.Contains(status.Err.Error(), "no answer within 3s") {
			t.Errorf("status: %+v", status)
		}
		if strings.Contains(status.Err.Error(), "from config") || strings.Contains(status.Err.Error(), "payload") {
			t.Errorf("the error tells the credentials: %v", status.Err)
		}
	})
}

func TestRefusedCredentials(t *testing.T) {
	inBubble(t, wsprovider.Options{}, func(t *testing.T, b *bubble) {
		b.fake.status, b.fake.body = 401, "token\x00 \x1b[31mexpired\n\tyesterday"+strings.Repeat(" x", 2000)
		c := b.client()
		err := c.Connect(t.Context())
		e, ok := errors.AsType[*provider.RefusedError](err)
		if !ok || e.Status != 401 || !strings.HasPrefix(e.Why, "token [31mexpired yesterday x") || len(e.Why) > 400 {
			t.Fatalf("connect: %v", err)
		}
		if err := c.Push(t.Context(), "", nil); err == nil || err.Error() != e.Error() {
			t.Errorf("push: %v", err)
		}
		time.Sleep(10*time.Minute + time.Second)
		got := gaps(b.fake.times())
		for i, d := range got {
			if d != time.Minute {
				t.Errorf("pause %d is %v, want a minute", i, d)
			}
		}
		if len(got) != 10 {
			t.Errorf("%d attempts in ten minutes", len(got))
		}
		b.fake.set(func() { b.fake.status = 0 })
		began := time.Now()
		c.Reconnect()
		connect(t, c) // and not the refusal of before
		if d := time.Since(began); d != 0 {
			t.Errorf("Reconnect took %v", d)
		}
	})
}

func TestOtherStatusesAreTriedAgain(t *testing.T) {
	for _, status := range []int{404, 426, 500, 503} {
		inBubble(t, wsprovider.Options{}, func(t *testing.T, b *bubble) {
			b.fake.status, b.fake.body = status, "no room\n"
			c := b.client()
			time.Sleep(500 * time.Millisecond)
			got, _ := c.Status()
			if _, ok := errors.AsType[*provider.OfflineError](got.Err); !ok || !strings.Contains(got.Err.Error(), "no room") {
				t.Errorf("status: %+v", got)
			}
			time.Sleep(time.Second)
			if n := len(b.fake.times()); n != 2 {
				t.Errorf("%d attempts after status %d", n, status)
			}
		})
	}
}

func TestCredentialsAreAskedForEachTime(t *testing.T) {
	n := 0
	inBubble(t, wsprovider.Options{
		Header: map[string][]string{"X-Region": {"eu"}},
		Credentials: func(ctx context.Context, storeID string) (json.RawMessage, error) {
			if _, ok := ctx.Deadline(); !ok || storeID != "todos" {
				return nil, errors.New("wrong call")
			}
			n++
			switch n {
			case 1:
				return nil, errors.New("token service is down")
			case 2:
				return json.RawMessage(`{`), nil
			case 3:
				return nil, &provider.RefusedError{StoreID: storeID, Why: "signed out"}
			}
			return json.RawMessage(`{"token":"fresh & ü"}`), nil
		},
	}, func(t *testing.T, b *bubble) {
		c := b.client()
		time.Sleep(500 * time.Millisecond)
		if status, _ := c.Status(); status.Err == nil || !strings.Contains(status.Err.Error(), "token service is down") {
			t.Errorf("status: %+v", status)
		}
		time.Sleep(time.Second)
		if status, _ := c.Status(); status.Err == nil || !strings.Contains(status.Err.Error(), "not JSON") {
			t.Errorf("status: %+v", status)
		}
		time.Sleep(2 * time.Second)
		if err := c.Connect(t.Context()); err == nil || !strings.Contains(err.Error(), "signed out") {
			t.Errorf("connect: %v", err)
		}
		c.Reconnect()
		connect(t, c)
		b.fake.mu.Lock()
		defer b.fake.mu.Unlock()
		a := b.fake.attempts[0]
		q := a.query
		if len(b.fake.attempts) != 1 || q.Get("storeId") != "todos" || q.Get("transport") != "ws" || q.Get("region") != "eu" {
			t.Errorf("query: %v", q)
		}
		if want := `%7B%22token%22%3A%22fresh%20%26%20%C3%BC%22%7D`; q.Get("payload") != want {
			t.Errorf("payload, decoded once: %s, want %s", q.Get("payload"), want)
		}
		if a.head.Get("X-Region") != "eu" {
			t.Errorf("header: %v", a.head)
		}
	})
}

func TestOfflineCallsWait(t *testing.T) {
	inBubble(t, wsprovider.Options{}, func(t *testing.T, b *bubble) {
		b.network.down = errors.New("network is unreachable")
		c := b.client()
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		if err := c.Push(ctx, "", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("push: %v", err)
		}
		for _, err := range c.Pull(ctx, provider.Cursor{}, true) {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("pull: %v", err)
			}
		}
		done := make(chan error, 1)
		go func() { done <- c.Push(t.Context(), "", nil) }()
		time.Sleep(time.Minute)
		b.network.set(func() { b.network.down = nil })
		if err := <-done; err != nil {
			t.Errorf("push that waited: %v", err)
		}
	})
}

func TestCloseSaysGoodbye(t *testing.T) {
	inBubble(t, wsprovider.Options{}, func(t *testing.T, b *bubble) {
		c := b.client()
		for _, err := range c.Pull(t.Context(), provider.Cursor{}, true) {
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			if d := time.Since(began); d != 0 {
				t.Errorf("Close took %v", d)
			}
			break
		}
		synctest.Wait()
		frames := b.fake.sent()
		if last := frames[len(frames)-1]; !strings.Contains(last, `"Interrupt"`) {
			t.Errorf("the last of the frames is %s", last)
		}
		if got := b.fake.closes; len(got) != 1 || got[0] != websocket.StatusNormalClosure {
			t.Errorf("close codes: %v", got)
		}
	})
}

func TestCloseOfDeadConnectionIsBounded(t *testing.T) {
	inBubble(t, wsprovider.Options{}, func(t *testing.T, b *bubble) {
		var pipes []*stuckConn
		b.network.wrap = func(n net.Conn) net.Conn {
			pipes = append(pipes, &stuckConn{Conn: n})
			return pipes[len(pipes)-1]
		}
		c := b.client()
		connect(t, c)
		pipes[0].stop()
		began := time.Now()
		_ = c.Close()
		if d := time.Since(began); d > time.Second {
			t.Errorf("Close took %v", d)
		}
	})
}

// stuckConn takes nothing any more after stop, until it is closed.
type stuckConn struct {
	net.Conn

	mu     sync.Mutex
	stuck  bool
	once   sync.Once
	closed chan struct{}
}

func (c *stuckConn) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stuck, c.closed = true, make(chan struct{})
}

func (c *stuckConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	stuck, closed := c.stuck, c.closed
	c.mu.Unlock()
	if stuck {
		<-closed
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

func (c *stuckConn) Close() error {
	c.mu.Lock()
	if c.closed != nil {
		c.once.Do(func() { close(c.closed) })
	}
	c.mu.Unlock()
	return c.Conn.Close()
}

func TestBackendThatTakesNothing(t *testing.T) {
	inBubble(t, wsprovider.Options{}, func(t *testing.T, b *bubble) {
		var pipes []*stuckConn
		b.network.wrap = func(n net.Conn) net.Conn {
			pipes = append(pipes, &stuckConn{Conn: n})
			return pipes[len(pipes)-1]
		}
		c := b.client()
		connect(t, c)
		pipes[0].stop()
		began := time.Now()
		err := c.Push(t.Context(), "", nil)
		if _, ok := errors.AsType[*provider.OfflineError](err); !ok || time.Since(began) > 2*time.Minute {
			t.Errorf("push ends after %v: %v", time.Since(began), err)
		}
		connect(t, c)
		if n := len(pipes); n != 2 {
			t.Errorf("%d connections", n)
		}
	})
}

// slowConn is a link of so many bytes a second, towards the backend or from it.
type slowConn struct {
	net.Conn
	rate, down int // 0: as fast as can be
}

func (c *slowConn) Read(p []byte) (int, error) {
	if c.down == 0 {
		return c.Conn.Read(p)
	}
	n, err := c.Conn.Read(p[:min(len(p), 1024)])
	time.Sleep(time.Duration(n) * time.Second / time.Duration(c.down))
	return n, err
}

func (c *slowConn) Write(p []byte) (int, error) {
	if c.rate == 0 {
		return c.Conn.Write(p)
	}
	for off := 0; off < len(p); off += 1024 {
		part := p[off:min(len(p), off+1024)]
		time.Sleep(time.Duration(len(part)) * time.Second / time.Duration(c.rate))
		if n, err := c.Conn.Write(part); err != nil {
			return off + n, err
		}
	}
	return len(p), nil
}

// TestSlowUplink is about a large push that is longer on its way than pings are apart: it is not taken for silence.
func TestSlowUplink(t *testing.T) {
	inBubble(t, wsprovider.Options{}, func(t *testing.T, b *bubble) {
		b.network.wrap = func(n net.Conn) net.Conn { return &slowConn{Conn: n, rate: 20 << 10} }
		c := b.client()
		e := newEvent(0, strings.Repeat("x", 800_000))
		began := time.Now()
		if err := c.Push(t.Context(), "", e); err != nil {
			t.Fatalf("push after %v: %v", time.Since(began), err)
		}
		if d := time.Since(began); d < 30*time.Second {
			t.Fatalf("the link is not slow: %v", d)
		}
		if n := len(b.network.dialed()); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
}

// TestSlowDownlink is the same for a large page.
func TestSlowDownlink(t *testing.T) {
	inBubble(t, wsprovider.Options{}, func(t *testing.T, b *bubble) {
		b.network.wrap = func(n net.Conn) net.Conn { return &slowConn{Conn: n, down: 20 << 10} }
		b.fake.log.Append("todos", newEvent(0, strings.Repeat("x", 800_000))...)
		c := b.client()
		began := time.Now()
		for _, err := range c.Pull(t.Context(), provider.Cursor{}, true) {
			if err != nil {
				t.Fatalf("pull after %v: %v", time.Since(began), err)
			}
			break
		}
		if d := time.Since(began); d < 30*time.Second {
			t.Fatalf("the link is not slow: %v", d)
		}
		if n := len(b.network.dialed()); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
}

// TestDeepSendBuffer is about a large push that a slow link's buffers have taken at once, and that arrives much later.
func TestDeepSendBuffer(t *testing.T) {
	inBubble(t, wsprovider.Options{}, func(t *testing.T, b *bubble) {
		b.network.wrap = func(n net.Conn) net.Conn { return newDeepConn(&slowConn{Conn: n, rate: 20 << 10}) }
		c := b.client()
		began := time.Now()
		if err := c.Push(t.Context(), "", newEvent(0, strings.Repeat("x", 800_000))); err != nil {
			t.Fatalf("push after %v: %v", time.Since(began), err)
		}
		if d := time.Since(began); d < 30*time.Second {
			t.Fatalf("the link is not slow: %v", d)
		}
		if n := len(b.network.dialed()); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
}

// deepConn takes writes at once and sends them later.
type deepConn struct {
	net.Conn

	parts  chan []byte
	closed chan struct{}
	once   sync.Once
	wg     sync.WaitGroup
}

func newDeepConn(inner net.Conn) *deepConn {
	c := &deepConn{Conn: inner, parts: make(chan []byte, 10_000), closed: make(chan struct{})}
	c.wg.Go(func() {
		for {
			select {
			case part := <-c.parts:
				if _, err := inner.Write(part); err != nil {
					return
				}
			case <-c.closed:
				return
			}
		}
	})
	return c
}

func (c *deepConn) Write(p []byte) (int, error) {
	select {
	case c.parts <- append([]byte(nil), p...):
		return len(p), nil
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

func (c *deepConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	err := c.Conn.Close()
	c.wg.Wait()
	return err
}

// TestReconnectIsForgotten is about a Reconnect that nobody needed: it does not hurry the attempt after the next drop.
func TestReconnectIsForgotten(t *testing.T) {
	inBubble(t, wsprovider.Options{}, func(t *testing.T, b *bubble) {
		c := b.client()
		c.Reconnect()
		connect(t, c)
		c.Reconnect()
		b.fake.drop()
		synctest.Wait()
		began := time.Now()
		connect(t, c)
		if d := time.Since(began); !around(d, time.Second) {
			t.Errorf("connected again after %v, want about 1 s", d)
		}
	})
}
