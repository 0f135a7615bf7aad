package livestore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/memory"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/state"
)

func TestOpenRefusesWrongOptions(t *testing.T) {
	long := strings.Repeat("x", 129)
	for _, c := range []struct {
		name string
		open func() (*livestore.Store, error)
		want string
	}{
		{
			"no options", func() (*livestore.Store, error) { return livestore.Open(t.Context(), schema, memory.New(nil), nil) },
			"open store: there is no store id: set StoreID in Options",
		},
		{"no schema", func() (*livestore.Store, error) {
			return livestore.Open(t.Context(), nil, memory.New(nil), &livestore.Options{StoreID: "a"})
		}, "open store a: the schema is nil: make one with state.NewSchema"},
		{"no adapter", func() (*livestore.Store, error) {
			return livestore.Open(t.Context(), schema, nil, &livestore.Options{StoreID: "a"})
		}, "open store a: the adapter is nil: use one of the packages below adapter"},
		{"negative MaxPending", func() (*livestore.Store, error) {
			return livestore.Open(t.Context(), schema, memory.New(nil), &livestore.Options{StoreID: "a", MaxPending: -1})
		}, "open store a: MaxPending is -1: it is a number of events, 0 for 100000"},
	} {
		if _, err := c.open(); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
	for _, id := range []string{"", "a b", "../a", "ä", "a.b", "a/b", "a\x00", long} {
		_, err := livestore.Open(t.Context(), schema, memory.New(nil), &livestore.Options{StoreID: id})
		if se, ok := errors.AsType[*livestore.StoreIDError](err); !ok || se.StoreID != id {
			t.Errorf("store id %q: %v", id, err)
		}
	}
	for _, id := range []string{"a", "A-b_9", "-", long[:128]} {
		s, err := livestore.Open(t.Context(), schema, memory.New(nil), &livestore.Options{StoreID: id})
		if err != nil {
			t.Errorf("store id %q: %v", id, err)
			continue
		}
		if s.StoreID() != id || s.ClientID() == "" || s.SessionID() == "" || s.StorageMode() != "memory" {
			t.Errorf("store %q, client %q, session %q", s.StoreID(), s.ClientID(), s.SessionID())
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestCommitIsAllOrNothing(t *testing.T) {
	s := openStore(t)
	if _, err := s.Commit(t.Context()); !errors.Is(err, livestore.ErrEmptyCommit) {
		t.Errorf("empty commit: %v", err)
	}
	if _, err := s.Commit(t.Context(), create("1", "a"), create("1", "twice")); err == nil {
		t.Error("a materializer that breaks the primary key went through")
	}
	if _, err := s.Commit(t.Context(), create("1", "a"), create("2", "\xff")); err == nil {
		t.Error("invalid UTF-8 went through")
	} else if ae, ok := errors.AsType[*event.ArgsError](err); !ok || ae.Event != "v1.TodoCreated" {
		t.Errorf("invalid UTF-8: %v", err)
	}
	if _, err := s.Commit(t.Context(), create("1", "a"), event.Synced[string]("v1.Stray").New("x")); err == nil {
		t.Error("an event outside the schema went through")
	} else if ue, ok := errors.AsType[*livestore.UnknownEventError](err); !ok || ue.Event != "v1.Stray" {
		t.Errorf("unknown event: %v", err)
	}
	if n := get(t, s, todos.Count()); n != 0 {
		t.Errorf("%d rows of commits that failed", n)
	}
	for e := range s.Events(t.Context(), nil) {
		t.Errorf("event %s of a commit that failed", e.Num)
	}
	commit(t, s, create("1", "a"))
}

func TestAClosedStoreRefusesEverything(t *testing.T) {
	s := openStore(t)
	r := commit(t, s, create("1", "a"))
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Commit(t.Context(), create("2", "b")); !errors.Is(err, livestore.ErrClosed) {
		t.Errorf("commit: %v", err)
	}
	if _, err := livestore.Get(s, todos.Count()); !errors.Is(err, livestore.ErrClosed) {
		t.Errorf("get: %v", err)
	}
	_, committed := s.Commit(t.Context(), create("2", "b"))
	_, read := livestore.Get(s, todos.Count())
	for _, err := range []error{committed, read} {
		if err.Error() != "store test: the store is closed" {
			t.Errorf("the error does not name the store: %v", err)
		}
	}
	for _, err := range s.Events(t.Context(), nil) {
		if !errors.Is(err, livestore.ErrClosed) {
			t.Errorf("events: %v", err)
		}
	}
	if got := r.Events(); len(got) != 1 || got[0].Name != "v1.TodoCreated" {
		t.Errorf("the receipt forgot its events: %v", got)
	}
}

func TestStagesThatCanNotComeAreErrorsAtOnce(t *testing.T) {
	s := openStore(t)
	done, cancel := context.WithCancel(t.Context())
	cancel() // no Wait below may need to wait
	synced := commit(t, s, create("1", "a"))
	local := commit(t, s, uiState.Set("x", UIState{Filter: "y"}))
	for _, r := range []*livestore.Receipt{synced, local} {
		if err := r.Wait(done, livestore.Committed); err != nil {
			t.Errorf("committed: %v", err)
		}
		for _, stage := range []livestore.Stage{livestore.Persisted, livestore.Confirmed, 9} {
			err := r.Wait(done, stage)
			if se, ok := errors.AsType[*livestore.StageError](err); !ok || se.Stage != stage || se.StoreID != "test" || se.Why == "" {
				t.Errorf("%s: %v", stage, err)
			}
		}
		if r.Stage() != livestore.Committed || r.ID().IsZero() {
			t.Errorf("stage %s, id %s", r.Stage(), r.ID())
		}
	}
}

func TestEventsReadTheLogInOrder(t *testing.T) {
	s := openStore(t)
	commit(t, s, create("1", "a"), complete("1"))
	commit(t, s, uiState.Set("x", UIState{Filter: "y"}))
	commit(t, s, create("2", "b"))
	read := func(opts *livestore.EventsOptions) string {
		var got []string
		for e, err := range s.Events(t.Context(), opts) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e.Num.String()+" "+e.Name)
		}
		return strings.Join(got, ", ")
	}
	if got, want := read(nil), "e1 v1.TodoCreated, e2 v1.TodoCompleted, e2.1 uiStateSet, e3 v1.TodoCreated"; got != want {
		t.Errorf("all: %s, want %s", got, want)
	}
	if got, want := read(&livestore.EventsOptions{After: event.SeqNum{Global: 2}}), "e2.1 uiStateSet, e3 v1.TodoCreated"; got != want {
		t.Errorf("after e2: %s, want %s", got, want)
	}
	for range s.Events(t.Context(), nil) {
		break
	}
}

// The leader takes commits while the log is read: they move from the end of the iteration to its middle, and must not be missed.
func TestEventsMissNothingThatTheLeaderTakesMeanwhile(t *testing.T) {
	s := openStore(t)
	for n := 1; n <= 200; n++ {
		commit(t, s, create(fmt.Sprint(n), "x"))
		var read int64
		for e, err := range s.Events(t.Context(), &livestore.EventsOptions{After: event.SeqNum{Global: int64(n - 1)}}) {
			if err != nil {
				t.Fatal(err)
			}
			read = e.Num.Global
		}
		if read != int64(n) {
			t.Fatalf("the last event read is e%d, want e%d", read, n)
		}
	}
}

func TestSessionsOfOneClientSeeEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		adapter := memory.New(nil)
		a, b := openOn(t, adapter), openOn(t, adapter)
		if a.ClientID() != b.ClientID() || a.SessionID() == b.SessionID() {
			t.Errorf("clients %s and %s, sessions %s and %s", a.ClientID(), b.ClientID(), a.SessionID(), b.SessionID())
		}
		f := watch(t, b, open)
		f.expect(t, "[]")
		commit(t, a, create("1", "from a"))
		f.expect(t, "[{1 from a false <nil>}]")
		commit(t, b, complete("1"))
		f.expect(t, "[]")
		synctest.Wait()
		if got := get(t, a, open); len(got) != 0 {
			t.Errorf("a still has %v", got)
		}
	})
}

func TestSyncStatusFollowsTheLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		if st := s.SyncStatus(); st != (livestore.SyncStatus{}) {
			t.Errorf("new store: %+v", st)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var last livestore.SyncStatus
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for st := range s.WatchSyncStatus(ctx) {
				if st == last && st != (livestore.SyncStatus{}) {
					t.Errorf("told of %+v twice", st)
				}
				last = st
			}
		}()
		synctest.Wait()
		commit(t, s, create("1", "a"), create("2", "b"))
		synctest.Wait()
		want := livestore.SyncStatus{LocalHead: event.SeqNum{Global: 2}, LeaderHead: event.SeqNum{Global: 2}, Unconfirmed: 2}
		if last != want || s.SyncStatus() != want {
			t.Errorf("watched %+v, read %+v, want %+v", last, s.SyncStatus(), want)
		}
		cancel()
		<-ended
	})
}

// capacity's materializer refuses a third row, so one of two sessions that fill the table at the same time loses.
type SeatTaken struct {
	Name string `json:"name"`
}

type Seat struct {
	Name string `db:"name,primarykey"`
}

var (
	seatTaken  = event.Synced[SeatTaken]("v1.SeatTaken")
	seatFreed  = event.Synced[SeatTaken]("v1.SeatFreed")
	seats      = state.NewTable[Seat]("seats")
	seatSchema = state.MustSchema(seats,
		state.On(seatTaken, func(tx *state.Tx, e SeatTaken) error {
			n, err := state.Read(tx, seats.Count())
			if err == nil && n == 2 {
				err = fmt.Errorf("no seat left for %s", e.Name)
			}
			if err != nil {
				return err
			}
			return tx.Exec(seats.Insert(Seat{Name: e.Name}))
		}),
		state.On(seatFreed, func(tx *state.Tx, e SeatTaken) error {
			return tx.Exec(seats.Delete().Where(state.Eq(&seats.Row.Name, e.Name)))
		}))
)

func TestACommitThatLosesIsSetAsideAndCanBeRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		adapter := memory.New(nil)
		openSeats := func() *livestore.Store {
			s, err := livestore.Open(t.Context(), seatSchema, adapter, &livestore.Options{StoreID: "seats"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return s
		}
		a, b := openSeats(), openSeats()
		winner, loser, receipt := race(t, a, b)
		list := loser.SetAside()
		if len(list) != 1 || list[0].ID != receipt.ID() || len(list[0].Events) != 2 || !strings.Contains(list[0].Err, "no seat left") {
			t.Fatalf("set aside: %+v", list)
		}
		err := receipt.Wait(t.Context(), livestore.Persisted)
		if se, ok := errors.AsType[*livestore.SetAsideError](err); !ok || se.ID != receipt.ID() || se.StoreID != "seats" {
			t.Errorf("receipt: %v", err)
		}
		if len(winner.SetAside()) != 1 {
			t.Error("the other session was not told")
		}
		if _, err := list[0].Retry(t.Context()); err == nil {
			t.Error("a retry that can not apply went through")
		}
		rows := get(t, loser, seats.Where())
		free := func(s Seat) event.Draft { return seatFreed.New(SeatTaken{Name: s.Name}) }
		commit(t, winner, free(rows[0]), free(rows[1]))
		synctest.Wait()
		if _, err := list[0].Retry(t.Context()); err != nil {
			t.Error(err)
		}
		for still := range loser.WatchSetAside(t.Context()) {
			if len(still) == 0 {
				break
			}
		}
		synctest.Wait()
		if n := get(t, winner, seats.Count()); n != 2 || len(winner.SetAside()) != 0 {
			t.Errorf("%d seats, %v still set aside", n, winner.SetAside())
		}
		if err := list[0].Drop(t.Context()); err == nil {
			t.Error("dropped what is not set aside")
		} else if _, ok := errors.AsType[*livestore.NotSetAsideError](err); !ok {
			t.Errorf("drop: %v", err)
		}

		commit(t, winner, free(Seat{Name: "a"}), free(Seat{Name: "b"}), free(Seat{Name: "A"}), free(Seat{Name: "B"}))
		synctest.Wait()
		_, loser, _ = race(t, a, b)
		if err := loser.SetAside()[0].Drop(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if len(a.SetAside())+len(b.SetAside()) != 0 {
			t.Error("dropped and still listed")
		}
	})
}

// race lets two sessions take both seats at the same time, until neither has heard of the other when it commits.
func race(t *testing.T, a, b *livestore.Store) (winner, loser *livestore.Store, lost *livestore.Receipt) {
	t.Helper()
	take := func(n string) event.Draft { return seatTaken.New(SeatTaken{Name: n}) }
	for {
		ra := commit(t, a, take("a"), take("A"))
		rb, err := b.Commit(t.Context(), take("b"), take("B"))
		synctest.Wait()
		switch list := a.SetAside(); {
		case err != nil: // it has heard
			commit(t, a, seatFreed.New(SeatTaken{Name: "a"}), seatFreed.New(SeatTaken{Name: "A"}))
			synctest.Wait()
		case len(list) == 1 && list[0].ID == ra.ID():
			return b, a, ra
		default:
			return a, b, rb
		}
	}
}
