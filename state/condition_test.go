package state_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/livestore-go/livestore/state"
)

type Status string

type Task struct {
	ID     string     `db:"id,primarykey"`
	Text   string     `db:"text"`
	Pri    int64      `db:"pri"`
	Share  float32    `db:"share"`
	Done   bool       `db:"done,default:false"`
	Status Status     `db:"status"`
	Due    *time.Time `db:"due"`
	Note   *string    `db:"note"`
	Seen   time.Time  `db:"seen,datetimeinteger"`
	Raw    []byte     `db:"raw"`
	Tags   []any      `db:"tags,json"`
	Extra  string     `db:"-"`
}

var tasks = state.NewTable[Task]("tasks", state.Index("done", "pri"))

func day(n int) time.Time { return time.Date(2026, 1, n, 12, 0, 0, 0, time.UTC) }

// three is the state the conditions are tried on: NULLs in b, everything in a, c differs.
func three(t *testing.T) *engine {
	t.Helper()
	e := open(t, tasks)
	e.do(
		tasks.Insert(Task{
			ID: "a", Text: "Buy milk", Pri: 1, Share: 0.1, Status: "open", Due: new(day(1)), Note: new("n"), Seen: day(1), Raw: []byte{1},
			Tags: []any{"x", 1, true},
		}),
		tasks.Insert(Task{ID: "b", Text: "buy 100% eggs", Pri: 2, Share: 0.5, Done: true, Status: "done", Seen: day(2), Raw: []byte{}}),
		tasks.Insert(Task{
			ID: "c", Text: "call", Pri: -3, Share: 1, Status: "open", Due: new(day(3)), Note: new(""), Seen: day(3), Raw: []byte{1, 2},
			Tags: []any{1.5, nil, false, []any{"x"}, map[string]any{"k": 1}, "true"},
		}),
	)
	return e
}

func TestConditions(t *testing.T) {
	r := tasks.Row
	for name, c := range map[string]struct {
		cond state.Condition
		sql  string
		find string
	}{
		"equal text":           {state.Eq(&r.ID, "a"), `"id" = ?`, "a"},
		"equal number":         {state.Eq(&r.Pri, -3), `"pri" = ?`, "c"},
		"equal float32":        {state.Eq(&r.Share, 0.1), `"share" = ?`, "a"},
		"equal bool":           {state.Eq(&r.Done, true), `"done" = ?`, "b"},
		"equal named type":     {state.Eq(&r.Status, "open"), `"status" = ?`, "a c"},
		"equal time":           {state.Eq(&r.Due, new(day(1))), `"due" = ?`, "a"},
		"equal time elsewhere": {state.Eq(&r.Due, new(day(1).In(time.FixedZone("", 7200)))), `"due" = ?`, "a"},
		"equal milliseconds":   {state.Eq(&r.Seen, day(2)), `"seen" = ?`, "b"},
		"equal bytes":          {state.Eq(&r.Raw, []byte{1, 2}), `"raw" = ?`, "c"},
		"equal no bytes":       {state.Eq(&r.Raw, nil), `"raw" = ?`, "b"},
		"equal nil":            {state.Eq(&r.Due, nil), `"due" IS NULL`, "b"},
		"equal empty text":     {state.Eq(&r.Note, new("")), `"note" = ?`, "c"},
		"equal json":           {state.Eq(&r.Tags, []any{"x", 1, true}), `"tags" = ?`, "a"},
		"not equal":            {state.Ne(&r.ID, "a"), `"id" <> ?`, "b c"},
		"not equal, not NULL":  {state.Ne(&r.Due, new(day(1))), `"due" <> ?`, "c"},
		"not equal nil":        {state.Ne(&r.Due, nil), `"due" IS NOT NULL`, "a c"},
		"less":                 {state.Lt(&r.Pri, 1), `"pri" < ?`, "c"},
		"less or equal":        {state.Le(&r.Pri, 1), `"pri" <= ?`, "a c"},
		"greater":              {state.Gt(&r.Pri, 1), `"pri" > ?`, "b"},
		"greater or equal":     {state.Ge(&r.Pri, 1), `"pri" >= ?`, "a b"},
		"later":                {state.Gt(&r.Due, new(day(1))), `"due" > ?`, "c"},
		"like":                 {state.Like(&r.Text, "buy%"), `"text" LIKE ?`, "a b"},
		"like one character":   {state.Like(&r.Text, "cal_"), `"text" LIKE ?`, "c"},
		"not like":             {state.NotLike(&r.Text, "buy%"), `"text" NOT LIKE ?`, "c"},
		"in":                   {state.In(&r.ID, "a", "c", "z"), `"id" IN (?, ?, ?)`, "a c"},
		"in nothing":           {state.In(&r.ID), `FALSE`, ""},
		"in with nil":          {state.In(&r.Note, nil, new("n")), `("note" IN (?) OR "note" IS NULL)`, "a b"},
		"in nil":               {state.In(&r.Note, nil), `"note" IS NULL`, "b"},
		"not in":               {state.NotIn(&r.Pri, 1, 2), `"pri" NOT IN (?, ?)`, "c"},
		"not in nothing":       {state.NotIn(&r.Pri), `TRUE`, "a b c"},
		"not in with nil":      {state.NotIn(&r.Note, nil, new("n")), `("note" NOT IN (?) AND "note" IS NOT NULL)`, "c"},
		"not in nil":           {state.NotIn(&r.Note, nil), `"note" IS NOT NULL`, "a c"},
		"null":                 {state.IsNull(&r.Due), `"due" IS NULL`, "b"},
		"not null":             {state.NotNull(&r.Due), `"due" IS NOT NULL`, "a c"},
		"and":                  {state.And(state.Eq(&r.Status, "open"), state.Gt(&r.Pri, 0)), `("status" = ? AND "pri" > ?)`, "a"},
		"and of nothing":       {state.And(), `TRUE`, "a b c"},
		"and of one":           {state.And(state.Eq(&r.ID, "a")), `"id" = ?`, "a"},
		"or":                   {state.Or(state.Eq(&r.ID, "a"), state.IsNull(&r.Due)), `("id" = ? OR "due" IS NULL)`, "a b"},
		"or of nothing":        {state.Or(), `FALSE`, ""},
		"not":                  {state.Not(state.Eq(&r.ID, "a")), `NOT ("id" = ?)`, "b c"},
		"not of undecided":     {state.Not(state.Eq(&r.Note, new("n"))), `NOT ("note" = ?)`, "c"},
		"not or": {
			state.Not(state.Or(state.Eq(&r.ID, "a"), state.Eq(&r.ID, "b"))), `NOT (("id" = ? OR "id" = ?))`, "c",
		},
		"nested": {
			state.Or(state.And(state.Eq(&r.ID, "a"), state.Eq(&r.Pri, 1)), state.And(state.Eq(&r.ID, "b"), state.Eq(&r.Pri, 9))),
			`(("id" = ? AND "pri" = ?) OR ("id" = ? AND "pri" = ?))`, "a",
		},
		"contains text":   {state.JSONContains(&r.Tags, "x"), jsonSQL("type = 'text' AND atom = ?"), "a"},
		"contains number": {state.JSONContains(&r.Tags, 1), jsonSQL("type IN ('integer', 'real') AND atom = ?"), "a"},
		"contains float":  {state.JSONContains(&r.Tags, 1.5), jsonSQL("type IN ('integer', 'real') AND atom = ?"), "c"},
		"contains true":   {state.JSONContains(&r.Tags, true), jsonSQL("type = ?"), "a"},
		"contains false":  {state.JSONContains(&r.Tags, false), jsonSQL("type = ?"), "c"},
		"contains null":   {state.JSONContains(&r.Tags, nil), jsonSQL("type = ?"), "c"},
		"contains array":  {state.JSONContains(&r.Tags, []string{"x"}), jsonSQL("type IN ('array', 'object') AND value = ?"), "c"},
		"contains object": {
			state.JSONContains(&r.Tags, map[string]int{"k": 1}), jsonSQL("type IN ('array', 'object') AND value = ?"), "c",
		},
		"contains not":  {state.JSONNotContains(&r.Tags, "x"), "NOT " + jsonSQL("type = 'text' AND atom = ?"), "b c"},
		"SQL":           {state.WhereSQL("length(text) > ?", 8), `(length(text) > ?)`, "b"},
		"SQL or else":   {state.And(state.WhereSQL("pri = 1 OR pri = 2"), state.Eq(&r.Done, true)), `((pri = 1 OR pri = 2) AND "done" = ?)`, "b"},
		"quote in text": {state.Eq(&r.Text, `'"; DROP TABLE tasks`), `"text" = ?`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			q := tasks.Where(c.cond)
			s, err := q.Statement("")
			if err != nil {
				t.Fatal(err)
			}
			if _, where, _ := strings.Cut(s.SQL, " WHERE "); where != c.sql {
				t.Errorf("SQL is\n%s\nwant\n%s", where, c.sql)
			}
			if got := ids(get(three(t), q)); got != c.find {
				t.Errorf("found %q, want %q", got, c.find)
			}
		})
	}
}

func jsonSQL(test string) string {
	return `EXISTS (SELECT 1 FROM json_each("tasks"."tags") WHERE ` + test + `)`
}

func ids(rows []Task) string {
	var s []string
	for _, r := range rows {
		s = append(s, r.ID)
	}
	return strings.Join(s, " ")
}

// A table whose columns are called like those of json_each would take the wrong one if the column stood alone.
func TestJSONContainsMeansTheColumnOfTheTable(t *testing.T) {
	type row struct {
		Key   int      `db:"key,primarykey"`
		Type  string   `db:"type"`
		Value []string `db:"value,json"`
	}
	table := state.NewTable[row]("json")
	e := open(t, table)
	e.do(table.Insert(row{1, "array", []string{"a"}}), table.Insert(row{2, "text", []string{"b"}}))
	rows := get(e, table.Where(state.JSONContains(&table.Row.Value, "b")))
	if diff := cmp.Diff([]row{{2, "text", []string{"b"}}}, rows); diff != "" {
		t.Error(diff)
	}
	e.do(table.Delete().Where(state.JSONContains(&table.Row.Value, "a")))
	e.do(table.Update(state.Set(&table.Row.Type, "t")).Where(state.JSONNotContains(&table.Row.Value, "a")))
	if diff := cmp.Diff([]row{{2, "t", []string{"b"}}}, get(e, table)); diff != "" {
		t.Error(diff)
	}
}

func TestWrongConditions(t *testing.T) {
	r := tasks.Row
	other := Task{}
	bad := string([]byte{0xff})
	for name, c := range map[string]struct {
		cond state.Condition
		want string
	}{
		"address of a copy": {
			state.Eq(&other.ID, "a"),
			`table "tasks": the address, a *string, is none of this table's fields: take it from its own Row`,
		},
		"nil":      {state.Eq((*string)(nil), "a"), `table "tasks": nil is no field address: write &table.Row.Field`},
		"left out": {state.Eq(&r.Extra, "a"), `table "tasks": field Extra: is no column; the columns are id, text, pri, `},
		"whole row": {
			state.IsNull(r), `table "tasks": the address, a *state_test.Task, is none of this table's fields: take it from its own Row`,
		},
		"less than nil":    {state.Lt(&r.Due, nil), `table "tasks": field Due: nothing is less or greater than NULL: use IsNull or NotNull`},
		"like a number":    {state.Like(&r.Pri, "1%"), `table "tasks": field Pri: Like needs text, the column holds integer`},
		"contains no json": {state.JSONContains(&r.Text, 1), `table "tasks": field Text: JSONContains needs a json column, the column holds`},
		"zero condition":   {state.Condition{}, `table "tasks": a condition is empty: make it with Eq and the like`},
		"zero in and":      {state.And(state.Eq(&r.ID, "a"), state.Condition{}), `table "tasks": a condition is empty: make it with`},
		"invalid text":     {state.Eq(&r.Text, bad), `table "tasks": column "text": text is not valid UTF-8: keep bytes in a []byte`},
		"invalid pattern":  {state.Like(&r.Text, bad), `table "tasks": column "text": text is not valid UTF-8: keep bytes in a []byte`},
		"argument of SQL":  {state.WhereSQL("x = ?", struct{}{}), `argument 1 of "x = ?": a struct {} can not be bound: encode it first`},
		"year of six digit": {
			state.Eq(&r.Due, new(day(1).AddDate(10000, 0, 0))), `table "tasks": column "due": year 12026 is out of range 0 to 9999`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			check := func(_ state.Statement, err error) {
				t.Helper()
				if err == nil || !strings.HasPrefix(err.Error(), c.want) {
					t.Errorf("error is\n%v\nwant\n%s", err, c.want)
				}
			}
			check(tasks.Where(c.cond).Statement(""))
			check(tasks.Where(state.Eq(&r.ID, "a"), c.cond).Limit(1).Where(state.Eq(&r.ID, "a")).First().Statement(""))
			check(tasks.Where(c.cond).Count().Statement(""))
			check(state.Pluck(tasks.Where(c.cond), &r.ID).Statement(""))
			check(tasks.Update(state.Set(&r.ID, "a")).Where(c.cond).Statement())
			check(tasks.Delete().Where(c.cond).Statement())
		})
	}
}

func TestErrorsAreTyped(t *testing.T) {
	_, err := tasks.Where(state.JSONContains(&tasks.Row.Tags, func() {})).Statement("")
	if ve, ok := errors.AsType[*state.ValueError](err); !ok || ve.Column != "tags" {
		t.Errorf("no ValueError: %v", err)
	}
	_, err = tasks.Where(state.Eq(&tasks.Row.Extra, "")).Statement("")
	if ce, ok := errors.AsType[*state.ColumnError](err); !ok || ce.Table != "tasks" || ce.Field != "Extra" {
		t.Errorf("no ColumnError: %v", err)
	}
	_, err = tasks.Where(state.Eq(&tasks.Row.Text, "\xff")).Statement("")
	if ve, ok := errors.AsType[*state.ValueError](err); !ok || ve.Column != "text" || !errors.Is(err, state.ErrInvalidUTF8) {
		t.Errorf("no ValueError: %v", err)
	}
	ids := make([]string, 40000)
	_, err = tasks.Where(state.In(&tasks.Row.ID, ids...)).Statement("")
	if te, ok := errors.AsType[*state.TooManyArgsError](err); !ok || te.Count != 40000 {
		t.Errorf("no TooManyArgsError: %v", err)
	}
}

// A condition keeps the values it was given, whatever becomes of the slice.
func TestConditionsCopy(t *testing.T) {
	ids := []string{"a"}
	in := state.In(&tasks.Row.ID, ids...)
	conds := []state.Condition{state.Eq(&tasks.Row.ID, "a")}
	and := state.And(conds...)
	ids[0], conds[0] = "b", state.Eq(&tasks.Row.ID, "b")
	for _, c := range []state.Condition{in, and} {
		s, err := tasks.Where(c).Statement("")
		if err != nil || s.Args[0] != "a" {
			t.Error(s, err)
		}
	}
}

// Text that orders otherwise than its values would find and sort wrongly, and say nothing.
func TestColumnsThatCanNotBeOrderedBy(t *testing.T) {
	type row struct {
		N  int64     `db:"n,text"`
		U  *uint64   `db:"u,text"`
		L  level     `db:"l"`
		At time.Time `db:"at,text"`
		OK time.Time `db:"ok"`
		B  bool      `db:"b,text"`
	}
	table := state.NewTable[row]("rows")
	r := table.Row
	for want, queries := range map[string][]*state.Select[row]{
		"field N: can not be ordered by: the column holds numbers in text": {
			table.Where(state.Lt(&r.N, 1)), table.Where(state.Le(&r.N, 1)), table.Where(state.Gt(&r.N, 1)), table.Where(state.Ge(&r.N, 1)),
			table.OrderBy(state.Asc(&r.N)), table.OrderBy(state.Asc(&r.OK), state.Desc(&r.N)),
		},
		"field U: can not be ordered by: the column holds numbers in text": {table.OrderBy(state.Desc(&r.U))},
		"field At: can not be ordered by: the column holds times in text": {
			table.OrderBy(state.Asc(&r.At)), table.Where(state.Ge(&r.At, day(1))),
		},
		"": {
			table.OrderBy(state.Asc(&r.L)), table.Where(state.Lt(&r.L, 1)),
			table.Where(state.Eq(&r.N, 1), state.Ne(&r.L, 1), state.In(&r.At, day(1))).OrderBy(state.Asc(&r.OK), state.Asc(&r.B)),
		},
	} {
		for _, q := range queries {
			_, err := q.Statement("")
			_, ok := errors.AsType[*state.ColumnError](err)
			if want == "" && err != nil || want != "" && (!ok || !strings.Contains(err.Error(), want)) {
				t.Errorf("error is %v, want %s", err, want)
			}
		}
	}
}
