package materialize_test

import (
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/state"
)

// kinds of tests: in memory as at a session, and with head and undo entries in the database as at a leader.
func both(t *testing.T, f func(t *testing.T, e *materialize.Engine)) {
	t.Helper()
	for name, persist := range map[string]bool{"session": false, "leader": true} {
		t.Run(name, func(t *testing.T) { f(t, newEngine(t, persist)) })
	}
}

func apply(t *testing.T, e *materialize.Engine, all ...[]event.Client) {
	t.Helper()
	for _, c := range all {
		if err := e.Apply(c); err != nil {
			t.Fatal(err)
		}
	}
}

// dump shows the rows of the app's tables.
func dump(t *testing.T, conn *sqlite.Conn) string {
	t.Helper()
	s, err := conn.Prepare(sqlite.Internal, `SELECT rowid, id, name FROM rows ORDER BY rowid`)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Query(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out []string
	for r.Next() {
		out = append(out, fmt.Sprintf("%d:%s=%s", r.Int64(0), r.Text(1), r.Text(2)))
	}
	return strings.Join(out, " ")
}

func TestCommitAppliesWholeOrNotAtAll(t *testing.T) {
	both(t, func(t *testing.T, e *materialize.Engine) {
		all := commits(4)
		apply(t, e, all[0])
		before, head := dump(t, e.Conn()), e.Head()
		bad := slices.Clone(append(slices.Clone(all[1]), all[2]...))
		bad = append(bad, event.Client{
			Num: event.SeqNum{Global: 4}, Parent: event.SeqNum{Global: 3}, Name: "v1.Added", Args: jsontext.Value(`{"id":"0","name":"again"}`),
		})
		err := e.Apply(bad)
		if failed, ok := errors.AsType[*materialize.Error](err); !ok || failed.Num.Global != 4 || failed.Event != "v1.Added" || !sqlite.IsConstraint(err) {
			t.Errorf("the error is %v", err)
		}
		if after := dump(t, e.Conn()); after != before || e.Head() != head {
			t.Errorf("after a commit that failed there is %s at %s, and before %s at %s", after, e.Head().Num, before, head.Num)
		}
		apply(t, e, all[1])
	})
}

func TestRollbackAndReapply(t *testing.T) {
	both(t, func(t *testing.T, e *materialize.Engine) {
		all := commits(20)
		dumps := []string{dump(t, e.Conn())}
		for _, c := range all {
			apply(t, e, c)
			dumps = append(dumps, dump(t, e.Conn()))
		}
		for _, to := range []int{20, 19, 7, 7, 0} {
			if err := e.RollbackTo(event.SeqNum{Global: int64(to)}); err != nil {
				t.Fatal(err)
			}
			if got := dump(t, e.Conn()); got != dumps[to] || e.Head().Num.Global != int64(to) {
				t.Fatalf("rolled back to e%d there is %s at %s, want %s", to, got, e.Head().Num, dumps[to])
			}
		}
		apply(t, e, all...)
		if got := dump(t, e.Conn()); got != dumps[20] {
			t.Errorf("applied again there is %s, want %s", got, dumps[20])
		}
	})
}

// What does not end in success leaves no trace, undone events included.
func TestAtomically(t *testing.T) {
	both(t, func(t *testing.T, e *materialize.Engine) {
		all := commits(6)
		apply(t, e, all[:5]...)
		before, head := dump(t, e.Conn()), e.Head()
		stop := errors.New("stop")
		err := e.Atomically(func() error {
			if err := e.RollbackTo(event.SeqNum{Global: 2}); err != nil {
				return err
			}
			if err := e.Apply(all[2]); err != nil {
				return err
			}
			return stop
		})
		if !errors.Is(err, stop) || dump(t, e.Conn()) != before || e.Head() != head {
			t.Errorf("%v left %s at %s, want %s at %s", err, dump(t, e.Conn()), e.Head().Num, before, head.Num)
		}
		apply(t, e, all[5])
		if err := e.RollbackTo(event.SeqNum{}); err != nil {
			t.Fatal(err)
		}
		if got := dump(t, e.Conn()); got != "" {
			t.Errorf("rolled back to e0 there is %s", got)
		}
	})
}

func TestUndoBeyondWhatIsKept(t *testing.T) {
	both(t, func(t *testing.T, e *materialize.Engine) {
		all := commits(30)
		apply(t, e, all...)
		if err := e.ForgetUndo(event.SeqNum{Global: 10}); err != nil {
			t.Fatal(err)
		}
		before := dump(t, e.Conn())
		if err := e.RollbackTo(event.SeqNum{Global: 9}); !errors.Is(err, materialize.ErrUndoMissing) {
			t.Errorf("rolling back too far: %v", err)
		}
		if dump(t, e.Conn()) != before || e.Head().Num.Global != 30 {
			t.Error("a roll back that was refused has changed something")
		}
		if err := e.RollbackTo(event.SeqNum{Global: 10}); err != nil {
			t.Error(err)
		}
	})
}

// A leader's engine keeps head and undo entries with the rows; a session that boots from an image of it can undo them, too.
func TestHeadAndUndoAreInTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	conn, err := sqlite.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := materialize.Create(conn, schema, true)
	if err != nil {
		t.Fatal(err)
	}
	all := commits(10)
	apply(t, e, all...)
	if err := e.StoreHead(); err != nil {
		t.Fatal(err)
	}
	image, err := conn.Serialize()
	if err != nil {
		t.Fatal(err)
	}
	head := e.Head()
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}

	again, err := sqlite.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	copied, err := sqlite.Open(":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	if err := copied.Deserialize(image); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		conn    *sqlite.Conn
		persist bool
	}{"leader": {again, true}, "session": {copied, false}} {
		e, err := materialize.Open(c.conn, schema, c.persist)
		if err != nil {
			t.Fatal(err)
		}
		if e.Head() != head {
			t.Errorf("%s stands at %v, want %v", name, e.Head(), head)
		}
		more := commits(12)[10:]
		apply(t, e, more...)
		if err := e.RollbackTo(event.SeqNum{Global: 4}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, want := dump(t, c.conn), "1:0=n0 2:1=n1 3:2=n2 4:3=n3"; got != want {
			t.Errorf("%s has %s, want %s", name, got, want)
		}
	}
}

func TestOtherSchemaIsNotOpened(t *testing.T) {
	e := newEngine(t, true)
	other := state.MustSchema(rows, state.Version("2"), state.On(added, func(*state.Tx, named) error { return nil }))
	if _, err := materialize.Open(e.Conn(), other, true); !errors.Is(err, materialize.ErrOtherSchema) {
		t.Errorf("opening state of another schema: %v", err)
	}
	conn, err := sqlite.Open(":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := materialize.Open(conn, schema, true); !errors.Is(err, materialize.ErrOtherSchema) {
		t.Errorf("opening an empty database: %v", err)
	}
}

func TestCatchUpAppliesWhatIsMissing(t *testing.T) {
	both(t, func(t *testing.T, e *materialize.Engine) {
		all := commits(25)
		apply(t, e, all[:5]...)
		read := func(after event.SeqNum, _ int) iter.Seq2[event.Client, error] {
			return func(yield func(event.Client, error) bool) {
				for _, c := range all {
					if c[0].Num.Compare(after) > 0 && !yield(c[0], nil) {
						return
					}
				}
			}
		}
		var progress []int
		if err := materialize.CatchUp(t.Context(), e, read, 10, event.SeqNum{}, func(done int) { progress = append(progress, done) }); err != nil {
			t.Fatal(err)
		}
		if e.Head().Num.Global != 25 || !slices.Equal(progress, []int{10, 20}) {
			t.Errorf("caught up to %s, told %v", e.Head().Num, progress)
		}
		// Of the first ten there are no undo entries.
		if err := e.RollbackTo(event.SeqNum{Global: 14}); !errors.Is(err, materialize.ErrUndoMissing) {
			t.Errorf("rolling back to e14: %v", err)
		}
		if err := e.RollbackTo(event.SeqNum{Global: 15}); err != nil {
			t.Errorf("rolling back to e15: %v", err)
		}
	})
}

type flag struct {
	ID string `db:"id,primarykey"`
}

// Synced and client-only events write tables of their own, and a synced event reads nothing client-only.
func TestScopes(t *testing.T) {
	type arg struct {
		Do string `json:"do"`
	}
	synced, local := event.Synced[arg]("v1.Synced"), event.ClientOnly[arg]("v1.Local")
	shared, mine := state.NewTable[flag]("shared"), state.NewTable[flag]("mine")
	doc := state.NewDocument("doc", arg{})
	do := func(tx *state.Tx, a arg) error {
		switch a.Do {
		case "write shared":
			return tx.Exec(shared.Insert(flag{fmt.Sprint(tx.Event().Num.Global, tx.Event().Num.Client)}))
		case "write mine":
			return tx.Exec(mine.Insert(flag{fmt.Sprint(tx.Event().Num.Global, tx.Event().Num.Client)}))
		case "read mine":
			_, err := state.Read(tx, mine.Count())
			return err
		case "read doc":
			_, err := state.Read(tx, doc.Get("x"))
			return err
		}
		return fmt.Errorf("do what: %s", a.Do)
	}
	schema := state.MustSchema(shared, mine, doc, state.On(synced, do), state.On(local, do))
	conn, err := sqlite.Open(":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	e, err := materialize.Create(conn, schema, false)
	if err != nil {
		t.Fatal(err)
	}
	own := event.ID{Commit: event.CommitID{Journal: "j", Ordinal: 1}}
	try := func(scope event.Scope, act string, id event.ID) error {
		num, parent := e.Head().Num.Next(scope, 0)
		name := map[event.Scope]string{event.ScopeSynced: "v1.Synced", event.ScopeClientOnly: "v1.Local"}[scope]
		return e.Apply([]event.Client{{Num: num, Parent: parent, Name: name, Args: jsontext.Value(fmt.Sprintf(`{"do":%q}`, act)), ID: id}})
	}
	expect := func(scope event.Scope, act string, ok bool) {
		t.Helper()
		err := try(scope, act, own)
		if _, refused := errors.AsType[*materialize.ScopeError](err); refused == ok || ok != (err == nil) {
			t.Errorf("a %s event that does %q: %v", scope, act, err)
		}
	}
	expect(event.ScopeClientOnly, "write mine", true)
	expect(event.ScopeSynced, "write shared", true)
	expect(event.ScopeSynced, "write mine", false)
	expect(event.ScopeSynced, "read mine", false)
	expect(event.ScopeSynced, "read doc", false)
	expect(event.ScopeClientOnly, "write shared", false)
	expect(event.ScopeClientOnly, "read mine", true)
	expect(event.ScopeClientOnly, "read doc", true)

	// What another client has done is not refused: its writes win.
	for _, act := range []string{"read mine", "write mine"} {
		if err := try(event.ScopeSynced, act, event.ID{}); err != nil {
			t.Errorf("another client's event that does %q: %v", act, err)
		}
	}
	expect(event.ScopeClientOnly, "write mine", false)
	expect(event.ScopeSynced, "write mine", true)

	// A claim is undone with the event that made it.
	if err := e.RollbackTo(event.SeqNum{}); err != nil {
		t.Fatal(err)
	}
	expect(event.ScopeSynced, "write mine", true)
	expect(event.ScopeClientOnly, "write mine", false)
}

func TestMaterializerThatPanics(t *testing.T) {
	bad := event.Synced[named]("v1.Bad")
	schema := state.MustSchema(rows, state.On(bad, func(tx *state.Tx, e named) error {
		if err := tx.Exec(rows.Insert(row(e))); err != nil {
			return err
		}
		panic("materializer")
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
	err = e.Apply([]event.Client{{Num: event.SeqNum{Global: 1}, Name: "v1.Bad", Args: jsontext.Value(`{"id":"1"}`)}})
	if _, ok := errors.AsType[*materialize.Error](err); !ok || !strings.Contains(err.Error(), "v1.Bad") {
		t.Errorf("a panic in a materializer: %v", err)
	}
	if got := dump(t, conn); got != "" {
		t.Errorf("it left %s", got)
	}
}

// An event that is none of the schema's changes nothing and costs nothing, unless the schema says to stop at one.
func TestUnknownEvents(t *testing.T) {
	unknown := []event.Client{{Num: event.SeqNum{Global: 1}, Name: "v9.New", Args: jsontext.Value(`{}`)}}
	for name, policy := range map[string]state.UnknownPolicy{
		"warn": state.Warn, "ignore": state.Ignore, "fail": state.Fail, "callback": state.Callback(func(event.Client) {}),
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := sqlite.Open(":memory:", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			e, err := materialize.Create(conn, state.MustSchema(rows, state.UnknownEvents(policy)), false)
			if err != nil {
				t.Fatal(err)
			}
			err = e.Apply(unknown)
			if name == "fail" {
				_, none := errors.AsType[*state.UnknownEventError](err)
				_, refused := errors.AsType[*materialize.Error](err)
				if !none || refused || e.Head().Num.Global != 0 {
					t.Errorf("%v at %s", err, e.Head().Num)
				}
				return
			}
			if err != nil || e.Head().Num.Global != 1 {
				t.Errorf("%v at %s", err, e.Head().Num)
			}
			if err := e.RollbackTo(event.SeqNum{}); err != nil || e.Head().Num.Global != 0 {
				t.Errorf("rolled back: %v at %s", err, e.Head().Num)
			}
		})
	}
}
