package leader_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"go.uber.org/goleak"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
	"github.com/livestore-go/livestore/internal/leader"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/migrate"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/internal/syncstate"
	"github.com/livestore-go/livestore/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type named struct {
	Name string `json:"name"`
}

type row struct {
	Name string `db:"name,primarykey"`
}

// What a client knows: added and noted write a table each, one synced and one client-only, and drafted writes the synced one's.
var (
	added   = event.Synced[named]("v1.Added")
	noted   = event.ClientOnly[named]("v1.Noted")
	drafted = event.ClientOnly[named]("v1.Drafted")
	rows    = state.NewTable[row]("rows")
	notes   = state.NewTable[row]("notes")
)

// schemaOf returns the schema with more parts.
func schemaOf(parts ...state.Part) *state.Schema {
	return state.MustSchema(append([]state.Part{
		rows, notes,
		state.On(added, func(tx *state.Tx, e named) error {
			if e.Name == "fails" {
				return fmt.Errorf("the materializer does not like it")
			}
			return tx.Exec(rows.Insert(row(e)))
		}),
		state.On(noted, func(tx *state.Tx, e named) error { return tx.Exec(notes.Insert(row(e))) }),
		state.On(drafted, func(tx *state.Tx, e named) error { return tx.Exec(rows.Insert(row(e))) }),
	}, parts...)...)
}

var schema = schemaOf()

// now is the leader's clock.
var now = time.Date(2026, 11, 24, 7, 0, 0, 0, time.UTC)

// world is a leader with a sync backend, and a session that follows it.
type world struct {
	t       *testing.T
	schema  *state.Schema
	log     *eventlog.Log
	m       *leader.Machine
	rebuilt []event.SeqNum // where the leader wanted state rebuilt
	backend []event.Global
	id      string // of the backend
	pull    link.PullRequest
	next    map[string]uint64 // journal → ordinal of its last commit
}

func newWorld(t *testing.T, schema *state.Schema, change func(*leader.Config)) *world {
	t.Helper()
	w := &world{t: t, schema: schema, id: "b", next: map[string]uint64{}}
	var err error
	w.log, err = eventlog.Open("test", &eventlog.Options{StoreID: "test", Memory: true, NewClientID: func() string { return "client" }})
	if err != nil {
		t.Fatal(err)
	}
	cfg := leader.Config{
		StoreID: "test", Log: w.log, Synced: true, Logger: slog.New(slog.DiscardHandler),
		NewID: func() string { return "id" }, Now: func() time.Time { return now },
		Rebuild: func(upTo event.SeqNum) (*materialize.Engine, error) {
			w.rebuilt = append(w.rebuilt, upTo)
			return migrate.Memory(w.log, schema, upTo)
		},
	}
	if cfg.State, err = migrate.Memory(w.log, schema, event.SeqNum{}); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&cfg)
	}
	if w.m, err = leader.NewMachine(cfg); err != nil {
		t.Fatal(err)
	}
	w.pull = link.PullRequest{Epoch: "id"}
	t.Cleanup(func() {
		if err := w.m.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// ev is an event of a commit: "name" is synced, "(name)" client-only.
func ev(arg string) (name string, args jsontext.Value, scope event.Scope) {
	if inner, ok := strings.CutPrefix(arg, "("); ok {
		return "v1.Noted", jsontext.Value(fmt.Sprintf(`{"name":%q}`, strings.TrimSuffix(inner, ")"))), event.ScopeClientOnly
	}
	return "v1.Added", jsontext.Value(fmt.Sprintf(`{"name":%q}`, arg)), event.ScopeSynced
}

// request is the push of the next commit of a session that stands at the leader's head. Its journal has the session's name.
func (w *world) request(session string, args ...string) link.PushRequest {
	num, id := w.log.Head()
	w.next[session]++
	c := link.Commit{ID: event.CommitID{Journal: session, Ordinal: w.next[session]}}
	heads := syncstate.Heads{Local: num, Generation: w.m.Heads().Generation}
	for i, a := range args {
		name, raw, scope := ev(a)
		next, parent := heads.Next(scope)
		c.Events = append(c.Events, event.Client{
			Num: next, Parent: parent, Name: name, Args: raw, ClientID: "client", SessionID: session,
			ID: event.ID{Commit: c.ID, Index: i},
		})
		heads.Local = next
	}
	return link.PushRequest{Version: link.Version, SessionID: session, Base: num, BaseID: id, Commits: []link.Commit{c}}
}

// commit is one commit of a session, taken by the leader.
func (w *world) commit(session string, args ...string) event.CommitID {
	w.t.Helper()
	r := w.request(session, args...)
	if res := w.m.Push([]link.PushRequest{r})[0]; res.Err != nil || !res.Reply.Taken {
		w.t.Fatalf("the leader answers commit %s with %+v", r.Commits[0].ID, res)
	}
	return r.Commits[0].ID
}

// foreign is what other clients have brought into the backend.
func (w *world) foreign(args ...string) {
	for _, a := range args {
		n := int64(len(w.backend))
		name, raw, _ := ev(a)
		w.backend = append(w.backend, event.Global{
			SeqNum: n + 1, ParentSeqNum: n, Name: name, Args: raw, ClientID: "other", SessionID: "o",
		})
	}
}

// pulled gives the leader what the backend has.
func (w *world) pulled() error {
	after := w.m.Cursor().After
	return w.m.BackendPulled(w.id, after, w.backend[after:], true)
}

func (w *world) mustPull() {
	w.t.Helper()
	if err := w.pulled(); err != nil {
		w.t.Fatal(err)
	}
}

// push takes the next batch for the backend, nil when there is none.
func (w *world) push() []event.Global {
	w.t.Helper()
	_, batch, err := w.m.NextBackendPush()
	if err != nil {
		w.t.Fatal(err)
	}
	return batch
}

// stored is a backend that takes a batch.
func (w *world) stored(batch []event.Global) {
	w.t.Helper()
	if len(batch) == 0 || batch[0].ParentSeqNum != int64(len(w.backend)) {
		w.t.Fatalf("the batch %v does not chain on e%d", batch, len(w.backend))
	}
	w.backend = append(w.backend, batch...)
}

// published returns what the leader has published since the last call.
func (w *world) published() []link.Publish {
	w.t.Helper()
	var all []link.Publish
	for {
		r := w.m.Published(w.pull)
		if r.Lost {
			w.t.Fatal("the leader no longer has what it published")
		}
		if len(r.Published) == 0 {
			return all
		}
		all = append(all, r.Published...)
		w.pull.Cursor = all[len(all)-1].Cursor
	}
}

// said renders publishes: number and argument of each event, what is withdrawn, set aside and restored, and the backend head.
func said(all []link.Publish) string {
	var out []string
	for _, p := range all {
		var s []string
		if p.RollbackTo != nil {
			s = append(s, "back to "+p.RollbackTo.String())
		}
		for _, e := range p.Events {
			s = append(s, show(e))
		}
		for _, a := range p.SetAside {
			s = append(s, "aside "+a.ID.String())
		}
		for _, id := range p.Restored {
			s = append(s, "restored "+id.String())
		}
		out = append(out, strings.Join(append(s, "backend "+p.BackendHead.String()), " "))
	}
	return strings.Join(out, "; ")
}

func show(e event.Client) string {
	return fmt.Sprintf("%s=%s", e.Num, strings.TrimSuffix(strings.TrimPrefix(string(e.Args), `{"name":"`), `"}`))
}

// logged renders the eventlog.
func (w *world) logged() string {
	w.t.Helper()
	var out []string
	for e, err := range w.log.Read(event.SeqNum{}, 0) {
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, show(e))
	}
	return strings.Join(out, " ")
}

// snapshot boots a session, and returns what its state has.
func (w *world) snapshot() (s link.Snapshot, has string) {
	w.t.Helper()
	s, err := w.m.Boot(link.BootRequest{Version: link.Version})
	if err != nil {
		w.t.Fatal(err)
	}
	conn, err := sqlite.Open(":memory:", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Deserialize(s.State); err != nil {
		w.t.Fatal(err)
	}
	e, err := materialize.Open(conn, w.schema, false)
	if err != nil {
		w.t.Fatal(err)
	}
	if want := (materialize.Head{Num: s.Head, ID: s.HeadID}); e.Head() != want {
		w.t.Errorf("the state of the snapshot stands at %v, and the snapshot at %v", e.Head(), want)
	}
	stmt, err := conn.Prepare(sqlite.Read, `SELECT name FROM rows UNION ALL SELECT '(' || name || ')' FROM notes ORDER BY 1`)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := stmt.Query(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Close()
	var out []string
	for r.Next() {
		out = append(out, r.Text(0))
	}
	return s, strings.Join(out, " ")
}

// expect checks the log, the state and the head of the backend as the leader knows it.
func (w *world) expect(log, has string, upstream int64) {
	w.t.Helper()
	if got := w.logged(); got != log {
		w.t.Errorf("the log has %q, want %q", got, log)
	}
	if _, got := w.snapshot(); got != has {
		w.t.Errorf("the state has %q, want %q", got, has)
	}
	if got := w.m.Heads().Upstream.Global; got != upstream {
		w.t.Errorf("the backend is known up to e%d, want e%d", got, upstream)
	}
}

func equal(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}
