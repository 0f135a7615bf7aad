package state_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/livestore-go/livestore/state"
)

func TestReads(t *testing.T) {
	r := tasks.Row
	const list = `"id", "text", "pri", "share", "done", "status", "due", "note", "seen", "raw", "tags"`
	for name, c := range map[string]struct {
		q    state.Query[[]Task]
		sql  string
		args []any
		find string
	}{
		"table":      {tasks, `SELECT ` + list + ` FROM "tasks"`, nil, "a b c"},
		"all":        {tasks.All(), `SELECT ` + list + ` FROM "tasks"`, nil, "a b c"},
		"no where":   {tasks.Where(), `SELECT ` + list + ` FROM "tasks"`, nil, "a b c"},
		"where":      {tasks.Where(state.Eq(&r.ID, "a")), `SELECT ` + list + ` FROM "tasks" WHERE "id" = ?`, []any{"a"}, "a"},
		"order":      {tasks.OrderBy(state.Desc(&r.ID)), `SELECT ` + list + ` FROM "tasks" ORDER BY "id" DESC`, nil, "c b a"},
		"NULL first": {tasks.OrderBy(state.Asc(&r.Due)), `SELECT ` + list + ` FROM "tasks" ORDER BY "due"`, nil, "b a c"},
		"no order":   {tasks.OrderBy(), `SELECT ` + list + ` FROM "tasks"`, nil, "a b c"},
		"limit":      {tasks.Limit(2), `SELECT ` + list + ` FROM "tasks" LIMIT ?`, []any{int64(2)}, "a b"},
		"limit 0":    {tasks.Limit(0), `SELECT ` + list + ` FROM "tasks" LIMIT ?`, []any{int64(0)}, ""},
		"offset":     {tasks.Offset(2), `SELECT ` + list + ` FROM "tasks" LIMIT ? OFFSET ?`, []any{int64(-1), int64(2)}, "c"},
		"where twice": {
			tasks.Where(state.Gt(&r.Pri, 0)).Where(state.Lt(&r.Pri, 2), state.Eq(&r.Done, false)),
			`SELECT ` + list + ` FROM "tasks" WHERE "pri" > ? AND "pri" < ? AND "done" = ?`,
			[]any{int64(0), int64(2), int64(0)},
			"a",
		},
		"where or where": {
			tasks.Where(state.Or(state.Eq(&r.Pri, 1), state.Eq(&r.Pri, 2))).Where(state.Eq(&r.Done, true)),
			`SELECT ` + list + ` FROM "tasks" WHERE ("pri" = ? OR "pri" = ?) AND "done" = ?`,
			[]any{int64(1), int64(2), int64(1)},
			"b",
		},
		"everything, in any order": {
			tasks.Limit(1).OrderBy(state.Asc(&r.Status)).Offset(1).OrderBy(state.Desc(&r.Pri)).Where(state.Ne(&r.Text, "")),
			`SELECT ` + list + ` FROM "tasks" WHERE "text" <> ? ORDER BY "status", "pri" DESC LIMIT ? OFFSET ?`,
			[]any{"", int64(1), int64(1)},
			"a",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := c.q.Statement("")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(state.Statement{SQL: c.sql, Args: c.args, Filter: s.Filter}, s); diff != "" {
				t.Error(diff)
			}
			if got := ids(get(three(t), c.q)); got != c.find {
				t.Errorf("found %q, want %q", got, c.find)
			}
		})
	}
}

func TestQueriesAreValues(t *testing.T) {
	base := tasks.Where(state.Gt(&tasks.Row.Pri, -10))
	want, err := base.Statement("")
	if err != nil {
		t.Fatal(err)
	}
	one, two := base.Where(state.Eq(&tasks.Row.ID, "a")), base.Where(state.Eq(&tasks.Row.ID, "b"))
	base.OrderBy(state.Asc(&tasks.Row.ID)).Limit(1).Offset(1)
	if got, _ := base.Statement(""); !cmp.Equal(got, want) {
		t.Errorf("the query changed: %v", got)
	}
	s1, _ := one.Statement("")
	s2, _ := two.Statement("")
	if s1.Args[1] != "a" || s2.Args[1] != "b" {
		t.Errorf("queries share arguments: %v, %v", s1.Args, s2.Args)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if s, err := tasks.Statement(""); err != nil || s.SQL == "" {
				t.Error(s, err)
			}
		})
	}
	wg.Wait()
}

func TestFirstCountPluck(t *testing.T) {
	e := three(t)
	r := tasks.Row
	if first := get(e, tasks.OrderBy(state.Desc(&r.ID)).First()); first == nil || first.ID != "c" {
		t.Errorf("first is %v", first)
	}
	if none := get(e, tasks.Where(state.Eq(&r.ID, "z")).First()); none != nil {
		t.Errorf("first of nothing is %v", none)
	}
	if none := get(e, tasks.Limit(0).First()); none != nil {
		t.Errorf("first of limit 0 is %v", none)
	}
	if second := get(e, tasks.OrderBy(state.Asc(&r.ID)).Limit(9).Offset(1).First()); second.ID != "b" {
		t.Errorf("first after offset is %v", second)
	}
	for name, c := range map[string]struct {
		q    state.Query[int]
		want int
		sql  string
	}{
		"table": {tasks.Count(), 3, `SELECT count(*) FROM "tasks"`},
		"where": {tasks.Where(state.Gt(&r.Pri, 0)).OrderBy(state.Asc(&r.ID)).Count(), 2, `SELECT count(*) FROM "tasks" WHERE "pri" > ?`},
		"limit": {tasks.Limit(2).Count(), 2, `SELECT count(*) FROM (SELECT 1 FROM "tasks" LIMIT ?)`},
		"skip":  {tasks.Offset(2).Count(), 1, `SELECT count(*) FROM (SELECT 1 FROM "tasks" LIMIT ? OFFSET ?)`},
		"none":  {tasks.Where(state.Eq(&r.ID, "z")).Count(), 0, `SELECT count(*) FROM "tasks" WHERE "id" = ?`},
	} {
		s, err := c.q.Statement("")
		if got := get(e, c.q); got != c.want || s.SQL != c.sql || err != nil {
			t.Errorf("%s: counted %d, want %d, with %s, %v", name, got, c.want, s.SQL, err)
		}
	}
	texts := get(e, state.Pluck(tasks.OrderBy(state.Desc(&r.Text)).Limit(2), &r.Text))
	if !slices.Equal(texts, []string{"call", "buy 100% eggs"}) {
		t.Errorf("plucked %q", texts)
	}
	dues := get(e, state.Pluck(tasks, &r.Due))
	if diff := cmp.Diff([]*time.Time{new(day(1)), nil, new(day(3))}, dues); diff != "" {
		t.Error(diff)
	}
	if _, err := state.Pluck(tasks, &r.Extra).Statement(""); err == nil || !strings.Contains(err.Error(), "field Extra: is no column") {
		t.Errorf("plucked what is no column: %v", err)
	}
	both := get(e, state.Map(tasks.Count(), func(n int) string { return fmt.Sprint(n, " tasks") }))
	if both != "3 tasks" {
		t.Errorf("mapped to %q", both)
	}
}

func TestEmptyResultsAreNotNil(t *testing.T) {
	e := open(t, tasks)
	if rows := get(e, tasks); rows == nil || len(rows) != 0 {
		t.Errorf("rows are %#v", rows)
	}
	if texts := get(e, state.Pluck(tasks, &tasks.Row.Text)); texts == nil {
		t.Error("plucked nil")
	}
	if rows := get(e, state.SQL[Task]("SELECT * FROM tasks")); rows == nil {
		t.Error("SQL read nil")
	}
}

func TestWrongReads(t *testing.T) {
	for name, c := range map[string]struct {
		q    *state.Select[Task]
		want string
	}{
		"limit":  {tasks.Limit(-1), `table "tasks": limit -1 is negative`},
		"offset": {tasks.Offset(-2), `table "tasks": offset -2 is negative`},
		"order":  {tasks.OrderBy(state.Asc(&tasks.Row.Extra)), `table "tasks": field Extra: is no column`},
		"both":   {tasks.Limit(-1).Offset(-2), "table \"tasks\": limit -1 is negative\ntable \"tasks\": offset -2 is negative"},
	} {
		for _, q := range []interface {
			Statement(string) (state.Statement, error)
		}{c.q, c.q.First(), c.q.Count(), state.Pluck(c.q, &tasks.Row.ID)} {
			if _, err := q.Statement(""); err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%s: error is %v, want %s", name, err, c.want)
			}
		}
	}
}

func TestSQLReadsByName(t *testing.T) {
	e := three(t)
	type stat struct {
		Status string `db:"status"`
		N      int
		Last   *time.Time `db:"last"`
	}
	got := get(e, state.SQL[stat](
		`SELECT count(*) AS n, max(due) AS last, status FROM tasks WHERE pri > ? GROUP BY status ORDER BY status`, -10))
	if diff := cmp.Diff([]stat{{"done", 1, nil}, {"open", 2, new(day(3))}}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(get(e, tasks), get(e, state.SQL[Task]("SELECT * FROM tasks"))); diff != "" {
		t.Error(diff)
	}
	q := state.SQL[stat]("SELECT 'x' AS status, 1 AS N, NULL AS last")
	for range 2 { // the plan is kept
		if got := get(e, q); len(got) != 1 || got[0].N != 1 {
			t.Errorf("read %v", got)
		}
	}
	if got := get(e, state.SQL[string]("SELECT id FROM tasks ORDER BY id")); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("read %q", got)
	}
	if got := get(e, state.SQL[*time.Time]("SELECT due FROM tasks ORDER BY due")); len(got) != 3 || got[0] != nil || !got[1].Equal(day(1)) {
		t.Errorf("read %v", got)
	}
	if got := get(e, state.SQL[time.Time]("SELECT due FROM tasks WHERE due = ?", day(3))); len(got) != 1 || !got[0].Equal(day(3)) {
		t.Errorf("read %v", got)
	}
}

func TestSQLThatDoesNotFit(t *testing.T) {
	e := three(t)
	type row struct {
		ID  string `db:"id"`
		Pri int8   `db:"pri"`
	}
	for name, c := range map[string]struct{ sql, want string }{
		"a column more": {
			"SELECT id, pri, text FROM tasks", `column "text" into state_test.row: no field of that name: add one, or rename with AS`,
		},
		"a column less":  {"SELECT id FROM tasks", `column "pri" into field Pri of state_test.row: the result has no such column, only id`},
		"a column twice": {"SELECT id, pri, pri FROM tasks", `column "pri" into state_test.row: the result has it twice: rename one with AS`},
		"null": {
			"SELECT id, NULL AS pri FROM tasks",
			`column "pri" into field Pri (int8): value is NULL: read it into a pointer, or tag the field nullable`,
		},
		"text":      {"SELECT id, text AS pri FROM tasks", `column "pri" into field Pri (int8): "Buy milk" is no number`},
		"fraction":  {"SELECT id, 1.5 AS pri FROM tasks", `column "pri" into field Pri (int8): 1.5 is no integer`},
		"too large": {"SELECT id, 128 AS pri FROM tasks", `column "pri" into field Pri (int8): 128 is out of range`},
	} {
		_, err := tryGet(e, state.SQL[row](c.sql))
		if se, ok := errors.AsType[*state.ScanError](err); !ok || err.Error() != c.want {
			t.Errorf("%s: error is %v (%T), want %s", name, err, se, c.want)
		}
	}
	type hidden struct {
		id string `db:"id"` //nolint:unused // it is there to be refused
	}
	_, err := state.SQL[hidden]("SELECT 1").Statement("")
	if want := `row type state_test.hidden: field id: the field is not exported, so it can be no column`; err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
	if _, err := tryGet(e, state.SQL[string]("SELECT id, text FROM tasks")); err == nil ||
		err.Error() != `column "id, text" into string: the result has 2 columns, one is needed` {
		t.Error(err)
	}
	_, err = state.SQL[map[string]int]("SELECT 1").Statement("")
	if err == nil || !strings.Contains(err.Error(), "map[string]int is no column") {
		t.Error(err)
	}
}

func TestScalar(t *testing.T) {
	e := three(t)
	if n := get(e, state.Scalar[int64]("SELECT sum(pri) FROM tasks WHERE done = ?", false)); n != -2 {
		t.Errorf("sum is %d", n)
	}
	if n := get(e, state.Scalar[int]("SELECT max(pri) FROM tasks WHERE id = 'z'")); n != 0 {
		t.Errorf("NULL is %d", n)
	}
	if n := get(e, state.Scalar[*int]("SELECT max(pri) FROM tasks WHERE id = 'z'")); n != nil {
		t.Errorf("NULL is %d", *n)
	}
	if s := get(e, state.Scalar[string]("SELECT text FROM tasks WHERE id = 'z'")); s != "" {
		t.Errorf("no row is %q", s)
	}
	if s := get(e, state.Scalar[Status]("SELECT status FROM tasks ORDER BY id")); s != "open" {
		t.Errorf("first row is %q", s)
	}
	if _, err := tryGet(e, state.Scalar[int]("SELECT 'many'")); err == nil || err.Error() != `column "'many'" into int: "many" is no number` {
		t.Error(err)
	}
	if _, err := tryGet(e, state.Scalar[float64]("SELECT 'many'")); err == nil {
		t.Error("text was read as a float")
	}
	if f := get(e, state.Scalar[float64]("SELECT 0.0")); f != 0 {
		t.Error(f)
	}
	if _, err := tryGet(e, state.Scalar[bool]("SELECT 2")); err == nil || err.Error() != `column "2" into bool: 2 is neither 0 nor 1` {
		t.Error(err)
	}
}

func TestArgumentsOfSQL(t *testing.T) {
	e := open(t)
	type id string
	bad := 0.0
	for name, c := range map[string]struct {
		arg  any
		want string // as SQLite quotes it
	}{
		"nil": {nil, "NULL"}, "text": {"it's", "'it''s'"}, "named": {id("x"), "'x'"}, "int": {-1, "-1"}, "uint8": {uint8(1), "1"},
		"true": {true, "1"}, "false": {false, "0"}, "float": {1.5, "1.5"}, "float32": {float32(0.5), "0.5"}, "bytes": {[]byte{1}, "X'01'"},
		"no bytes": {[]byte(nil), "NULL"}, "time": {day(1), "'2026-01-01T12:00:00.000Z'"}, "pointer": {new(7), "7"},
		"nil pointer": {(*int)(nil), "NULL"}, "pointer to pointer": {new(new("x")), "'x'"}, "session": {state.SessionID, "'session'"},
		"marshaler": {version{1, 2}, "'1.2'"}, "pointer to marshaler": {&version{1, 2}, "'1.2'"},
	} {
		if got := get(e, state.Scalar[string]("SELECT quote(?)", c.arg)); got != c.want {
			t.Errorf("%s: bound as %s, want %s", name, got, c.want)
		}
	}
	for name, c := range map[string]struct {
		arg  any
		want string
	}{
		"uint64": {uint64(1) << 63, `argument 2 of "SELECT ?, ?": 9223372036854775808 is out of range for an SQLite integer`},
		"NaN":    {bad / bad, `argument 2 of "SELECT ?, ?": NaN can not be stored: use a pointer and nil`},
		"text":   {"\xff", `argument 2 of "SELECT ?, ?": text is not valid UTF-8: keep bytes in a []byte`},
		"slice":  {[]string{"a"}, `argument 2 of "SELECT ?, ?": a []string can not be bound: encode it first`},
	} {
		_, err := state.SQL[int]("SELECT ?, ?", 1, c.arg).Statement("")
		if ae, ok := errors.AsType[*state.ArgError](err); !ok || ae.Index != 1 || err.Error() != c.want {
			t.Errorf("%s: error is %v, want %s", name, err, c.want)
		}
		if _, err := state.Exec("SELECT ?, ?", 1, c.arg).Statement(); err == nil || err.Error() != c.want {
			t.Errorf("%s: error of a write is %v, want %s", name, err, c.want)
		}
	}
}

// version writes itself as text, on pointers and values.
type version struct{ Major, Minor int }

func (v version) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%d.%d", v.Major, v.Minor), nil
}

func (v *version) UnmarshalText(b []byte) error {
	_, err := fmt.Sscanf(string(b), "%d.%d", &v.Major, &v.Minor)
	return err
}

func TestSessionIDIsBoundToTheReader(t *testing.T) {
	q := tasks.Where(state.Eq(&tasks.Row.ID, state.SessionID), state.Eq(&tasks.Row.Text, "x"))
	for _, id := range []string{"one", "two"} {
		s, err := q.Statement(id)
		if err != nil || !cmp.Equal(s.Args, []any{id, "x"}) {
			t.Errorf("bound %v, %v", s.Args, err)
		}
	}
}

// A package variable used before it is made is a nil pointer in a query.
func TestNilQueries(t *testing.T) {
	e := open(t, tasks)
	var table *state.Table[Todo]
	for name, err := range map[string]error{
		"table":    second(tryGet(e, state.Query[[]Todo](table))),
		"select":   second(tryGet(e, state.Query[[]Todo]((*state.Select[Todo])(nil)))),
		"document": second(tryGet(e, state.Query[int]((*state.Document[int])(nil)))),
		"pluck":    second(tryGet(e, state.Pluck(table, new("")))),
		"map":      second(tryGet(e, state.Map(state.Query[[]Todo](table), func(t []Todo) int { return len(t) }))),
	} {
		if err == nil || !strings.Contains(err.Error(), "is a nil table") {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestNumbersBeyondInt64(t *testing.T) {
	e := open(t, tasks)
	for _, text := range []string{"9223372036854775808.0", "9223372036854775808", "1e19", "-1e19", "'9223372036854775808'"} {
		if n, err := tryGet(e, state.Scalar[int]("SELECT "+text)); !errors.Is(err, state.ErrRange) {
			t.Errorf("%s is %d, %v", text, n, err)
		}
	}
	for text, want := range map[string]int{
		"9223372036854775807": math.MaxInt64, "-9223372036854775808": math.MinInt64, "-9223372036854775808.0": math.MinInt64,
		"'9223372036854775807'": math.MaxInt64,
	} {
		if n, err := tryGet(e, state.Scalar[int]("SELECT "+text)); err != nil || n != want {
			t.Errorf("%s is %d, %v", text, n, err)
		}
	}
}
