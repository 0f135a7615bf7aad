// Package tasks is what the to-do manager knows about tasks: the events that happen to them, the state that follows from those
// events, the queries on it, and the import of a file. It draws nothing and parses no command line.
package tasks

import (
	"errors"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/examples/todo/todotxt"
)

// Every event is something that happened to a task. Days are in the arguments, because a materializer has no clock.

// TaskAdded says that somebody wrote down a new task.
type TaskAdded struct {
	ID       string           `json:"id"`
	Text     string           `json:"text"`
	Priority todotxt.Priority `json:"priority,omitzero"`
	Created  todotxt.Date     `json:"created,omitzero"`
}

// Validate refuses what could not be written as a line of a todo.txt file.
func (e TaskAdded) Validate() error {
	return valid(e.ID, todotxt.Task{Priority: e.Priority, Created: e.Created, Text: e.Text})
}

// TaskImported says that a line of a todo.txt file was taken over, with everything that had happened to it there.
type TaskImported struct {
	ID        string           `json:"id"`
	Text      string           `json:"text"`
	Done      bool             `json:"done,omitzero"`
	Priority  todotxt.Priority `json:"priority,omitzero"`
	Completed todotxt.Date     `json:"completed,omitzero"`
	Created   todotxt.Date     `json:"created,omitzero"`
}

// Task returns the line that was imported.
func (e TaskImported) Task() todotxt.Task {
	return todotxt.Task{Done: e.Done, Priority: e.Priority, Completed: e.Completed, Created: e.Created, Text: e.Text}
}

// Validate refuses what could not be written as a line of a todo.txt file.
func (e TaskImported) Validate() error { return valid(e.ID, e.Task()) }

// TaskCompleted says that a task was completed on a day.
type TaskCompleted struct {
	ID string       `json:"id"`
	On todotxt.Date `json:"on"`
}

// Validate refuses a day that does not exist.
func (e TaskCompleted) Validate() error { return e.On.Validate() }

// TaskReopened says that a completed task turned out not to be.
type TaskReopened struct {
	ID string `json:"id"`
}

// TaskPrioritized says that a task got a priority, in place of the one it had.
type TaskPrioritized struct {
	ID       string           `json:"id"`
	Priority todotxt.Priority `json:"priority"`
}

// Validate refuses everything but one letter from A to Z.
func (e TaskPrioritized) Validate() error {
	p, err := todotxt.ParsePriority(string(e.Priority))
	if err == nil && p != e.Priority {
		err = &todotxt.PriorityError{Text: string(e.Priority)}
	}
	return err
}

// TaskDeprioritized says that a task lost its priority.
type TaskDeprioritized struct {
	ID string `json:"id"`
}

// TaskRemoved says that a task was thrown away on a day.
type TaskRemoved struct {
	ID string       `json:"id"`
	On todotxt.Date `json:"on"`
}

// Validate refuses a day that does not exist.
func (e TaskRemoved) Validate() error { return e.On.Validate() }

// TaskRestored says that a removed task was brought back.
type TaskRestored struct {
	ID string `json:"id"`
}

// The event definitions.
var (
	Added         = event.Synced[TaskAdded]("v1.TaskAdded")
	Imported      = event.Synced[TaskImported]("v1.TaskImported")
	Completed     = event.Synced[TaskCompleted]("v1.TaskCompleted")
	Reopened      = event.Synced[TaskReopened]("v1.TaskReopened")
	Prioritized   = event.Synced[TaskPrioritized]("v1.TaskPrioritized")
	Deprioritized = event.Synced[TaskDeprioritized]("v1.TaskDeprioritized")
	Removed       = event.Synced[TaskRemoved]("v1.TaskRemoved")
	Restored      = event.Synced[TaskRestored]("v1.TaskRestored")
)

var errNoID = errors.New("the task has no id")

func valid(id string, t todotxt.Task) error {
	if id == "" {
		return errNoID
	}
	return t.Validate()
}
