package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/livestore-go/livestore/interop/official"
	"github.com/livestore-go/livestore/interop/todomvc"
)

// side is the official client and backend, or ours.
type side struct {
	name    string
	backend string // HOST:PORT
	open    func(ctx context.Context, o todomvc.Options) (*official.Client, error)
}

// client opens a client of a store through the backend or a relay before it.
func (s *side) client(ctx context.Context, store, id, url string) (*official.Client, error) {
	if url == "" {
		url = "http://" + s.backend
	}
	return s.open(ctx, todomvc.Options{URL: url, StoreID: store, ClientID: id})
}

// pair opens two clients of a new store, both of them connected.
func (s *side) pair(ctx context.Context, store, urlA string) (a, b *official.Client, end func(), err error) {
	var clients []*official.Client
	end = func() {
		for _, c := range clients {
			c.Kill()
		}
	}
	for i, url := range []string{urlA, ""} {
		c, err := s.client(ctx, store, fmt.Sprint("client", i+1), url)
		if err != nil {
			end()
			return nil, nil, nil, err
		}
		clients = append(clients, c)
		if err := c.AwaitConnected(ctx, true); err != nil {
			end()
			return nil, nil, nil, err
		}
	}
	return clients[0], clients[1], end, nil
}

// start starts both backends. end stops them, also after an error.
func start(ctx context.Context) (sides []*side, end func(), err error) {
	var ends []func()
	end = func() {
		for _, f := range ends {
			f()
		}
	}
	dir, err := os.MkdirTemp("", "livestore-bench-")
	if err != nil {
		return nil, end, err
	}
	install, err := official.Find()
	if err != nil {
		return nil, end, errors.Join(err, os.RemoveAll(dir))
	}
	theirs, err := install.Backend(ctx, 0, filepath.Join(dir, "official"))
	if err != nil {
		return nil, end, errors.Join(err, os.RemoveAll(dir))
	}
	ends = append(ends, func() { theirs.Kill() })
	address, stop, err := serve(ctx, dir)
	if err != nil {
		return nil, end, errors.Join(err, os.RemoveAll(dir))
	}
	ends = append(ends, stop, func() { _ = os.RemoveAll(dir) })
	self, err := os.Executable()
	if err != nil {
		return nil, end, err
	}
	return []*side{
		{name: "official", backend: strings.TrimPrefix(theirs.URL, "http://"), open: install.Client},
		{name: "ours", backend: address, open: func(ctx context.Context, o todomvc.Options) (*official.Client, error) {
			return official.Open(ctx, o, self, "client")
		}},
	}, end, nil
}

// serve builds livestore and starts its server.
func serve(ctx context.Context, dir string) (address string, stop func(), err error) {
	path := filepath.Join(dir, "livestore")
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/livestore-go/livestore/cmd/livestore")
	if out, err := build.CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("build livestore: %w: %s", err, out)
	}
	args := []string{"serve", "--listen", "127.0.0.1:0", "--storage", "sqlite:" + filepath.Join(dir, "ours"), "--log-level", "error"}
	cmd := exec.Command(path, args...) //nolint:noctx // ended by signal
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on http://")
	if err != nil || !ok {
		stop()
		return "", nil, fmt.Errorf("livestore serve says %q: %w", line, err)
	}
	return address, stop, nil
}
