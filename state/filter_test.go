package state_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/livestore-go/livestore/state"
)

// What a builder's query says about the rows it can see is what its conditions say, and no more.
func TestFilter(t *testing.T) {
	r := tasks.Row
	in := func(column string, values ...any) state.ColumnIn {
		return state.ColumnIn{Column: column, Values: values}
	}
	eq := func(all ...state.ColumnIn) *state.Filter { return &state.Filter{Table: "tasks", Equal: all} }
	for name, c := range map[string]struct {
		q interface {
			Statement(string) (state.Statement, error)
		}
		want *state.Filter
	}{
		"all":             {tasks, nil},
		"equal":           {tasks.Where(state.Eq(&r.ID, "a")), eq(in("id", "a"))},
		"first":           {tasks.Where(state.Eq(&r.ID, "a")).First(), eq(in("id", "a"))},
		"count":           {tasks.Where(state.Eq(&r.ID, "a")).Count(), eq(in("id", "a"))},
		"count of some":   {tasks.Where(state.Eq(&r.ID, "a")).Limit(3).Count(), eq(in("id", "a"))},
		"pluck":           {state.Pluck(tasks.Where(state.Eq(&r.ID, "a")), &r.Text), eq(in("id", "a"))},
		"two columns":     {tasks.Where(state.Eq(&r.ID, "a")).Where(state.Eq(&r.Pri, 2)), eq(in("id", "a"), in("pri", int64(2)))},
		"one column more": {tasks.Where(state.Eq(&r.ID, "a"), state.Eq(&r.ID, "b")), eq(in("id", "a"))},
		"several":         {tasks.Where(state.In(&r.Pri, 1, 2)), eq(in("pri", int64(1), int64(2)))},
		"of no value":     {tasks.Where(state.In(&r.Pri)), eq(in("pri"))},
		"null":            {tasks.Where(state.Eq(&r.Due, nil)), eq(in("due", nil))},
		"is null":         {tasks.Where(state.IsNull(&r.Due)), eq(in("due", nil))},
		"and": {tasks.Where(state.And(state.Eq(&r.ID, "a"), state.Gt(&r.Pri, 1))), &state.Filter{
			Table: "tasks", Equal: []state.ColumnIn{in("id", "a")}, Range: []state.ColumnRange{{Column: "pri", Min: int64(1)}},
		}},
		"a range": {tasks.Where(state.Ge(&r.Pri, 1), state.Lt(&r.Pri, 4)), &state.Filter{
			Table: "tasks", Range: []state.ColumnRange{{Column: "pri", Min: int64(1), Max: int64(4)}},
		}},
		"or":          {tasks.Where(state.Or(state.Eq(&r.ID, "a"), state.Eq(&r.ID, "b"))), nil},
		"or and more": {tasks.Where(state.Or(state.Eq(&r.ID, "a"), state.Eq(&r.Pri, 1)), state.Eq(&r.Pri, 2)), eq(in("pri", int64(2)))},
		"not":         {tasks.Where(state.Not(state.Eq(&r.ID, "a"))), nil},
		"SQL":         {tasks.Where(state.Eq(&r.ID, "a"), state.WhereSQL("pri < (SELECT max(pri) FROM tasks)")), nil},
		"SQL within":  {tasks.Where(state.Eq(&r.ID, "a")).Where(state.Not(state.Or(state.WhereSQL("1"), state.Eq(&r.Pri, 1)))), nil},
		"after SQL":   {tasks.Where(state.WhereSQL("1")).Where(state.Eq(&r.ID, "a")), nil},
		"the session": {tasks.Where(state.Eq(&r.ID, state.SessionID)), eq(in("id", "me"))},
		"a document":  {settings.Get("x"), &state.Filter{Table: "settings", Equal: []state.ColumnIn{in("id", "x")}}},
		"my document": {settings.Get(state.SessionID), &state.Filter{Table: "settings", Equal: []state.ColumnIn{in("id", "me")}}},
		"any SQL":     {state.SQL[Task]("SELECT * FROM tasks WHERE id = ?", "a"), nil},
		"a time":      {tasks.Where(state.Eq(&r.Due, new(time.Unix(0, 0).UTC()))), eq(in("due", "1970-01-01T00:00:00.000Z"))},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := c.q.Statement("me")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, s.Filter); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What is asked for is what was there when the query was made, as with its SQL.
func TestFilterKeepsItsValues(t *testing.T) {
	raw := []byte("a")
	q := tasks.Where(state.Eq(&tasks.Row.Raw, raw))
	raw[0] = 'b'
	s, err := q.Statement("")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.Args[0], s.Filter.Equal[0].Values[0]); diff != "" {
		t.Errorf("the filter asks for something else than the statement: %s", diff)
	}
}
