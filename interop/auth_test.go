package interop_test

import (
	"strings"
	"testing"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/interop/todomvc"
)

// TestAuth has clients with a good and with a bad token. Nothing of the bad ones comes through, nor anything to them; ours says why.
func TestAuth(t *testing.T) {
	t.Parallel()
	token := func(s string) any { return map[string]string{"authToken": s} }
	guarded := func(w *world) backend { return startServe(w, "--auth-token", "good") }
	for name, start := range map[string]func(w *world) backend{"our server": guarded, "official backend": startTheirs} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, start)
			open := func(k kind, auth string) peer {
				return w.openWith(k, todomvc.Options{URL: w.url(), Payload: token(auth), ClientID: auth + string(k)})
			}
			goodJS, badJS := open(js, "good"), open(js, "bad")
			good, bad := open(golang, "good"), open(golang, "bad").(*todomvc.Client)
			w.ok(badJS.Commit(w.ctx, todomvc.Create("badJS", "")))
			w.ok(bad.Commit(w.ctx, todomvc.Create("badGo", "")))
			w.ok(bad.AwaitStatus(w.ctx, func(s livestore.SyncStatus) bool { return s.Paused == livestore.PausedCredentials }))
			w.Log(bad.Store.SyncStatus().Why)

			w.ok(goodJS.Commit(w.ctx, todomvc.Create("goodJS", "")))
			w.await(1, goodJS, good)
			w.ok(good.Commit(w.ctx, todomvc.Create("goodGo", "")))
			w.await(2, goodJS, good)
			log, err := good.Log(w.ctx)
			w.ok(err)
			for _, e := range log {
				if !strings.HasPrefix(e.Client, "good") {
					w.Errorf("e%d is of client %s", e.Seq, e.Client)
				}
			}
			w.ok(badJS.AwaitConnected(w.ctx, false))
			for _, p := range []peer{badJS, bad} {
				rows, err := p.Rows(w.ctx)
				w.ok(err)
				if len(rows) != 1 {
					w.Errorf("a client that is refused has %d rows", len(rows))
				}
			}
		})
	}
}
