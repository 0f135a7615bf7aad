package session_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/session"
)

// mute is a leader whose publishes do not come until later.
type mute struct {
	link.Leader
	later chan struct{}
}

func (m *mute) Pull(ctx context.Context, r link.PullRequest) (link.PullReply, error) {
	select {
	case <-m.later:
		return m.Leader.Pull(ctx, r)
	case <-ctx.Done():
		return link.PullReply{}, ctx.Err()
	}
}

// The log became shorter while it is read, and grows again: whoever reads goes on as soon as the session has heard of it.
func TestEventsOfALogThatBecameShorter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := newLeader(t)
		other := open(t, l, "other", nil)
		m := &mute{Leader: l, later: make(chan struct{})}
		if err := commit(t, other, add("1", "one")).Wait(t.Context(), session.Persisted); err != nil {
			t.Fatal(err)
		}
		a := open(t, m, "a", nil)
		if err := other.Reset(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		var read []string
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for e, err := range a.Events(t.Context(), event.SeqNum{}) {
				if err != nil {
					t.Error(err)
					return
				}
				read = append(read, string(e.Args))
			}
		}()
		synctest.Wait()
		for _, id := range []string{"2", "3"} {
			if err := commit(t, other, add(id, id)).Wait(t.Context(), session.Persisted); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case <-ended:
			t.Fatal("it has ended before its session has heard of the log as it is")
		default:
		}
		close(m.later)
		<-ended
		if len(read) != 2 {
			t.Errorf("of a log of two events it has read %q", read)
		}
	})
}

// The log became shorter, and a session that was closed before it has heard of that never will.
func TestEventsOfASessionThatIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := newLeader(t)
		other := open(t, l, "other", nil)
		m := &mute{Leader: l, later: make(chan struct{})}
		if err := commit(t, other, add("1", "one")).Wait(t.Context(), session.Persisted); err != nil {
			t.Fatal(err)
		}
		a := open(t, m, "a", nil)
		if err := other.Reset(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			for _, err := range a.Events(context.Background(), event.SeqNum{}) {
				if err != nil {
					ended <- err
					return
				}
			}
			ended <- nil
		}()
		time.Sleep(time.Second)
		if err := a.Close(context.Background()); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		select {
		case err := <-ended:
			if err == nil {
				t.Error("it ended as if it had read everything")
			}
		default:
			t.Error("it still reads")
			_ = l.Close()
			<-ended
		}
	})
}
