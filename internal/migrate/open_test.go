package migrate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/migrate"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/state"
)

type named struct {
	Name string `json:"name"`
}

type row struct {
	ID   int    `db:"id,primarykey"`
	Name string `db:"name"`
}

var (
	added = event.Synced[named]("v1.Added")
	rows  = state.NewTable[row]("rows")
)

// schemaOf returns a schema of a version; f, when not nil, runs before each event.
func schemaOf(version string, f func(named) error) *state.Schema {
	return state.MustSchema(rows, state.Version(version), state.On(added, func(tx *state.Tx, e named) error {
		if f != nil {
			if err := f(e); err != nil {
				return err
			}
		}
		return tx.Exec(rows.Insert(row{int(tx.Event().Num.Global), e.Name}))
	}))
}

type place struct {
	dir string
	log *eventlog.Log
	out bytes.Buffer
}

func newPlace(t testing.TB, events int) *place {
	t.Helper()
	p := &place{dir: t.TempDir()}
	var err error
	if p.log, err = eventlog.Open(filepath.Join(p.dir, "eventlog.db"), &eventlog.Options{StoreID: "store"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.log.Close(); err != nil {
			t.Error(err)
		}
	})
	p.append(t, events)
	return p
}

func (p *place) append(t testing.TB, n int) {
	t.Helper()
	head, _ := p.log.Head()
	var all []event.Client
	for range n {
		num, parent := head.Next(event.ScopeSynced, 0)
		head = num
		all = append(all, event.Client{
			Num: num, Parent: parent, Name: "v1.Added", Args: jsontext.Value(fmt.Sprintf(`{"name":"n%d"}`, num.Global)),
			ClientID: "c", SessionID: "s", ID: event.ID{Commit: event.CommitID{Journal: "j", Ordinal: uint64(num.Global)}},
		})
	}
	if err := p.log.Update(func() error { return p.log.Append(all) }); err != nil {
		t.Fatal(err)
	}
}

func (p *place) open(schema *state.Schema) (*materialize.Engine, error) {
	s := &migrate.State{
		FS: journal.OS(p.dir), Dir: p.dir, Log: p.log, Schema: schema, Synced: true, Logger: slog.New(slog.NewTextHandler(&p.out, nil)),
	}
	return s.Open(context.Background())
}

// expect opens the state, checks that it has n rows and stands at the head, and closes it.
func (p *place) expect(t *testing.T, schema *state.Schema, n int) {
	t.Helper()
	e, err := p.open(schema)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Conn().Close(); err != nil {
			t.Error(err)
		}
	}()
	got := count(t, e.Conn())
	if head, id := p.log.Head(); got != n || e.Head() != (materialize.Head{Num: head, ID: id}) {
		t.Errorf("%d rows at %s, want %d at %s", got, e.Head().Num, n, head)
	}
}

func count(t *testing.T, conn *sqlite.Conn) (n int) {
	t.Helper()
	s, err := conn.Prepare(sqlite.Internal, `SELECT count(*) FROM rows`)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Query(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for r.Next() {
		n = int(r.Int64(0))
	}
	return n
}

func (p *place) files(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(p.dir, "state-*"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range found {
		found[i] = filepath.Base(found[i])
	}
	return found
}

func TestStateFollowsTheLog(t *testing.T) {
	p := newPlace(t, 0)
	schema := schemaOf("1", nil)
	p.expect(t, schema, 0)
	p.append(t, 2500)
	p.expect(t, schema, 2500)
	p.append(t, 1)
	p.expect(t, schema, 2501)
	if p.out.Len() > 0 {
		t.Errorf("a state that only was behind is worth a line: %s", &p.out)
	}
}

// What state has and the log has not is undone.
func TestStateAheadOfTheLogIsUndone(t *testing.T) {
	p := newPlace(t, 10)
	schema := schemaOf("1", nil)
	p.expect(t, schema, 10)
	if err := p.log.Update(func() error { // as after a rebase that did not reach the state
		if err := p.log.DeleteAfter(event.SeqNum{Global: 6}); err != nil {
			return err
		}
		num, parent := event.SeqNum{Global: 6}.Next(event.ScopeSynced, 1)
		all := []event.Client{}
		for i := range 4 {
			all = append(all, event.Client{
				Num: num, Parent: parent, Name: "v1.Added", Args: jsontext.Value(`{"name":"new"}`), ClientID: "c", SessionID: "s",
				ID: event.ID{Commit: event.CommitID{Journal: "j", Ordinal: uint64(7 + i)}},
			})
			num, parent = num.Next(event.ScopeSynced, 1)
		}
		return p.log.Append(all)
	}); err != nil {
		t.Fatal(err)
	}
	p.expect(t, schema, 10)
	e, err := p.open(schema)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Conn().Close()
	if e.Head().Num != (event.SeqNum{Global: 10, Generation: 1}) {
		t.Errorf("state stands at %s", e.Head().Num)
	}
	if p.out.Len() > 0 {
		t.Errorf("it was rebuilt: %s", &p.out)
	}
}

// Each schema has a file of its own; those of others are deleted once the new one is complete.
func TestSchemaChangeRebuildsBeside(t *testing.T) {
	p := newPlace(t, 100)
	p.expect(t, schemaOf("1", nil), 100)
	first := p.files(t)
	p.expect(t, schemaOf("2", nil), 100)
	second := p.files(t)
	if len(first) != 1 || len(second) != 1 || first[0] == second[0] {
		t.Errorf("files were %v and are %v", first, second)
	}
}

// A rebuild that fails names the event, and leaves log and old state as they were.
func TestRebuildThatFails(t *testing.T) {
	p := newPlace(t, 100)
	if err := errors.Join(p.log.Begin(), p.log.SetUpstream(event.SeqNum{Global: 100}), p.log.Commit()); err != nil {
		t.Fatal(err)
	}
	old := schemaOf("1", nil)
	p.expect(t, old, 100)
	stop := errors.New("no")
	_, err := p.open(schemaOf("2", func(e named) error {
		if e.Name == "n73" {
			return stop
		}
		return nil
	}))
	if !errors.Is(err, stop) || !strings.Contains(err.Error(), "e73 v1.Added") {
		t.Errorf("the rebuild ends with %v", err)
	}
	p.out.Reset()
	p.expect(t, old, 100)
	if p.out.Len() > 0 {
		t.Errorf("the old state had to be rebuilt: %s", &p.out)
	}
	for _, f := range p.files(t) {
		if strings.HasSuffix(f, ".building") {
			t.Errorf("left behind: %s", f)
		}
	}
}

// upstream-1605: a rebuild that was interrupted is never taken for a complete one.
func TestInterruptedRebuildIsNotUsed(t *testing.T) {
	p := newPlace(t, 100)
	old, next := schemaOf("1", nil), schemaOf("2", nil)
	p.expect(t, old, 100)
	p.expect(t, next, 100)
	name := p.files(t)[0]
	p.expect(t, old, 100)

	whole, err := os.ReadFile(filepath.Join(p.dir, p.files(t)[0]))
	if err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(p.dir, name+".building")
	if err := os.WriteFile(half, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	p.expect(t, next, 100)
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the interrupted rebuild is still there: %v", err)
	}
}

// Progress is for who opens the store: a rebuild in the middle of a rebase, long after, tells nobody.
func TestProgressIsToldByOpenOnly(t *testing.T) {
	p := newPlace(t, 1500)
	told := 0
	s := &migrate.State{
		FS: journal.OS(p.dir), Dir: p.dir, Log: p.log, Schema: schemaOf("1", nil), Logger: slog.New(slog.DiscardHandler),
		OnBoot: func(stage string, done, total int) {
			if told++; stage != "rebuild" || done != min(told*1000, 1500) || total != 1500 {
				t.Errorf("told %s, %d of %d", stage, done, total)
			}
		},
	}
	e, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Conn().Close(); err != nil {
		t.Error(err)
	}
	if told != 2 {
		t.Errorf("told %d times, want 2", told)
	}
	e, err = s.Rebuild(event.SeqNum{Global: 1200})
	if err != nil {
		t.Fatal(err)
	}
	if n := count(t, e.Conn()); n != 1200 || told != 2 {
		t.Errorf("rebuilt with %d rows, told %d times", n, told)
	}
	if err := e.Conn().Close(); err != nil {
		t.Error(err)
	}
}

// An open that is cancelled leaves the state before as it was, and says nothing of a cure.
func TestOpenIsCancelled(t *testing.T) {
	for name, behind := range map[string]bool{"rebuild": false, "apply": true} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, 10)
			schema := schemaOf("1", nil)
			if behind {
				p.expect(t, schema, 10)
			}
			p.append(t, 3000)
			ctx, cancel := context.WithCancel(t.Context())
			s := &migrate.State{
				FS: journal.OS(p.dir), Dir: p.dir, Log: p.log, Schema: schema, Synced: true, Logger: slog.New(slog.NewTextHandler(&p.out, nil)),
				OnBoot: func(stage string, done, _ int) {
					if stage != name || done > 1000 {
						t.Errorf("it goes on with %s, %d", stage, done)
					}
					cancel()
				},
			}
			if _, err := s.Open(ctx); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "mend") {
				t.Errorf("open: %v", err)
			}
			if p.out.Len() > 0 {
				t.Errorf("logged: %s", &p.out)
			}
			for _, f := range p.files(t) {
				if strings.Contains(f, ".building") {
					t.Errorf("left behind: %s", f)
				}
			}
			p.expect(t, schema, 3010)
		})
	}
}

// A state that stands somewhere beside a log that is empty means that the log was lost: the log commits first.
func TestEmptyLogBesideStateIsRefused(t *testing.T) {
	p := newPlace(t, 10)
	schema := schemaOf("1", nil)
	p.expect(t, schema, 10)
	if err := p.log.Close(); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal"} {
		if err := os.Remove(filepath.Join(p.dir, "eventlog.db"+suffix)); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	var err error
	if p.log, err = eventlog.Open(filepath.Join(p.dir, "eventlog.db"), &eventlog.Options{StoreID: "store"}); err != nil {
		t.Fatal(err)
	}
	before := p.files(t)
	_, err = p.open(schema)
	if e, ok := errors.AsType[*migrate.LostLogError](err); !ok || e.Head.Global != 10 {
		t.Errorf("opening it: %v", err)
	}
	if after := p.files(t); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("files were %v and are %v", before, after)
	}
}

// Events that the schema does not know are reported when state is derived without them: each to a callback, a line a name otherwise.
func TestUnknownEventsAreReported(t *testing.T) {
	p := newPlace(t, 20)
	var told int
	if e, err := p.open(state.MustSchema(rows, state.UnknownEvents(state.Callback(func(event.Client) { told++ })))); err != nil {
		t.Fatal(err)
	} else if err := e.Conn().Close(); err != nil {
		t.Fatal(err)
	}
	if told != 20 || p.out.Len() > 0 {
		t.Errorf("told %d times, logged %q", told, &p.out)
	}
	e, err := p.open(state.MustSchema(rows, state.Version("2")))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Conn().Close()
	if line := p.out.String(); strings.Count(line, "\n") != 1 || !strings.Contains(line, "event=v1.Added") || !strings.Contains(line, "times=20") {
		t.Errorf("logged %q", line)
	}
}
