package local_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/local"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/state"
)

type noteWritten struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

type note struct {
	ID   string `db:"id,primarykey"`
	Text string `db:"text"`
}

var (
	written     = event.Synced[noteWritten]("v1.NoteWritten")
	notes       = state.NewTable[note]("notes")
	notesSchema = state.MustSchema(notes, state.On(written, func(tx *state.Tx, e noteWritten) error {
		return tx.Exec(notes.Insert(note(e)))
	}))
)

// What is persisted is there when the store is opened again.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "notes")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	store, err := livestore.Open(ctx, notesSchema, local.New(dir, nil), &livestore.Options{StoreID: "notes"})
	if err != nil {
		log.Fatal(err)
	}
	receipt, err := store.Commit(ctx, written.New(noteWritten{ID: "1", Text: "Water the ficus"}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(receipt.Wait(ctx, livestore.Persisted)) // from here on it survives a loss of power
	if err := store.Close(); err != nil {
		log.Fatal(err)
	}

	store, err = livestore.Open(ctx, notesSchema, local.New(dir, nil), &livestore.Options{StoreID: "notes"})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	rows, err := livestore.Get(store, notes)
	fmt.Println(rows, err)
	// Output:
	// <nil>
	// [{1 Water the ficus}] <nil>
}
