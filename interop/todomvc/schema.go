// Package todomvc is the common ground of the tests with the official packages: the schema of upstream's TodoMVC example, and a Go
// client of it that can do what js/client.mjs can. js/schema.mjs is the same schema in JavaScript.
package todomvc

import (
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/state"
)

// The arguments of the events.
type (
	// Created says that a to-do was created.
	Created struct {
		ID   string `json:"id"`
		Text string `json:"text"`
	}
	// Named says to which to-do something happened.
	Named struct {
		ID string `json:"id"`
	}
	// Deleted says that a to-do was deleted.
	Deleted struct {
		ID        string    `json:"id"`
		DeletedAt time.Time `json:"deletedAt"`
	}
	// Cleared says that all completed to-dos were deleted.
	Cleared struct {
		DeletedAt time.Time `json:"deletedAt"`
	}
)

// The events.
var (
	TodoCreated          = event.Synced[Created]("v1.TodoCreated")
	TodoCompleted        = event.Synced[Named]("v1.TodoCompleted")
	TodoUncompleted      = event.Synced[Named]("v1.TodoUncompleted")
	TodoDeleted          = event.Synced[Deleted]("v1.TodoDeleted")
	TodoClearedCompleted = event.Synced[Cleared]("v1.TodoClearedCompleted")
)

// Todo is a row of the table todos.
type Todo struct {
	ID        string     `db:"id,primarykey"`
	Text      string     `db:"text"`
	Completed bool       `db:"completed,default:false"`
	DeletedAt *time.Time `db:"deletedAt,datetimeinteger"`
}

// UI is what one session shows.
type UI struct {
	NewTodoText string `json:"newTodoText"`
	Filter      string `json:"filter"`
}

// The state.
var (
	Todos = state.NewTable[Todo]("todos")
	UIs   = state.NewDocument("uiState", UI{Filter: "all"})
)

// Schema holds all of it together.
var Schema = state.MustSchema(
	Todos, UIs,
	state.On(TodoCreated, func(tx *state.Tx, e Created) error {
		return tx.Exec(Todos.Insert(Todo{ID: e.ID, Text: e.Text}))
	}),
	state.On(TodoCompleted, func(tx *state.Tx, e Named) error { return complete(tx, e.ID, true) }),
	state.On(TodoUncompleted, func(tx *state.Tx, e Named) error { return complete(tx, e.ID, false) }),
	state.On(TodoDeleted, func(tx *state.Tx, e Deleted) error {
		return tx.Exec(Todos.Update(state.Set(&Todos.Row.DeletedAt, &e.DeletedAt)).Where(state.Eq(&Todos.Row.ID, e.ID)))
	}),
	state.On(TodoClearedCompleted, func(tx *state.Tx, e Cleared) error {
		return tx.Exec(Todos.Update(state.Set(&Todos.Row.DeletedAt, &e.DeletedAt)).Where(state.Eq(&Todos.Row.Completed, true)))
	}),
)

func complete(tx *state.Tx, id string, done bool) error {
	return tx.Exec(Todos.Update(state.Set(&Todos.Row.Completed, done)).Where(state.Eq(&Todos.Row.ID, id)))
}
