package session_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/session"
)

// overtaken is a leader with which another session is always first: before each push it hands over a commit of that one.
type overtaken struct {
	link.Leader
	on     atomic.Bool
	pushes atomic.Int64
	first  func(n int64)
}

func (o *overtaken) Push(ctx context.Context, r link.PushRequest) (link.PushReply, error) {
	n := o.pushes.Add(1)
	if o.on.Load() {
		o.first(n)
	}
	return o.Leader.Push(ctx, r)
}

// overtakenBy is a leader with which a session is always first.
func overtakenBy(t *testing.T, l link.Leader, other *session.Session) *overtaken {
	o := &overtaken{Leader: l}
	o.first = func(n int64) {
		c := commit(t, other, add(fmt.Sprint("other", n), fmt.Sprint("other", n)))
		if err := c.Wait(t.Context(), session.Persisted); err != nil {
			t.Error(err)
		}
	}
	o.on.Store(true)
	return o
}

// said is where a session logs.
type said struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(b)
}

func (s *said) count(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.out.String(), what)
}

// A session that always comes too late does not push and rebase without a pause. It says so, commits go on being admitted at once, and it
// gets on when it is let through.
func TestSessionThatAlwaysComesTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := newLeader(t)
		other := open(t, l, "other", nil)
		o := overtakenBy(t, l, other)
		var log said
		a := open(t, o, "a", func(c *session.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		c := commit(t, a, add("1", "one"))
		synctest.Wait()
		if n, why := o.pushes.Load(), a.Status().Why; n != 8 || !strings.Contains(why, "store test") || !strings.Contains(why, "session a") ||
			!strings.Contains(why, "rebased 8 times in a row") || !strings.Contains(why, "waits 50ms") {
			t.Errorf("after %d pushes it says %q", n, why)
		}
		time.Sleep(time.Minute)
		if n := o.pushes.Load(); n < 20 || n > 40 {
			t.Errorf("%d pushes in the first minute", n)
		}
		before := o.pushes.Load()
		start := time.Now()
		for i := range 100 {
			commit(t, a, add(fmt.Sprint("more", i), fmt.Sprint("more", i)))
		}
		if d := time.Since(start); d > 0 {
			t.Errorf("commits took %s", d)
		}
		time.Sleep(time.Minute)
		if n := o.pushes.Load() - before; n < 15 || n > 20 {
			t.Errorf("%d pushes in the second minute", n)
		}
		if n := log.count("come too late"); n != 1 {
			t.Errorf("it is logged %d times", n)
		}
		o.on.Store(false)
		start = time.Now()
		if err := c.Wait(t.Context(), session.Persisted); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d > 4*time.Second {
			t.Errorf("let through, it took %s", d)
		}
		synctest.Wait()
		if st := a.Status(); st.Why != "" || st.Pending != 0 {
			t.Errorf("%+v", st)
		}
		if names(t, a) != names(t, other) {
			t.Error("the sessions differ")
		}
	})
}

// Sessions that commit all the time all get on.
func TestBusySessionsGetOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := newLeader(t)
		var log said
		var wg sync.WaitGroup
		var sessions []*session.Session
		for _, name := range []string{"a", "b", "c"} {
			s := open(t, l, name, func(c *session.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			sessions = append(sessions, s)
			wg.Go(func() {
				for i := range 300 {
					c := commit(t, s, add(fmt.Sprint(name, i), fmt.Sprint(name, i)))
					if i%10 == 9 {
						if err := c.Wait(t.Context(), session.Persisted); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		start := time.Now()
		wg.Wait()
		if d := time.Since(start); d > time.Second {
			t.Errorf("900 commits took %s of waiting: %s", d, log.out.String())
		}
		synctest.Wait()
		for _, s := range sessions[1:] {
			if names(t, s) != names(t, sessions[0]) {
				t.Error("the sessions differ")
			}
		}
	})
}

// forgetful is a leader that has lost what it published, every other time it is asked, and publishes all the time.
type forgetful struct {
	link.Leader
	pulls, boots atomic.Int64
	publish      func(n int64)
}

func (f *forgetful) Pull(ctx context.Context, r link.PullRequest) (link.PullReply, error) {
	n := f.pulls.Add(1)
	if n%2 == 0 {
		return link.PullReply{Lost: true}, nil
	}
	f.publish(n)
	return f.Leader.Pull(ctx, r)
}

func (f *forgetful) Boot(ctx context.Context, r link.BootRequest) (link.Snapshot, error) {
	f.boots.Add(1)
	return f.Leader.Boot(ctx, r)
}

// A session that has to boot anew again and again waits longer each time, also when it can follow for a moment in between.
func TestSessionThatIsLostAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := newLeader(t)
		other := open(t, l, "other", nil)
		f := &forgetful{Leader: l}
		f.publish = func(n int64) {
			c := commit(t, other, add(fmt.Sprint("other", n), fmt.Sprint("other", n)))
			if err := c.Wait(t.Context(), session.Persisted); err != nil && t.Context().Err() == nil {
				t.Error(err)
			}
		}
		open(t, f, "a", nil)
		time.Sleep(time.Minute)
		if n := f.boots.Load(); n < 10 || n > 30 {
			t.Errorf("it booted %d times in a minute", n)
		}
	})
}
