package todomvc

import (
	"encoding/json"
	"fmt"

	"github.com/livestore-go/livestore/event"
)

// Event is an event to commit, by its name and its arguments as JSON has them.
type Event struct {
	Name string          `json:"name"`
	Args json.RawMessage `json:"args"`
}

// Entry is a synced event as it stands in the eventlog of a client.
type Entry struct {
	Seq     int64           `json:"seq"`
	Parent  int64           `json:"parent"`
	Name    string          `json:"name"`
	Args    json.RawMessage `json:"args"`
	Client  string          `json:"client"`
	Session string          `json:"session"`
}

// Row is a row of the table todos as SQLite holds it.
type Row struct {
	ID        string `json:"id"`
	Text      string `json:"text"`
	Completed int64  `json:"completed"`
	DeletedAt *int64 `json:"deletedAt"`
}

// Create makes the event that creates a to-do.
func Create(id, text string) Event { return encode("v1.TodoCreated", Created{ID: id, Text: text}) }

// Complete makes the event that completes one.
func Complete(id string) Event { return encode("v1.TodoCompleted", Named{ID: id}) }

// Uncomplete makes the event that takes that back.
func Uncomplete(id string) Event { return encode("v1.TodoUncompleted", Named{ID: id}) }

// Delete makes the event that deletes one at a time in the form of JavaScript's toISOString.
func Delete(id, at string) Event {
	return encode("v1.TodoDeleted", map[string]string{"id": id, "deletedAt": at})
}

// Clear makes the event that deletes all that are completed.
func Clear(at string) Event {
	return encode("v1.TodoClearedCompleted", map[string]string{"deletedAt": at})
}

func encode(name string, args any) Event {
	b, err := json.Marshal(args)
	if err != nil {
		panic(err) // of strings
	}
	return Event{Name: name, Args: b}
}

// draft makes a draft for the store.
func (e Event) draft() (event.Draft, error) {
	switch e.Name {
	case TodoCreated.Name():
		return decode(TodoCreated, e.Args)
	case TodoCompleted.Name():
		return decode(TodoCompleted, e.Args)
	case TodoUncompleted.Name():
		return decode(TodoUncompleted, e.Args)
	case TodoDeleted.Name():
		return decode(TodoDeleted, e.Args)
	case TodoClearedCompleted.Name():
		return decode(TodoClearedCompleted, e.Args)
	}
	return event.Draft{}, fmt.Errorf("no event %s in the schema of TodoMVC", e.Name)
}

func decode[T any](def event.Def[T], raw json.RawMessage) (event.Draft, error) {
	var args T
	if err := json.Unmarshal(raw, &args); err != nil {
		return event.Draft{}, fmt.Errorf("arguments of %s: %w", def.Name(), err)
	}
	return def.New(args), nil
}
