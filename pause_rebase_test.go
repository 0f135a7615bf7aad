package livestore_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livestore-go/livestore/provider"
	"github.com/livestore-go/livestore/provider/providertest"
)

// A pause waits for a rebase that is under way: when it has returned, nothing is pulled any more, and the log stays as it is.
func TestPauseWaitsForARebase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := providertest.NewBackend()
		p := &between{Provider: b.Provider()}
		p.pull = func(ctx context.Context, c provider.Client, from provider.Cursor, live bool) iter.Seq2[provider.Page, error] {
			if !live {
				time.Sleep(time.Second)
			}
			return c.Pull(ctx, from, live)
		}
		x := joinOver(t, p, "x")
		confirm(t, commit(t, x.Store, create("1", "milk")))
		synced(t, x)
		b.Reset("test")
		done := make(chan error, 1)
		go func() { done <- x.Rebase(context.Background()) }()
		time.Sleep(time.Millisecond)
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := x.PauseSync(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("paused in the middle of a rebase: %v", err)
		}
		if err := x.PauseSync(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait() // the session follows
		before := x.SyncStatus()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if st := x.SyncStatus(); st != before {
			t.Errorf("after the pause %+v became %+v", before, st)
		}
	})
}
