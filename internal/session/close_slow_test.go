package session_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// Whoever closes does not wait for a breaker.
func TestCloseOfASlowSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := newLeader(t)
		other := open(t, l, "other", nil)
		o := overtakenBy(t, l, other)
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
