package session_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/internal/leader"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/session"
	"github.com/livestore-go/livestore/state"
)

type named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type row struct {
	ID   string `db:"id,primarykey"`
	Name string `db:"name,unique"`
}

var (
	added  = event.Synced[named]("v1.Added")
	rows   = state.NewTable[row]("rows")
	seen   = state.NewDocument("seen", named{})
	schema = state.MustSchema(rows, seen, state.On(added, func(tx *state.Tx, e named) error {
		return tx.Exec(rows.Insert(row(e)))
	}))
)

func add(id, name string) event.Draft { return added.New(named{id, name}) }

// newLeader starts a leader in memory, without a sync provider.
func newLeader(t testing.TB) (*leader.Machine, *leader.Leader) {
	t.Helper()
	m := leaderMachine(t, schema, false)
	l := leader.Start(m, nil)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return m, l
}

// counter is a journal that keeps nothing. fail makes an append fail, and failing is called before it does.
type counter struct {
	id      string
	last    uint64
	fail    error
	failing func()
}

func (c *counter) Next() event.CommitID { return event.CommitID{Journal: c.id, Ordinal: c.last + 1} }

func (c *counter) Append(r journal.Record) error {
	if c.fail != nil {
		if c.failing != nil {
			c.failing()
		}
		return c.fail
	}
	c.last = r.Ordinal
	return nil
}

func (c *counter) Taken(event.CommitID) {}
func (c *counter) Close() error         { return nil }

func open(t testing.TB, l link.Leader, name string, change func(*session.Config)) *session.Session {
	t.Helper()
	cfg := session.Config{
		Request:  session.Request{StoreID: "test", Schema: schema, MaxPending: 1000, Logger: slog.New(slog.DiscardHandler)},
		ClientID: "client", SessionID: name, Leader: link.Coded(l), Journal: &counter{id: name}, Durable: true,
	}
	if change != nil {
		change(&cfg)
	}
	s, err := session.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
	return s
}

func commit(t testing.TB, s *session.Session, drafts ...event.Draft) *session.Commit {
	t.Helper()
	c, err := s.Commit(t.Context(), drafts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// names reads the rows of a session, in order.
func names(t testing.TB, s *session.Session) string {
	t.Helper()
	var out []string
	err := s.View(func(r *session.Reader) error {
		return r.Query(state.Statement{SQL: "SELECT id || '=' || name FROM rows ORDER BY id"}, func(rows state.Rows) error {
			for rows.Next() {
				out = append(out, rows.Text(0))
			}
			return rows.Err()
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(out)
}

func logged(t testing.TB, s *session.Session) string {
	t.Helper()
	var out []string
	for e, err := range s.Events(t.Context(), event.SeqNum{}) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e.Num.String()+":"+e.ID.String())
	}
	return fmt.Sprint(out)
}

func TestTwoSessionsSeeEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := newLeader(t)
		a, b := open(t, l, "a", nil), open(t, l, "b", nil)
		commit(t, a, add("1", "one"))
		commit(t, b, add("2", "two"))
		commit(t, a, add("3", "three"), add("4", "four"))
		synctest.Wait()
		want := "[1=one 2=two 3=three 4=four]"
		if got := names(t, a); got != want {
			t.Errorf("a has %s, want %s", got, want)
		}
		if got := names(t, b); got != want {
			t.Errorf("b has %s, want %s", got, want)
		}
		if a, b := logged(t, a), logged(t, b); a != b {
			t.Errorf("the logs differ: %s and %s", a, b)
		}
	})
}

// A commit that loses its place to another session's, and then breaks a constraint, is set aside whole; what came after it stays.
func TestCommitThatNoLongerAppliesIsSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := newLeader(t)
		gate := &gated{Leader: l, open: make(chan struct{})}
		a := open(t, l, "a", nil)
		b := open(t, gate, "b", nil)

		first := commit(t, b, add("1", "mine"))
		late := commit(t, b, add("8", "eight"), add("9", "taken"))
		last := commit(t, b, add("3", "three"))
		commit(t, a, add("2", "taken"))
		synctest.Wait()
		close(gate.open)
		synctest.Wait()

		if err := first.Wait(t.Context(), session.Persisted); err != nil {
			t.Error(err)
		}
		if err := last.Wait(t.Context(), session.Persisted); err != nil {
			t.Error(err)
		}
		aside, ok := errors.AsType[*session.SetAsideError](late.Wait(t.Context(), session.Persisted))
		if !ok || aside.ID != late.ID() {
			t.Fatalf("the commit that breaks a constraint ends with %v", aside)
		}
		for _, s := range []*session.Session{a, b} {
			if got, want := names(t, s), "[1=mine 2=taken 3=three]"; got != want {
				t.Errorf("session %s has %s, want %s", s.SessionID(), got, want)
			}
			if list := s.SetAside(); len(list) != 1 || list[0].ID != late.ID() || len(list[0].Events) != 2 {
				t.Errorf("session %s lists %v as set aside", s.SessionID(), list)
			}
		}

		// It is tried again in the other session, in vain, and then dropped.
		again, err := a.Retry(t.Context(), late.ID())
		if err == nil {
			t.Errorf("a retry that breaks the constraint still is commit %s", again.ID())
		}
		if err := a.Drop(t.Context(), late.ID()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if list := b.SetAside(); len(list) != 0 {
			t.Errorf("after the drop, b still lists %v", list)
		}
		if _, ok := errors.AsType[*session.NotSetAsideError](a.Drop(t.Context(), late.ID())); !ok {
			t.Error("a second drop finds something")
		}
	})
}

// gated holds pushes back until it is opened.
type gated struct {
	link.Leader
	open chan struct{}
}

func (g *gated) Push(ctx context.Context, r link.PushRequest) (link.PushReply, error) {
	select {
	case <-g.open:
		return g.Leader.Push(ctx, r)
	case <-ctx.Done():
		return link.PushReply{}, ctx.Err()
	}
}

func TestFailedCommitLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := newLeader(t)
		j := &counter{id: "a"}
		a := open(t, l, "a", func(c *session.Config) { c.Journal = j })
		commit(t, a, add("1", "one"))

		if _, err := a.Commit(t.Context(), []event.Draft{add("2", "two"), add("3", "one")}); err == nil {
			t.Error("a commit that breaks a constraint succeeded")
		}
		j.fail = errors.New("no space left on device")
		if _, err := a.Commit(t.Context(), []event.Draft{add("2", "two")}); !errors.Is(err, j.fail) {
			t.Errorf("a commit that can not be journaled: %v", err)
		}
		j.fail = nil
		if _, err := a.Commit(t.Context(), nil); !errors.Is(err, session.ErrEmpty) {
			t.Errorf("an empty commit: %v", err)
		}
		if got, want := names(t, a), "[1=one]"; got != want {
			t.Errorf("after failed commits there is %s, want %s", got, want)
		}
		commit(t, a, add("4", "four"))
		synctest.Wait()
		if got, want := logged(t, a), "[e1:a/1#0 e2:a/2#0]"; got != want {
			t.Errorf("the log has %s, want %s", got, want)
		}
	})
}

func TestMaxPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := newLeader(t)
		gate := &gated{Leader: l, open: make(chan struct{})}
		a := open(t, gate, "a", func(c *session.Config) { c.MaxPending = 2 })
		commit(t, a, add("1", "one"), add("2", "two"))
		_, err := a.Commit(t.Context(), []event.Draft{add("3", "three")})
		if full, ok := errors.AsType[*session.PendingFullError](err); !ok || full.Pending != 2 || full.Max != 2 {
			t.Fatalf("one too many: %v", err)
		}
		_, err = a.Commit(t.Context(), []event.Draft{add("3", "three"), add("4", "four"), add("5", "five")})
		if err == nil || !strings.Contains(err.Error(), "the commit has 3 events and at most 2 may wait for the leader: split") {
			t.Errorf("a commit too large for any leader: %v", err)
		}
		close(gate.open)
		synctest.Wait()
		commit(t, a, add("3", "three"))
		synctest.Wait()
		if got, want := names(t, a), "[1=one 2=two 3=three]"; got != want {
			t.Errorf("there is %s, want %s", got, want)
		}
	})
}

// Client-only events and documents reach the other sessions of the client, under numbers that count apart.
func TestClientOnlyEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := newLeader(t)
		a, b := open(t, l, "a", nil), open(t, l, "b", nil)
		commit(t, a, add("1", "one"))
		commit(t, a, seen.Set("x", named{ID: "x"}))
		commit(t, a, seen.Set("x", named{ID: "y"}), add("2", "two"))
		synctest.Wait()
		if got, want := logged(t, b), "[e1:a/1#0 e1.1:a/2#0 e1.2:a/3#0 e2:a/3#1]"; got != want {
			t.Errorf("the log has %s, want %s", got, want)
		}
	})
}

// A leader that fails is asked again, with growing pauses, and nothing is lost or doubled.
func TestLeaderThatFailsIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := newLeader(t)
		f := &failing{Leader: l, refuse: 5, lose: 3}
		a := open(t, f, "a", nil)
		start := time.Now()
		if err := commit(t, a, add("1", "one")).Wait(t.Context(), session.Persisted); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 100*time.Millisecond || took > 10*time.Second {
			t.Errorf("five failures took %s", took)
		}
		for i := range 5 {
			commit(t, a, add(fmt.Sprint("more", i), fmt.Sprint("more", i)))
			synctest.Wait()
		}
		if err := commit(t, a, add("2", "two")).Wait(t.Context(), session.Persisted); err != nil {
			t.Fatal(err)
		}
		if got, want := logged(t, a), "[e1:a/1#0 e2:a/2#0 e3:a/3#0 e4:a/4#0 e5:a/5#0 e6:a/6#0 e7:a/7#0]"; got != want {
			t.Errorf("the log has %s, want %s", got, want)
		}
	})
}

// failing refuses the first pushes, and loses the answers of the next ones.
type failing struct {
	link.Leader
	refuse, lose int
}

func (f *failing) Push(ctx context.Context, r link.PushRequest) (link.PushReply, error) {
	if f.refuse > 0 {
		f.refuse--
		return link.PushReply{}, errors.New("the leader is not there")
	}
	reply, err := f.Leader.Push(ctx, r)
	if f.lose > 0 {
		f.lose--
		return link.PushReply{}, errors.New("the answer was lost")
	}
	return reply, err
}

// A session that is further behind than the leader keeps boots anew, and keeps what it has pending.
func TestSessionThatIsTooFarBehindBootsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := newLeader(t)
		slow := &stalled{Leader: l, open: make(chan struct{})}
		a := open(t, l, "a", nil)
		b := open(t, slow, "b", nil)
		for i := range 1500 {
			commit(t, a, add(fmt.Sprint("a", i), fmt.Sprint("a", i)))
			synctest.Wait()
		}
		c := commit(t, b, add("b", "b"))
		close(slow.open)
		if err := c.Wait(t.Context(), session.Persisted); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if names(t, a) != names(t, b) {
			t.Error("the sessions differ")
		}
		if got, want := c.Events()[0].Num.Global, int64(1501); got != want {
			t.Errorf("the late commit is e%d, want e%d", got, want)
		}
	})
}

// stalled answers no pull until it is opened.
type stalled struct {
	link.Leader
	open chan struct{}
}

func (s *stalled) Pull(ctx context.Context, r link.PullRequest) (link.PullReply, error) {
	select {
	case <-s.open:
		return s.Leader.Pull(ctx, r)
	case <-ctx.Done():
		return link.PullReply{}, ctx.Err()
	}
}

func TestReceiptOfClosedStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := newLeader(t)
		gate := &gated{Leader: l, open: make(chan struct{})}
		a := open(t, gate, "a", nil)
		c := commit(t, a, add("1", "one"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := a.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("closing with a leader that does not answer: %v", err)
		}
		if err := c.Wait(t.Context(), session.Persisted); !errors.Is(err, session.ErrClosed) {
			t.Errorf("waiting on a closed store: %v", err)
		}
		if _, err := a.Commit(t.Context(), []event.Draft{add("2", "two")}); !errors.Is(err, session.ErrClosed) {
			t.Errorf("committing to a closed store: %v", err)
		}
	})
}

func TestStagesThatNeverCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := newLeader(t)
		mem := open(t, l, "a", func(c *session.Config) { c.Durable = false })
		synced := open(t, l, "b", func(c *session.Config) { c.Synced = true })
		for _, tt := range []struct {
			c     *session.Commit
			stage session.Stage
		}{
			{commit(t, mem, add("1", "one")), session.Persisted},
			{commit(t, mem, add("2", "two")), session.Confirmed},
			{commit(t, synced, seen.Set("x", named{})), session.Confirmed},
			{commit(t, mem, add("3", "three")), session.Stage(9)},
		} {
			if e, ok := errors.AsType[*session.StageError](tt.c.Wait(t.Context(), tt.stage)); !ok || e.Stage != tt.stage || e.StoreID != "test" {
				t.Errorf("waiting for %s: %v", tt.stage, e)
			}
		}
	})
}
