package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/livestore-go/livestore/internal/wire"
)

// process is a running server.
type process struct {
	testing.TB

	cmd   *exec.Cmd
	url   string // http://HOST:PORT
	rest  chan string
	errs  *lockedBuffer
	ended bool
}

// lockedBuffer is a buffer that one goroutine writes and another reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var ready = regexp.MustCompile(`^listening on (http://127\.0\.0\.1:[1-9][0-9]*)$`)

// serve starts livestore serve on a free port and waits until it is ready.
func serve(t testing.TB, env []string, args ...string) *process {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("there are no signals to send on Windows")
	}
	p := &process{TB: t, rest: make(chan string, 1), errs: &lockedBuffer{}}
	p.cmd = exec.Command("livestore", append([]string{"serve"}, args...)...)
	p.cmd.Env = append(append(os.Environ(), "LIVESTORE_LISTEN=127.0.0.1:0"), env...)
	p.cmd.Stderr = p.errs
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !p.ended {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
	})
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	m := ready.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
	if err != nil || m == nil {
		t.Fatalf("it said %q (%v)\n%s", line, err, p.errs)
	}
	p.url = m[1]
	go func() {
		rest, _ := io.ReadAll(lines)
		p.rest <- string(rest)
	}()
	return p
}

// stop sends a signal and wants a graceful end.
func (p *process) stop(sig os.Signal) {
	p.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.Fatal(err)
	}
	rest := <-p.rest
	p.ended = true
	if err := p.cmd.Wait(); err != nil || rest != "" {
		p.Errorf("after %s it ended with %v, and said %q after its first line\n%s", sig, err, rest, p.errs)
	}
}

// dial connects to a store.
func (p *process) dial(payload string) (*websocket.Conn, *http.Response, error) {
	ctx, cancel := context.WithTimeout(p.Context(), time.Minute)
	p.Cleanup(cancel)
	q := wire.Query{StoreID: "s", Transport: wire.WS, Payload: []byte(payload)}
	if payload == "" {
		q.Payload = nil
	}
	return websocket.Dial(ctx, p.url+"/?"+q.Encode(), nil)
}

// backend pulls and returns the backend id of the store.
func (p *process) backend() string {
	p.Helper()
	ws, _, err := p.dial("") //nolint:bodyclose // what an upgrade answers has no body
	if err != nil {
		p.Fatal(err)
	}
	defer ws.CloseNow()
	pull := wire.AppendClient(nil, wire.E3, &wire.Pull{ID: wire.StringID("1"), StoreID: "s"})
	if err := ws.Write(p.Context(), websocket.MessageText, pull); err != nil {
		p.Fatal(err)
	}
	_, data, err := ws.Read(p.Context())
	if err != nil {
		p.Fatal(err)
	}
	messages, err := wire.DecodeServer(data)
	if err != nil {
		p.Fatal(err)
	}
	return messages[0].(*wire.Chunk).Items[0].BackendID
}

// It prints one line when it is ready, and ends well on both signals, also with a client that is connected; what it keeps it has again.
func TestServe(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "data")
	first := serve(t, nil, "--storage", "sqlite:"+dir)
	id := first.backend()
	ws, _, err := first.dial("") //nolint:bodyclose // what an upgrade answers has no body
	if err != nil {
		t.Fatal(err)
	}
	code := make(chan websocket.StatusCode, 1)
	go func() {
		_, _, err := ws.Read(context.Background())
		code <- websocket.CloseStatus(err)
	}()
	first.stop(syscall.SIGTERM)
	if c := <-code; c != websocket.StatusGoingAway {
		t.Errorf("the client was told %d", c)
	}
	if text := first.errs.String(); !strings.Contains(text, "level=INFO") || !strings.Contains(text, "starts") {
		t.Errorf("its log is\n%s", text)
	}
	second := serve(t, []string{"LIVESTORE_STORAGE=sqlite:" + dir})
	if again := second.backend(); again != id {
		t.Errorf("the backend id was %s and is %s", id, again)
	}
	second.stop(os.Interrupt)
	third := serve(t, []string{"LIVESTORE_STORAGE=sqlite:" + dir}, "--storage", "memory:")
	if again := third.backend(); again == id {
		t.Error("the environment counted more than the command line")
	}
	third.stop(os.Interrupt)
}

// A directory in use is refused, and so is an address.
func TestServeTwice(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	p := serve(t, nil, "--storage", "sqlite:"+dir)
	for _, c := range []struct{ args, want string }{
		{"--listen 127.0.0.1:0 --storage sqlite:" + dir, "is in use by process "},
		{"--storage memory: --listen " + strings.TrimPrefix(p.url, "http://"), "choose another address with --listen"},
	} {
		out, err := exec.Command("livestore", append([]string{"serve"}, strings.Fields(c.args)...)...).CombinedOutput()
		if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 1 || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: %v\n%s", c.args, err, out)
		}
	}
	p.stop(syscall.SIGTERM)
}

// With tokens only those who show one get in.
func TestAuthToken(t *testing.T) {
	for name, p := range map[string]*process{
		"flags":       serve(t, nil, "--storage", "memory:", "--auth-token", "one", "--auth-token", "two"),
		"environment": serve(t, []string{"LIVESTORE_AUTH_TOKEN=one,two"}, "--storage", "memory:"),
	} {
		for payload, allowed := range map[string]bool{
			``: false, `{}`: false, `null`: false, `"one"`: false, `{"authToken":""}`: false, `{"authToken":"three"}`: false, `{"authToken":1}`: false,
			`{"authToken":"one,two"}`: false, `{"AUTHTOKEN":"one"}`: false,
			`{"authToken":"one"}`: true, `{"more":1,"authToken":"two"}`: true,
		} {
			ws, response, err := p.dial(payload) //nolint:bodyclose // what an upgrade answers has no body
			if err == nil {
				_ = ws.CloseNow()
			}
			status := 0
			if response != nil {
				status = response.StatusCode
			}
			if (err == nil) != allowed || !allowed && status != http.StatusUnauthorized {
				t.Errorf("%s: payload %s: %v", name, payload, err)
			}
		}
		p.stop(syscall.SIGTERM)
	}
}
