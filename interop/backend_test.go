package interop_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/livestore-go/livestore/interop/official"
)

func TestMain(m *testing.M) {
	// Four at a time also on two cores: scenarios wait for clients that connect again more than they compute.
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	code := m.Run()
	if serve.dir != "" {
		if err := os.RemoveAll(serve.dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	os.Exit(code)
}

// serve is the command livestore, built once.
var serve struct {
	once sync.Once
	dir  string
	path string
	err  error
}

func command() (string, error) {
	serve.once.Do(func() {
		if serve.dir, serve.err = os.MkdirTemp("", "livestore-interop-"); serve.err != nil {
			return
		}
		serve.path = filepath.Join(serve.dir, "livestore")
		build := exec.CommandContext(context.Background(), "go", "build", "-o", serve.path, "github.com/livestore-go/livestore/cmd/livestore")
		if out, err := build.CombinedOutput(); err != nil {
			serve.err = fmt.Errorf("build livestore: %w: %s", err, out)
		}
	})
	return serve.path, serve.err
}

// ours is `livestore serve` in a process of its own.
type ours struct {
	dir  string
	args []string // more arguments of serve
	cmd  *exec.Cmd
	url  *url.URL
	logs *lockedBuffer
	gone chan error
}

// startOurs starts our server with files.
func startOurs(w *world) backend { return startServe(w) }

func startServe(w *world, args ...string) backend {
	s := &ours{dir: w.TempDir(), args: args, logs: new(lockedBuffer)}
	s.start(w)
	w.Cleanup(func() {
		if s.cmd == nil {
			return
		}
		w.ok(s.cmd.Process.Signal(syscall.SIGTERM))
		select {
		case err := <-s.gone:
			if err != nil {
				w.Errorf("livestore serve after SIGTERM: %v, logs: %s", err, s.logs)
			}
		case <-time.After(20 * time.Second):
			w.Errorf("livestore serve does not stop on SIGTERM, logs: %s", s.logs)
			s.kill()
		}
		if w.Failed() {
			w.Logf("livestore serve said: %s", s.logs)
		}
	})
	return s
}

func (s *ours) start(w *world) {
	w.Helper()
	path, err := command()
	w.ok(err)
	args := append([]string{"serve", "--listen", "127.0.0.1:0", "--storage", "sqlite:" + s.dir}, s.args...)
	s.cmd = exec.Command(path, args...)
	s.cmd.Stderr = s.logs
	out, err := s.cmd.StdoutPipe()
	w.ok(err)
	w.ok(s.cmd.Start())
	line := make(chan string, 1)
	cmd, gone := s.cmd, make(chan error, 1)
	s.gone = gone
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			select {
			case line <- lines.Text():
			default: // it says one line; more would be seen in the logs
			}
		}
		gone <- cmd.Wait()
	}()
	select {
	case said := <-line:
		address, ok := strings.CutPrefix(said, "listening on ")
		if !ok {
			w.Fatalf("livestore serve says %q", said)
		}
		s.url, err = url.Parse(address)
		w.ok(err)
	case err := <-gone:
		s.cmd = nil
		w.Fatalf("livestore serve: %v: %s", err, s.logs)
	case <-w.ctx.Done():
		w.Fatalf("livestore serve says nothing: %v: %s", w.ctx.Err(), s.logs)
	}
}

func (s *ours) addr() string { return s.url.Host }

func (s *ours) kill() {
	if err := s.cmd.Process.Kill(); err == nil || errors.Is(err, os.ErrProcessDone) {
		<-s.gone
	}
	s.cmd = nil
}

func (s *ours) restart(w *world) { s.start(w) }

// theirs is the official backend.
type theirs struct {
	*official.Backend

	dir string
}

// startTheirs starts the official backend with files.
func startTheirs(w *world) backend {
	b := &theirs{dir: w.TempDir()}
	b.restart(w)
	w.Cleanup(func() {
		b.kill()
		if w.Failed() {
			w.Logf("the official backend said: %s", b.Said())
		}
	})
	return b
}

func (b *theirs) addr() string {
	return strings.TrimPrefix(b.URL, "http://")
}

func (b *theirs) kill() { b.Kill() }

func (b *theirs) restart(w *world) {
	w.Helper()
	started, err := w.install.Backend(w.ctx, 0, b.dir)
	w.ok(err)
	b.Backend = started
}
