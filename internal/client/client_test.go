package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/client"
	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/internal/leader"
	"github.com/livestore-go/livestore/internal/session"
	"github.com/livestore-go/livestore/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type named struct {
	Name string `json:"name"`
}

type row struct {
	Name string `db:"name,primarykey"`
}

var (
	added = event.Synced[named]("v1.Added")
	rows  = state.NewTable[row]("rows")
)

func schemaOf(version string) *state.Schema {
	return state.MustSchema(rows, state.Version(version),
		state.On(added, func(tx *state.Tx, e named) error { return tx.Exec(rows.Insert(row(e))) }))
}

var schema = schemaOf("1")

func request(storeID string) session.Request {
	return session.Request{StoreID: storeID, Schema: schema, MaxPending: 100_000, Logger: slog.New(slog.DiscardHandler)}
}

// place is a directory with the client of one store, and a set that opens it.
type place struct {
	dir    string
	set    *client.Set
	leader *leader.Leader           // of the last open
	wait   map[string]chan struct{} // what opening the client of a store waits for
	opened []string
}

func newPlace(t *testing.T) *place {
	p := &place{dir: t.TempDir(), wait: map[string]chan struct{}{}}
	p.set = client.NewSet(p.open)
	return p
}

func (p *place) open(ctx context.Context, r session.Request) (client.Config, error) {
	if wait := p.wait[r.StoreID]; wait != nil {
		<-wait
	}
	p.opened = append(p.opened, r.StoreID)
	dir := p.dir
	files := client.Files{FS: journal.OS(dir), Dir: dir}
	m, clientID, err := files.Boot(ctx, r, client.NewID)
	if err != nil {
		return client.Config{}, err
	}
	l := leader.Start(m, nil)
	p.leader = l
	return client.Config{
		StoreID: r.StoreID, ClientID: clientID, SchemaHash: r.Schema.Hash(), Leader: l, Durable: true,
		Journal: func(h journal.Header) (session.Journal, error) { return journal.NewQueue(journal.OS(dir), h) },
		Adopt: func(id string) error {
			return l.Adopt(context.Background(), func(m *leader.Machine) error { return files.Adopt(m, id) })
		},
	}, nil
}

func (p *place) session(t *testing.T, storeID string) *session.Session {
	t.Helper()
	s, err := p.set.Open(t.Context(), request(storeID))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func commit(t *testing.T, s *session.Session, names ...string) *session.Commit {
	t.Helper()
	var drafts []event.Draft
	for _, n := range names {
		drafts = append(drafts, added.New(named{n}))
	}
	c, err := s.Commit(t.Context(), drafts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func has(t *testing.T, s *session.Session) string {
	t.Helper()
	var out []string
	err := s.View(func(r *session.Reader) error {
		return r.Query(state.Statement{SQL: "SELECT name FROM rows ORDER BY name"}, func(rows state.Rows) error {
			for rows.Next() {
				out = append(out, rows.Text(0))
			}
			return rows.Err()
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

func closeAll(t *testing.T, sessions ...*session.Session) {
	t.Helper()
	for _, s := range sessions {
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func journals(t *testing.T, dir string) int {
	t.Helper()
	names, err := journal.List(journal.OS(dir))
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// A store that takes long to open keeps nobody from using, closing and opening another one.
func TestStoreThatIsSlowToOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, other := newPlace(t), newPlace(t)
		// One set with both: the slow store lies in a directory of its own.
		set := client.NewSet(func(ctx context.Context, r session.Request) (client.Config, error) {
			if r.StoreID == "slow" {
				return slow.open(ctx, r)
			}
			return other.open(ctx, r)
		})
		slow.set, other.set = set, set
		goOn := make(chan struct{})
		slow.wait["slow"] = goOn
		a := other.session(t, "quick")
		opened := make(chan *session.Session)
		go func() {
			s, err := set.Open(context.Background(), request("slow"))
			if err != nil {
				t.Error(err)
			}
			opened <- s
		}()
		synctest.Wait()

		// Who waits for the slow one waits no longer than its context.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := set.Open(ctx, request("slow")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting for a store that is slow to open: %v", err)
		}
		start := time.Now()
		commit(t, a, "a")
		b := other.session(t, "quick")
		closeAll(t, a, b)
		a = other.session(t, "quick")
		if got := has(t, a); got != "a" || time.Since(start) > 0 {
			t.Errorf("the other store has %q after %s", got, time.Since(start))
		}
		closeAll(t, a)
		close(goOn)
		closeAll(t, <-opened)
		equal(t, "opened", fmt.Sprint(slow.opened, other.opened), "[slow] [quick quick]")
	})
}

func equal(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// A session that was closed before the leader had taken its commits leaves them in its journal. They are taken at once when others
// stay.
func TestWhatAClosedSessionLeavesBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		stays, goes := p.session(t, "store"), p.session(t, "store")
		release := make(chan struct{})
		busy := make(chan error)
		go func() {
			busy <- p.leader.Adopt(context.Background(), func(*leader.Machine) error { <-release; return nil })
		}()
		synctest.Wait()
		commit(t, goes, "a")
		synctest.Wait() // it is on its way to the leader, and what follows is not
		commit(t, goes, "b")
		late := commit(t, goes, "c", "d")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		closed := make(chan error)
		go func() { closed <- goes.Close(ctx) }()
		synctest.Wait()
		close(release)
		if err := errors.Join(<-busy); err != nil {
			t.Error(err)
		}
		if err := <-closed; !errors.Is(err, context.Canceled) {
			t.Errorf("closed: %v", err)
		}
		if err := late.Wait(t.Context(), session.Persisted); !errors.Is(err, session.ErrClosed) {
			t.Errorf("its last commit ends with %v", err)
		}
		synctest.Wait()
		equal(t, "the session that stays has", has(t, stays), "a b c d")
		again := p.session(t, "store")
		equal(t, "a session opened after has", has(t, again), "a b c d")
		if n := journals(t, p.dir); n != 2 {
			t.Errorf("there are %d journals for two sessions", n)
		}
		closeAll(t, stays, again)
		if n := journals(t, p.dir); n != 0 {
			t.Errorf("%d journals are left", n)
		}
	})
}

// When none stays the journal is taken at the next boot.
func TestWhatTheLastSessionLeavesBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		s := p.session(t, "store")
		release := make(chan struct{})
		go p.leader.Adopt(context.Background(), func(*leader.Machine) error { <-release; return nil })
		synctest.Wait()
		commit(t, s, "a")
		synctest.Wait()
		commit(t, s, "b")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		closed := make(chan error)
		go func() { closed <- s.Close(ctx) }()
		synctest.Wait()
		close(release)
		if err := <-closed; !errors.Is(err, context.Canceled) {
			t.Errorf("closed: %v", err)
		}
		if n := journals(t, p.dir); n != 1 {
			t.Errorf("%d journals are left", n)
		}
		s = p.session(t, "store")
		equal(t, "opened again there is", has(t, s), "a b")
		closeAll(t, s)
	})
}

// Opening a long log under another schema ends with its context, and the next open is as if nothing had been.
func TestOpenIsCancelled(t *testing.T) {
	p := newPlace(t)
	s := p.session(t, "store")
	for k := range 3 {
		var names []string
		for i := range 1000 {
			names = append(names, fmt.Sprint(k, "-", i))
		}
		commit(t, s, names...)
	}
	closeAll(t, s)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := request("store")
	r.Schema = schemaOf("2")
	var told []int
	r.OnBoot = func(_ string, done, _ int) {
		told = append(told, done)
		cancel()
	}
	_, err := p.set.Open(ctx, r)
	if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "materializer") {
		t.Errorf("a cancelled open: %v", err)
	}
	if len(told) != 1 || told[0] != 1000 {
		t.Errorf("it went on to %v", told)
	}
	s = p.session(t, "store")
	if got := len(strings.Fields(has(t, s))); got != 3000 {
		t.Errorf("opened again there are %d rows", got)
	}
	closeAll(t, s)
}
