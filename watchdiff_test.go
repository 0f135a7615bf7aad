package livestore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/memory"
	"github.com/livestore-go/livestore/state"
)

// item is a row of a list.
type item struct{ ID, Rev int }

// apply makes the list after some changes.
func apply(t interface{ Fatalf(string, ...any) }, rows []item, changes []livestore.Change[item]) []item {
	rows = slices.Clone(rows)
	last := livestore.Change[item]{}
	for _, c := range changes {
		if c.Kind < last.Kind || c.Kind == last.Kind && (c.Kind == livestore.Removed) != (c.At < last.At) {
			t.Fatalf("%s at %d comes after %s at %d", c.Kind, c.At, last.Kind, last.At)
		}
		last = c
		switch c.Kind {
		case livestore.Removed:
			if rows[c.At] != c.Row {
				t.Fatalf("%v is removed at %d, where %v is", c.Row, c.At, rows[c.At])
			}
			rows = slices.Delete(rows, c.At, c.At+1)
		case livestore.Inserted:
			rows = slices.Insert(rows, c.At, c.Row)
		case livestore.Updated:
			if rows[c.At].ID != c.Row.ID || rows[c.At] == c.Row {
				t.Fatalf("%v is updated to %v", rows[c.At], c.Row)
			}
			rows[c.At] = c.Row
		default:
			t.Fatalf("a change of kind %s", c.Kind)
		}
	}
	return rows
}

// Whatever the lists, the changes turn one into the other; rows that stay in order are not touched unless their content is another one.
func TestDiffTurnsOneListIntoAnother(t *testing.T) {
	list := livestore.NewSignal[[]item](nil)
	s := openStore(t)
	rapid.Check(t, func(t *rapid.T) {
		draw := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) item {
			return item{rapid.IntRange(0, 8).Draw(t, "id"), rapid.IntRange(0, 1).Draw(t, "rev")}
		}), 0, 10)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var rows []item
		want := draw.Draw(t, "first")
		list.Set(s, want)
		left := rapid.IntRange(1, 5).Draw(t, "changes")
		for d, err := range livestore.WatchDiff(ctx, s, list, func(i item) int { return i.ID }) {
			if err != nil {
				t.Fatal(err)
			}
			rows = apply(t, rows, d.Changes)
			if !slices.Equal(rows, want) || !slices.Equal(rows, d.Rows) {
				t.Fatalf("the changes %v give %v, the list is %v", d.Changes, rows, want)
			}
			if left--; left == 0 {
				break
			}
			next := draw.Draw(t, "next")
			if slices.Equal(next, want) {
				break // nobody would hear of it
			}
			want = next
			list.Set(s, want)
		}
	})
}

func TestWatchDiff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		commit(t, s, create("1", "a"), create("2", "b"), create("3", "c"))
		open := livestore.Query(todos.Where(state.Eq(&todos.Row.Completed, false)).OrderBy(state.Asc(&todos.Row.Text)))
		var got []string
		go func() {
			for d, err := range livestore.WatchDiff(t.Context(), s, open, func(r Todo) string { return r.ID }) {
				line := fmt.Sprint(len(d.Rows))
				for _, c := range d.Changes {
					line += fmt.Sprintf(" %s %d %s", c.Kind, c.At, c.Row.ID)
				}
				if err != nil {
					line = "error " + fmt.Sprint(errors.Is(err, livestore.ErrClosed))
				}
				got = append(got, line)
			}
		}()
		expect := func(want ...string) {
			t.Helper()
			synctest.Wait()
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			got = nil
		}
		expect("3 inserted 0 1 inserted 1 2 inserted 2 3")
		commit(t, s, complete("2"), create("4", "aa"))
		expect("3 removed 1 2 inserted 1 4")
		commit(t, s, complete("2"))
		expect()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		expect("error true")
	})
}

// Batch shows all of its signals changed, or none.
func TestBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		from, to := livestore.NewSignal(0), livestore.NewSignal(10)
		runs := 0
		span := livestore.Computed(func(g *livestore.Getter) int {
			runs++
			return livestore.Use(g, to) - livestore.Use(g, from)
		})
		var got []int
		defer livestore.Subscribe(s, span, func(v int, err error) { got = append(got, v) })()
		synctest.Wait()
		livestore.Batch(s, from.To(100), to.To(120), from.To(110), livestore.Setting{})
		synctest.Wait()
		livestore.Batch(s, from.To(110), to.To(120)) // what they are
		livestore.Batch(s, from.To(210), to.To(220)) // the same result
		synctest.Wait()
		if !slices.Equal(got, []int{10}) || runs != 3 {
			t.Errorf("told %v in %d runs", got, runs)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		livestore.Batch(s, from.To(1))
	})
}

// A comparison that panics leaves all signals as they were.
func TestBatchThatPanics(t *testing.T) {
	s := openStore(t)
	a := livestore.NewSignal(1)
	b := livestore.NewSignal(1, livestore.Equal(func(_, _ int) bool { panic("equal") }))
	func() {
		defer func() {
			if r := recover(); r != "equal" {
				t.Errorf("recovered %v", r)
			}
		}()
		livestore.Batch(s, a.To(2), b.To(2))
	}()
	if v := get(t, s, a); v != 1 {
		t.Errorf("half of a batch is there: %d", v)
	}
}

func ExampleWatchDiff() {
	ctx := context.Background()
	store, err := livestore.Open(ctx, schema, memory.New(nil), &livestore.Options{StoreID: "todos"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	todo := func(id, text string) {
		if _, err := store.Commit(ctx, todoCreated.New(TodoCreated{ID: id, Text: text})); err != nil {
			fmt.Println(err)
		}
	}
	todo("1", "Buy milk")
	list := livestore.Query(todos.OrderBy(state.Asc(&todos.Row.Text)))
	for diff, err := range livestore.WatchDiff(ctx, store, list, func(t Todo) string { return t.ID }) {
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, c := range diff.Changes {
			fmt.Println(c.Kind, "at", c.At, c.Row.Text)
		}
		if len(diff.Rows) == 2 {
			break
		}
		todo("2", "Brush teeth")
	}
	// Output:
	// inserted at 0 Buy milk
	// inserted at 0 Brush teeth
}
