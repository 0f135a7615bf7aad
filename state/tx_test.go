package state_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/state"
)

func full(num event.SeqNum) event.Client {
	return event.Client{
		Num: num, Parent: event.SeqNum{Global: 4, Generation: 1}, Name: "v1.Any", Args: jsontext.Value(`{"b":1.0, "a":"\u0041"}`),
		ClientID: "client", SessionID: "session", ID: event.ID{Commit: event.CommitID{Journal: "j", Ordinal: 1}, Index: 2},
		Cause: "retry", SchemaHash: "hash", SyncMeta: jsontext.Value(`{}`),
	}
}

// What differs between clients, or changes with a rebase, would get into the state.
func TestASyncedEventShowsWhatAllClientsSee(t *testing.T) {
	tx := state.NewTx(nil, full(event.SeqNum{Global: 5, Generation: 2}))
	want := event.Client{
		Num: event.SeqNum{Global: 5}, Name: "v1.Any", Args: jsontext.Value(`{"a":"A","b":1}`), ClientID: "client", SessionID: "session",
	}
	for range 2 {
		if diff := cmp.Diff(want, tx.Event()); diff != "" {
			t.Error(diff)
		}
	}
	e := full(event.SeqNum{Global: 5, Generation: 2})
	state.NewTx(nil, e).Event()
	if string(e.Args) != `{"b":1.0, "a":"\u0041"}` {
		t.Error("the event itself was changed")
	}
}

func TestAClientOnlyEventShowsEverything(t *testing.T) {
	e := full(event.SeqNum{Global: 4, Client: 1, Generation: 2})
	if diff := cmp.Diff(e, state.NewTx(nil, e).Event()); diff != "" {
		t.Error(diff)
	}
}

func TestMaterializersReadWhatEarlierWritesLeft(t *testing.T) {
	counted := event.Synced[Added]("v1.Counted")
	e := open(t, todos, lists, state.On(counted, func(tx *state.Tx, a Added) error {
		if err := tx.Exec(lists.Insert(List{"l", "home"}).OnConflict(&lists.Row.ID).DoNothing()); err != nil {
			return err
		}
		n, err := state.Read(tx, todos.Count())
		if err != nil {
			return err
		}
		return tx.Exec(todos.Insert(Todo{ID: tx.Event().Num.String(), List: "l", Text: strings.Repeat(a.Text, n)}))
	}))
	for range 3 {
		e.commit(counted.New(Added{"1", "x"}))
	}
	if got := get(e, state.Pluck(todos.OrderBy(state.Asc(&todos.Row.ID)), &todos.Row.Text)); !cmp.Equal(got, []string{"", "x", "xx"}) {
		t.Errorf("texts are %q", got)
	}
}

func TestMaterializersThatFail(t *testing.T) {
	sentinel := errors.New("no")
	failing := event.Synced[Added]("v1.Failing")
	var do func(*state.Tx) error
	e := open(t, todos, lists, state.On(failing, func(tx *state.Tx, _ Added) error { return do(tx) }))
	run := func(f func(*state.Tx) error) error {
		do = f
		return e.tryCommit(failing.New(Added{"1", ""}))
	}
	if err := run(func(*state.Tx) error { return sentinel }); !errors.Is(err, sentinel) {
		t.Errorf("error is %v", err)
	}
	err := run(func(*state.Tx) error { panic(sentinel) })
	if pe, ok := errors.AsType[*state.PanicError](err); !ok || pe.Value != sentinel || !errors.Is(err, sentinel) ||
		!strings.Contains(err.Error(), "panic: no") || !strings.Contains(string(pe.Stack), "tx_test.go") {
		t.Errorf("error is %v", err)
	}
	if err := run(func(*state.Tx) error { panic("text") }); err == nil || errors.Unwrap(err) != nil {
		t.Errorf("error is %v", err)
	}
	if err := run(func(tx *state.Tx) error { return tx.Exec(todos.Insert(Todo{List: "none"})) }); !sqlite.IsConstraint(err) {
		t.Errorf("error is %v", err)
	}
	if err := run(func(tx *state.Tx) error {
		_, err := state.Read(tx, todos.Where(state.Condition{}))
		return err
	}); err == nil || !strings.Contains(err.Error(), "a condition is empty") {
		t.Errorf("error is %v", err)
	}
	if err := run(func(tx *state.Tx) error {
		_, err := state.Read(tx, state.Scalar[string]("SELECT datetime('now')"))
		return err
	}); err == nil || !strings.Contains(err.Error(), "datetime") {
		t.Errorf("error is %v", err)
	}
	if err := run(func(tx *state.Tx) error {
		_, err := state.Read(tx, state.Scalar[int]("SELECT 'x'"))
		return err
	}); err == nil || !strings.Contains(err.Error(), "is no number") {
		t.Errorf("error is %v", err)
	}
}

// Arguments come from other versions of the app and other clients: they are checked on arrival.
func TestArgumentsAreCheckedOnArrival(t *testing.T) {
	silent := event.Synced[Added]("v1.Silent")
	e := open(t, todos, lists, state.On(added, add), state.NoState(silent, opened))
	for _, name := range []string{"v1.Added", "v1.Silent"} {
		for args, want := range map[string]string{
			`{"id":1}`: "id", `{"id":""}`: "the id is empty", `[]`: "v1.", `{`: "v1.", `{"id":"1","id":"2"}`: "id",
		} {
			err := e.schema.Materialize(e, event.Client{Name: name, Args: jsontext.Value(args)})
			if ae, ok := errors.AsType[*event.ArgsError](err); !ok || ae.Event != name || !strings.Contains(err.Error(), want) {
				t.Errorf("%s %s: error is %v, want %s in it", name, args, err, want)
			}
		}
	}
	for _, args := range []string{`{"id":"1","text":""}`, `{"id":"1","new":true}`} {
		if err := e.schema.Materialize(e, event.Client{Name: "v1.Silent", Args: jsontext.Value(args)}); err != nil {
			t.Errorf("%s: error is %v", args, err)
		}
	}
}

// SessionID in a write is the session that committed the event, as in a read.
func TestWritesOfTheSession(t *testing.T) {
	r := todos.Row
	done := event.Synced[Added]("v1.Done")
	e := open(t, todos, lists, state.On(done, func(tx *state.Tx, _ Added) error {
		todo := func(id string) Todo { return Todo{ID: id, List: "l", Text: state.SessionID} }
		for _, w := range []state.Write{
			lists.Insert(List{"l", "home"}),
			todos.Insert(todo("1")), todos.Insert(Todo{ID: "2", List: "l"}), todos.Insert(todo("3")), todos.Insert(Todo{ID: "4", List: "l"}),
			todos.Update(state.Set(&r.Text, state.SessionID)).Where(state.Eq(&r.ID, "2")),
			todos.Delete().Where(state.Eq(&r.ID, "3"), state.Eq(&r.Text, state.SessionID)),
			state.Exec("UPDATE todos SET text = ? WHERE id = '4'", state.SessionID),
		} {
			if err := tx.Exec(w); err != nil {
				return err
			}
		}
		back, err := state.Read(tx, todos.Insert(todo("5")).Returning(&r.Text))
		if err == nil && back[0].Text != "session" {
			t.Errorf("Returning wrote %q", back[0].Text)
		}
		return err
	}))
	e.commit(done.New(Added{"1", "x"}))
	got := get(e, state.SQL[string]("SELECT id || ' ' || text FROM todos ORDER BY id"))
	if want := []string{"1 session", "2 session", "4 session", "5 session"}; !cmp.Equal(got, want) {
		t.Errorf("wrote %q, want %q", got, want)
	}
}

// What a kept transaction wrote would be in no event, and in no undo log.
func TestATransactionEndsWithItsMaterializer(t *testing.T) {
	kept := event.Synced[Added]("v1.Kept")
	var tx *state.Tx
	fail := false
	e := open(t, todos, lists, state.On(kept, func(now *state.Tx, _ Added) error {
		tx = now
		if fail {
			panic("no")
		}
		return tx.Exec(lists.Insert(List{"l", "home"}))
	}))
	for _, fail = range []bool{false, true} {
		if err := e.tryCommit(kept.New(Added{"1", "x"})); (err != nil) != fail {
			t.Fatal(err)
		}
		if err := tx.Exec(lists.Delete()); !errors.Is(err, state.ErrTxDone) || !strings.Contains(err.Error(), "v1.Kept") {
			t.Errorf("Exec: error is %v", err)
		}
		if _, err := state.Read(tx, lists.Insert(List{"m", ""}).Returning()); !errors.Is(err, state.ErrTxDone) {
			t.Errorf("Read: error is %v", err)
		}
	}
	if got := get(e, lists.Count()); got != 1 {
		t.Errorf("%d lists are there", got)
	}
}
