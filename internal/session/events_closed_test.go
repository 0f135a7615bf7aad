package session_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/session"
)

// mute is a leader whose publishes do not come any more.
type mute struct {
	link.Leader
	on bool
}

func (m *mute) Pull(ctx context.Context, r link.PullRequest) (link.PullReply, error) {
	if m.on {
		<-ctx.Done()
		return link.PullReply{}, ctx.Err()
	}
	return m.Leader.Pull(ctx, r)
}

// The log became shorter, and a session that was closed before it has heard of that never will.
func TestEventsOfASessionThatIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := newLeader(t)
		other := open(t, l, "other", nil)
		m := &mute{Leader: l, on: true}
		if err := commit(t, other, add("1", "one")).Wait(t.Context(), session.Persisted); err != nil {
			t.Fatal(err)
		}
		a := open(t, m, "a", nil)
		if err := other.Reset(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			for _, err := range a.Events(context.Background(), a.Status().UpstreamHead) {
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
