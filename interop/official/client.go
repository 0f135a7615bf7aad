package official

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/livestore-go/livestore/interop/todomvc"
)

// Client is a client that runs in a process: the official one, or any that answers the same lines. Its methods do what those of
// todomvc.Client do.
type Client struct{ *Process }

// Client starts an official client and opens its store.
func (in *Install) Client(ctx context.Context, o todomvc.Options) (*Client, error) {
	return Open(ctx, o, in.node, in.script("client.mjs"))
}

// Open starts a program that is a client, and opens its store.
func Open(ctx context.Context, o todomvc.Options, program string, args ...string) (*Client, error) {
	p, err := Start(ctx, "client "+o.ClientID, program, args...)
	if err != nil {
		return nil, err
	}
	c := &Client{p}
	if err := p.Do(ctx, "boot", o, nil); err != nil {
		p.Kill()
		return nil, err
	}
	return c, nil
}

// Commit commits events as one.
func (c *Client) Commit(ctx context.Context, events ...todomvc.Event) error {
	return c.Do(ctx, "commit", map[string]any{"events": events}, nil)
}

// Write creates n to-dos of a writer in commits of batch, with a pause after each.
func (c *Client) Write(ctx context.Context, prefix string, n, batch int, pause time.Duration) error {
	return c.Do(ctx, "write", map[string]any{"prefix": prefix, "n": n, "batch": batch, "pause": pause.Milliseconds()}, nil)
}

// Rows returns the rows of the table todos.
func (c *Client) Rows(ctx context.Context) (rows []todomvc.Row, err error) {
	err = c.Do(ctx, "rows", nil, &rows)
	return rows, err
}

// Count returns how many there are.
func (c *Client) Count(ctx context.Context) (n int, err error) {
	err = c.Do(ctx, "count", nil, &n)
	return n, err
}

// Log returns the synced events of the eventlog.
func (c *Client) Log(ctx context.Context) (log []todomvc.Entry, err error) {
	err = c.Do(ctx, "log", nil, &log)
	return log, err
}

// Await waits until the store is synced and everything up to an event is confirmed and here.
func (c *Client) Await(ctx context.Context, head int) error {
	return c.Do(ctx, "synced", within(ctx, map[string]any{"head": head}), nil)
}

// AwaitRows waits until there are n rows at least.
func (c *Client) AwaitRows(ctx context.Context, n int) error {
	return c.Do(ctx, "rowsReach", within(ctx, map[string]any{"count": n}), nil)
}

// AwaitConnected waits until there is a connection, or none.
func (c *Client) AwaitConnected(ctx context.Context, is bool) error {
	return c.Do(ctx, "connected", within(ctx, map[string]any{"is": is}), nil)
}

// Status is how an official client is.
type Status struct {
	PendingSession int  `json:"pendingSession"`
	PendingLeader  int  `json:"pendingLeader"`
	LocalHead      Head `json:"localHead"`
	UpstreamHead   Head `json:"upstreamHead"`
	Connected      bool `json:"connected"`
}

// Head is a sequence number as the official client has it.
type Head struct {
	Global     int64 `json:"global"`
	Client     int64 `json:"client"`
	Generation int64 `json:"generation"`
}

// Status returns how the client is.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	err = c.Do(ctx, "status", nil, &s)
	return s, err
}

// Close closes the store and ends the process.
func (c *Client) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := c.Do(ctx, "shutdown", nil, nil)
	if closed := c.Process.Close(); err == nil {
		err = closed
	}
	return err
}

// within tells the process to give up a little before ctx does, so that it can say what it has instead.
func within(ctx context.Context, args map[string]any) map[string]any {
	if deadline, ok := ctx.Deadline(); ok {
		args["timeout"] = max(time.Until(deadline)-time.Second, 0).Milliseconds()
	}
	return args
}

// Backend is the official sync backend.
type Backend struct {
	*Process

	URL string
}

// Backend starts an official backend. port 0 picks a free one; dir is for its data, which goes with the process when it is empty.
func (in *Install) Backend(ctx context.Context, port int, dir string) (*Backend, error) {
	args := []string{in.script("backend.mjs"), strconv.Itoa(port)}
	if dir != "" {
		args = append(args, dir)
	}
	p, err := Start(ctx, "official backend", in.node, args...)
	if err != nil {
		return nil, err
	}
	b := &Backend{Process: p}
	if err := p.Do(ctx, "url", nil, &b.URL); err != nil {
		p.Kill()
		return nil, fmt.Errorf("ask for its address: %w", err)
	}
	return b, nil
}
