package session_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livestore-go/livestore/internal/session"
)

// Whoever closes does not wait for a breaker.
func TestCloseOfASlowSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := newLeader(t)
		other := open(t, l, "other", nil)
		o := &overtaken{Leader: l}
		o.first = func(n int64) {
			c := commit(t, other, add(fmt.Sprint("other", n), fmt.Sprint("other", n)))
			if err := c.Wait(t.Context(), session.Persisted); err != nil {
				t.Error(err)
			}
		}
		o.on.Store(true)
		a := open(t, o, "a", nil)
		commit(t, a, add("1", "one"))
		time.Sleep(time.Minute)
		n := o.pushes.Load()
		for o.pushes.Load() == n {
			time.Sleep(time.Millisecond)
		}
		o.on.Store(false)
		start := time.Now()
		if err := a.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d > 500*time.Millisecond {
			t.Errorf("close took %s", d)
		}
	})
}
