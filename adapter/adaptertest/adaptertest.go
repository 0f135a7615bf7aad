// Package adaptertest is what every adapter has to do: boot, keep, share and end. Each adapter's own tests run it.
package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/state"
)

// Config is the adapter under test.
type Config struct {
	// New returns an adapter on a place: the same place is the same data, where the adapter keeps any.
	New func(place string) livestore.Adapter
	// Durable says that what is committed is there again after the last session was closed.
	Durable bool
}

type noted struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

type note struct {
	ID   string `db:"id,primarykey"`
	Text string `db:"text"`
}

type wideNote struct {
	ID     string `db:"id,primarykey"`
	Text   string `db:"text"`
	Length int    `db:"length"`
}

type ui struct {
	Open string `json:"open"`
}

var (
	added  = event.Synced[noted]("v1.NoteAdded")
	notes  = state.NewTable[note]("notes")
	uis    = state.NewDocument("ui", ui{Open: "none"})
	schema = state.MustSchema(notes, uis, state.On(added, func(tx *state.Tx, e noted) error {
		return tx.Exec(notes.Insert(note(e)))
	}))

	wideNotes = state.NewTable[wideNote]("notes")
	widened   = state.MustSchema(wideNotes, uis, state.On(added, func(tx *state.Tx, e noted) error {
		return tx.Exec(wideNotes.Insert(wideNote{e.ID, e.Text, len(e.Text)}))
	}))
)

// Run runs the suite.
func Run(t *testing.T, cfg Config) {
	s := suite{cfg}
	t.Run("Boot", s.boot)
	t.Run("SessionsShareAClient", s.sessionsShareAClient)
	t.Run("SessionIDsAreStable", s.sessionIDsAreStable)
	t.Run("StoresAreApart", s.storesAreApart)
	t.Run("OneSchemaAtATime", s.oneSchemaAtATime)
	t.Run("StoreID", s.storeID)
	t.Run("Stages", s.stages)
	t.Run("CloseFlushes", s.closeFlushes)
	t.Run("SchemaChange", s.schemaChange)
	t.Run("EndsWithTheLastSession", s.endsWithTheLastSession)
}

type suite struct{ Config }

func (s suite) open(t *testing.T, a livestore.Adapter, schema *state.Schema, id string) *livestore.Store {
	t.Helper()
	store, err := livestore.Open(t.Context(), schema, a, &livestore.Options{StoreID: id})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, store) })
	return store
}

func closeStore(t *testing.T, store *livestore.Store) {
	t.Helper()
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}

func add(t *testing.T, store *livestore.Store, ids ...string) *livestore.Receipt {
	t.Helper()
	drafts := make([]event.Draft, len(ids))
	for i, id := range ids {
		drafts[i] = added.New(noted{ID: id, Text: "note " + id})
	}
	r, err := store.Commit(t.Context(), drafts...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (s suite) expect(t *testing.T, store *livestore.Store, want int) {
	t.Helper()
	for n, err := range livestore.Watch(t.Context(), store, notes.Count()) {
		if err != nil {
			t.Fatal(err)
		}
		if n == want {
			return
		}
		if n > want {
			t.Fatalf("there are %d notes, want %d", n, want)
		}
	}
	t.Fatal(t.Context().Err())
}

func (s suite) boot(t *testing.T) {
	store := s.open(t, s.New(t.TempDir()), schema, "store")
	s.expect(t, store, 0)
	add(t, store, "1")
	rows, err := livestore.Get(store, notes.All())
	if err != nil || len(rows) != 1 || rows[0] != (note{"1", "note 1"}) {
		t.Errorf("after a commit the session reads %v, %v", rows, err)
	}
	if store.ClientID() == "" || store.SessionID() == "" || store.StoreID() != "store" {
		t.Errorf("ids: client %q, session %q, store %q", store.ClientID(), store.SessionID(), store.StoreID())
	}
}

func (s suite) sessionsShareAClient(t *testing.T) {
	a := s.New(t.TempDir())
	one, two := s.open(t, a, schema, "store"), s.open(t, a, schema, "store")
	if one.ClientID() != two.ClientID() || one.SessionID() == two.SessionID() {
		t.Errorf("clients %s and %s, sessions %s and %s", one.ClientID(), two.ClientID(), one.SessionID(), two.SessionID())
	}
	for i := range 20 {
		add(t, one, fmt.Sprint("a", i))
		add(t, two, fmt.Sprint("b", i), fmt.Sprint("c", i))
	}
	s.expect(t, one, 60)
	s.expect(t, two, 60)
	if _, err := one.Commit(t.Context(), uis.Set("main", ui{Open: "a1"})); err != nil {
		t.Fatal(err)
	}
	for v, err := range livestore.Watch(t.Context(), two, uis.Get("main")) {
		if err != nil {
			t.Fatal(err)
		}
		if v.Open == "a1" { // a client-only event reaches the other sessions
			break
		}
	}
}

func (s suite) sessionIDsAreStable(t *testing.T) {
	place := t.TempDir()
	ids := func(a livestore.Adapter) [3]string {
		one, two := s.open(t, a, schema, "store"), s.open(t, a, schema, "store")
		defer closeStore(t, one)
		defer closeStore(t, two)
		return [3]string{one.ClientID(), one.SessionID(), two.SessionID()}
	}
	first := ids(s.New(place))
	if second := ids(s.New(place)); s.Durable && first != second {
		t.Errorf("client and sessions were %v and are %v after a restart", first, second)
	}
}

func (s suite) storesAreApart(t *testing.T) {
	a := s.New(t.TempDir())
	one, two := s.open(t, a, schema, "one"), s.open(t, a, schema, "two")
	add(t, one, "1")
	s.expect(t, one, 1)
	s.expect(t, two, 0)
}

func (s suite) oneSchemaAtATime(t *testing.T) {
	a := s.New(t.TempDir())
	store := s.open(t, a, schema, "store")
	if other, err := livestore.Open(t.Context(), widened, a, &livestore.Options{StoreID: "store"}); err == nil {
		closeStore(t, other)
		t.Error("a second session opened with another schema")
	}
	add(t, store, "1")
	s.expect(t, store, 1)
}

func (s suite) storeID(t *testing.T) {
	for _, id := range []string{"a b", "../x", "a/b", "ä", "a\x00"} {
		if store, err := livestore.Open(t.Context(), schema, s.New(t.TempDir()), &livestore.Options{StoreID: id}); err == nil {
			closeStore(t, store)
			t.Errorf("store id %q was accepted", id)
		}
	}
}

func (s suite) stages(t *testing.T) {
	store := s.open(t, s.New(t.TempDir()), schema, "store")
	r := add(t, store, "1")
	err := r.Wait(t.Context(), livestore.Persisted)
	if _, never := errors.AsType[*livestore.StageError](err); (err == nil) != s.Durable || never == s.Durable {
		t.Errorf("waiting for persisted: %v", err)
	}
	if _, never := errors.AsType[*livestore.StageError](r.Wait(t.Context(), livestore.Confirmed)); !never {
		t.Error("confirmed can come without a sync provider")
	}
}

func (s suite) closeFlushes(t *testing.T) {
	place := t.TempDir()
	store := s.open(t, s.New(place), schema, "store")
	for i := range 500 {
		add(t, store, fmt.Sprint(i))
	}
	closeStore(t, store)
	if _, err := store.Commit(context.Background(), added.New(noted{ID: "late"})); !errors.Is(err, livestore.ErrClosed) {
		t.Errorf("committing to a closed store: %v", err)
	}
	want := 0
	if s.Durable {
		want = 500
	}
	s.expect(t, s.open(t, s.New(place), schema, "store"), want)
}

func (s suite) schemaChange(t *testing.T) {
	if !s.Durable {
		t.Skip("nothing is kept that could have another schema")
	}
	place := t.TempDir()
	store := s.open(t, s.New(place), schema, "store")
	for i := range 50 {
		add(t, store, fmt.Sprint(i))
	}
	closeStore(t, store)
	for range 2 { // there and back
		wide := s.open(t, s.New(place), widened, "store")
		rows, err := livestore.Get(wide, wideNotes.All())
		if err != nil || len(rows) != 50 || rows[0].Length != len(rows[0].Text) {
			t.Errorf("under the new schema there are %d notes, %v", len(rows), err)
		}
		closeStore(t, wide)
		store = s.open(t, s.New(place), schema, "store")
		s.expect(t, store, 50)
		closeStore(t, store)
	}
}

func (s suite) endsWithTheLastSession(t *testing.T) {
	place := t.TempDir()
	a := s.New(place)
	one, two := s.open(t, a, schema, "store"), s.open(t, a, schema, "store")
	add(t, one, "1")
	s.expect(t, two, 1)
	closeStore(t, one)
	add(t, two, "2")
	s.expect(t, two, 2)
	closeStore(t, two)
	s.expect(t, s.open(t, s.New(place), schema, "store"), map[bool]int{true: 2}[s.Durable])
}
