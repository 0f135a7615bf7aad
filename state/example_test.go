package state_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/state"
)

// A table is a Go struct, and the addresses of its fields name columns.
func Example() {
	type Note struct {
		ID     string     `db:"id,primarykey"`
		Text   string     `db:"text"`
		Pinned bool       `db:"pinned,default:false"`
		Gone   *time.Time `db:"gone"`
	}
	notes := state.NewTable[Note]("notes", state.Index("pinned"))

	type NoteAdded struct {
		ID   string `json:"id"`
		Text string `json:"text"`
	}
	noteAdded := event.Synced[NoteAdded]("v1.NoteAdded")

	schema := state.MustSchema(
		notes,
		state.On(noteAdded, func(tx *state.Tx, e NoteAdded) error {
			return tx.Exec(notes.Insert(Note{ID: e.ID, Text: e.Text}))
		}),
	)
	for _, sql := range schema.DDL() {
		fmt.Println(strings.ReplaceAll(sql, "NULL, ", "NULL,\n"))
	}
	// Output:
	// CREATE TABLE "notes" ("id" TEXT NOT NULL PRIMARY KEY, "text" TEXT NOT NULL,
	// "pinned" INTEGER NOT NULL DEFAULT 0 CHECK ("pinned" IN (0, 1)), "gone" TEXT) STRICT
	// CREATE INDEX "notes_pinned_idx" ON "notes" ("pinned")
}

func ExampleTable_Where() {
	q := todos.
		Where(
			state.Eq(&todos.Row.Done, false),
			state.Or(state.Like(&todos.Row.Text, "buy%"), state.In(&todos.Row.List, "home", "work")),
		).
		OrderBy(state.Asc(&todos.Row.Text)).
		Limit(10)
	s, err := q.Statement("")
	fmt.Println(s.SQL)
	fmt.Println(s.Args, err)
	// Output:
	// SELECT "id", "list", "text", "done" FROM "todos" WHERE "done" = ? AND ("text" LIKE ? OR "list" IN (?, ?)) ORDER BY "text" LIMIT ?
	// [0 buy% home work 10] <nil>
}

// What is wrong with a query is said when it is run, by table and field.
func ExampleTable_Where_wrong() {
	aCopy := Todo{}
	_, err := todos.Where(state.Eq(&aCopy.ID, "1")).Statement("")
	table, why, _ := strings.Cut(err.Error(), ": ")
	where, cure, _ := strings.Cut(why, ": ")
	fmt.Println(table)
	fmt.Println(where)
	fmt.Println(cure)
	// Output:
	// table "todos"
	// the address, a *string, is none of this table's fields
	// take it from its own Row, as &table.Row.Field, not from a copy or another table
}

func ExampleInsert_OnConflict() {
	w := todos.Insert(Todo{ID: "1", Text: "Buy milk"}, state.Omit(&todos.Row.List)).
		OnConflict(&todos.Row.ID).
		Update(state.Excluded(&todos.Row.Text), state.Set(&todos.Row.Done, false))
	s, err := w.Statement()
	fmt.Println(s.SQL)
	fmt.Println(s.Args, err)
	// Output:
	// INSERT INTO "todos" ("id", "text", "done") VALUES (?, ?, ?) ON CONFLICT ("id") DO UPDATE SET "text" = excluded."text", "done" = ?
	// [1 Buy milk 0 0] <nil>
}

// A nullable column is compared with a pointer: &v, or new of a value.
func ExampleLt() {
	type Task struct {
		ID  string     `db:"id,primarykey"`
		Due *time.Time `db:"due"`
	}
	tasks := state.NewTable[Task]("tasks")
	now := time.Date(2026, 11, 24, 6, 30, 0, 0, time.UTC)
	s, err := tasks.Where(state.Lt(&tasks.Row.Due, new(now.Add(time.Hour)))).Statement("")
	fmt.Println(s.SQL, s.Args, err)
	// Output:
	// SELECT "id", "due" FROM "tasks" WHERE "due" < ? [2026-11-24T07:30:00.000Z] <nil>
}

func ExampleSQL() {
	type Count struct {
		List string `db:"list"`
		N    int    `db:"n"`
	}
	perList := state.SQL[Count]("SELECT list, count(*) AS n FROM todos WHERE done = ? GROUP BY list", false)
	most := state.Map(perList, func(counts []Count) int {
		n := 0
		for _, c := range counts {
			n = max(n, c.N)
		}
		return n
	})
	s, err := most.Statement("")
	fmt.Println(s.SQL, s.Args, err)
	// Output:
	// SELECT list, count(*) AS n FROM todos WHERE done = ? GROUP BY list [0] <nil>
}

func ExampleDocument_Patch() {
	type UI struct {
		Filter string `json:"filter"`
		Sort   string `json:"sort"`
	}
	ui := state.NewDocument("ui", UI{Filter: "all", Sort: "text"})
	draft := ui.Patch(state.SessionID, state.Set(&ui.Row.Filter, "open"))
	args, err := draft.Args("session-1") // a store does this when the draft is committed
	fmt.Println(draft.Definition().Name(), draft.Definition().Scope(), string(args), err)
	// Output:
	// uiPatched client-only {"id":"session-1","value":{"filter":"open"}} <nil>
}

// FTS5 tables, triggers and views are written as SQL.
func ExampleDDL() {
	_, err := state.NewSchema(todos, lists, state.DDL(
		`CREATE VIRTUAL TABLE search USING fts5(text, content='todos')`,
		`CREATE TRIGGER todos_added AFTER INSERT ON todos BEGIN
			INSERT INTO search(rowid, text) VALUES (new.rowid, new.text);
		END`,
		`CREATE TABLE visits (at TEXT DEFAULT CURRENT_TIMESTAMP)`,
	))
	fmt.Println(err)
	// Output:
	// schema: DDL: statement 3 (CREATE TABLE visits (at TEXT): CURRENT_TIMESTAMP is refused: state may depend on events only
}

// A view has a name in the schema and is read like a table.
func ExampleNewView() {
	type PerList struct {
		List string `db:"list"`
		Open int    `db:"open"`
	}
	perList := state.NewView[PerList]("perList", "SELECT list, count(*) AS open FROM todos WHERE NOT done GROUP BY list")
	schema := state.MustSchema(todos, lists, perList)
	fmt.Println(schema.DDL()[len(schema.DDL())-1])

	s, err := perList.Where(state.Gt(&perList.Row.Open, 10)).OrderBy(state.Desc(&perList.Row.Open)).Statement("")
	fmt.Println(s.SQL, s.Args, err)
	// Output:
	// CREATE VIEW "perList" AS SELECT list, count(*) AS open FROM todos WHERE NOT done GROUP BY list
	// SELECT * FROM "perList" WHERE "open" > ? ORDER BY "open" DESC [10] <nil>
}

// Only the columns that the struct has fields for are read.
func ExampleProject() {
	type Title struct {
		ID   string `db:"id"`
		Text string `db:"text"`
	}
	titles := state.Project[Title](todos.Where(state.Eq(&todos.Row.Done, false)))
	s, err := titles.Statement("")
	fmt.Println(s.SQL, err)
	// Output: SELECT "id", "text" FROM "todos" WHERE "done" = ? <nil>
}

// A room has one host at a time, and a booking an end after its beginning.
func ExampleCheck() {
	type Booking struct {
		ID    string `db:"id,primarykey"`
		Room  string `db:"room"`
		Begin int    `db:"begin"`
		End   int    `db:"until"`
		Host  bool   `db:"host,default:false"`
	}
	bookings := state.NewTable[Booking]("bookings",
		state.Check(`"begin" < until`),
		state.UniqueIndex("room").Where("host"))
	fmt.Println(state.MustSchema(bookings).DDL()[1])

	_, err := state.NewSchema(state.NewTable[Booking]("bookings", state.Check("until > unixepoch()")))
	fmt.Println(err)
	// Output:
	// CREATE UNIQUE INDEX "bookings_room_uidx" ON "bookings" ("room") WHERE host
	// schema: table "bookings": option Check: unixepoch() is refused: state may depend on events only (quote the name if it is a table)
}
