package livestore_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/local"
	"github.com/livestore-go/livestore/provider/wsprovider"
	"github.com/livestore-go/livestore/server"
	"github.com/livestore-go/livestore/server/sqlitestore"
)

// site is a sync backend at an address that stays, on files that can be restored from an older copy.
type site struct {
	t     *testing.T
	web   *httptest.Server
	turn  int
	dir   string // holds one directory for each copy of the files
	sync  *server.Server
	store *sqlitestore.Storage
	now   atomic.Pointer[server.Server]
}

func newSite(t *testing.T) *site {
	s := &site{t: t, dir: filepath.Join(t.TempDir(), "site")}
	s.web = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if now := s.now.Load(); now != nil {
			now.ServeHTTP(w, r)
			return
		}
		http.Error(w, "it is restored", http.StatusServiceUnavailable)
	}))
	t.Cleanup(s.web.Close)
	t.Cleanup(func() { s.stop() })
	s.start("")
	return s
}

// start serves the files of a directory below the site's; an empty one when the name is new.
func (s *site) start(name string) {
	s.t.Helper()
	s.turn++
	if name == "" {
		name = fmt.Sprint("turn", s.turn)
	}
	var err error
	s.store, err = sqlitestore.Open(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	s.sync = server.New(s.store, nil)
	s.now.Store(s.sync)
}

// stop takes the backend off the network.
func (s *site) stop() {
	if s.now.Swap(nil) == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.sync.Shutdown(ctx); err != nil {
		s.t.Error(err)
	}
	if err := s.store.Close(); err != nil {
		s.t.Error(err)
	}
}

// saved stops the backend, keeps a copy of its files under a name, and starts it again.
func (s *site) saved(name string) {
	s.t.Helper()
	s.stop()
	now := fmt.Sprint("turn", s.turn)
	if err := os.CopyFS(filepath.Join(s.dir, name), os.DirFS(filepath.Join(s.dir, now))); err != nil {
		s.t.Fatal(err)
	}
	s.turn--
	s.start(now)
}

func (s *site) client(id string) client {
	s.t.Helper()
	a := local.New(s.t.TempDir(), &local.Options{ClientID: id, Sync: wsprovider.New(s.web.URL, nil)})
	return client{openOn(s.t, a), nil}
}

// reaches waits for a status in real time.
func reaches(t *testing.T, c client, what string, wanted func(livestore.SyncStatus) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for st := range c.WatchSyncStatus(ctx) {
		if wanted(st) {
			return
		}
	}
	t.Fatalf("client %s is not %s after a minute: %+v", c.ClientID(), what, c.SyncStatus())
}

func wholeLog(t *testing.T, c client) (log string, ids map[string]int) {
	t.Helper()
	ids = map[string]int{}
	for e, err := range c.Events(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		log += fmt.Sprintf("e%d %s %s\n", e.Num.Global, e.ClientID, e.Args)
		ids[string(e.Args)]++
	}
	return log, ids
}

// The server is restored from an older copy, or begins anew with another identity. Two clients that had synced beyond that pause, and call
// Rebase, one after the other or at once: everything either has committed is there again, once.
func TestServerThatIsRestored(t *testing.T) {
	for _, copied := range []string{"older", ""} {
		for _, order := range []string{"x first", "y first", "at once"} {
			t.Run(fmt.Sprintf("copy %q, %s", copied, order), func(t *testing.T) {
				t.Parallel()
				s := newSite(t)
				x, y := s.client("x"), s.client("y")
				n := 0
				both := func() {
					n++
					for _, c := range []client{x, y} {
						r := commit(t, c.Store, create(fmt.Sprint(c.ClientID(), n), "of "+c.ClientID()))
						if err := r.Wait(t.Context(), livestore.Confirmed); err != nil {
							t.Fatal(err)
						}
					}
				}
				both()
				both()
				s.saved("older")
				for _, c := range []client{x, y} {
					if err := c.ResumeSync(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				both()
				both()
				for _, c := range []client{x, y} {
					reaches(t, c, "synced", livestore.SyncStatus.Synced)
				}
				s.stop()
				late := commit(t, x.Store, create("x5", "of x"))
				s.start(copied)
				for _, c := range []client{x, y} {
					if err := c.ResumeSync(t.Context()); err != nil {
						t.Fatal(err)
					}
					reaches(t, c, "paused", paused(livestore.PausedBackend))
				}
				clients := []client{x, y}
				if order == "y first" {
					clients = []client{y, x}
				}
				var wg sync.WaitGroup
				for _, c := range clients {
					if order == "at once" {
						wg.Go(func() { rebase(t, c) })
						wg.Go(func() { commit(t, c.Store, create(c.ClientID()+"6", "meanwhile")) })
					} else {
						rebase(t, c)
						commit(t, c.Store, create(c.ClientID()+"6", "meanwhile"))
					}
				}
				wg.Wait()
				if err := late.Wait(t.Context(), livestore.Confirmed); err != nil {
					t.Fatal(err)
				}
				// Each has what the other has when both have all: 11 events.
				for _, c := range []client{x, y} {
					reaches(t, c, "synced with 11 events", func(st livestore.SyncStatus) bool { return st.Synced() && st.UpstreamHead.Global == 11 })
				}
				logX, ids := wholeLog(t, x)
				logY, _ := wholeLog(t, y)
				if logX != logY || len(ids) != 11 {
					t.Errorf("x has the log\n%s and y\n%s", logX, logY)
				}
				if a, b := get(t, x.Store, all), get(t, y.Store, all); fmt.Sprint(a) != fmt.Sprint(b) || len(a) != 11 {
					t.Errorf("x has the rows %v and y %v", a, b)
				}
				if len(archived(t, clients[0].Store)) == 0 && order != "at once" {
					t.Errorf("%s has archived nothing", clients[0].ClientID())
				}
			})
		}
	}
}
