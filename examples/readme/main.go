package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/local"
	"github.com/livestore-go/livestore/event"
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
	ID        string `db:"id,primarykey"`
	Text      string `db:"text"`
	Completed bool   `db:"completed,default:false"`
}

var todos = state.NewTable[Todo]("todos", state.Index("completed"))

// Schema: tables, and one materializer per event.
var schema = state.MustSchema(
	todos,
	state.On(todoCreated, func(tx *state.Tx, e TodoCreated) error {
		return tx.Exec(todos.Insert(Todo{ID: e.ID, Text: e.Text}))
	}),
	state.On(todoCompleted, func(tx *state.Tx, e TodoCompleted) error {
		return tx.Exec(todos.Update(state.Set(&todos.Row.Completed, true)).
			Where(state.Eq(&todos.Row.ID, e.ID)))
	}),
)

// Live queries are declared once and read from any store with this schema.
var open = livestore.Query(todos.
	Where(state.Eq(&todos.Row.Completed, false)).
	OrderBy(state.Asc(&todos.Row.Text)))

var openCount = livestore.Computed(func(g *livestore.Getter) int { return len(livestore.Use(g, open)) })

func main() {
	ctx := context.Background()
	store, err := livestore.Open(ctx, schema, local.New("./data", nil), &livestore.Options{StoreID: "todos"})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	milk, bread := rand.Text(), rand.Text()
	receipt, err := store.Commit(ctx, // one commit: all or nothing
		todoCreated.New(TodoCreated{ID: milk, Text: "Buy milk"}),
		todoCreated.New(TodoCreated{ID: bread, Text: "Buy bread"}))
	if err != nil {
		log.Fatal(err) // nothing happened; the store goes on
	}
	if err := receipt.Wait(ctx, livestore.Persisted); err != nil { // survives a loss of power
		log.Fatal(err)
	}

	rows, err := livestore.Get(store, open) // synchronous, local
	if err != nil {
		log.Fatal(err)
	}
	for _, todo := range rows {
		fmt.Println(todo.Text)
	}

	for n, err := range livestore.Watch(ctx, store, openCount) { // now, and whenever the result has changed
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(n, "open")
		if n == 0 {
			break
		}
		if _, err := store.Commit(ctx, todoCompleted.New(TodoCompleted{ID: rows[n-1].ID})); err != nil {
			log.Fatal(err)
		}
	}
}
