package memory_test

import (
	"context"
	"fmt"
	"log"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/memory"
	"github.com/livestore-go/livestore/event"
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

var (
	added  = event.Synced[noteAdded]("v1.NoteAdded")
	notes  = state.NewTable[note]("notes")
	schema = state.MustSchema(notes, state.On(added, func(tx *state.Tx, e noteAdded) error {
		return tx.Exec(notes.Insert(note(e)))
	}))
)

// Two sessions of one client: what one commits, the other reads.
func Example() {
	ctx := context.Background()
	adapter := memory.New(nil)
	one, err := livestore.Open(ctx, schema, adapter, &livestore.Options{StoreID: "notes"})
	if err != nil {
		log.Fatal(err)
	}
	defer one.Close()
	other, err := livestore.Open(ctx, schema, adapter, &livestore.Options{StoreID: "notes"})
	if err != nil {
		log.Fatal(err)
	}
	defer other.Close()

	if _, err := one.Commit(ctx, added.New(noteAdded{ID: "1", Text: "Water the ficus"})); err != nil {
		log.Fatal(err)
	}
	for rows, err := range livestore.Watch(ctx, other, notes) {
		if err != nil {
			log.Fatal(err)
		}
		if len(rows) > 0 {
			fmt.Println(rows[0].Text)
			break
		}
	}
	// Output: Water the ficus
}
