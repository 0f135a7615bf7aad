package official

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Process is a program that answers lines: {"id":1,"do":"rows"} on its standard input, {"id":1,"ok":…} or {"id":1,"error":"…"} on its
// standard output, and {"ready":true} before the first. Closing its standard input asks it to end.
type Process struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	said tail // on standard error
	done chan struct{}

	mu      sync.Mutex
	ids     int
	waiting map[int]chan reply
	ended   error // why no answer comes any more
}

type reply struct {
	OK    json.RawMessage `json:"ok"`
	Error *string         `json:"error"`
}

// Start starts a program and waits until it is ready. The process and whatever it starts make a group of their own, which Close ends.
func Start(ctx context.Context, name, program string, args ...string) (*Process, error) {
	p := &Process{name: name, done: make(chan struct{}), waiting: make(map[int]chan reply)}
	p.cmd = exec.Command(program, args...) //nolint:noctx // Close ends it, and its children with it
	p.cmd.Env = append(os.Environ(), "NODE_ENV=production", "NO_COLOR=1")
	p.cmd.Stderr = &p.said
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p.in = in
	ready := make(chan struct{})
	go p.read(out, ready)
	select {
	case <-ready:
		return p, nil
	case <-p.done:
		return nil, fmt.Errorf("start %s: %w", name, p.reason())
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("start %s: %w\n%s", name, ctx.Err(), p.said.String()), p.Close())
	}
}

// read hands answers to who waits for them, until the process ends.
func (p *Process) read(out io.Reader, ready chan<- struct{}) {
	defer close(p.done)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var line struct {
			Ready bool `json:"ready"`
			ID    int  `json:"id"`
			reply
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			fmt.Fprintf(&p.said, "not an answer: %s\n", lines.Bytes())
			continue
		}
		if line.Ready {
			close(ready)
			continue
		}
		p.mu.Lock()
		answer := p.waiting[line.ID]
		delete(p.waiting, line.ID)
		p.mu.Unlock()
		if answer != nil {
			answer <- line.reply
		}
	}
	err := errors.Join(lines.Err(), p.cmd.Wait())
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = fmt.Errorf("%s has ended (%w): %s", p.name, errors.Join(err, errEnded), p.said.String())
	for _, answer := range p.waiting {
		close(answer)
	}
	p.waiting = nil
}

var errEnded = errors.New("its output ended")

// Do asks for something and reads the answer into result, which may be nil. args is encoded as an object, nil for none.
func (p *Process) Do(ctx context.Context, what string, args, result any) error {
	line := map[string]any{}
	if args != nil {
		b, err := json.Marshal(args)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", p.name, what, err)
		}
		if err := json.Unmarshal(b, &line); err != nil {
			return fmt.Errorf("%s: %s: %w", p.name, what, err)
		}
	}
	answer := make(chan reply, 1)
	if err := p.ask(what, line, answer); err != nil {
		return fmt.Errorf("%s: %s: %w", p.name, what, err)
	}
	select {
	case r, ok := <-answer:
		switch {
		case !ok:
			return fmt.Errorf("%s: %s: %w", p.name, what, p.reason())
		case r.Error != nil:
			return fmt.Errorf("%s: %s: %s", p.name, what, *r.Error)
		case result == nil:
			return nil
		}
		return json.Unmarshal(r.OK, result)
	case <-ctx.Done():
		return fmt.Errorf("%s: %s: %w", p.name, what, ctx.Err())
	}
}

// ask writes a line. The lock keeps lines whole and in the order of their ids.
func (p *Process) ask(what string, line map[string]any, answer chan reply) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended != nil {
		return p.ended
	}
	p.ids++
	line["id"], line["do"] = p.ids, what
	b, err := json.Marshal(line)
	if err != nil {
		return err
	}
	p.waiting[p.ids] = answer
	_, err = p.in.Write(append(b, '\n'))
	return err
}

func (p *Process) reason() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

// PID returns the id of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Said returns the end of what the process wrote to standard error.
func (p *Process) Said() string { return p.said.String() }

// Kill ends the process and all that it started, at once, and waits.
func (p *Process) Kill() {
	_ = syscall.Kill(-p.PID(), syscall.SIGKILL) // of the group, which may be gone
	<-p.done
}

// Close asks the process to end, and ends it and all that it started when it has not within a few seconds.
func (p *Process) Close() error {
	err := p.in.Close()
	select {
	case <-p.done:
	case <-time.After(5 * time.Second):
	}
	p.Kill()
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailSize = 8 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	t.buf = t.buf[max(0, len(t.buf)-tailSize):]
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.buf))
}
