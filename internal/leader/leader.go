// Package leader is the processor of a client's one leader: it orders what the sessions commit, keeps the eventlog and the
// persisted state, publishes to the sessions, and keeps up with the sync backend.
//
// [Machine] is the step machine: deterministic, without goroutine, channel, clock or randomness of its own. [Leader] is its
// thin driver: one goroutine that all requests go through.
package leader

import (
	"context"
	"errors"
	"sync"

	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/provider"
)

// ErrClosed says that the leader has ended.
var ErrClosed = errors.New("leader: closed")

// maxGroup is how many pushes share one transaction, and so one fsync.
const maxGroup = 64

// Leader drives a machine. It is the [link.Leader] of the sessions in its process.
type Leader struct {
	m      *Machine
	up     *uplink // nil without a sync provider
	pushes chan pushCall
	calls  chan func()
	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup
	once   sync.Once
	result error // of Close
}

type pushCall struct {
	req   link.PushRequest
	reply chan PushResult // of capacity 1: the leader never waits for a session
}

// Start runs a machine until Close, and syncs it through client, which is nil without a sync provider. Close closes the client.
func Start(m *Machine, client provider.Client) *Leader {
	l := &Leader{m: m, pushes: make(chan pushCall, maxGroup), calls: make(chan func())}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	if client != nil {
		m.cfg.Limits = client.Limits()
		m.cfg.MaxPush = m.cfg.Limits.Events
		l.up = newUplink(l, client)
		if e, ok := errors.AsType[*EventError](m.Halted()); ok { // what waits in the log does not apply in this version of the app either
			l.up.halted(e)
		}
		l.done.Go(func() { l.up.run(l.ctx) })
	}
	l.done.Go(l.run)
	return l
}

func (l *Leader) run() {
	for {
		heads := l.m.heads
		select {
		case p := <-l.pushes:
			l.push(p)
		case f := <-l.calls:
			f()
		case <-l.ctx.Done():
			return
		}
		if l.up != nil && l.m.heads != heads {
			l.up.wake()
		}
	}
}

// push takes what else is waiting into the same transaction.
func (l *Leader) push(first pushCall) {
	group := []pushCall{first}
	for more := true; more && len(group) < maxGroup; {
		select {
		case p := <-l.pushes:
			group = append(group, p)
		default:
			more = false
		}
	}
	reqs := make([]link.PushRequest, len(group))
	for i, p := range group {
		reqs[i] = p.req
	}
	for i, r := range l.m.Push(reqs) {
		group[i].reply <- r
	}
}

// Push hands commits over. See [link.Leader].
func (l *Leader) Push(ctx context.Context, r link.PushRequest) (link.PushReply, error) {
	call := pushCall{req: r, reply: make(chan PushResult, 1)}
	select {
	case l.pushes <- call:
	case <-l.ctx.Done():
		return link.PushReply{}, ErrClosed
	case <-ctx.Done():
		return link.PushReply{}, ctx.Err()
	}
	select {
	case res := <-call.reply:
		return res.Reply, res.Err
	case <-l.ctx.Done():
		return link.PushReply{}, ErrClosed
	case <-ctx.Done():
		return link.PushReply{}, ctx.Err()
	}
}

// do runs f on the leader's goroutine.
func (l *Leader) do(ctx context.Context, f func()) error {
	ran := make(chan struct{})
	select {
	case l.calls <- func() { f(); close(ran) }:
	case <-l.ctx.Done():
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	<-ran // it runs one step and waits for nobody
	return nil
}

// Boot makes a snapshot. See [link.Leader].
func (l *Leader) Boot(ctx context.Context, r link.BootRequest) (s link.Snapshot, err error) {
	if derr := l.do(ctx, func() { s, err = l.m.Boot(r) }); derr != nil {
		return s, derr
	}
	return s, err
}

// Pull waits until something is published after the cursor. See [link.Leader].
func (l *Leader) Pull(ctx context.Context, r link.PullRequest) (link.PullReply, error) {
	for {
		reply, more := l.m.feed.after(r)
		if more == nil {
			return reply, nil
		}
		select {
		case <-more:
		case <-l.ctx.Done():
			return reply, ErrClosed
		case <-ctx.Done():
			return reply, ctx.Err()
		}
	}
}

// Events reads the eventlog. See [link.Leader].
func (l *Leader) Events(ctx context.Context, r link.EventsRequest) (reply link.EventsReply, err error) {
	if derr := l.do(ctx, func() { reply, err = l.m.Events(r) }); derr != nil {
		return reply, derr
	}
	return reply, err
}

// Drop deletes a set-aside commit. See [link.Leader].
func (l *Leader) Drop(ctx context.Context, r link.DropRequest) (reply link.DropReply, err error) {
	if derr := l.do(ctx, func() { reply, err = l.m.Drop(r) }); derr != nil {
		return reply, derr
	}
	return reply, err
}

// SessionID returns the id of the session with a number. See [Machine.SessionID].
func (l *Leader) SessionID(ctx context.Context, slot int) (id string, err error) {
	if derr := l.do(ctx, func() { id, err = l.m.SessionID(slot) }); derr != nil {
		return "", derr
	}
	return id, err
}

// Adopt takes what sessions that are no more have left, while others run. f gets the machine on the leader's goroutine.
func (l *Leader) Adopt(ctx context.Context, f func(*Machine) error) (err error) {
	if derr := l.do(ctx, func() { err = f(l.m) }); derr != nil {
		return derr
	}
	return err
}

// Close ends the leader and closes its files. What it has said is on disk.
func (l *Leader) Close() error {
	l.once.Do(func() {
		l.cancel()
		l.done.Wait()
		if l.up != nil {
			l.result = l.up.client.Close()
		}
		l.result = errors.Join(l.result, l.m.Close())
	})
	return l.result
}
