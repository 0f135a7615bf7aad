package livestoretest_test

import (
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/memory"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/livestoretest"
	"github.com/livestore-go/livestore/state"
)

type noteAdded struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

type note struct {
	ID   string `db:"id,primarykey"`
	Text string `db:"text"`
}

func TestCheckRebuild(t *testing.T) {
	added := event.Synced[noteAdded]("v1.NoteAdded")
	notes := state.NewTable[note]("notes")
	var calls atomic.Int64 // a leader and a session run materializers
	var changed atomic.Bool
	for name, tt := range map[string]struct {
		apply func(tx *state.Tx, e noteAdded) error
		says  string
	}{
		"as it should be": {apply: func(tx *state.Tx, e noteAdded) error { return tx.Exec(notes.Insert(note(e))) }},
		"a variable that counts": {
			apply: func(tx *state.Tx, e noteAdded) error {
				return tx.Exec(notes.Insert(note{e.ID, strconv.FormatInt(calls.Add(1), 10)}))
			},
			says: "two rebuilds of the same 2 events do not give the same: table notes, row 1: 'a', '5', and 'a', '7'",
		},
		"another version without a state.Version": {
			apply: func(tx *state.Tx, e noteAdded) error {
				if changed.Load() {
					e.Text += "!"
				}
				return tx.Exec(notes.Insert(note(e)))
			},
			says: "state is not what its 2 events say: table notes, row 1: 'a', 'milk', and 'a', 'milk!'",
		},
		"rows in another order": {
			apply: func(tx *state.Tx, e noteAdded) error {
				order := []string{"first", "second"}
				if calls.Add(1)%4 < 2 { // of two rebuilds of two events, one
					slices.Reverse(order)
				}
				for _, id := range order {
					if err := tx.Exec(state.Exec("INSERT INTO log (id) VALUES (?)", e.ID+id)); err != nil {
						return err
					}
				}
				return nil
			},
			says: "have the same rows and are not the same database",
		},
		"one that fails now": {
			apply: func(tx *state.Tx, e noteAdded) error {
				if changed.Load() {
					return io.ErrUnexpectedEOF
				}
				return tx.Exec(notes.Insert(note(e)))
			},
			says: "rebuild: materialize e1 v1.NoteAdded: unexpected EOF",
		},
	} {
		t.Run(name, func(t *testing.T) {
			calls.Store(0)
			changed.Store(false)
			schema := state.MustSchema(notes, state.DDL(`CREATE TABLE log (id TEXT) STRICT`),
				state.DDL(`CREATE VIRTUAL TABLE found USING fts5(text)`), state.On(added, tt.apply))
			store, err := livestore.Open(t.Context(), schema, memory.New(nil), &livestore.Options{
				StoreID: "notes", Logger: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			for _, e := range []noteAdded{{"a", "milk"}, {"b", "eggs"}} {
				if _, err := store.Commit(t.Context(), added.New(e)); err != nil {
					t.Fatal(err)
				}
			}
			for st := range store.WatchSyncStatus(t.Context()) {
				if st.Pending == 0 { // the leader is done, too
					break
				}
			}
			changed.Store(true)
			r := &recorder{TB: t}
			livestoretest.CheckRebuild(r, schema, store)
			said := strings.Join(r.said, "\n")
			if tt.says == "" && said != "" || !strings.Contains(said, tt.says) {
				t.Errorf("says %q, want %q", said, tt.says)
			}
		})
	}
}
