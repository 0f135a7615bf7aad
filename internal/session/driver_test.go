package session_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/session"
)

// refusing refuses pushes with nothing left to pull, so that the session has to boot anew, and then fails some boots.
type refusing struct {
	link.Leader
	refuse, fail int           // how often; less than 0 for ever
	slow         time.Duration // what a refusal takes
	boots        int
}

func (r *refusing) Push(ctx context.Context, q link.PushRequest) (link.PushReply, error) {
	if r.refuse != 0 {
		r.refuse--
		select {
		case <-time.After(r.slow):
			return link.PushReply{}, nil
		case <-ctx.Done():
			return link.PushReply{}, ctx.Err()
		}
	}
	return r.Leader.Push(ctx, q)
}

func (r *refusing) Boot(ctx context.Context, q link.BootRequest) (link.Snapshot, error) {
	if r.boots++; r.boots > 1 && r.fail > 0 {
		r.fail--
		return link.Snapshot{}, errors.New("the disk is full")
	}
	return r.Leader.Boot(ctx, q)
}

// A session that has to boot anew tries until it succeeds.
func TestRebootThatFailsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := newLeader(t)
		r := &refusing{Leader: l, refuse: 1, fail: 3}
		a := open(t, r, "a", nil)
		c := commit(t, a, add("1", "one"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := c.Wait(ctx, session.Persisted); err != nil {
			t.Fatalf("after %d boots: %v", r.boots, err)
		}
		if r.boots != 5 {
			t.Errorf("it booted %d times, want the first, three that fail, and one", r.boots)
		}
	})
}

// Every time waits longer: a leader that is at fault is not asked for a copy of its state without a pause.
func TestLeaderThatAlwaysRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := newLeader(t)
		r := &refusing{Leader: l, refuse: -1, slow: 50 * time.Millisecond}
		a := open(t, r, "a", nil)
		c := commit(t, a, add("1", "one"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := c.Wait(ctx, session.Persisted); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the commit ends with %v", err)
		}
		if r.boots < 10 || r.boots > 30 {
			t.Errorf("it booted %d times in a minute", r.boots)
		}
		r.refuse = 0
		if err := c.Wait(t.Context(), session.Persisted); err != nil {
			t.Error(err)
		}
	})
}

// A session whose commit could not be undone boots anew by itself: nothing has to be published for it.
func TestSessionThatCouldNotUndoBootsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := newLeader(t)
		j := &counter{id: "a"}
		a := open(t, l, "a", func(c *session.Config) { c.Journal = j })
		commit(t, a, add("1", "one"))
		synctest.Wait()
		j.fail, j.failing = errors.New("no space left on device"), func() { a.Machine().BreakState() }
		if _, err := a.Commit(t.Context(), []event.Draft{add("2", "two")}); !errors.Is(err, j.fail) {
			t.Errorf("a commit that can not be journaled: %v", err)
		}
		j.fail, j.failing = nil, nil
		time.Sleep(time.Minute)
		commit(t, a, add("2", "two"))
		if got, want := names(t, a), "[1=one 2=two]"; got != want {
			t.Errorf("there is %s, want %s", got, want)
		}
	})
}

// What an adapter does when a session has ended may take its time: the session is not locked meanwhile.
func TestOnCloseRunsWithoutTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := newLeader(t)
		var a *session.Session
		ran, locked := false, false
		a = open(t, l, "a", func(c *session.Config) {
			c.OnClose = func() error {
				ran, locked = true, a.Locked()
				return nil
			}
		})
		if err := a.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if !ran || locked {
			t.Errorf("it ran: %t, under the lock: %t", ran, locked)
		}
	})
}
