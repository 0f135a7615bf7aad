package livestore_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/state"
)

// Every commit of this test leaves as many open to-dos as completed ones. Reads of one view never see it otherwise, whatever goes on.
func TestViewSeesOneState(t *testing.T) {
	s := openStore(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 100 {
			a, b := "a"+string(rune('0'+i)), "b"+string(rune('0'+i))
			commit(t, s, create(a, "one"), create(b, "two"), complete(a))
		}
	})
	count := func(r *state.Reader, done bool) int {
		n, err := state.Read(r, todos.Where(state.Eq(&todos.Row.Completed, done)).Count())
		if err != nil {
			t.Error(err)
		}
		return n
	}
	for last := 0; last < 100; {
		if err := s.View(func(r *state.Reader) error {
			open, done := count(r, false), count(r, true)
			if open != done || done < last {
				t.Errorf("%d open and %d completed to-dos, after %d", open, done, last)
			}
			last = done
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
}

func TestViewEndsWithItsFunction(t *testing.T) {
	s := openStore(t)
	mine := errors.New("mine")
	var kept *state.Reader
	if err := s.View(func(r *state.Reader) error {
		kept = r
		if ui, err := state.Read(r, uiState.Get(state.SessionID)); err != nil || ui.Filter != "all" {
			t.Errorf("the document is %v, %v", ui, err)
		}
		return mine
	}); err != mine {
		t.Errorf("error is %v", err)
	}
	if _, err := state.Read(kept, todos.Count()); !errors.Is(err, state.ErrReaderDone) {
		t.Errorf("a reader that was kept: %v", err)
	}
	func() {
		defer func() {
			if recover() != "mine" {
				t.Error("the panic is gone")
			}
		}()
		_ = s.View(func(r *state.Reader) error { kept = r; panic("mine") })
	}()
	if _, err := state.Read(kept, todos.Count()); !errors.Is(err, state.ErrReaderDone) {
		t.Errorf("a reader that was kept through a panic: %v", err)
	}
	commit(t, s, create("a", "the store goes on"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	err := s.View(func(*state.Reader) error { t.Error("a closed store was read"); return nil })
	if !errors.Is(err, livestore.ErrClosed) || !strings.Contains(err.Error(), "store test") {
		t.Errorf("error is %v", err)
	}
}

func ExampleStore_View() {
	store := exampleStore()
	defer store.Close()

	err := store.View(func(r *state.Reader) error {
		n, err := state.Read(r, todos.Count())
		if err != nil {
			return err
		}
		rows, err := state.Read(r, todos.OrderBy(state.Asc(&todos.Row.Text))) // as many rows as were counted
		fmt.Println(n, texts(rows))
		return err
	})
	fmt.Println(err)
	// Output:
	// 2 [Bake bread Buy milk]
	// <nil>
}

// A read can not write, whatever its text: not in a Get, not in a view, not in a live query.
func TestReadsAreReadOnly(t *testing.T) {
	s := openStore(t)
	commit(t, s, create("a", "milk"))
	for sql, want := range map[string]string{
		"INSERT INTO todos (id, text) VALUES ('b', 'eggs')":                    "INSERT todos is refused in a read: a read is one SELECT",
		"UPDATE todos SET text = 'eggs'":                                       "UPDATE todos is refused in a read: a read is one SELECT",
		"DELETE FROM todos":                                                    "DELETE todos is refused in a read: a read is one SELECT",
		"DELETE FROM todos RETURNING id":                                       "DELETE todos is refused in a read: a read is one SELECT",
		"WITH x AS (SELECT 1) INSERT INTO todos (id, text) SELECT 1, 2 FROM x": "INSERT todos is refused in a read: a read is one SELECT",
		"CREATE TABLE x(y)":                                                    "is refused in a read: a read is one SELECT",
		"CREATE TEMP TABLE x(y)":                                               "is refused in a read: a read is one SELECT",
		"DROP TABLE todos":                                                     "is refused in a read: a read is one SELECT",
		"ALTER TABLE todos RENAME TO x":                                        "is refused in a read: a read is one SELECT",
		"ATTACH DATABASE ':memory:' AS x":                                      "ATTACH ",
		"DETACH DATABASE main":                                                 "DETACH ",
		"PRAGMA foreign_keys = OFF":                                            "PRAGMA foreign_keys is refused in a read: a read is one SELECT",
		"PRAGMA user_version":                                                  "PRAGMA user_version is refused in a read: a read is one SELECT",
		"BEGIN":                                                                "is refused in a read: a read is one SELECT",
		"SAVEPOINT x":                                                          "is refused in a read: a read is one SELECT",
		"VACUUM":                                                               "is refused in a read: a read is one SELECT",
		"REINDEX":                                                              "is refused in a read: a read is one SELECT",
		"ANALYZE":                                                              "is refused in a read: a read is one SELECT",
		"SELECT 1; DELETE FROM todos":                                          "it must be exactly one statement",
		"SELECT name FROM pragma_table_list":                                   "is refused in a read: a read is one SELECT",
		"SELECT load_extension('x')":                                           "load_extension",
	} {
		q := state.SQL[string](sql)
		_, err := livestore.Get(s, q)
		verr := s.View(func(r *state.Reader) error { _, err := state.Read(r, q); return err })
		_, lerr := livestore.Get(s, livestore.Query(q))
		for how, err := range map[string]error{"Get": err, "View": verr, "Query": lerr} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s %s: error is %v\nwant %s", how, sql, err, want)
			}
		}
	}
	if got := texts(get(t, s, todos)); len(got) != 1 || got[0] != "milk" {
		t.Errorf("the to-dos are %q", got)
	}
	if n := get(t, s, state.Scalar[int]("SELECT count(*) FROM sqlite_schema WHERE name = 'todos'")); n != 1 {
		t.Error("the table is gone")
	}
}

// What the function returns is what View returns, whatever it is.
func TestViewReturnsTheErrorOfItsFunction(t *testing.T) {
	s := openStore(t)
	if err := s.View(func(*state.Reader) error { return livestore.ErrClosed }); err != livestore.ErrClosed {
		t.Error(err)
	}
}
