package state_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/livestore-go/livestore/state"
)

type Brief struct {
	Tags []string   `db:"TAGS,json"` // names are those of SQLite, another Go type reads the same JSON
	Pri  int8       `db:"pri"`
	Due  *time.Time `db:"due"`
	Note string     `db:"note,nullable"`
}

func TestProject(t *testing.T) {
	e := open(t, tasks, doneOf)
	e.do(
		tasks.Insert(Task{ID: "a", Pri: 1, Due: new(day(1)), Note: new("n"), Tags: []any{"x"}}),
		tasks.Insert(Task{ID: "b", Pri: 2, Done: true}),
	)
	q := state.Project[Brief](tasks.Where(state.Gt(&tasks.Row.Pri, 0)).OrderBy(state.Desc(&tasks.Row.ID)).Limit(2))
	s, err := q.Statement("")
	if want := `SELECT "tags", "pri", "due", "note" FROM "tasks" WHERE "pri" > ? ORDER BY "id" DESC LIMIT ?`; s.SQL != want || err != nil {
		t.Errorf("reads by %s, %v", s.SQL, err)
	}
	if diff := cmp.Diff([]Brief{{[]string{}, 2, nil, ""}, {[]string{"x"}, 1, new(day(1)), "n"}}, get(e, q)); diff != "" {
		t.Error(diff)
	}
	if got := get(e, state.Project[Brief](doneOf)); len(got) != 1 || got[0].Pri != 2 {
		t.Errorf("of a view: %v", got)
	}
	if got, err := state.Read(e.tx(), state.Project[Brief](tasks)); err != nil || len(got) != 2 {
		t.Errorf("in a materializer: %v, %v", got, err)
	}
	if got := get(e, state.Project[Brief](tasks.Limit(0))); got == nil {
		t.Error("nothing is nil")
	}
	e.do(tasks.Update(state.Set(&tasks.Row.Pri, 128)))
	_, err = tryGet(e, q)
	if want := `table "tasks": column "pri" into field Pri (int8): 128 is out of range`; err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
}

func TestProjectionsThatDoNotFit(t *testing.T) {
	type wrong struct {
		Title string     `db:"title"`
		Pri   string     `db:"pri"`
		Due   time.Time  `db:"due"`
		Seen  *time.Time `db:"seen"`
	}
	_, err := state.Project[wrong](tasks.Limit(-1)).Statement("")
	want := []string{
		`table "tasks": limit -1 is negative`,
		`table "tasks": column "title" into field Title of state_test.wrong: there is no such column, only id, text, pri, `,
		`table "tasks": column "pri" into field Pri of state_test.wrong: the column holds integer, the field text`,
		`table "tasks": column "due" into field Due of state_test.wrong: value is NULL: read it into a pointer, or tag the field nullable`,
		`table "tasks": column "seen" into field Seen of state_test.wrong: the column holds datetimeinteger, the field datetime`,
	}
	if _, ok := errors.AsType[*state.ScanError](err); !ok {
		t.Fatalf("error is %v", err)
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(want) {
		t.Fatalf("error is %v", err)
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, want[i]) {
			t.Errorf("error is %s\nwant %s", line, want[i])
		}
	}
	if _, err := state.Project[string](tasks).Statement(""); err == nil || !strings.Contains(err.Error(), "row type string: ") {
		t.Errorf("error is %v", err)
	}
	if _, err := state.Project[Brief]((*state.Table[Task])(nil)).Statement(""); err == nil {
		t.Error("a nil table was read")
	}
}
