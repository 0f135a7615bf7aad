package livestore_test

import (
	"context"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livestore-go/livestore/provider"
	"github.com/livestore-go/livestore/provider/providertest"
)

// late is an error of another backend, which calls f when it is looked at for the nth time.
type late struct {
	n int
	f func(n int)
}

func (l *late) Error() string { return "another backend" }

func (l *late) Unwrap() error {
	l.n++
	l.f(l.n)
	return &provider.IdentityError{StoreID: "test"}
}

// A round may end just before a reset, and its driver come to say why just after it.
func TestWhatARoundEndedWithIsNotSaidForEver(t *testing.T) {
	for nth := 1; nth < 12; nth++ {
		synctest.Test(t, func(t *testing.T) {
			b := providertest.NewBackend()
			p := &between{Provider: b.Provider()}
			var x client
			did := false
			e := &late{}
			e.f = func(n int) {
				if n == nth && !did {
					did = true
					// not inside the round: it would wait for its end
					done := make(chan error, 1)
					go func() { done <- x.Reset(context.Background()) }()
					synctest.Wait()
					select {
					case err := <-done:
						if err != nil {
							t.Error(err)
						}
					default:
					}
				}
			}
			bad := false
			p.pull = func(ctx context.Context, c provider.Client, from provider.Cursor, live bool) iter.Seq2[provider.Page, error] {
				if bad {
					bad = false
					return func(yield func(provider.Page, error) bool) { yield(provider.Page{}, e) }
				}
				return c.Pull(ctx, from, live)
			}
			x = joinOver(t, p, "x")
			synced(t, x)
			bad = true
			b.SetDown(true)
			b.SetDown(false)
			time.Sleep(time.Hour)
			if st := x.SyncStatus(); did && (st.Paused != "" || !st.Synced()) {
				t.Errorf("%d: %+v", nth, st)
			}
		})
	}
}
