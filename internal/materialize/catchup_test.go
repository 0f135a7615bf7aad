package materialize_test

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/state"
)

// logOf reads events as a log does.
func logOf(events []event.Client) func(after event.SeqNum, limit int) iter.Seq2[event.Client, error] {
	return func(after event.SeqNum, _ int) iter.Seq2[event.Client, error] {
		return func(yield func(event.Client, error) bool) {
			for _, e := range events {
				if e.Num.ComparePosition(after) > 0 && !yield(e, nil) {
					return
				}
			}
		}
	}
}

// Events that share a savepoint when an engine catches up come to what each by itself comes to: also when one does not apply, waits for a
// later one by a deferred foreign key, is unknown, or is confirmed.
func TestCatchUpIsAsEachByItself(t *testing.T) {
	var told []string
	schema := state.MustSchema(
		state.DDL(`CREATE TABLE kept (id TEXT PRIMARY KEY, parent TEXT REFERENCES kept (id) DEFERRABLE INITIALLY DEFERRED)`),
		state.On(added, func(tx *state.Tx, e named) error {
			if e.Name == "panics" {
				panic(e.Name)
			}
			return tx.Exec(state.Exec("INSERT INTO kept (id, parent) VALUES (?, nullif(?, ''))", e.ID, e.Name))
		}),
		state.UnknownEvents(state.Ignore))
	events := func(args ...string) (out []event.Client) {
		for i, a := range args {
			g := int64(i + 1)
			e := event.Client{Num: event.SeqNum{Global: g}, Parent: event.SeqNum{Global: g - 1}, Name: "v1.Added"}
			if a == "unknown" {
				e.Name, a = "v9.New", ""
			}
			e.Args = jsontext.Value(fmt.Sprintf(`{"id":"%d","name":%q}`, g, a))
			out = append(out, e)
		}
		return out
	}
	open := func() *materialize.Engine {
		conn, err := sqlite.Open(":memory:", nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		e, err := materialize.Create(conn, schema, true)
		if err != nil {
			t.Fatal(err)
		}
		e.OnUnknown(func(ev event.Client) { told = append(told, ev.Num.String()) })
		return e
	}
	content := func(e *materialize.Engine) (out []string) {
		s, err := e.Conn().Prepare(sqlite.Internal, "SELECT id || ' in ' || coalesce(parent, '') FROM kept ORDER BY rowid")
		if err == nil {
			err = s.Each(nil, func(r *sqlite.Rows) { out = append(out, r.Text(0)) })
		}
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for name, all := range map[string][]event.Client{
		"all apply":              events("", "1", "2", ""),
		"unknown between others": events("", "unknown", "1", "unknown"),
		"one fails":              events("", "unknown", "1", "9", "unknown"),
		"one waits for the next": events("", "1", "4", ""),
		"one panics":             events("", "1", "panics", ""),
	} {
		for confirmed := range int64(len(all) + 1) {
			one, many := open(), open()
			told = nil
			var want error
			for i := range all {
				if want = one.Apply(all[i : i+1]); want != nil {
					break
				}
			}
			heard := told
			told = nil
			got := materialize.CatchUp(t.Context(), many, logOf(all), 0, event.SeqNum{Global: confirmed}, nil)
			at := fmt.Sprintf("%s, the first %d confirmed", name, confirmed)
			a, _ := errors.AsType[*materialize.Error](want)
			b, _ := errors.AsType[*materialize.Error](got)
			if (want == nil) != (got == nil) || (a == nil) != (b == nil) || a != nil && a.Num != b.Num {
				t.Errorf("%s: %v, each by itself: %v", at, got, want)
			}
			if a, b := content(many), content(one); !slices.Equal(a, b) {
				t.Errorf("%s: state is %q, each by itself %q", at, a, b)
			}
			if many.Head() != one.Head() {
				t.Errorf("%s: stands at %s, each by itself at %s", at, many.Head().Num, one.Head().Num)
			}
			if !slices.Equal(told, heard) {
				t.Errorf("%s: told of unknown events %q, each by itself %q", at, told, heard)
			}
			if many.Head().Num.Global > confirmed {
				if err := many.RollbackTo(event.SeqNum{Global: confirmed}); err != nil {
					t.Errorf("%s: %v", at, err)
				}
			}
		}
	}
}

// A foreign key is checked after each event, also a deferred one in a commit that would make it good: other clients get the events one by
// one.
func TestDeferredKeysAreCheckedAfterEachEvent(t *testing.T) {
	schema := state.MustSchema(
		state.DDL(`CREATE TABLE kept (id TEXT PRIMARY KEY, parent TEXT REFERENCES kept (id) DEFERRABLE INITIALLY DEFERRED)`),
		state.On(added, func(tx *state.Tx, e named) error {
			return tx.Exec(state.Exec("INSERT INTO kept (id, parent) VALUES (?, ?)", e.ID, e.Name))
		}))
	conn, err := sqlite.Open(":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	e, err := materialize.Create(conn, schema, false)
	if err != nil {
		t.Fatal(err)
	}
	all := slices.Concat(commits(2)...)
	all[0].Args, all[1].Args = jsontext.Value(`{"id":"child","name":"parent"}`), jsontext.Value(`{"id":"parent","name":"parent"}`)
	err = e.Apply(all)
	if refused, ok := errors.AsType[*materialize.Error](err); !ok || refused.Num.Global != 1 || !sqlite.IsConstraint(err) {
		t.Errorf("a child before its parent: %v", err)
	}
	all[0].Args, all[1].Args = all[1].Args, all[0].Args
	if err := e.Apply(all); err != nil {
		t.Errorf("a child after its parent: %v", err)
	}
}
