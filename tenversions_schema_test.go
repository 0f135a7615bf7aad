package livestore_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/state"
)

// Ten versions of the to-do example, as they could follow one another in the life of an app. The first one is that of the README. Each
// has another schema and other events than the one before, and knows all events of those before.

// todoApp is one version of the app.
type todoApp struct {
	schema *state.Schema
	use    func(u *user)                   // commits what people do with it
	list   string                          // SQL: one line for each todo, as this version has it
	line   func(id string, w *want) string // the same line, of what was committed
	ui     state.Query[string]             // the client document
	shown  func(u *user) string            // what it should be
	opened bool                            // it has the table opened
}

// want is a todo as the events have it, whatever version reads them.
type want struct {
	title, rank  string
	done, pinned bool
	priority     int
	tags, links  []string
	due          int64 // in Unix milliseconds, 0 for none
}

// The arguments of events, with the version of the app that brought them.
type (
	// CreatedV2 has a member more than that of version 1.
	CreatedV2 struct {
		ID       string `json:"id"`
		Text     string `json:"text"`
		Priority int    `json:"priority"`
	}
	RenamedV3 struct {
		ID   string `json:"id"`
		Text string `json:"text"`
	}
	OpenedV3 struct {
		ID string `json:"id"`
	}
	CreatedV4 struct {
		ID       string   `json:"id"`
		Title    string   `json:"title"`
		Priority int      `json:"priority"`
		Tags     []string `json:"tags"`
	}
	CreatedV5 struct {
		ID    string   `json:"id"`
		Title string   `json:"title"`
		Rank  Rank     `json:"rank"`
		Tags  []string `json:"tags"`
	}
	TaggedV6 struct {
		ID  string `json:"id"`
		Tag string `json:"tag"`
	}
	DeletedV6 struct {
		ID string `json:"id"`
	}
	// CreatedV7 has lost a member that CreatedV5 has.
	CreatedV7 struct {
		ID    string   `json:"id"`
		Title string   `json:"title"`
		Tags  []string `json:"tags"`
	}
	PinnedV9 struct {
		ID string `json:"id"`
	}
	CreatedV10 struct {
		ID    string     `json:"id"`
		Title string     `json:"title"`
		Tags  []string   `json:"tags"`
		Due   *time.Time `json:"due"`
		Links []string   `json:"links"`
	}
	ChangedV10 struct {
		ID        string  `json:"id"`
		Title     *string `json:"title,omitzero"`
		Completed *bool   `json:"completed,omitzero"`
	}
	OpenedV10 struct {
		ID    string `json:"id"`
		Times int    `json:"times"`
	}
)

func (e *CreatedV2) SetDefaults() { e.Priority = 3 }

func (e *OpenedV10) SetDefaults() { e.Times = 1 }

// Validate refuses what no version commits, and what no upcast may make.
func (e CreatedV5) Validate() error {
	if e.Tags == nil {
		return fmt.Errorf("todo %s has no list of tags", e.ID)
	}
	return nil
}

// Rank is a priority that writes itself as text.
type Rank int

var ranks = []string{"high", "normal", "low"}

func (r Rank) MarshalText() ([]byte, error) { return []byte(ranks[r]), nil }

func (r *Rank) UnmarshalText(text []byte) error {
	i := slices.Index(ranks, string(text))
	if i < 0 {
		return fmt.Errorf("%q is no rank", text)
	}
	*r = Rank(i)
	return nil
}

func rankOf(priority int) Rank {
	switch {
	case priority < 3:
		return 0
	case priority == 3:
		return 1
	}
	return 2
}

var (
	createdV2 = event.Synced[CreatedV2]("v1.TodoCreated") // the name of version 1: old events have the default
	renamedV3 = event.Synced[RenamedV3]("v1.TodoRenamed")
	openedV3  = event.ClientOnly[OpenedV3]("v1.TodoOpened")
	leftV4    = event.Synced[CreatedV2]("v1.TodoCreated", event.Deprecated("it has no tags: use v2.TodoCreated"))
	createdV4 = event.Synced[CreatedV4]("v2.TodoCreated", event.Upcast(leftV4, func(o CreatedV2) CreatedV4 {
		return CreatedV4{o.ID, o.Text, o.Priority, []string{}}
	}))
	createdV5 = event.Synced[CreatedV5]("v3.TodoCreated", event.Upcast(createdV4, func(o CreatedV4) CreatedV5 {
		return CreatedV5{o.ID, o.Title, rankOf(o.Priority), o.Tags}
	}))
	taggedV6  = event.Synced[TaggedV6]("v1.TodoTagged")
	deletedV6 = event.Synced[DeletedV6]("v1.TodoDeleted")
	createdV7 = event.Synced[CreatedV7]("v3.TodoCreated", event.Upcast(createdV4, func(o CreatedV4) CreatedV7 {
		return CreatedV7{o.ID, o.Title, o.Tags}
	}))
	pinnedV9   = event.Synced[PinnedV9]("v1.TodoPinned")
	createdV10 = event.Synced[CreatedV10]("v4.TodoCreated", event.Upcast(createdV7, func(o CreatedV7) CreatedV10 {
		return CreatedV10{ID: o.ID, Title: o.Title, Tags: o.Tags}
	}))
	// One new event in place of two old ones.
	changedV10 = event.Synced[ChangedV10]("v1.TodoChanged",
		event.Upcast(todoCompleted, func(o TodoCompleted) ChangedV10 { return ChangedV10{ID: o.ID, Completed: new(true)} }),
		event.Upcast(renamedV3, func(o RenamedV3) ChangedV10 { return ChangedV10{ID: o.ID, Title: &o.Text} }))
	openedV10 = event.ClientOnly[OpenedV10]("v2.TodoOpened",
		event.Upcast(openedV3, func(o OpenedV3) OpenedV10 { return OpenedV10{o.ID, 1} }))
)

// sql is a materializer of one statement.
func sql[T any](def event.Def[T], text string, args func(e T) []any) state.Part {
	return state.On(def, func(tx *state.Tx, e T) error { return tx.Exec(state.Exec(text, args(e)...)) })
}

// What is the same in several versions. Nothing here fails over a todo that is not there: it may be one that only a newer app knows, or
// one that was deleted.
var (
	completes = sql(todoCompleted, "UPDATE todos SET completed = 1 WHERE id = ?", func(e TodoCompleted) []any { return []any{e.ID} })
	renames   = sql(renamedV3, "UPDATE todos SET title = ? WHERE id = ?", func(e RenamedV3) []any { return []any{e.Text, e.ID} })
	deletes   = sql(deletedV6, "DELETE FROM todos WHERE id = ?", func(e DeletedV6) []any { return []any{e.ID} })
	tags      = sql(taggedV6, "INSERT INTO tags SELECT id, ? FROM todos WHERE id = ? ON CONFLICT DO NOTHING",
		func(e TaggedV6) []any { return []any{e.Tag, e.ID} })
	opens = sql(openedV3, opening, func(e OpenedV3) []any { return []any{e.ID, 1} })
)

const opening = "INSERT INTO opened VALUES (?, ?) ON CONFLICT DO UPDATE SET times = times + excluded.times"

// Opened counts how often a todo was opened on this client.
type Opened struct {
	ID    string `db:"id,primarykey"`
	Times int    `db:"times"`
}

var openedTable = state.NewTable[Opened]("opened", state.ClientOnly())

// Tag is a row of its own since version 6.
type Tag struct {
	Todo string `db:"todo,primarykey"`
	Tag  string `db:"tag,primarykey"`
}

var tagTable = state.NewTable[Tag]("tags", state.ForeignKey("todo", "todos", "id", state.OnDeleteCascade))

// insertTags is what is left of a created todo once its row is there.
func insertTags[R any](tx *state.Tx, table *state.Table[R], row func(tag string) R, tags []string) error {
	for _, tag := range tags {
		if err := tx.Exec(table.Insert(row(tag))); err != nil {
			return err
		}
	}
	return nil
}

// Versions of the client document.
type (
	UIStateV8 struct {
		Filter string `json:"filter"`
		Sort   string `json:"sort"`
	}
	UIStateV10 struct {
		Sort string `json:"sort"`
	}
)

var (
	uiStateV8  = state.NewDocument("uiState", UIStateV8{"all", "title"})
	uiStateV10 = state.NewDocument("uiState", UIStateV10{"title"})

	filterV1 = state.Map(uiState, func(v UIState) string { return v.Filter })
	filterV8 = state.Map(uiStateV8, func(v UIStateV8) string { return v.Filter + " by " + v.Sort })
)

func shownV1(u *user) string { return u.filter }

func shownV8(u *user) string { return u.filter + " by " + u.sort }

// todoApps are the versions of the app, oldest first.
func todoApps() []todoApp {
	return []todoApp{todoV1(), todoV2(), todoV3(), todoV4(), todoV5(), todoV6(), todoV7(), todoV8(), todoV9(), todoV10()}
}

// Version 1 is the example.
func todoV1() todoApp {
	return todoApp{
		schema: schema, use: useV1, ui: filterV1, shown: shownV1,
		list: "SELECT format('%s %s %d', id, text, completed) FROM todos",
		line: func(id string, w *want) string { return fmt.Sprintf("%s %s %d", id, w.title, bit(w.done)) },
	}
}

// TodoV2 has a column more, and one less.
type TodoV2 struct {
	ID        string `db:"id,primarykey"`
	Text      string `db:"text"`
	Completed bool   `db:"completed,default:false"`
	Priority  int    `db:"priority,default:3"`
}

// Version 2 adds a member, whose default is not zero, and its column.
func todoV2(parts ...state.Part) todoApp {
	todos := state.NewTable[TodoV2]("todos", state.Index("completed", "priority"))
	create := state.On(createdV2, func(tx *state.Tx, e CreatedV2) error {
		return tx.Exec(todos.Insert(TodoV2{e.ID, e.Text, false, e.Priority}))
	})
	return todoApp{
		schema: state.MustSchema(append(parts, todos, uiState, create, completes)...), use: useV2, ui: filterV1, shown: shownV1,
		list: "SELECT format('%s %s %d %d', id, text, completed, priority) FROM todos",
		line: func(id string, w *want) string {
			return fmt.Sprintf("%s %s %d %d", id, w.title, bit(w.done), w.priority)
		},
	}
}

// Version 3 adds a synced event, and a client-only one with its table.
func todoV3() todoApp {
	app := todoV2(openedTable, opens,
		sql(renamedV3, "UPDATE todos SET text = ? WHERE id = ?", func(e RenamedV3) []any { return []any{e.Text, e.ID} }))
	app.use, app.opened = useV3, true
	return app
}

// TodoV4 has a column of another name, and one of JSON.
type TodoV4 struct {
	ID        string   `db:"id,primarykey"`
	Title     string   `db:"title"`
	Completed bool     `db:"completed,default:false"`
	Priority  int      `db:"priority"`
	Tags      []string `db:"tags,json"`
}

// Version 4 replaces the event that creates.
func todoV4() todoApp {
	todos := state.NewTable[TodoV4]("todos", state.Index("completed"))
	create := state.On(createdV4, func(tx *state.Tx, e CreatedV4) error {
		return tx.Exec(todos.Insert(TodoV4{e.ID, e.Title, false, e.Priority, e.Tags}))
	})
	return todoApp{
		schema: state.MustSchema(todos, openedTable, uiState, create, completes, renames, opens), use: useV4, opened: true,
		ui: filterV1, shown: shownV1,
		list: "SELECT format('%s %s %d %d %s', id, title, completed, priority, (SELECT group_concat(value) FROM json_each(tags))) FROM todos",
		line: func(id string, w *want) string {
			return fmt.Sprintf("%s %s %d %d %s", id, w.title, bit(w.done), w.priority, strings.Join(w.tags, ","))
		},
	}
}

// TodoV5 has the priority as text.
type TodoV5 struct {
	ID        string   `db:"id,primarykey"`
	Title     string   `db:"title"`
	Completed bool     `db:"completed,default:false"`
	Rank      Rank     `db:"rank"`
	Tags      []string `db:"tags,json"`
}

// Version 5 replaces it once more, with arguments that are validated.
func todoV5() todoApp {
	todos := state.NewTable[TodoV5]("todos", state.Index("rank", "id"))
	create := state.On(createdV5, func(tx *state.Tx, e CreatedV5) error {
		return tx.Exec(todos.Insert(TodoV5{e.ID, e.Title, false, e.Rank, e.Tags}))
	})
	return todoApp{
		schema: state.MustSchema(todos, openedTable, uiState, create, completes, renames, opens), use: useV5, opened: true,
		ui: filterV1, shown: shownV1,
		list: "SELECT format('%s %s %d %s %s', id, title, completed, rank, (SELECT group_concat(value) FROM json_each(tags))) FROM todos",
		line: func(id string, w *want) string {
			return fmt.Sprintf("%s %s %d %s %s", id, w.title, bit(w.done), w.rank, strings.Join(w.tags, ","))
		},
	}
}

// TodoV6 has no tags.
type TodoV6 struct {
	ID        string `db:"id,primarykey"`
	Title     string `db:"title"`
	Completed bool   `db:"completed,default:false"`
	Rank      Rank   `db:"rank"`
}

const tagsOf = "(SELECT group_concat(tag, ',' ORDER BY tag) FROM tags WHERE todo = id)"

// Version 6 splits the table in two, with a foreign key between them.
func todoV6() todoApp {
	todos := state.NewTable[TodoV6]("todos", state.Index("rank"))
	create := state.On(createdV5, func(tx *state.Tx, e CreatedV5) error {
		if err := tx.Exec(todos.Insert(TodoV6{e.ID, e.Title, false, e.Rank})); err != nil {
			return err
		}
		return insertTags(tx, tagTable, func(tag string) Tag { return Tag{e.ID, tag} }, e.Tags)
	})
	return todoApp{
		schema: state.MustSchema(todos, tagTable, openedTable, uiState, create, completes, renames, tags, deletes, opens),
		use:    useV6, opened: true, ui: filterV1, shown: shownV1,
		list: "SELECT format('%s %s %d %s %s', id, title, completed, rank, " + tagsOf + ") FROM todos",
		line: func(id string, w *want) string {
			return fmt.Sprintf("%s %s %d %s %s", id, w.title, bit(w.done), w.rank, strings.Join(w.tags, ","))
		},
	}
}

// TodoV7 has no rank.
type TodoV7 struct {
	ID        string `db:"id,primarykey"`
	Title     string `db:"title"`
	Completed bool   `db:"completed,default:false"`
}

// Line is a row of a view.
type Line struct {
	Line string `db:"line"`
}

// Version 7 drops a member of the event, the column that was made of it, and adds a view.
func todoV7() todoApp {
	todos := state.NewTable[TodoV7]("todos")
	create := state.On(createdV7, func(tx *state.Tx, e CreatedV7) error {
		if err := tx.Exec(todos.Insert(TodoV7{e.ID, e.Title, false})); err != nil {
			return err
		}
		return insertTags(tx, tagTable, func(tag string) Tag { return Tag{e.ID, tag} }, e.Tags)
	})
	view := state.NewView[Line]("lines", "SELECT format('%s %s %d %s', id, title, completed, "+tagsOf+") AS line FROM todos")
	return todoApp{
		schema: state.MustSchema(todos, tagTable, view, openedTable, uiState, create, completes, renames, tags, deletes, opens),
		use:    useV7, opened: true, ui: filterV1, shown: shownV1,
		list: "SELECT line FROM lines",
		line: func(id string, w *want) string {
			return fmt.Sprintf("%s %s %d %s", id, w.title, bit(w.done), strings.Join(w.tags, ","))
		},
	}
}

// Version 8 changes the client document; and a materializer, which only the version of the schema tells.
func todoV8() todoApp {
	todos := state.NewTable[TodoV7]("todos")
	create := state.On(createdV7, func(tx *state.Tx, e CreatedV7) error {
		if err := tx.Exec(todos.Insert(TodoV7{e.ID, strings.TrimSpace(e.Title), false})); err != nil {
			return err
		}
		return insertTags(tx, tagTable, func(tag string) Tag { return Tag{e.ID, tag} }, e.Tags)
	})
	return todoApp{
		schema: state.MustSchema(todos, tagTable, openedTable, uiStateV8, state.Version("titles are trimmed"),
			create, completes, renames, tags, deletes, opens),
		use: useV8, opened: true, ui: filterV8, shown: shownV8,
		list: "SELECT format('%s %s %d %s', id, title, completed, " + tagsOf + ") FROM todos",
		line: func(id string, w *want) string {
			return fmt.Sprintf("%s %s %d %s", id, strings.TrimSpace(w.title), bit(w.done), strings.Join(w.tags, ","))
		},
	}
}

// TodoV9 can be pinned.
type TodoV9 struct {
	TodoV7

	Pinned bool `db:"pinned,default:false"`
}

// found says whether the search finds a todo: since version 9.
const found = "(SELECT count(*) FROM search WHERE search MATCH 'milk' AND search.id = t.id)"

// Version 9 adds a check, a partial index that holds one row at most, and a full-text index that the materializers keep.
func todoV9() todoApp {
	todos := state.NewTable[TodoV9]("todos", state.Check("title <> ''"), state.UniqueIndex("pinned").Where("pinned"))
	create := state.On(createdV7, func(tx *state.Tx, e CreatedV7) error {
		title := strings.TrimSpace(e.Title)
		if err := tx.Exec(todos.Insert(TodoV9{TodoV7{e.ID, title, false}, false})); err != nil {
			return err
		}
		if err := tx.Exec(state.Exec("INSERT INTO search VALUES (?, ?)", e.ID, title)); err != nil {
			return err
		}
		return insertTags(tx, tagTable, func(tag string) Tag { return Tag{e.ID, tag} }, e.Tags)
	})
	return todoApp{
		schema: state.MustSchema(todos, tagTable, openedTable, uiStateV8, create, completes, tags, opens,
			state.DDL("CREATE VIRTUAL TABLE search USING fts5(id UNINDEXED, title)"),
			state.On(renamedV3, func(tx *state.Tx, e RenamedV3) error { return rename(tx, "todos", e.ID, e.Text) }),
			state.On(deletedV6, func(tx *state.Tx, e DeletedV6) error { return remove(tx, "todos", e.ID) }),
			state.On(pinnedV9, func(tx *state.Tx, e PinnedV9) error { return pin(tx, "todos", e.ID) })),
		use: useV9, opened: true, ui: filterV8, shown: shownV8,
		list: "SELECT format('%s %s %d %s pinned %d found %d', id, title, completed, " + tagsOf + ", pinned, " + found + ") FROM todos AS t",
		line: func(id string, w *want) string {
			title := strings.TrimSpace(w.title)
			return fmt.Sprintf("%s %s %d %s pinned %d found %d", id, title, bit(w.done), strings.Join(w.tags, ","), bit(w.pinned),
				bit(strings.Contains(title, "milk")))
		},
	}
}

func run(tx *state.Tx, statements ...state.Write) error {
	for _, w := range statements {
		if err := tx.Exec(w); err != nil {
			return err
		}
	}
	return nil
}

func rename(tx *state.Tx, table, id, title string) error {
	return run(tx, state.Exec("UPDATE "+table+" SET title = ? WHERE id = ?", title, id),
		state.Exec("UPDATE search SET title = ? WHERE id = ?", title, id))
}

func remove(tx *state.Tx, table, id string) error {
	return run(tx, state.Exec("DELETE FROM "+table+" WHERE id = ?", id), state.Exec("DELETE FROM search WHERE id = ?", id))
}

// pin leaves one todo pinned, the last one.
func pin(tx *state.Tx, table, id string) error {
	return run(tx, state.Exec("UPDATE "+table+" SET pinned = 0 WHERE pinned"), state.Exec("UPDATE "+table+" SET pinned = 1 WHERE id = ?", id))
}

// Task is a todo of version 10.
type Task struct {
	TodoV9

	Due   *time.Time `db:"due,datetimeinteger"`
	Links []string   `db:"links,json,nullable"`
}

// Mention is a tag of version 10.
type Mention struct {
	Task string `db:"task,primarykey"`
	Tag  string `db:"tag,primarykey"`
}

// Version 10 renames the tables, adds columns of times and of JSON, reads two events as one, and drops a member of the document.
func todoV10() todoApp {
	tasks := state.NewTable[Task]("tasks", state.Check("title <> ''"), state.UniqueIndex("pinned").Where("pinned"), state.Index("due"))
	mentions := state.NewTable[Mention]("mentions", state.ForeignKey("task", "tasks", "id", state.OnDeleteCascade), state.Index("tag"))
	create := state.On(createdV10, func(tx *state.Tx, e CreatedV10) error {
		title := strings.TrimSpace(e.Title)
		err := run(tx, tasks.Insert(Task{TodoV9{TodoV7{e.ID, title, false}, false}, e.Due, e.Links}),
			state.Exec("INSERT INTO search VALUES (?, ?)", e.ID, title))
		if err != nil {
			return err
		}
		return insertTags(tx, mentions, func(tag string) Mention { return Mention{e.ID, tag} }, e.Tags)
	})
	change := state.On(changedV10, func(tx *state.Tx, e ChangedV10) error {
		if e.Title != nil {
			if err := rename(tx, "tasks", e.ID, *e.Title); err != nil {
				return err
			}
		}
		if e.Completed == nil {
			return nil
		}
		return tx.Exec(tasks.Update(state.Set(&tasks.Row.Completed, *e.Completed)).Where(state.Eq(&tasks.Row.ID, e.ID)))
	})
	return todoApp{
		schema: state.MustSchema(tasks, mentions, openedTable, uiStateV10, create, change,
			state.DDL("CREATE VIRTUAL TABLE search USING fts5(id UNINDEXED, title, prefix = '2 3')"),
			sql(taggedV6, "INSERT INTO mentions SELECT id, ? FROM tasks WHERE id = ? ON CONFLICT DO NOTHING",
				func(e TaggedV6) []any { return []any{e.Tag, e.ID} }),
			sql(openedV10, opening, func(e OpenedV10) []any { return []any{e.ID, e.Times} }),
			state.On(deletedV6, func(tx *state.Tx, e DeletedV6) error { return remove(tx, "tasks", e.ID) }),
			state.On(pinnedV9, func(tx *state.Tx, e PinnedV9) error { return pin(tx, "tasks", e.ID) })),
		use: useV10, opened: true,
		ui:    state.Map(uiStateV10, func(v UIStateV10) string { return "by " + v.Sort }),
		shown: func(u *user) string { return "by " + u.sort },
		list: `SELECT format('%s %s %d %s pinned %d found %d due %d links %s', id, title, completed,
			(SELECT group_concat(tag, ',' ORDER BY tag) FROM mentions WHERE task = id), pinned, ` + found + `, due,
			(SELECT group_concat(value) FROM json_each(links))) FROM tasks AS t`,
		line: func(id string, w *want) string {
			title := strings.TrimSpace(w.title)
			return fmt.Sprintf("%s %s %d %s pinned %d found %d due %d links %s", id, title, bit(w.done), strings.Join(w.tags, ","),
				bit(w.pinned), bit(strings.Contains(title, "milk")), w.due, strings.Join(w.links, ","))
		},
	}
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
