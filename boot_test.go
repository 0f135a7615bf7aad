package livestore_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/local"
	"github.com/livestore-go/livestore/adapter/memory"
	"github.com/livestore-go/livestore/state"
)

type bootNote struct {
	ID string `db:"id,primarykey"`
}

type bootNoteText struct {
	ID   string `db:"id,primarykey"`
	Text string `db:"text"`
}

var (
	notesBefore = state.NewTable[bootNote]("notes")
	notesAfter  = state.NewTable[bootNoteText]("notes", state.Index("text"))
	bootOld     = state.NewTable[bootNote]("old", state.Index("id"))
	bootNew     = state.NewTable[bootNote]("new")
	bootTwice   = state.NewTable[bootNote]("twice")
	bootSame    = state.NewTable[bootNote]("unchanged")
)

// bootSchema is the schema of version 1 or 2 of an app.
func bootSchema(version int) *state.Schema {
	if version == 1 {
		return state.MustSchema(notesBefore, bootOld, bootTwice, bootSame,
			state.DDL(`CREATE VIEW ids AS SELECT id FROM notes`, `CREATE VIEW kept AS SELECT id FROM notes`,
				`CREATE VIRTUAL TABLE search USING fts5(words)`),
			state.On(todoCreated, func(tx *state.Tx, e TodoCreated) error {
				row := bootNote{e.ID}
				return errors.Join(tx.Exec(notesBefore.Insert(row)), tx.Exec(bootOld.Insert(row)), tx.Exec(bootSame.Insert(row)),
					tx.Exec(bootTwice.Insert(row)))
			}))
	}
	return state.MustSchema(notesAfter, bootNew, bootTwice, bootSame,
		state.DDL(`CREATE VIEW ids AS SELECT id, text FROM notes`, "CREATE VIEW kept  AS\n  SELECT id FROM notes",
			`CREATE VIRTUAL TABLE search USING fts5(words, more)`),
		state.On(todoCreated, func(tx *state.Tx, e TodoCreated) error {
			return errors.Join(tx.Exec(notesAfter.Insert(bootNoteText{e.ID, e.Text})), tx.Exec(bootSame.Insert(bootNote{e.ID})),
				tx.Exec(bootTwice.Insert(bootNote{e.ID})), tx.Exec(bootTwice.Insert(bootNote{e.ID + e.ID})))
		}))
}

// booted opens a store and returns what it reports, without the time that took.
func booted(t *testing.T, s *state.Schema, a livestore.Adapter) (*livestore.Store, livestore.BootReport) {
	t.Helper()
	store, err := livestore.Open(t.Context(), s, a, &livestore.Options{StoreID: "test", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	r := store.Boot()
	if r.Took <= 0 {
		t.Errorf("it took %s", r.Took)
	}
	r.Took = 0
	return store, r
}

func shut(t *testing.T, s *livestore.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestBootReport(t *testing.T) {
	dir := t.TempDir()
	a := local.New(dir, nil)
	steps := []struct {
		what   string
		schema int
		before func()
		want   livestore.BootReport
	}{
		{"a new store", 1, func() {}, livestore.BootReport{Action: livestore.BootRebuilt, Why: livestore.BootNoState}},
		{"opened again", 1, func() {}, livestore.BootReport{Action: livestore.BootKept}},
		{"opened by version 2", 2, func() {}, livestore.BootReport{
			Action: livestore.BootRebuilt, Why: livestore.BootOtherSchema, Events: 2, Changes: []livestore.BootChange{
				{Type: "table", Name: "new", How: livestore.BootAdded},
				{Type: "table", Name: "notes", How: livestore.BootChanged, Before: 2, After: 2},
				{Type: "table", Name: "old", How: livestore.BootRemoved, Before: 2},
				{Type: "table", Name: "search", How: livestore.BootChanged},
				{Type: "table", Name: "twice", How: livestore.BootSame, Before: 2, After: 4},
				{Type: "view", Name: "ids", How: livestore.BootChanged},
				{Type: "index", Name: "notes_text_idx", How: livestore.BootAdded},
				{Type: "index", Name: "old_id_idx", How: livestore.BootRemoved},
			},
		}},
		{"without its state", 2, func() { damageState(t, dir, os.Remove) }, livestore.BootReport{
			Action: livestore.BootRebuilt, Why: livestore.BootNoState, Events: 2,
		}},
		{"beside a state of garbage", 1, func() { damageState(t, dir, garbage) }, livestore.BootReport{
			Action: livestore.BootRebuilt, Why: livestore.BootOtherSchema, Events: 2,
		}},
	}
	for i, step := range steps {
		step.before()
		s, got := booted(t, bootSchema(step.schema), a)
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.what, diff)
		}
		if i == 0 {
			commit(t, s, create("1", "milk"), create("2", "bread"))
		}
		other, got := booted(t, bootSchema(step.schema), a)
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s, the second session (-want +got):\n%s", step.what, diff)
		}
		shut(t, other)
		shut(t, s)
	}
	damageState(t, dir, garbage)
	s, got := booted(t, bootSchema(1), a)
	if got.Action != livestore.BootRebuilt || got.Why != livestore.BootUnusable || got.Err == nil || got.Events != 2 {
		t.Errorf("with garbage for a state: %+v", got)
	}
	shut(t, s)
}

// damageState does something to the only state file of a store that is closed.
func damageState(t *testing.T, dir string, damage func(path string) error) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "test", "state-*.db"))
	if err != nil || len(found) != 1 {
		t.Fatalf("state files: %v, %v", found, err)
	}
	if err := damage(found[0]); err != nil {
		t.Fatal(err)
	}
}

func garbage(path string) error { return os.WriteFile(path, []byte("garbage"), 0o600) }

// A state that is behind its log, as after a loss of power, is brought up to it.
func TestBootBringsTheStateUp(t *testing.T) {
	dir := t.TempDir()
	a := local.New(dir, nil)
	s, _ := booted(t, bootSchema(1), a)
	commit(t, s, create("1", "milk"))
	shut(t, s)
	var old []byte
	damageState(t, dir, func(path string) (err error) {
		old, err = os.ReadFile(path)
		return err
	})
	s, _ = booted(t, bootSchema(1), a)
	commit(t, s, create("2", "bread"), create("3", "tea"))
	shut(t, s)
	damageState(t, dir, func(path string) error { return os.WriteFile(path, old, 0o600) })
	s, got := booted(t, bootSchema(1), a)
	if diff := cmp.Diff(livestore.BootReport{Action: livestore.BootBroughtUp, Events: 2}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	shut(t, s)
}

// Every adapter tells of a rebuild, also that of a new store, and only the session that opens the client.
func TestBootIsTold(t *testing.T) {
	for name, a := range map[string]livestore.Adapter{"memory": memory.New(nil), "local": local.New(t.TempDir(), nil)} {
		t.Run(name, func(t *testing.T) {
			var told []string
			opts := &livestore.Options{StoreID: "test", OnBoot: func(stage string, done, total int) {
				told = append(told, fmt.Sprintf("%s %d of %d", stage, done, total))
			}}
			for range 2 {
				s, err := livestore.Open(context.Background(), schema, a, opts)
				if err != nil {
					t.Fatal(err)
				}
				defer shut(t, s)
				if r := s.Boot(); r.Action != livestore.BootRebuilt || r.Why != livestore.BootNoState || r.Events != 0 || r.Err != nil {
					t.Errorf("boot: %+v", r)
				}
			}
			if diff := cmp.Diff([]string{"rebuild 0 of 0"}, told); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
		})
	}
}
