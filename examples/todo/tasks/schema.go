package tasks

import (
	"errors"
	"fmt"
	"strings"

	"github.com/livestore-go/livestore/examples/todo/todotxt"
	"github.com/livestore-go/livestore/state"
)

// Row is a task as the state holds it: its line taken apart, and what the line does not say.
type Row struct {
	// Number is the short number a person calls the task by. It counts up, in the order in which tasks came, and is
	// never given twice: neither removing nor completing a task changes any number.
	Number int    `db:"number,primarykey"`
	ID     string `db:"id,unique"`

	todotxt.Task

	DueOn     todotxt.Date `db:"dueOn"`     // of the tag due:, empty when there is none
	RemovedOn todotxt.Date `db:"removedOn"` // empty unless removed
	Removal   int          `db:"removal"`   // counts removals, so that the last one can be taken back; 0 unless removed
}

// Removed says whether the task was thrown away.
func (r Row) Removed() bool { return r.Removal > 0 }

// label is a project or a context of a task.
type label struct {
	Number int    `db:"number,primarykey"` // of the task
	Mark   string `db:"mark,primarykey"`   // "+" for a project, "@" for a context
	Name   string `db:"name,primarykey"`   // in lower case: a person looks for +House and means +house
}

var (
	tasks  = state.NewTable[Row]("tasks", state.Index("removal", "done"))
	labels = state.NewTable[label]("labels", state.Index("mark", "name"), state.ForeignKey("number", "tasks", "number"))
)

// Schema is what the store is opened with.
var Schema = state.MustSchema(
	tasks, labels,

	// The words of all tasks. Trigrams find any part of a word in any script; the text itself stays in the table tasks.
	state.DDL(`CREATE VIRTUAL TABLE search USING fts5(
		text, content = 'tasks', content_rowid = 'number', tokenize = 'trigram remove_diacritics 1')`),

	state.On(Added, func(tx *state.Tx, e TaskAdded) error {
		if _, err := find(tx, e.ID); err == nil {
			return &ExistsError{ID: e.ID}
		}
		return insert(tx, e.ID, todotxt.Task{Priority: e.Priority, Created: e.Created, Text: e.Text})
	}),

	// A line that is there stays as it is: the id comes from the line, so the same file may be imported twice, here or by two clients.
	state.On(Imported, func(tx *state.Tx, e TaskImported) error {
		if _, err := find(tx, e.ID); err == nil {
			return nil
		}
		return insert(tx, e.ID, e.Task())
	}),

	state.On(Completed, func(tx *state.Tx, e TaskCompleted) error {
		return change(tx, e.ID, func(t todotxt.Task) todotxt.Task { return t.Complete(e.On) })
	}),
	state.On(Reopened, func(tx *state.Tx, e TaskReopened) error {
		return change(tx, e.ID, todotxt.Task.Reopen)
	}),
	state.On(Prioritized, func(tx *state.Tx, e TaskPrioritized) error {
		return change(tx, e.ID, func(t todotxt.Task) todotxt.Task { return t.Prioritize(e.Priority) })
	}),
	state.On(Deprioritized, func(tx *state.Tx, e TaskDeprioritized) error {
		return change(tx, e.ID, func(t todotxt.Task) todotxt.Task { return t.Prioritize("") })
	}),

	state.On(Removed, func(tx *state.Tx, e TaskRemoved) error {
		row, err := find(tx, e.ID)
		if err != nil || row.Removed() {
			return err
		}
		last, err := state.Read(tx, state.Scalar[int]("SELECT coalesce(max(removal), 0) FROM tasks"))
		if err != nil {
			return err
		}
		return tx.Exec(tasks.Update(state.Set(&tasks.Row.RemovedOn, e.On), state.Set(&tasks.Row.Removal, last+1)).
			Where(state.Eq(&tasks.Row.ID, e.ID)))
	}),
	state.On(Restored, func(tx *state.Tx, e TaskRestored) error {
		if _, err := find(tx, e.ID); err != nil {
			return err
		}
		return tx.Exec(tasks.Update(state.Set(&tasks.Row.RemovedOn, ""), state.Set(&tasks.Row.Removal, 0)).
			Where(state.Eq(&tasks.Row.ID, e.ID)))
	}),
)

// ExistsError says that a task was added under an id that is taken.
type ExistsError struct{ ID string }

func (e *ExistsError) Error() string { return fmt.Sprintf("task %s exists already", e.ID) }

// NotFoundError says that there is no task with the id an event names.
type NotFoundError struct{ ID string }

func (e *NotFoundError) Error() string { return fmt.Sprintf("there is no task %s", e.ID) }

func find(tx *state.Tx, id string) (*Row, error) {
	row, err := state.Read(tx, tasks.Where(state.Eq(&tasks.Row.ID, id)).First())
	if err == nil && row == nil {
		err = &NotFoundError{ID: id}
	}
	return row, err
}

// insert writes a new task with the next number.
func insert(tx *state.Tx, id string, t todotxt.Task) error {
	last, err := state.Read(tx, state.Scalar[int]("SELECT coalesce(max(number), 0) FROM tasks"))
	if err != nil {
		return err
	}
	row := Row{Number: last + 1, ID: id, Task: t, DueOn: t.Due()}
	errs := []error{
		tx.Exec(tasks.Insert(row)),
		tx.Exec(state.Exec("INSERT INTO search (rowid, text) VALUES (?, ?)", row.Number, row.Text)),
	}
	seen := map[label]bool{}
	for w := range todotxt.Words(t.Text) {
		l := label{Number: row.Number, Name: strings.ToLower(w.Value)}
		switch w.Kind {
		case todotxt.Project:
			l.Mark = "+"
		case todotxt.Context:
			l.Mark = "@"
		default:
			continue
		}
		if !seen[l] {
			seen[l] = true
			errs = append(errs, tx.Exec(labels.Insert(l)))
		}
	}
	return errors.Join(errs...)
}

// change rewrites the line of a task. What can happen to a line leaves its projects, contexts and due date alone.
func change(tx *state.Tx, id string, f func(todotxt.Task) todotxt.Task) error {
	row, err := find(tx, id)
	if err != nil {
		return err
	}
	old := row.Text
	t := f(row.Task)
	if err := t.Validate(); err != nil {
		return err
	}
	errs := []error{tx.Exec(tasks.Update(
		state.Set(&tasks.Row.Done, t.Done), state.Set(&tasks.Row.Priority, t.Priority),
		state.Set(&tasks.Row.Completed, t.Completed), state.Set(&tasks.Row.Text, t.Text),
	).Where(state.Eq(&tasks.Row.ID, id)))}
	if t.Text != old {
		errs = append(errs,
			tx.Exec(state.Exec("INSERT INTO search (search, rowid, text) VALUES ('delete', ?, ?)", row.Number, old)),
			tx.Exec(state.Exec("INSERT INTO search (rowid, text) VALUES (?, ?)", row.Number, t.Text)))
	}
	return errors.Join(errs...)
}
