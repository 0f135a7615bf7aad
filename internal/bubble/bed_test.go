package bubble

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/local"
	"github.com/livestore-go/livestore/adapter/memory"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/provider"
	"github.com/livestore-go/livestore/provider/wsprovider"
	"github.com/livestore-go/livestore/server"
	"github.com/livestore-go/livestore/server/memstore"
	"github.com/livestore-go/livestore/server/sqlitestore"
	"github.com/livestore-go/livestore/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const storeID = "bubble"

type itemAdded struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

type itemSet struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

type item struct {
	ID   string `db:"id,primarykey"`
	Text string `db:"text"`
	Sets int    `db:"sets,default:0"`
}

type view struct {
	Filter string `json:"filter"`
}

var (
	added  = event.Synced[itemAdded]("v1.ItemAdded")
	set    = event.Synced[itemSet]("v1.ItemSet")
	items  = state.NewTable[item]("items")
	look   = state.NewDocument("look", view{Filter: "all"})
	schema = newSchema(nil)

	byID  = livestore.Query(items.OrderBy(state.Asc(&items.Row.ID)))
	count = livestore.Query(items.Count())
)

// newSchema makes a schema that calls during while a commit is applied.
func newSchema(during func()) *state.Schema {
	return state.MustSchema(items, look,
		state.On(added, func(tx *state.Tx, e itemAdded) error {
			if during != nil {
				during()
			}
			return tx.Exec(items.Insert(item{ID: e.ID, Text: e.Text}))
		}),
		state.On(set, func(tx *state.Tx, e itemSet) error {
			return tx.Exec(items.Insert(item{ID: e.ID, Text: e.Text, Sets: 1}).OnConflict(&items.Row.ID).
				Update(state.Set(&items.Row.Text, e.Text), state.SetSQL(&items.Row.Sets, "items.sets + 1")))
		}),
	)
}

func add(id string) event.Draft { return added.New(itemAdded{ID: id, Text: "text of " + id}) }

// bed is a server and the network to it.
type bed struct {
	t       testing.TB
	network *network
	storage server.Storage
	opts    *server.Options
	srv     *server.Server
	web     *http.Server
	serving chan struct{}
}

// storages are what the server of a bed keeps its logs in.
var storages = map[string]func(t testing.TB) server.Storage{
	"memstore": func(testing.TB) server.Storage { return memstore.New() },
	"sqlitestore": func(t testing.TB) server.Storage {
		s, err := sqlitestore.Open(scratch(t))
		if err != nil {
			t.Fatal(err)
		}
		return s
	},
}

// scratch returns a directory on a disk for which a sync costs nothing, where there is one: it is not the disk that is tested.
func scratch(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "bubble")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// in runs a scenario in a bubble, on a server with a storage.
func in(t *testing.T, storage string, opts *server.Options, scenario func(t *testing.T, b *bed)) {
	t.Helper()
	guard(t)
	synctest.Test(t, func(t *testing.T) {
		b := &bed{t: t, network: newNetwork(), storage: storages[storage](t), opts: opts}
		b.start()
		t.Cleanup(func() {
			b.stop()
			if err := b.storage.Close(); err != nil {
				t.Error(err)
			}
		})
		scenario(t, b)
	})
}

// realLimit is how long one scenario may take in real time.
const realLimit = 2 * time.Minute

// guard ends the test with all stacks when its bubble stands still: then a goroutine holds a lock while it waits for time to pass or for
// somebody else, and another one wants that lock. See the doc of the package.
func guard(t testing.TB) {
	t.Helper()
	limit := realLimit
	if *hours > 0 {
		limit = time.Hour
	}
	timer := time.AfterFunc(limit, func() {
		buf := make([]byte, 4<<20)
		panic(fmt.Sprintf("%s has taken %v: is a lock held across a wait?\n%s", t.Name(), limit, buf[:runtime.Stack(buf, true)]))
	})
	t.Cleanup(func() { timer.Stop() })
}

// start starts the server, anew after stop.
func (b *bed) start() {
	b.srv = server.New(b.storage, b.opts)
	b.web = &http.Server{Handler: b.srv, ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)}
	b.serving = make(chan struct{})
	l := b.network.listen()
	web, serving := b.web, b.serving
	go func() {
		defer close(serving)
		_ = web.Serve(l)
	}()
}

func (b *bed) stop() {
	b.t.Helper()
	_ = b.web.Close()
	if err := b.srv.Shutdown(context.Background()); err != nil {
		b.t.Error(err)
	}
	<-b.serving
}

// client is one installation: an adapter, and the line between it and the server.
type client struct {
	b       *bed
	id      string
	line    *line
	adapter livestore.Adapter
	dir     string // of files, empty in memory
	opts    livestore.Options
	schema  *state.Schema
}

// quiet discards logs.
var quiet = slog.New(slog.DiscardHandler)

func (b *bed) client(id string, files bool) *client {
	b.t.Helper()
	c := &client{b: b, id: id, line: b.network.line(), schema: schema, opts: livestore.Options{StoreID: storeID, Logger: quiet}}
	b.t.Cleanup(c.line.wait)
	if files {
		c.dir = filepath.Join(scratch(b.t), id)
	}
	c.restart()
	return c
}

// restart makes an adapter, as a process does that starts.
func (c *client) restart() {
	p := wsprovider.New("ws://backend.test/", &wsprovider.Options{
		HTTPClient: c.line.web, Addresses: func() ([]net.Addr, error) { return nil, nil },
	})
	c.adapter = memory.New(&memory.Options{ClientID: c.id, Sync: p})
	if c.dir != "" {
		c.adapter = local.New(c.dir, &local.Options{ClientID: c.id, Sync: p})
	}
}

// open opens a session that is closed with the test.
func (c *client) open() *livestore.Store {
	c.b.t.Helper()
	s := c.session()
	c.b.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			c.b.t.Error(err)
		}
	})
	return s
}

// session opens a session that the test closes.
func (c *client) session() *livestore.Store {
	c.b.t.Helper()
	opts := c.opts
	s, err := livestore.Open(context.Background(), c.schema, c.adapter, &opts)
	if err != nil {
		c.b.t.Fatal(err)
	}
	return s
}

func commit(t testing.TB, s *livestore.Store, drafts ...event.Draft) *livestore.Receipt {
	t.Helper()
	r, err := s.Commit(context.Background(), drafts...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func get[T any](t testing.TB, s *livestore.Store, src livestore.Source[T]) T {
	t.Helper()
	v, err := livestore.Get(s, src)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// until waits until the status of a store is as wanted, and returns how long that took.
func until(t testing.TB, s *livestore.Store, limit time.Duration, what string, wanted func(livestore.SyncStatus) bool) time.Duration {
	t.Helper()
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for st := range s.WatchSyncStatus(ctx) {
		if wanted(st) {
			return time.Since(start)
		}
	}
	t.Fatalf("client %s is not %s after %v: %+v", s.ClientID(), what, limit, s.SyncStatus())
	return 0
}

func synced(st livestore.SyncStatus) bool { return st.Synced() }

func offline(st livestore.SyncStatus) bool { return !st.Connected }

// converge waits until all stores have everything, and checks that it is the same, and what the backend has.
func (b *bed) converge(t testing.TB, limit time.Duration, stores ...*livestore.Store) {
	t.Helper()
	for range 2 { // what the last one gives to the first comes after it
		for _, s := range stores {
			until(t, s, limit, "synced", synced)
		}
		time.Sleep(time.Second) // what is on its way arrives
	}
	log := b.log(t)
	rows := fmt.Sprint(get(t, stores[0], byID))
	for _, s := range stores {
		if got := fmt.Sprint(get(t, s, byID)); got != rows {
			t.Errorf("client %s has the rows %.300s and client %s %.300s", s.ClientID(), got, stores[0].ClientID(), rows)
		}
		n := 0
		for e, err := range s.Events(context.Background(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Num.IsClientOnly() {
				continue
			}
			if n >= len(log) || !same(e, log[n]) {
				t.Fatalf("client %s has %s %s of %s, and the backend has something else there", s.ClientID(), e.Num, e.Name, e.ClientID)
			}
			n++
		}
		if n != len(log) {
			t.Errorf("client %s has %d events and the backend %d", s.ClientID(), n, len(log))
		}
	}
}

func same(e event.Client, g event.Global) bool {
	return e.Num.Global == g.SeqNum && e.Name == g.Name && e.ClientID == g.ClientID && e.SessionID == g.SessionID &&
		bytes.Equal(e.Args, g.Args)
}

// log reads what the backend has, through a client without a store.
func (b *bed) log(t testing.TB) []event.Global {
	t.Helper()
	l := b.network.line()
	c, err := wsprovider.New("ws://backend.test/", &wsprovider.Options{HTTPClient: l.web}).Client(provider.Config{StoreID: storeID})
	if err != nil {
		t.Fatal(err)
	}
	defer l.wait()
	defer c.Close()
	var all []event.Global
	for page, err := range c.Pull(context.Background(), provider.Cursor{}, false) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Events...)
	}
	return all
}

// ours are the packages whose goroutines end with a store.
var ours = []string{
	"livestore/internal/session.", "livestore/internal/leader.", "livestore/internal/client.", "livestore/provider/wsprovider.",
	"livestore-go/livestore.", "net/http.(*Transport)", "net/http.(*persistConn)",
}

// noneLeft checks that nothing of a store runs in this bubble, from the moment Close has returned: nothing that a store has started, whoever
// started it. The caller is the only goroutine that may have a store's method on its stack.
func noneLeft(t testing.TB, clients ...*client) {
	t.Helper()
	for _, c := range clients {
		c.line.giveUp()
	}
	for _, stack := range stacks() {
		for _, name := range ours {
			if strings.Contains(stack, name) {
				t.Errorf("this is left of a store:\n%s", stack)
				break
			}
		}
	}
}

// stacks returns the stacks of the goroutines of this bubble, but for the caller's, when none of them can run.
func stacks() []string {
	synctest.Wait()
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	all := strings.Split(string(buf), "\n\n")
	_, bubble, ok := strings.Cut(strings.SplitN(all[0], "\n", 2)[0], "synctest bubble ")
	if !ok {
		panic("not in a bubble: " + all[0])
	}
	var in []string
	for _, s := range all[1:] {
		if _, of, ok := strings.Cut(strings.SplitN(s, "\n", 2)[0], "synctest bubble "); ok && of == bubble {
			in = append(in, s)
		}
	}
	return in
}

func stateEq(id string) state.Condition { return state.Eq(&items.Row.ID, id) }

// authorize makes the server ask f about every connection, from its next start on.
func (b *bed) authorize(f func() error) {
	b.opts = &server.Options{Authorize: func(context.Context, server.AuthRequest) error { return f() }}
}

// pass lets time pass in the bubble.
func pass(d time.Duration) { time.Sleep(d) }
