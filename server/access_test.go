package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/livestore-go/livestore/internal/wire"
	"github.com/livestore-go/livestore/server"
)

// Each request that is no connection is told why.
func TestRoutes(t *testing.T) {
	w := inMemory(t, nil)
	for _, c := range []struct {
		method, path string
		status       int
		text         string
	}{
		{"GET", "/", 200, "Info: "},
		{"GET", "/elsewhere", 400, "storeId"},
		{"POST", "/", 400, "storeId"},
		{"GET", "/?storeId=s", 400, "transport"},
		{"GET", "/?storeId=s&transport=carrier-pigeon", 400, "transport"},
		{"GET", "/?storeId=&transport=ws", 400, `store id "" is none`},
		{"GET", "/?storeId=../s&transport=ws", 400, "store id"},
		{"GET", "/?storeId=" + strings.Repeat("s", 129) + "&transport=ws", 400, "has 129 letters: 128 are allowed"},
		{"GET", "/?storeId=a&storeId=b&transport=ws", 400, "storeId"},
		{"GET", "/?storeId=s&transport=ws&payload=%7B", 400, "payload"},
		{"GET", "/?storeId=s&transport=ws", 426, "WebSocket"},
		{"GET", "/any/where?storeId=s&transport=ws", 426, "WebSocket"},
		{"POST", "/?storeId=s&transport=http", 501, "transport=http"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), c.method, w.url+c.path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		response, err := w.web.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != c.status || !strings.Contains(string(text), c.text) ||
			!strings.HasPrefix(response.Header.Get("Content-Type"), "text/plain") {
			t.Errorf("%s %s: %d %s, want %d and %q", c.method, c.path, response.StatusCode, text, c.status, c.text)
		}
	}
}

// Who is refused learns why, and the store is not touched.
func TestAuthorize(t *testing.T) {
	var mu sync.Mutex
	var asked []server.AuthRequest
	w := inMemory(t, &server.Options{Authorize: func(_ context.Context, r server.AuthRequest) error {
		mu.Lock()
		asked = append(asked, r)
		mu.Unlock()
		var payload struct {
			AuthToken string `json:"authToken"`
		}
		if json.Unmarshal(r.Payload, &payload) != nil || payload.AuthToken != "good" {
			return errors.New("invalid auth token")
		}
		return nil
	}})
	address := func(payload string) string {
		q := wire.Query{StoreID: "s", Transport: wire.WS}
		if payload != "" {
			q.Payload = []byte(payload)
		}
		return strings.Replace(w.url, "http", "ws", 1) + "/?" + q.Encode()
	}
	for _, payload := range []string{"", `{"authToken":"bad"}`, `"good"`, `null`} {
		_, err := w.tryDial(wire.E3, address(payload), nil)
		if refused, ok := errors.AsType[*refusedError](err); !ok || refused.status != 401 || !strings.Contains(refused.text, "invalid auth token") {
			t.Errorf("payload %s: %v, want 401 and the reason", payload, err)
		}
	}
	header := http.Header{"X-Request": {"7"}}
	p, err := w.tryDial(wire.E3, address(`{"authToken":"good"}`), &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		t.Fatal(err)
	}
	p.nothing()
	mu.Lock()
	defer mu.Unlock()
	last := asked[len(asked)-1]
	if last.StoreID != "s" || string(last.Payload) != `{"authToken":"good"}` || last.Header.Get("X-Request") != "7" ||
		last.Transport != "ws" || last.RemoteAddr == "" {
		t.Errorf("it was asked about %+v", last)
	}
	if asked[0].Payload != nil {
		t.Errorf("without a payload it was asked about %q", asked[0].Payload)
	}
}

// The hooks see what clients ask for, and their errors are told to the client; nothing is stored.
func TestHooks(t *testing.T) {
	inBoth(t, func(t *testing.T, d wire.Dialect) {
		w := inMemory(t, &server.Options{
			OnPush: func(_ context.Context, r server.PushRequest) error {
				if r.StoreID != "s" || len(r.Batch) == 0 {
					return nil
				}
				if r.Batch[0].SeqNum == 3 {
					return errors.New("no third event")
				}
				return nil
			},
			OnPull: func(_ context.Context, r server.PullRequest) error {
				if r.After == 2 && r.Live {
					return errors.New("not from there")
				}
				return nil
			},
		})
		p := w.dial(d, "s")
		live := p.pull(0, true)
		p.events(live, 1, 0)
		push := p.push(span(1, 2)...)
		p.events(live, 1, 2)
		p.stored(push)
		e := failed[*wire.UnknownError](p, p.push(at(3)))
		if !strings.Contains(string(e.Cause), "no third event") {
			t.Errorf("the cause is %s", e.Cause)
		}
		e = failed[*wire.UnknownError](p, p.pull(2, true))
		if !strings.Contains(string(e.Cause), "not from there") {
			t.Errorf("the cause is %s", e.Cause)
		}
		p.nothing()
	})
}

// A web page of another origin may connect only where the options say so; a client that is no browser sends none.
func TestOrigins(t *testing.T) {
	for _, c := range []struct {
		origins []string
		origin  string
		allowed bool
	}{
		{nil, "", true},
		{nil, "self", true},
		{nil, "https://evil.example", false},
		{[]string{"app.example.com"}, "https://app.example.com", true},
		{[]string{"app.example.com"}, "https://other.example.com", false},
		{[]string{"*.example.com"}, "http://other.example.com", true},
		{[]string{"https://app.example.com"}, "http://app.example.com", false},
		{[]string{"*"}, "https://evil.example", true},
		{[]string{"*"}, "null", true},
	} {
		w := inMemory(t, &server.Options{Origins: c.origins})
		header := http.Header{}
		switch c.origin {
		case "":
		case "self":
			header.Set("Origin", w.url)
		default:
			header.Set("Origin", c.origin)
		}
		_, err := w.tryDial(wire.E3, w.address("s", ""), &websocket.DialOptions{HTTPHeader: header})
		refused, _ := errors.AsType[*refusedError](err)
		if c.allowed && err != nil || !c.allowed && (refused == nil || refused.status != 403) {
			t.Errorf("origins %q and a page of %q: %v", c.origins, c.origin, err)
		}
	}
}

// Past the limit of connections further ones are told to come later, and do get in when one has left.
func TestConnectionLimit(t *testing.T) {
	w := inMemory(t, &server.Options{Limits: server.Limits{Connections: 2}})
	first, second := w.dial(wire.E3, "a"), w.dial(wire.E3, "b")
	_, err := w.tryDial(wire.E3, w.address("c", ""), nil)
	if refused, ok := errors.AsType[*refusedError](err); !ok || refused.status != 503 {
		t.Errorf("a third connection: %v, want 503", err)
	}
	second.nothing()
	_ = first.ws.Close(websocket.StatusNormalClosure, "")
	for {
		p, err := w.tryDial(wire.E3, w.address("c", ""), nil)
		if err == nil {
			p.nothing()
			break
		}
		if refused, ok := errors.AsType[*refusedError](err); !ok || refused.status != 503 {
			t.Fatal(err)
		}
	}
}
