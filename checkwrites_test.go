package livestore_test

import (
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/memory"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/state"
)

// A materializer that is not deterministic is noticed at its first event: in a new row, a changed one, and one that goes.
func TestCheckWrites(t *testing.T) {
	type args struct {
		ID string `json:"id"`
	}
	type note struct {
		ID   string  `db:"id,primarykey"`
		Text string  `db:"text"`
		Rank float64 `db:"rank"`
	}
	happened := event.Synced[args]("v1.Happened")
	notes := state.NewTable[note]("notes")
	for name, tt := range map[string]struct {
		apply func(tx *state.Tx, n int64) error // n is how often it ran, in the session and at the leader
		says  int
	}{
		"deterministic": {func(tx *state.Tx, _ int64) error { return tx.Exec(notes.Upsert(note{"a", "milk", 1.5})) }, 0},
		"insert":        {func(tx *state.Tx, n int64) error { return tx.Exec(notes.Upsert(note{"a", "milk", float64(n)})) }, 3},
		"update": {func(tx *state.Tx, n int64) error {
			return tx.Exec(notes.Update(state.Set(&notes.Row.Rank, float64(n))).Where(state.Eq(&notes.Row.ID, "0")))
		}, 3},
		"delete": {func(tx *state.Tx, n int64) error {
			if n%2 == 0 {
				return nil
			}
			return tx.Exec(notes.Delete().Where(state.Eq(&notes.Row.ID, "0")))
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int64
			schema := state.MustSchema(notes, state.On(happened, func(tx *state.Tx, e args) error {
				if e.ID == "first" {
					return tx.Exec(notes.Insert(note{ID: "0"}))
				}
				return tt.apply(tx, n.Add(1))
			}))
			var out lines
			s, err := livestore.Open(t.Context(), schema, memory.New(nil), &livestore.Options{
				StoreID: "test", CheckWrites: true, Logger: slog.New(slog.NewTextHandler(&out, nil)),
			})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for _, id := range []string{"first", "b", "c", "d"} {
				commit(t, s, happened.New(args{id}))
				for st := range s.WatchSyncStatus(t.Context()) {
					if st.Pending == 0 {
						break
					}
				}
			}
			if got := out.has("is not deterministic"); got != tt.says {
				t.Errorf("%d commits were found out, want %d", got, tt.says)
			}
			if out.mu.Lock(); tt.says > 0 && !strings.Contains(out.out.String(), "event=v1.Happened") {
				t.Errorf("the event is not named: %s", out.out.String())
			}
			out.mu.Unlock()
		})
	}
}
