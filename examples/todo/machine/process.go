// Package machine runs todo and a server as processes, for the demo and for tests: each client is a machine of its own.
package machine

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/livestore-go/livestore/examples/todo/todotxt"
)

// Programs are the files of the programs that machines run, and the day it is there.
type Programs struct {
	Todo, Livestore string
	Today           todotxt.Date
}

// Build makes the programs out of this repository, in a directory. It needs Go and nothing else.
func Build(ctx context.Context, dir string) (Programs, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Programs{}, err
	}
	c := exec.CommandContext(ctx, "go", "build", "-o", dir+string(filepath.Separator),
		"github.com/livestore-go/livestore/examples/todo", "github.com/livestore-go/livestore/cmd/livestore")
	if out, err := c.CombinedOutput(); err != nil {
		return Programs{}, fmt.Errorf("build todo and livestore: %w\n%s", err, out)
	}
	suffix := ""
	if runtime.GOOS == "windows" {
		suffix = ".exe"
	}
	return Programs{Todo: filepath.Join(dir, "todo"+suffix), Livestore: filepath.Join(dir, "livestore"+suffix)}, nil
}

// limit is how long anything may take.
const limit = 30 * time.Second

// Server is a process of 'livestore serve'.
type Server struct {
	Address string // HOST:PORT

	cmd  *exec.Cmd
	said *bytes.Buffer
}

const ready = "listening on http://"

// Serve starts a server and waits until it is ready. The address 127.0.0.1:0 picks a free port.
func Serve(ctx context.Context, p Programs, address, storage string) (*Server, error) {
	s := &Server{cmd: exec.CommandContext(ctx, p.Livestore, "serve", "--listen", address, "--storage", storage), said: &bytes.Buffer{}}
	s.cmd.Stderr = s.said
	s.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "LIVESTORE_") }) // its options
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	where, ok := strings.CutPrefix(strings.TrimSpace(line), ready)
	if err != nil || !ok {
		s.Kill()
		return nil, fmt.Errorf("the server does not start: it says %q %s", line, s.said)
	}
	s.Address = where
	return s, nil
}

// URL returns what clients are given to connect to it.
func (s *Server) URL() string { return "ws://" + s.Address }

// PID returns the id of the process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Kill ends the server with SIGKILL.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // that it has ended already is as good
	_ = s.cmd.Wait()
}

// Client is a process of 'todo shell'.
type Client struct {
	Name string

	cmd     *exec.Cmd
	in      io.WriteCloser
	answers chan string // lines of its standard output
	reading sync.WaitGroup

	mu      sync.Mutex
	news    []news        // how it has stood with the server, since the process began
	changed chan struct{} // closed when there is more
	said    []string      // anything else on its standard error
}

// news is how a machine stood with the server from a moment on.
type news struct {
	at   time.Time
	line string
}

// Start starts a client on a directory.
func Start(ctx context.Context, p Programs, name, dir, url string) (*Client, error) {
	c := &Client{Name: name, answers: make(chan string, 64), changed: make(chan struct{})}
	c.cmd = exec.CommandContext(ctx, p.Todo, "--dir", dir, "--sync", url, "shell")
	c.cmd.Env = p.environment()
	in, err1 := c.cmd.StdinPipe()
	out, err2 := c.cmd.StdoutPipe()
	says, err3 := c.cmd.StderrPipe()
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	c.in = in
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	c.reading.Go(func() {
		defer close(c.answers)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			select {
			case c.answers <- scan.Text():
			case <-ctx.Done():
				return
			}
		}
	})
	c.reading.Go(func() {
		for scan := bufio.NewScanner(says); scan.Scan(); {
			c.hear(scan.Text())
		}
	})
	return c, nil
}

// environment is that of every machine: nobody's own list and server.
func (p Programs) environment() []string {
	return append(os.Environ(), "TODO_TODAY="+string(p.Today), "TODO_SYNC=", "TODO_TOKEN=", "TODO_DIR=")
}

func (c *Client) hear(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if standing, ok := strings.CutPrefix(line, "sync: "); ok {
		c.news = append(c.news, news{time.Now(), standing})
	} else {
		c.said = append(c.said, line)
	}
	close(c.changed)
	c.changed = make(chan struct{})
}

// Do runs a command and returns what it writes.
func (c *Client) Do(ctx context.Context, command string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if _, err := fmt.Fprintln(c.in, command); err != nil {
		return nil, c.wrong("%q: %w", command, err)
	}
	var written []string
	for {
		select {
		case line, ok := <-c.answers:
			why, wrong := strings.CutPrefix(line, "error: ")
			switch {
			case !ok:
				return nil, c.wrong("ended at %q", command)
			case wrong:
				return nil, c.wrong("%q: %s", command, why)
			case line == "ok":
				return written, nil
			}
			written = append(written, line)
		case <-ctx.Done():
			return nil, c.wrong("no answer to %q: %w", command, ctx.Err())
		}
	}
}

// Mark is a moment: Until with it looks at how the client stands then, and at what comes after.
func (c *Client) Mark() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(len(c.news)-1, 0)
}

// Until waits until the client stands with the server as asked, at the mark or since, and returns since when.
func (c *Client) Until(ctx context.Context, mark int, asked func(line string) bool) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		c.mu.Lock()
		heard, changed := c.news, c.changed
		c.mu.Unlock()
		for ; mark < len(heard); mark++ {
			if asked(heard[mark].line) {
				return heard[mark].at, nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return time.Time{}, c.wrong("it stands at %q: %w", c.Standing(), ctx.Err())
		}
	}
}

// Standing is how the client says it stands with the server, in short.
func (c *Client) Standing() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.news) == 0 {
		return ""
	}
	short, _, _ := strings.Cut(c.news[len(c.news)-1].line, " (")
	return short
}

func (c *Client) wrong(format string, args ...any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Errorf(c.Name+": "+format+"\n%s", append(args, strings.Join(c.said, "\n"))...)
}

// PID returns the id of the process.
func (c *Client) PID() int { return c.cmd.Process.Pid }

// Kill ends the process with SIGKILL.
func (c *Client) Kill() {
	_ = c.cmd.Process.Kill()
	c.end()
}

// Close lets the process end by itself.
func (c *Client) Close() {
	_ = c.in.Close()
	c.end()
}

func (c *Client) end() {
	for range c.answers { // to the end: it may wait for a reader
	}
	c.reading.Wait()
	_ = c.cmd.Wait()
}

// Once runs one command of todo, in a process of its own, and returns what it writes.
func Once(ctx context.Context, p Programs, dir, url string, words ...string) ([]string, error) {
	c := exec.CommandContext(ctx, p.Todo, append([]string{"--dir", dir, "--sync", url}, words...)...)
	c.Env = p.environment()
	var said bytes.Buffer
	c.Stderr = &said
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("todo %s: %w\n%s", strings.Join(words, " "), err, &said)
	}
	return strings.Split(strings.TrimRight(string(out), "\n"), "\n"), nil
}
