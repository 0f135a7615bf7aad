package wsprovider_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/provider"
	"github.com/livestore-go/livestore/provider/wsprovider"
)

// newEvent makes a batch of one event that follows a head.
func newEvent(head int64, text string) []event.Global {
	return []event.Global{{
		Name: "v1.Said", Args: jsontext.Value(fmt.Sprintf(`{"text":%q}`, text)),
		SeqNum: head + 1, ParentSeqNum: head, ClientID: "me", SessionID: "static",
	}}
}

func TestFramesOfTheClient(t *testing.T) {
	for _, d := range []wsprovider.Dialect{wsprovider.E3, wsprovider.E4} {
		inBubble(t, wsprovider.Options{Dialect: d}, func(t *testing.T, b *bubble) {
			c := b.client()
			if err := c.Push(t.Context(), "", newEvent(0, "a")); err != nil {
				t.Fatal(err)
			}
			for range c.Pull(t.Context(), provider.Cursor{BackendID: b.fake.log.ID("todos"), After: 0}, true) {
				synctest.Wait()
				break
			}
			synctest.Wait()
			var kinds []string
			for _, frame := range b.fake.sent() {
				var m struct {
					Tag       string `json:"_tag"`
					ID        any    `json:"id"`
					RequestID any    `json:"requestId"`
					RPC       string `json:"tag"`
					Payload   struct {
						Payload struct {
							Token string `json:"token"`
						} `json:"payload"`
					} `json:"payload"`
				}
				if err := json.Unmarshal([]byte(frame), &m); err != nil {
					t.Fatal(err)
				}
				kinds = append(kinds, strings.TrimSpace(m.Tag+" "+m.RPC))
				id := m.ID
				if id == nil {
					id = m.RequestID
				}
				switch id.(type) {
				case nil:
				case string:
					if d == wsprovider.E4 {
						t.Errorf("text as id in dialect E4: %s", frame)
					}
				default:
					if d == wsprovider.E3 {
						t.Errorf("number as id in dialect E3: %s", frame)
					}
				}
				if m.Tag == "Request" && m.Payload.Payload.Token != "from config" {
					t.Errorf("request without credentials: %s", frame)
				}
			}
			got := strings.Join(kinds, ", ")
			if got != "Ping, Request SyncWsRpc.Push, Request SyncWsRpc.Pull, Ack, Interrupt" {
				t.Errorf("frames of dialect %v: %s", d, got)
			}
		})
	}
}

func TestInterruptOfPush(t *testing.T) {
	inBubble(t, wsprovider.Options{}, func(t *testing.T, b *bubble) {
		b.fake.on = func(_ *fakeConn, m request) bool { return m.RPC == "SyncWsRpc.Push" } // no answer
		c := b.client()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := c.Push(ctx, "", newEvent(0, "a")); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("push: %v", err)
		}
		synctest.Wait()
		frames := b.fake.sent()
		if !strings.Contains(frames[len(frames)-1], "Interrupt") {
			t.Errorf("the last of the frames is %s", frames[len(frames)-1])
		}
		b.fake.set(func() { b.fake.on = nil })
		if err := c.Push(t.Context(), "", newEvent(0, "a")); err != nil {
			t.Errorf("the next push: %v", err)
		}
	})
}

// TestEarlyChunk is the official backend's fault: what is pushed during a pull comes ahead of older pages.
func TestEarlyChunk(t *testing.T) {
	inBubble(t, wsprovider.Options{}, func(t *testing.T, b *bubble) {
		log := b.fake.log.Append("todos", make([]event.Global, 300)...)
		b.fake.on = func(n *fakeConn, m request) bool {
			if m.RPC != "SyncWsRpc.Pull" || m.Payload.Cursor.Tag == "Some" {
				return false
			}
			n.send(chunk(m.ID, b.fake.log.ID("todos"), 200, log[:100]...))
			n.send(chunk(m.ID, b.fake.log.ID("todos"), 0, log[250:]...))
			return true
		}
		c := b.client()
		var at provider.Cursor
		var err error
		for page, e := range c.Pull(t.Context(), provider.Cursor{}, true) {
			if err = e; e == nil {
				at = provider.Cursor{BackendID: page.BackendID, After: at.After + int64(len(page.Events))}
			}
		}
		e, ok := errors.AsType[*provider.ProtocolError](err)
		if !ok || !strings.Contains(e.Why, "e100") || !strings.Contains(e.Why, "e251 after e250") {
			t.Fatalf("pull: %v", err)
		}
		if at.After != 100 {
			t.Fatalf("the pull stopped at e%d", at.After)
		}
		connect(t, c)
		if n := len(b.network.dialed()); n != 1 {
			t.Errorf("the connection was given up for one pull")
		}
		for page, err := range c.Pull(t.Context(), at, false) { // pulling again heals it
			if err != nil {
				t.Fatal(err)
			}
			at.After += int64(len(page.Events))
		}
		if at.After != 300 {
			t.Errorf("the second pull ends at e%d", at.After)
		}
	})
}

func TestWhatPullsDoNotBelieve(t *testing.T) {
	id := json.RawMessage(`"x"`)
	first := event.Global{Name: "v1.A", Args: jsontext.Value("1"), SeqNum: 1, ParentSeqNum: 0, ClientID: "c", SessionID: "s"}
	double, parent := first, first
	parent.SeqNum, parent.ParentSeqNum = 2, 0
	for name, c := range map[string]struct {
		frames []string
		want   string
	}{
		"an event twice":   {[]string{chunk(id, "B", 0, first, double)}, "e1 after e0"},
		"a wrong parent":   {[]string{chunk(id, "B", 0, first, parent)}, "e2 after e0"},
		"no identity":      {[]string{chunk(id, "", 0, first)}, "backendId"},
		"another identity": {[]string{chunk(id, "B", 0, first), chunk(id, "C", 0)}, "the sync backend is C"},
		"an end":           {[]string{`{"_tag":"Exit","requestId":"x","exit":{"_tag":"Success"}}`}, "ends a live pull"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, wsprovider.Options{}, func(t *testing.T, b *bubble) {
				b.fake.on = func(n *fakeConn, m request) bool {
					if m.RPC == "SyncWsRpc.Pull" {
						for _, frame := range c.frames {
							n.send(strings.ReplaceAll(frame, `"x"`, string(m.ID)))
						}
						return true
					}
					return false
				}
				var err error
				for _, err = range b.client().Pull(t.Context(), provider.Cursor{}, true) {
				}
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("pull: %v, want an error with %q", err, c.want)
				}
			})
		})
	}
}

func TestFailuresOfAPush(t *testing.T) {
	fail := func(err string) string { return `{"_tag":"Fail","error":` + err + `}` }
	for name, c := range map[string]struct {
		cause string
		check func(err error) bool
	}{
		"server ahead": {fail(`{"_tag":"ServerAheadError","minimumExpectedNum":7,"providedNum":0}`), func(err error) bool {
			e, ok := errors.AsType[*provider.ServerAheadError](err)
			return ok && e.Head == 7 && e.Provided == 0 && e.StoreID == "todos"
		}},
		"another backend": {fail(`{"_tag":"BackendIdMismatchError","expected":"B2","received":"B1"}`), func(err error) bool {
			e, ok := errors.AsType[*provider.IdentityError](err)
			return ok && e.Backend == "B2" && e.Received == "B1"
		}},
		"our server's size": {fail(`{"_tag":"UnknownError","cause":{"name":"EventTooLargeError","message":"e1 is too large"}}`), is[*provider.RejectedError]},
		"our server's chain": {fail(`{"_tag":"UnknownError","cause":{"name":"InvalidBatchError","message":"gap"}}`), func(err error) bool {
			e, ok := errors.AsType[*provider.RejectedError](err)
			return ok && e.Num == 1 && e.Name == "v1.Said" && strings.Contains(e.Why, "gap")
		}},
		// An official E4 backend says this after it has stored the event.
		"official size": {fail(`{"_tag":"UnknownError","cause":{"name":"OversizeChunkItemError","message":"x"},"note":"why"}`), is[*provider.BackendError]},
		"text":          {fail(`{"_tag":"UnknownError","cause":"UNIQUE constraint failed"}`), is[*provider.BackendError]},
		"die":           {`{"_tag":"Die","defect":{"name":"TypeError","message":"x is undefined"}}`, is[*provider.BackendError]},
		"interrupt":     {`{"_tag":"Interrupt","fiberId":{"_tag":"None"}}`, is[*provider.OfflineError]},
		"empty":         {`{"_tag":"Empty"}`, is[*provider.BackendError]},
		"tree": {`{"_tag":"Sequential","left":{"_tag":"Empty"},"right":` +
			fail(`{"_tag":"ServerAheadError","minimumExpectedNum":7,"providedNum":0}`) + `}`, is[*provider.ServerAheadError]},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, wsprovider.Options{}, func(t *testing.T, b *bubble) {
				b.fake.on = func(n *fakeConn, m request) bool {
					if m.RPC == "SyncWsRpc.Push" {
						n.send(`{"_tag":"Exit","requestId":"999999999","exit":{"_tag":"Success","value":{}}}`) // of nobody
						n.send(chunk(json.RawMessage(`"888888888"`), "B", 0))
						n.send(fmt.Sprintf(`{"_tag":"Exit","requestId":%s,"exit":{"_tag":"Failure","cause":%s}}`, m.ID, c.cause))
					}
					return m.RPC == "SyncWsRpc.Push"
				}
				cl := b.client()
				err := cl.Push(t.Context(), "", newEvent(0, "a"))
				if !c.check(err) {
					t.Errorf("push: %v (%T)", err, err)
				}
				if n := len(b.network.dialed()); n != 1 {
					t.Errorf("%d connections", n)
				}
			})
		})
	}
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// TestWhatEndsTheConnection is about frames that leave nothing to go on with: everything under way fails, and the client connects again.
func TestWhatEndsTheConnection(t *testing.T) {
	for name, frame := range map[string]string{
		"a defect":              `{"_tag":"Defect","defect":{"name":"SyntaxError","message":"Unexpected token"}}`,
		"no JSON":               `{"_tag":`,
		"an unknown tag":        `{"_tag":"Nope"}`,
		"a message too large":   `{"_tag":"Chunk","requestId":"0","values":["` + strings.Repeat("x", 5<<20) + `"]}`,
		"a number too large":    `{"_tag":"Chunk","requestId":"0","values":[{"batch":[],"pageInfo":{"_tag":"MoreKnown","remaining":1e300},"backendId":"B"}]}`,
		"a chunk without value": `{"_tag":"Chunk","requestId":"0"}`,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, wsprovider.Options{}, func(t *testing.T, b *bubble) {
				c := b.client()
				pulled := make(chan error, 1)
				reached := make(chan struct{})
				go func() {
					var last error
					for _, err := range c.Pull(t.Context(), provider.Cursor{}, true) {
						if last = err; err == nil {
							close(reached)
						}
					}
					pulled <- last
				}()
				<-reached
				b.fake.set(func() {
					b.fake.on = func(n *fakeConn, m request) bool {
						if m.RPC == "SyncWsRpc.Push" {
							_ = n.ws.Write(n.ctx, websocket.MessageText, []byte(frame))
						}
						return m.RPC == "SyncWsRpc.Push"
					}
				})
				if err := c.Push(t.Context(), "", newEvent(0, "a")); !is[*provider.ProtocolError](err) {
					t.Errorf("push: %v", err)
				}
				if err := <-pulled; !is[*provider.ProtocolError](err) {
					t.Errorf("pull: %v", err)
				}
				if status, _ := c.Status(); status.Connected || !is[*provider.ProtocolError](status.Err) {
					t.Errorf("status: %+v", status)
				}
				b.fake.set(func() { b.fake.on = nil })
				if err := c.Push(t.Context(), "", newEvent(0, "a")); !is[*provider.OfflineError](err) {
					t.Errorf("push without a pull on the next connection: %v", err)
				}
				for _, err := range c.Pull(t.Context(), provider.Cursor{}, true) {
					if err == nil {
						err = c.Push(t.Context(), "", newEvent(0, "a"))
					}
					if err != nil {
						t.Errorf("push on the next connection: %v", err)
					}
					break
				}
			})
		})
	}
}

// TestSlowConsumerIsNoSilence is about a live pull that takes nothing for ten minutes: the connection stays, and nothing is missing.
func TestSlowConsumerIsNoSilence(t *testing.T) {
	inBubble(t, wsprovider.Options{}, func(t *testing.T, b *bubble) {
		b.fake.log.Append("todos", make([]event.Global, 250)...)
		c := b.client()
		var head, pages int64
		for page, err := range c.Pull(t.Context(), provider.Cursor{}, true) {
			if err != nil {
				t.Fatal(err)
			}
			head += int64(len(page.Events))
			pages++
			// What had to be asked for again, because more came than was taken, says how much of it is left.
			if left := max(0, 250-head); int64(page.Remaining) != left && head <= 250 || page.Remaining < 0 {
				t.Errorf("page that ends at e%d says that %d remain, want %d", head, page.Remaining, left)
			}
			if pages == 1 || head == 1250 {
				for range 1000 {
					b.fake.log.Append("todos", event.Global{Name: "v1.Late"})
					time.Sleep(600 * time.Millisecond)
				}
			}
			if head == 2250 {
				break
			}
		}
		if n := len(b.network.dialed()); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
}

func TestTooLargeIsNotSent(t *testing.T) {
	inBubble(t, wsprovider.Options{}, func(t *testing.T, b *bubble) {
		c := b.client()
		connect(t, c)
		e := newEvent(4, strings.Repeat("x", c.Limits().Bytes))
		err := c.Push(t.Context(), "", e)
		r, ok := errors.AsType[*provider.RejectedError](err)
		if !ok || r.Num != 5 || r.Name != "v1.Said" {
			t.Errorf("push: %v", err)
		}
		for _, frame := range b.fake.sent() {
			if strings.Contains(frame, "Push") {
				t.Errorf("sent all the same: %.200s", frame)
			}
		}
	})
}

// TestPushesAfterTheEnd is about the official backend, which also sends pushes to pulls that are not live and have ended.
func TestPushesAfterTheEnd(t *testing.T) {
	inBubble(t, wsprovider.Options{}, func(t *testing.T, b *bubble) {
		log := b.fake.log.Append("todos", make([]event.Global, 9)...)
		b.fake.on = func(n *fakeConn, m request) bool {
			if m.RPC == "SyncWsRpc.Pull" {
				n.send(chunk(m.ID, b.fake.log.ID("todos"), 0, log[:5]...))
				n.send(chunk(m.ID, b.fake.log.ID("todos"), 0, log[7:]...))
				n.send(fmt.Sprintf(`{"_tag":"Exit","requestId":%s,"exit":{"_tag":"Success"}}`, m.ID))
			}
			return m.RPC == "SyncWsRpc.Pull"
		}
		pages := 0
		for page, err := range b.client().Pull(t.Context(), provider.Cursor{}, false) {
			if pages++; err != nil || len(page.Events) != 5 {
				t.Errorf("page of %d events: %v", len(page.Events), err)
			}
		}
		if pages != 1 {
			t.Errorf("%d pages", pages)
		}
	})
}
