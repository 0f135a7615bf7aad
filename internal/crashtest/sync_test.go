package crashtest

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/local"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/provider/wsprovider"
	"github.com/livestore-go/livestore/server"
	"github.com/livestore-go/livestore/server/sqlitestore"
)

// These tests kill what syncs: the server, two hundred times, while two clients commit; and a client, two hundred times, while another
// one and the server go on. In the end everything that a commit or a receipt has said is compared with the server's log.
var (
	serverKills = pick(200, 20)
	clientKills = pick(200, 20)
)

// soon is a provider that tries again at once: it is killed more often than any network breaks.
func soon(url string) *wsprovider.Provider {
	return wsprovider.New(url, &wsprovider.Options{BackoffMin: 2 * time.Millisecond, BackoffMax: 20 * time.Millisecond})
}

// serverProcess is livestore serve on a directory and an address that stay the same.
type serverProcess struct {
	binary, dir, addr string
	cmd               *exec.Cmd
	stderr            strings.Builder
}

func newServerProcess(t *testing.T) *serverProcess {
	t.Helper()
	s := &serverProcess{binary: filepath.Join(t.TempDir(), "livestore"), dir: t.TempDir()}
	build := exec.Command("go", "build", "-o", s.binary, "github.com/livestore-go/livestore/cmd/livestore")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the server: %v\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.kill(t) })
	return s
}

// start returns when the server says that it listens.
func (s *serverProcess) start(t *testing.T) {
	t.Helper()
	s.stderr.Reset()
	s.cmd = exec.Command(s.binary, "serve", "--listen", s.addr, "--storage", "sqlite:"+s.dir)
	s.cmd.Stderr = &s.stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.HasPrefix(line, "listening on ") {
		t.Fatalf("the server says %q, %v: %s", line, err, s.stderr.String())
	}
}

func (s *serverProcess) kill(t *testing.T) {
	t.Helper()
	if s.cmd == nil {
		return
	}
	if err := s.cmd.Process.Kill(); err != nil {
		t.Errorf("the server ended by itself: %v: %s", err, s.stderr.String())
	}
	_ = s.cmd.Wait() // with the signal
	s.cmd = nil
}

// stored reads the log of the store that a killed server has left.
func stored(t *testing.T, dir string) []server.Event {
	t.Helper()
	storage, err := sqlitestore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer storage.Close()
	log, err := storage.Open(t.Context(), storeID)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	var all []server.Event
	for {
		events, err := log.Read(t.Context(), int64(len(all)), 1000, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			return all
		}
		all = append(all, events...)
	}
}

// said is what clients have said of their commits.
type said struct {
	sync.Mutex

	committed, confirmed []label
}

func (s *said) add(what string, l label) {
	s.Lock()
	defer s.Unlock()
	if what == "confirmed" {
		s.confirmed = append(s.confirmed, l)
	} else {
		s.committed = append(s.committed, l)
	}
}

// check compares it with the log of the server: everything that was committed is there, each event once, a session's in its order, and
// nothing else is.
func (s *said) check(t *testing.T, log []server.Event) {
	t.Helper()
	at := map[string]int{}
	for i, e := range log {
		if e.SeqNum != int64(i+1) || e.ParentSeqNum != int64(i) {
			t.Fatalf("the server's log has e%d after e%d at place %d", e.SeqNum, e.ParentSeqNum, i+1)
		}
		l, err := labelOf(e.Client())
		if err != nil {
			t.Fatal(err)
		}
		if before, twice := at[l.String()]; twice {
			t.Errorf("the server's log has %s as e%d and as e%d", l, before+1, i+1)
		}
		at[l.String()] = i
	}
	last := map[string]int{}
	for _, l := range s.committed {
		who := fmt.Sprintf("%d/%d", l.run, l.session)
		for i := range l.events {
			l.index = i
			if l.draft().Definition().Scope() != event.ScopeSynced {
				continue
			}
			place, ok := at[l.String()]
			if !ok {
				t.Errorf("commit %s had returned, and the server's log does not have it", l)
			}
			if before, ok := last[who]; ok && place < before {
				t.Errorf("%s is before a commit that its session made earlier", l)
			}
			last[who] = place
		}
	}
	if len(s.committed) == 0 || len(s.confirmed) == 0 {
		t.Errorf("%d commits, %d of them confirmed: nothing was tried", len(s.committed), len(s.confirmed))
	}
}

// pace is the pause between two commits: with it the server's log stays short enough to be compared.
const pace = 4 * time.Millisecond

// commitSync commits until stop is closed, and looks at what its receipts say. Each commit is told before its next.
func commitSync(store *livestore.Store, l label, r *rand.Rand, stop <-chan struct{}, told func(what string, l label)) error {
	type open struct {
		l       label
		receipt *livestore.Receipt
	}
	var waiting []open
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for ; ; l.commit++ {
		select {
		case <-stop:
			return nil
		case <-ticker.C:
		}
		l.events = sizes[r.IntN(len(sizes)-1)] // all but the largest, 1 to 50
		if l.commit%97 == 96 {
			l.events = 150 // more than one push may hold
		}
		receipt, err := store.Commit(context.Background(), l.drafts()...)
		if err != nil {
			return err
		}
		told("committed", l)
		if slices.ContainsFunc(l.drafts(), func(d event.Draft) bool { return d.Definition().Scope() == event.ScopeSynced }) {
			waiting = append(waiting, open{l, receipt})
		}
		for len(waiting) > 0 && waiting[0].receipt.Stage() == livestore.Confirmed {
			told("confirmed", waiting[0].l)
			waiting = waiting[1:]
		}
	}
}

// converged waits until stores have everything, and checks that they are the server's log.
func converged(t *testing.T, stores ...*livestore.Store) (log []event.Client) {
	t.Helper()
	var head int64
	for _, s := range append(stores, stores...) { // what one has pushed, another may not have heard of in the first round
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		ok := false
		for st := range s.WatchSyncStatus(ctx) {
			if ok = st.Synced() && st.UpstreamHead.Global >= head; ok {
				head = st.UpstreamHead.Global
				break
			}
		}
		cancel()
		if !ok {
			t.Fatalf("client %s is not synced after two minutes: %+v", s.ClientID(), s.SyncStatus())
		}
	}
	var first string
	for _, s := range stores {
		rows, err := livestore.Get(s, livestore.Query(entries.All()))
		if err != nil {
			t.Fatal(err)
		}
		if text := fmt.Sprint(rows); first == "" {
			first = text
		} else if text != first {
			t.Errorf("client %s has other entries than client %s", s.ClientID(), stores[0].ClientID())
		}
		if list := s.SetAside(); len(list) > 0 {
			t.Errorf("client %s has set aside %d commits, the first because %s", s.ClientID(), len(list), list[0].Err)
		}
	}
	for _, s := range stores {
		var mine []event.Client
		for e, err := range s.Events(t.Context(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			if !e.Num.IsClientOnly() {
				mine = append(mine, e)
			}
		}
		if log != nil && !slices.EqualFunc(log, mine, func(a, b event.Client) bool { return a.Global().Equal(b.Global()) }) {
			t.Errorf("client %s has another log than client %s", s.ClientID(), stores[0].ClientID())
		}
		log = mine
	}
	return log
}

// TestKillServer kills livestore serve again and again while two clients commit. What was confirmed is in its log, and nothing is there
// twice.
func TestKillServer(t *testing.T) {
	t.Parallel()
	srv := newServerProcess(t)
	srv.start(t)
	var told said
	var stores []*livestore.Store
	var committers sync.WaitGroup
	stop := make(chan struct{})
	logger := slog.New(slog.DiscardHandler)
	for run := range 2 {
		adapter := local.New(t.TempDir(), &local.Options{Sync: soon("ws://" + srv.addr)})
		store, err := livestore.Open(t.Context(), schemaAt(0), adapter, &livestore.Options{StoreID: storeID, Logger: logger})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		stores = append(stores, store)
		committers.Go(func() {
			err := commitSync(store, label{run: run}, rand.New(rand.NewPCG(3, uint64(run))), stop, func(what string, l label) {
				told.add(what, l)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	r := rand.New(rand.NewPCG(4, 4))
	for range serverKills {
		// The moment is the experiment itself: it is meant to be anywhere.
		moment := time.NewTimer(time.Duration(r.Int64N(int64(120 * time.Millisecond))))
		<-moment.C
		srv.kill(t)
		srv.start(t)
	}
	close(stop)
	committers.Wait()
	log := converged(t, stores...)
	srv.kill(t)
	events := stored(t, srv.dir)
	told.check(t, events)
	if len(events) != len(log) {
		t.Errorf("the server has %d events and the clients %d", len(events), len(log))
	}
	t.Logf("%d kills, %d commits of which %d were waited for, %d events", serverKills, len(told.committed), len(told.confirmed), len(events))
}

// sync is the job of a client that is killed. It says what [job.commit] says, and "confirmed LABEL".
func (j job) sync() error {
	adapter := local.New(j.dir, &local.Options{Sync: soon(j.url)})
	store, err := livestore.Open(context.Background(), schemaAt(j.schema), adapter, &livestore.Options{StoreID: storeID})
	if err != nil {
		return err
	}
	sayf("open")
	r := rand.New(rand.NewPCG(j.seed, 0))
	return commitSync(store, label{run: j.turn}, r, nil, func(what string, l label) { sayf("%s %s", what, l) })
}

// syncMoment is later than other moments, most of the time: when something has been pushed and pulled.
func syncMoment(r *rand.Rand) moment {
	m := randomMoment(r)
	if !m.boot {
		m.delay *= 5
	}
	return m
}

// TestKillSyncingClient kills a client again and again, while another one commits and the server goes on.
func TestKillSyncingClient(t *testing.T) {
	t.Parallel()
	srv := newServerProcess(t)
	srv.start(t)
	url := "ws://" + srv.addr
	logger := slog.New(slog.DiscardHandler)
	open := func(dir string) *livestore.Store {
		adapter := local.New(dir, &local.Options{Sync: soon(url)})
		store, err := livestore.Open(t.Context(), schemaAt(0), adapter, &livestore.Options{StoreID: storeID, Logger: logger})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
		return store
	}
	var told said
	steady := open(t.TempDir())
	stop := make(chan struct{})
	var committer sync.WaitGroup
	committer.Go(func() {
		err := commitSync(steady, label{run: 1 << 20}, rand.New(rand.NewPCG(5, 5)), stop, func(what string, l label) {
			told.add(what, l)
		})
		if err != nil {
			t.Error(err)
		}
	})
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(6, 6))
	for n := range clientKills {
		k := kill(t, job{what: "sync", dir: dir, turn: n, seed: r.Uint64(), url: url}, syncMoment(r))
		told.Lock()
		told.committed = append(told.committed, k.committed...)
		told.confirmed = append(told.confirmed, k.confirmed...)
		told.Unlock()
	}
	close(stop)
	committer.Wait()
	log := converged(t, steady, open(dir))
	srv.kill(t)
	events := stored(t, srv.dir)
	told.check(t, events)
	if len(events) != len(log) {
		t.Errorf("the server has %d events and the clients %d", len(events), len(log))
	}
	t.Logf("%d kills, %d commits of which %d were waited for, %d events", clientKills, len(told.committed), len(told.confirmed), len(events))
}
