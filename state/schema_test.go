package state_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/state"
)

type Todo struct {
	ID   string `db:"id,primarykey"`
	List string `db:"list"`
	Text string `db:"text"`
	Done bool   `db:"done,default:false"`
}

type List struct {
	ID   string `db:"id,primarykey"`
	Name string `db:"name"`
}

type Added struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

func (a Added) Validate() error {
	if a.ID == "" {
		return errors.New("the id is empty")
	}
	return nil
}

type Opened struct {
	ID string `json:"id"`
}

type Filter struct {
	Show string `json:"show"`
}

var (
	added  = event.Synced[Added]("v1.Added")
	opened = event.ClientOnly[Opened]("v1.Opened")
	pinged = event.Synced[Opened]("v1.Pinged")

	lists  = state.NewTable[List]("lists", state.UniqueIndex("name", "id"))
	todos  = state.NewTable[Todo]("todos", state.Index("done"), state.ForeignKey("list", "lists", "id", state.OnDeleteCascade))
	recent = state.NewTable[List]("recent", state.ClientOnly())
	filter = state.NewDocument("filter", Filter{Show: "all"})
)

func add(tx *state.Tx, e Added) error {
	return tx.Exec(todos.Insert(Todo{ID: e.ID, Text: e.Text, List: "l"}))
}

func note(tx *state.Tx, e Opened) error { return tx.Exec(recent.Upsert(List{ID: e.ID})) }

func parts() []state.Part {
	return []state.Part{
		todos, lists, recent, filter, state.On(added, add), state.On(opened, note), state.NoState(pinged),
		state.DDL(
			"CREATE VIRTUAL TABLE search USING fts5(text, content='todos')",
			"CREATE TRIGGER todos_search AFTER INSERT ON todos BEGIN INSERT INTO search(rowid, text) VALUES (new.rowid, new.text); END;",
			`CREATE VIEW "open todos" AS SELECT * FROM todos WHERE NOT done`,
		),
	}
}

func TestSchema(t *testing.T) {
	s, err := state.NewSchema(parts()...)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`CREATE TABLE "todos" ("id" TEXT NOT NULL PRIMARY KEY, "list" TEXT NOT NULL, "text" TEXT NOT NULL, "done" INTEGER NOT NULL DEFAULT 0 ` +
			`CHECK ("done" IN (0, 1)), FOREIGN KEY ("list") REFERENCES "lists" ("id") ON DELETE CASCADE) STRICT`,
		`CREATE INDEX "todos_done_idx" ON "todos" ("done")`,
		`CREATE TABLE "lists" ("id" TEXT NOT NULL PRIMARY KEY, "name" TEXT NOT NULL) STRICT`,
		`CREATE UNIQUE INDEX "lists_name_id_uidx" ON "lists" ("name", "id")`,
		`CREATE TABLE "recent" ("id" TEXT NOT NULL PRIMARY KEY, "name" TEXT NOT NULL) STRICT`,
		`CREATE TABLE "filter" ("id" TEXT NOT NULL PRIMARY KEY, "value" TEXT NOT NULL CHECK (json_valid("value"))) STRICT`,
		`CREATE VIRTUAL TABLE search USING fts5(text, content='todos')`,
		`CREATE TRIGGER todos_search AFTER INSERT ON todos BEGIN INSERT INTO search(rowid, text) VALUES (new.rowid, new.text); END`,
		`CREATE VIEW "open todos" AS SELECT * FROM todos WHERE NOT done`,
	}
	if diff := cmp.Diff(want, s.DDL()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]state.TableInfo{
		{Name: "todos"},
		{Name: "lists"},
		{Name: "recent", ClientOnly: true},
		{Name: "filter", ClientOnly: true},
		{Name: "search", Virtual: true},
		{Name: "open todos", View: true},
	}, s.Tables()); diff != "" {
		t.Error(diff)
	}
	var defs []string
	for d := range s.Definitions() {
		defs = append(defs, d.Name()+" "+d.Scope().String())
		if other, ok := s.Definition(d.Name()); !ok || other != d {
			t.Errorf("definition of %s is another", d.Name())
		}
	}
	if diff := cmp.Diff([]string{
		"filterPatched client-only", "filterSet client-only", "v1.Added synced", "v1.Opened client-only", "v1.Pinged synced",
	}, defs); diff != "" {
		t.Error(diff)
	}
	for range s.Definitions() {
		break
	}
	if _, ok := s.Definition("v1.Unknown"); ok {
		t.Error("an unknown definition was found")
	}
	e := open(t, parts()...)
	e.do(lists.Insert(List{"l", "home"}))
	e.commit(added.New(Added{"1", "Buy milk"}))
	found := get(e, state.SQL[Todo](`SELECT t.* FROM search JOIN todos s ON s.rowid = search.rowid
		JOIN "open todos" t ON t.id = s.id WHERE search MATCH ?`, "milk"))
	if len(found) != 1 || found[0].ID != "1" {
		t.Errorf("found %v", found)
	}
	e.do(lists.Delete())
	if n := get(e, todos.Count()); n != 0 {
		t.Error("the delete did not cascade")
	}
}

func TestSchemasThatCanNotBe(t *testing.T) {
	other := event.Synced[Opened]("v1.Added")
	for want, parts := range map[string][]state.Part{
		"part 2 is nil":                        {todos, nil},
		"a table is nil":                       {(*state.Table[Todo])(nil)},
		"a document is nil":                    {(*state.Document[Todo])(nil)},
		"event v1.Added has two materializers": {state.On(added, add), state.On(added, add)},
		"event v1.Added is defined twice": {
			state.On(added, add), state.On(other, func(*state.Tx, Opened) error { return nil }),
		},
		"event v1.Opened: the materializer is nil":                  {state.On(opened, nil)},
		"On: the event definition is empty":                         {state.On(event.Def[Added]{}, add)},
		"an event definition has no name":                           {state.On(event.Synced[Added](""), add)},
		"NoState: event definition 2 is empty":                      {state.NoState(added, event.Def[Added]{})},
		"Events: event definition 1 is empty":                       {state.Events(nil)},
		"event v1.Added has a materializer and is named by NoState": {state.On(added, add), state.NoState(added)},
		"event v1.Opened has no materializer: add On, or NoState": {
			state.Events(added, opened, pinged), state.On(added, add), state.NoState(pinged),
		},
		"event v1.Added is defined twice: two events":      {state.Events(other), state.On(added, add)},
		`table "todos" has the name of table "todos"`:      {todos, lists, todos},
		`table "Lists" has the name of table "lists"`:      {lists, state.NewTable[List]("Lists")},
		`index "lists_name_id_uidx" has the name of table`: {state.NewTable[List]("lists_name_id_uidx"), lists},
		`view "todos" has the name of table "todos"`:       {lists, todos, state.DDL("CREATE VIEW todos AS SELECT 1")},
		"event filterSet is defined twice":                 {filter, state.NewDocument("filter", 1)},
		`table "lists" is not in the schema`:               {todos},
		"UnknownEvents: the policy is nil":                 {state.UnknownEvents(nil)},
		"UnknownEvents: the policy is none of":             {state.UnknownEvents(state.Callback(nil))},
		"UnknownEvents: the policy is none of Warn":        {state.UnknownEvents(state.UnknownMode(9))},
		"UnknownEvents is given twice":                     {state.UnknownEvents(state.Warn), state.UnknownEvents(state.Fail)},
	} {
		_, err := state.NewSchema(parts...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v\nwant %s", err, want)
		}
	}
	_, err := state.NewSchema(state.On(opened, nil), nil, state.DDL())
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("not all is said: %v", err)
	}
	defer func() {
		if p := recover(); p == nil {
			t.Error("MustSchema did not panic")
		}
	}()
	state.MustSchema(state.On(opened, nil))
}

func TestDDLThatCanNotBe(t *testing.T) {
	for sql, want := range map[string]string{
		"":                                     "statement 1 (): it does not begin with CREATE",
		"DROP TABLE x":                         "statement 1 (DROP TABLE x): it does not begin with CREATE",
		"CREATE TEMP TABLE x(a)":               "temporary objects are refused",
		"CREATE TEMPORARY VIEW x AS SELECT 1":  "temporary objects are refused",
		"CREATE SCHEMA x":                      "it creates neither",
		"CREATE TABLE":                         "the table has no name",
		"CREATE TABLE IF NOT EXISTS (a)":       "the table has no name",
		"CREATE TABLE main.x(a)":               "names a database",
		"CREATE TABLE sqlite_x(a)":             "begins with sqlite_",
		`CREATE TABLE "__livestore_x"(a)`:      "begins with __livestore_",
		"CREATE TABLE x(a); CREATE TABLE y(a)": "it is more than one statement",
		"CREATE TABLE x(a INTEGER PRIMARY KEY AUTOINCREMENT)": "AUTOINCREMENT is refused",
		"CREATE TABLE x(a DEFAULT CURRENT_TIMESTAMP)":         "CURRENT_TIMESTAMP is refused",
		"CREATE TABLE x(a DEFAULT (random()))":                "random() is refused",
		"CREATE VIEW x AS SELECT datetime ('now')":            "datetime() is refused",
		"CREATE VIRTUAL TABLE x USING csv(a)":                 "a virtual table using csv is refused",
		"CREATE TABLE x(a /* ":                                "a comment does not end",
		"CREATE TABLE x(a 'b":                                 "a quote ' does not end",
	} {
		_, err := state.NewSchema(state.DDL(sql))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want %s", sql, err, want)
		}
	}
}

func TestDDLThatCanBe(t *testing.T) {
	e := open(t, todos, lists, state.DDL(
		"create table if not exists plain(date TEXT, \"random()\" TEXT DEFAULT 'CURRENT_TIME; ' /* AUTOINCREMENT */) -- random()",
		"CREATE TABLE [it's](a INTEGER PRIMARY KEY, b TEXT) STRICT, WITHOUT ROWID",
		"  CREATE UNIQUE INDEX `an index` ON plain(date) WHERE date IS NOT NULL ;; ",
		"CREATE TRIGGER t AFTER DELETE ON plain BEGIN DELETE FROM todos; DELETE FROM lists; END",
	).ClientOnly())
	if diff := cmp.Diff([]state.TableInfo{
		{Name: "todos"}, {Name: "lists"}, {Name: "plain", ClientOnly: true}, {Name: "it's", ClientOnly: true},
	}, e.schema.Tables()); diff != "" {
		t.Error(diff)
	}
}

func TestUnknownEvents(t *testing.T) {
	if u := state.MustSchema().UnknownEvents(); u.Mode != state.Warn || u.Callback != nil {
		t.Errorf("the default is %v", u)
	}
	for _, m := range []state.UnknownMode{state.Warn, state.Ignore, state.Fail} {
		if u := state.MustSchema(state.UnknownEvents(m)).UnknownEvents(); u.Mode != m {
			t.Errorf("the mode is %v, want %v", u.Mode, m)
		}
	}
	called := ""
	u := state.MustSchema(state.UnknownEvents(state.Callback(func(e event.Client) { called = e.Name }))).UnknownEvents()
	u.Callback(event.Client{Name: "v9.New"})
	if called != "v9.New" || u.Mode.String() != "callback" {
		t.Errorf("called with %q, mode %v", called, u.Mode)
	}
	err := state.MustSchema().Materialize(nil, event.Client{Name: "v9.New", Num: event.SeqNum{Global: 3}})
	if ue, ok := errors.AsType[*state.UnknownEventError](err); !ok || ue.Event != "v9.New" || ue.Num.Global != 3 {
		t.Errorf("error is %v", err)
	}
}

// The hash is a format: a change of this test's values rebuilds the state of every store there is.
func TestHashIsStable(t *testing.T) {
	s := state.MustSchema(append(parts(), state.Version("2"))...)
	want := `livestore schema 1
version "2"
document "filter" client-only true version ""
	column "id" text
	column "value" json
	CREATE TABLE "filter" ("id" TEXT NOT NULL PRIMARY KEY, "value" TEXT NOT NULL CHECK (json_valid("value"))) STRICT
table "lists" client-only false version ""
	column "id" text
	column "name" text
	CREATE TABLE "lists" ("id" TEXT NOT NULL PRIMARY KEY, "name" TEXT NOT NULL) STRICT
	CREATE UNIQUE INDEX "lists_name_id_uidx" ON "lists" ("name", "id")
table "recent" client-only true version ""
	column "id" text
	column "name" text
	CREATE TABLE "recent" ("id" TEXT NOT NULL PRIMARY KEY, "name" TEXT NOT NULL) STRICT
table "todos" client-only false version ""
	column "id" text
	column "list" text
	column "text" text
	column "done" bool
	CREATE TABLE "todos" ("id" TEXT NOT NULL PRIMARY KEY, "list" TEXT NOT NULL, "text" TEXT NOT NULL, "done" INTEGER NOT NULL DEFAULT 0 ` +
		`CHECK ("done" IN (0, 1)), FOREIGN KEY ("list") REFERENCES "lists" ("id") ON DELETE CASCADE) STRICT
	CREATE INDEX "todos_done_idx" ON "todos" ("done")
ddl client-only false
	"CREATE VIRTUAL TABLE search USING fts5(text, content='todos')"
	"CREATE TRIGGER todos_search AFTER INSERT ON todos BEGIN INSERT INTO search(rowid, text) VALUES (new.rowid, new.text); END"
	"CREATE VIEW \"open todos\" AS SELECT * FROM todos WHERE NOT done"
event "filterPatched" client-only
event "filterSet" client-only
event "v1.Added" synced
event "v1.Opened" client-only
event "v1.Pinged" synced no state
`
	if diff := cmp.Diff(want, s.Canonical()); diff != "" {
		t.Error(diff)
	}
	if got := s.Hash(); got != goldenHash {
		t.Errorf("hash is %s", got)
	}
}

const goldenHash = "c4f42126e90694a0e4c2ce0ed4d85879"

func TestHashChangesWithTheState(t *testing.T) {
	type plain struct {
		A string
		B int
	}
	type renamed struct {
		A string
		C int `db:"B"`
	}
	type kinds struct {
		A string
		B bool
	}
	hash := func(parts ...state.Part) string { return state.MustSchema(parts...).Hash() }
	base := hash(state.NewTable[plain]("rows"))
	for name, same := range map[string]string{
		"again":              hash(state.NewTable[plain]("rows")),
		"other Go names":     hash(state.NewTable[renamed]("rows")),
		"policy for unknown": hash(state.NewTable[plain]("rows"), state.UnknownEvents(state.Fail)),
	} {
		if same != base {
			t.Errorf("%s: the hash changed", name)
		}
	}
	p := parts()
	slices.Reverse(p)
	if hash(p...) != hash(parts()...) {
		t.Error("the hash changed with the order of the parts")
	}
	seen := map[string]string{base: "base"}
	for name, h := range map[string]string{
		"kind":             hash(state.NewTable[kinds]("rows")),
		"name":             hash(state.NewTable[plain]("row")),
		"index":            hash(state.NewTable[plain]("rows", state.Index("A"))),
		"unique index":     hash(state.NewTable[plain]("rows", state.UniqueIndex("A"))),
		"table version":    hash(state.NewTable[plain]("rows", state.Version("2"))),
		"client-only":      hash(state.NewTable[plain]("rows", state.ClientOnly())),
		"version":          hash(state.NewTable[plain]("rows"), state.Version("2")),
		"event":            hash(state.NewTable[plain]("rows"), state.On(added, add)),
		"no state":         hash(state.NewTable[plain]("rows"), state.NoState(added)),
		"scope":            hash(state.NewTable[plain]("rows"), state.NoState(event.ClientOnly[Added]("v1.Added"))),
		"DDL":              hash(state.NewTable[plain]("rows"), state.DDL("CREATE VIEW v AS SELECT 1")),
		"client-only DDL":  hash(state.NewTable[plain]("rows"), state.DDL("CREATE VIEW v AS SELECT 1").ClientOnly()),
		"document":         hash(state.NewTable[plain]("rows"), filter),
		"document version": hash(state.NewTable[plain]("rows"), state.NewDocument("filter", Filter{}, state.Version("2"))),
	} {
		if other, dup := seen[h]; dup {
			t.Errorf("%s has the hash of %s", name, other)
		}
		seen[h] = name
	}
}

// Validate with a pointer receiver holds for an event without state too.
func TestNoStateValidatesAsTheDefinition(t *testing.T) {
	s := state.MustSchema(state.NoState(event.Synced[span]("v1.Spanned")))
	err := s.Materialize(nil, event.Client{Name: "v1.Spanned", Args: []byte(`{"from":2,"to":1}`)})
	if _, ok := errors.AsType[*event.ArgsError](err); !ok || !strings.Contains(err.Error(), "from is after to") {
		t.Errorf("error is %v", err)
	}
}

func TestEventNames(t *testing.T) {
	for name, want := range map[string]string{
		"":                               "an event definition has no name",
		"v1.\xff":                        `event name "v1.\xff" is not valid UTF-8`,
		"v1.A\nB":                        `event name "v1.A\nB" holds a control character`,
		"v1.A\u0085":                     `event name "v1.A\u0085" holds a control character`,
		"v1." + strings.Repeat("x", 198): `event name "v1.xxxxxxxxxxxxxxxxx"… has 201 bytes: the greatest length is 200`,
		"v1." + strings.Repeat("x", 197): "",
		"v1.Größe hinzugefügt 😀":         "",
	} {
		_, err := state.NewSchema(state.NoState(event.Synced[Added](name)))
		if got := fmt.Sprint(err); (want == "" && err != nil) || (want != "" && got != "schema: "+want) {
			t.Errorf("%q: error is %v, want %s", name, err, want)
		}
	}
}
