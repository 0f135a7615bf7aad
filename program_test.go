package livestore_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/local"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/provider/wsprovider"
	"github.com/livestore-go/livestore/state"
)

// Events: a versioned name and the Go type of the arguments (encoded as JSON).
type TodoCreated struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}
type TodoCompleted struct {
	ID string `json:"id"`
}

var (
	todoCreated   = event.Synced[TodoCreated]("v1.TodoCreated")
	todoCompleted = event.Synced[TodoCompleted]("v1.TodoCompleted")
)

// State: one Go type a table.
type Todo struct {
	ID        string     `db:"id,primarykey"`
	Text      string     `db:"text"`
	Completed bool       `db:"completed,default:false"`
	DeletedAt *time.Time `db:"deletedAt"`
}

type UIState struct {
	Filter string `json:"filter"`
}

var (
	todos   = state.NewTable[Todo]("todos", state.Index("completed"))
	uiState = state.NewDocument("uiState", UIState{Filter: "all"}) // client document: id and value, client-only
)

// Schema: tables, documents, and one materializer per event.
var schema = state.MustSchema(
	todos, uiState,
	state.On(todoCreated, func(tx *state.Tx, e TodoCreated) error {
		return tx.Exec(todos.Insert(Todo{ID: e.ID, Text: e.Text}))
	}),
	state.On(todoCompleted, func(tx *state.Tx, e TodoCompleted) error {
		return tx.Exec(todos.Update(state.Set(&todos.Row.Completed, true)).
			Where(state.Eq(&todos.Row.ID, e.ID)))
	}),
)

// Live queries can be declared once and read from any store with this schema.
var open = livestore.Query(todos.
	Where(state.Eq(&todos.Row.Completed, false)).
	OrderBy(state.Asc(&todos.Row.Text)).
	Limit(100), livestore.Label("open"))

var openCount = livestore.Computed(func(g *livestore.Getter) int { return len(livestore.Use(g, open)) })

// A whole program: events, state, a store on disk that syncs, a commit, a read and a live query. The sync backend is livestore serve.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "livestore")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	url, stop, err := serve(dir) // livestore serve --storage sqlite:DIR
	if err != nil {
		log.Fatal(err)
	}
	defer stop()

	store, err := livestore.Open(ctx, schema,
		local.New(filepath.Join(dir, "data"), &local.Options{Sync: wsprovider.New(url, nil)}),
		&livestore.Options{StoreID: "todos"})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	receipt, err := store.Commit(ctx,
		todoCreated.New(TodoCreated{ID: "1", Text: "Buy milk"}),
		todoCompleted.New(TodoCompleted{ID: "1"})) // one commit: all or nothing
	if err != nil {
		log.Fatal(err) // nothing happened; the store goes on
	}
	if err := receipt.Wait(ctx, livestore.Confirmed); err != nil { // Persisted: safe on disk; Confirmed: in the backend's log
		log.Print(err)
	}
	fmt.Println(receipt.Stage())

	rows, err := livestore.Get(store, open) // synchronous, local
	fmt.Println(rows, err)
	for n, err := range livestore.Watch(ctx, store, openCount) { // now, and after every change of the result
		fmt.Println(n, err)
		break
	}
	// Output:
	// confirmed
	// [] <nil>
	// 0 <nil>
}
