package tasks

import (
	"strings"
	"unicode/utf8"

	"github.com/livestore-go/livestore/examples/todo/todotxt"
	"github.com/livestore-go/livestore/state"
)

// Filter says which tasks to list. The zero value lists every open task.
type Filter struct {
	Which    Which
	Projects []string // all of them, without plus sign; "work" finds work/review too
	Contexts []string // all of them, without at sign
	Text     []string // each is part of the text, in upper or lower case, with accents or without
}

// Which says in what state the tasks to list are.
type Which uint8

// The states a task can be listed in.
const (
	OnlyOpen   Which = iota
	OnlyDone         // completed, not removed
	NotRemoved       // open or completed
	OnlyRemoved
)

// ParseFilter reads the words of a command line: +project, @context, and everything else as text.
func ParseFilter(words []string) Filter {
	var f Filter
	for _, w := range words {
		switch {
		case len(w) > 1 && w[0] == '+':
			f.Projects = append(f.Projects, w[1:])
		case len(w) > 1 && w[0] == '@':
			f.Contexts = append(f.Contexts, w[1:])
		case w != "":
			f.Text = append(f.Text, w)
		}
	}
	return f
}

// Words writes the filter as a person would.
func (f Filter) Words() string {
	var all []string
	for _, p := range f.Projects {
		all = append(all, "+"+p)
	}
	for _, c := range f.Contexts {
		all = append(all, "@"+c)
	}
	return strings.Join(append(all, f.Text...), " ")
}

// minGram is the length of the shortest text, in characters, that a trigram index finds.
const minGram = 3

// List finds tasks: first the open ones, by priority and due date, then by number.
func List(f Filter) state.Query[[]Row] {
	sql := "SELECT tasks.* FROM tasks WHERE " + map[Which]string{
		OnlyOpen: "removal = 0 AND done = 0", OnlyDone: "removal = 0 AND done = 1", NotRemoved: "removal = 0", OnlyRemoved: "removal > 0",
	}[f.Which]
	var args []any
	add := func(condition string, values ...any) {
		sql += " AND " + condition
		args = append(args, values...)
	}
	for _, p := range f.Projects {
		name := strings.ToLower(p)
		add("number IN (SELECT number FROM labels WHERE mark = '+' AND (name = ? OR name >= ? AND name < ?))", name, name+"/", name+"0")
	}
	for _, c := range f.Contexts {
		add("number IN (SELECT number FROM labels WHERE mark = '@' AND name = ?)", strings.ToLower(c))
	}
	for _, text := range f.Text {
		if utf8.RuneCountInString(text) < minGram {
			add("text LIKE ? ESCAPE '\\'", "%"+likeEscaper.Replace(text)+"%")
		} else {
			add("number IN (SELECT rowid FROM search WHERE search MATCH ?)", `"`+strings.ReplaceAll(text, `"`, `""`)+`"`)
		}
	}
	return state.SQL[Row](sql+" ORDER BY done, priority = '', priority, dueOn = '', dueOn, number", args...)
}

var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// All finds every task there ever was, removed ones too, by number.
var All = tasks.OrderBy(state.Asc(&tasks.Row.Number))

// File finds what a todo.txt file of the list holds: every task that is not removed, by number.
var File = state.Map(tasks.Where(state.Eq(&tasks.Row.Removal, 0)).OrderBy(state.Asc(&tasks.Row.Number)),
	func(rows []Row) []todotxt.Task {
		lines := make([]todotxt.Task, len(rows))
		for i, r := range rows {
			lines[i] = r.Task
		}
		return lines
	})

// Numbered finds a task by its number; it is nil when no task has it.
func Numbered(number int) state.Query[*Row] {
	return tasks.Where(state.Eq(&tasks.Row.Number, number)).First()
}

// ByID finds a task by its id; it is nil when no task has it.
func ByID(id string) state.Query[*Row] { return tasks.Where(state.Eq(&tasks.Row.ID, id)).First() }

// LastRemoved finds the task that was removed last; it is nil when none is.
var LastRemoved = tasks.Where(state.Gt(&tasks.Row.Removal, 0)).OrderBy(state.Desc(&tasks.Row.Removal)).First()

// Counts says how many tasks there are.
type Counts struct {
	Open    int `db:"open"`
	Done    int `db:"done"`
	Removed int `db:"removed"`
	Due     int `db:"due"` // open, due on the given day or before
}

// Count counts the tasks; a day says what is due.
func Count(on todotxt.Date) state.Query[Counts] {
	q := state.SQL[Counts](`SELECT
		count(*) FILTER (WHERE removal = 0 AND done = 0) AS open,
		count(*) FILTER (WHERE removal = 0 AND done = 1) AS done,
		count(*) FILTER (WHERE removal > 0) AS removed,
		count(*) FILTER (WHERE removal = 0 AND done = 0 AND dueOn <> '' AND dueOn <= ?) AS due
		FROM tasks`, string(on))
	return state.Map(q, func(rows []Counts) Counts { return rows[0] })
}
