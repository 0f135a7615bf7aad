package state_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/livestore-go/livestore/state"
)

type Summary struct {
	Status Status  `db:"status,primarykey"` // what constrains a table means nothing in a view
	N      int     `db:"n"`
	Note   *string `db:"note"`
}

var (
	summary = state.NewView[Summary]("sum\"mary", `SELECT count(*) AS n, status, max(note) AS note FROM tasks GROUP BY status;`)
	doneOf  = state.NewView[Task]("doneTasks", "SELECT * FROM tasks WHERE done")
)

func TestViews(t *testing.T) {
	e := open(t, tasks, summary, doneOf)
	if diff := cmp.Diff(`CREATE VIEW "sum""mary" AS SELECT count(*) AS n, status, max(note) AS note FROM tasks GROUP BY status`,
		e.schema.DDL()[2]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(state.TableInfo{Name: `sum"mary`, View: true}, e.schema.Tables()[1]); diff != "" {
		t.Error(diff)
	}
	if rows := get(e, summary); rows == nil || len(rows) != 0 {
		t.Errorf("an empty view gave %v", rows)
	}
	e.do(
		tasks.Insert(Task{ID: "a", Status: "open", Note: new("n")}), tasks.Insert(Task{ID: "b", Status: "done", Done: true}),
		tasks.Insert(Task{ID: "c", Status: "open"}),
	)
	r := summary.Row
	all := []Summary{{"done", 1, nil}, {"open", 2, new("n")}}
	for name, q := range map[string]state.Query[[]Summary]{
		"itself":  summary,
		"all":     summary.Select,
		"order":   summary.OrderBy(state.Asc(&r.Status)),
		"limit":   summary.Limit(2),
		"offset":  summary.Offset(0),
		"where":   summary.Where(state.Ge(&r.N, 1), state.In(&r.Status, "open", "done")).OrderBy(state.Asc(&r.N)),
		"as SQL":  state.SQL[Summary](`SELECT * FROM "sum""mary"`),
		"no such": state.Map(summary.Where(state.Eq(&r.N, 7)), func(s []Summary) []Summary { return append(s, all...) }),
	} {
		if diff := cmp.Diff(all, get(e, q)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if first := get(e, summary.Where(state.NotNull(&r.Note)).First()); first == nil || first.N != 2 {
		t.Errorf("first is %v", first)
	}
	if none := get(e, summary.Limit(0).First()); none != nil {
		t.Errorf("first of nothing is %v", none)
	}
	if n := get(e, summary.Count()); n != 2 {
		t.Errorf("counted %d", n)
	}
	if diff := cmp.Diff([]*string{nil, new("n")}, get(e, state.Pluck(summary.OrderBy(state.Asc(&r.N)), &r.Note))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(get(e, tasks.Where(state.Eq(&tasks.Row.Done, true))), get(e, doneOf)); diff != "" {
		t.Error(diff)
	}
	if summary.Name() != `sum"mary` {
		t.Error(summary.Name())
	}
	if got, err := state.Read(e.tx(), summary.Count()); err != nil || got != 2 {
		t.Errorf("a materializer read %d, %v", got, err)
	}
	if err := e.tx().Exec(state.Exec(`DELETE FROM "sum""mary"`)); err == nil || !strings.Contains(err.Error(), "view") {
		t.Errorf("a write of a view: %v", err)
	}
}

// What a view gives and its row type has to have the same names, and that is said when it is read, naming both.
func TestViewsThatDoNotFit(t *testing.T) {
	view := func(sql string) *state.View[Summary] { return state.NewView[Summary]("v", sql) }
	for sql, want := range map[string]string{
		"SELECT status, 1 AS n FROM tasks": `view "v": column "note" into field Note of state_test.Summary: ` +
			"the result has no such column, only status, n",
		"SELECT status, 1 AS n, note, text FROM tasks": `view "v": column "text" into state_test.Summary: no field of that name`,
		"SELECT 'x' AS status, text AS n, note FROM tasks": `table "v": column "n" into field N (int): ` +
			`"milk" is no number`,
		"SELECT NULL AS status, 1 AS n, note FROM tasks": `table "v": column "status" into field Status (state_test.Status): value is NULL`,
	} {
		v := view(sql)
		e := open(t, tasks, v)
		e.do(tasks.Insert(Task{ID: "a", Text: "milk"}))
		for range 2 { // and each time
			_, err := tryGet(e, v)
			if _, ok := errors.AsType[*state.ScanError](err); !ok || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%s: error is %v\nwant %s", sql, err, want)
			}
		}
		if _, err := tryGet(e, v.First()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error of First is %v", sql, err)
		}
	}
	v := view("SELECT 'x' AS status, 'y' AS n, note FROM tasks")
	e := open(t, tasks, v)
	e.do(tasks.Insert(Task{ID: "a"}))
	if n, err := tryGet(e, state.Pluck(v, &v.Row.N)); err == nil || !strings.Contains(err.Error(), `"y" is no number`) {
		t.Errorf("plucked %v, %v", n, err)
	}
}

func TestViewsThatCanNotBe(t *testing.T) {
	for want, v := range map[string]state.Part{
		`a view is nil`: (*state.View[Task])(nil),
		`table "v": CURRENT_TIMESTAMP is refused`:       state.NewView[Task]("v", "SELECT current_timestamp"),
		`table "v": random() is refused`:                state.NewView[Task]("v", "SELECT random()"),
		`table "v": it is more than one statement`:      state.NewView[Task]("v", "SELECT 1; SELECT 2"),
		`table "v": it is no SELECT`:                    state.NewView[Task]("v", "DELETE FROM tasks"),
		`table "v2": it is no SELECT`:                   state.NewView[Task]("v2", "  "),
		`table "sqlite_v": name "sqlite_v" begins with`: state.NewView[Task]("sqlite_v", "SELECT 1"),
		`table "v": row type int is no struct`:          state.NewView[int]("v", "SELECT 1"),
		`view "Tasks" has the name of table "tasks"`:    state.NewView[Task]("Tasks", "SELECT * FROM tasks"),
	} {
		_, err := state.NewSchema(tasks, v)
		if err == nil || !strings.HasPrefix(err.Error(), "schema: "+want) {
			t.Errorf("error is %v\nwant %s", err, want)
		}
	}
	if _, err := state.NewView[Task]("v", "x").Where(state.Eq(&tasks.Row.ID, "")).Statement(""); err == nil {
		t.Error("a view that can not be was read")
	}
	var none *state.View[Task]
	if _, err := none.Statement(""); err == nil {
		t.Error("a nil view was read")
	}
}

// A view is part of what state is: another text is another state.
func TestAViewIsHashed(t *testing.T) {
	seen := map[string]bool{}
	for _, parts := range [][]state.Part{
		{tasks}, {tasks, state.NewView[Task]("v", "SELECT * FROM tasks")}, {tasks, state.NewView[Task]("v", "SELECT * FROM tasks WHERE done")},
	} {
		seen[state.MustSchema(parts...).Hash()] = true
	}
	if len(seen) != 3 {
		t.Errorf("three schemas have %d hashes", len(seen))
	}
}
