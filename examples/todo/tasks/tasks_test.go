package tasks_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/memory"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/examples/todo/tasks"
	"github.com/livestore-go/livestore/examples/todo/todotxt"
	"github.com/livestore-go/livestore/state"
)

func open(t *testing.T) *livestore.Store {
	t.Helper()
	store, err := livestore.Open(t.Context(), tasks.Schema, memory.New(nil), &livestore.Options{StoreID: "todo"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func commit(t *testing.T, store *livestore.Store, drafts ...event.Draft) {
	t.Helper()
	if _, err := store.Commit(t.Context(), drafts...); err != nil {
		t.Fatal(err)
	}
}

func get[T any](t *testing.T, store *livestore.Store, q state.Query[T]) T {
	t.Helper()
	v, err := livestore.Get(store, q)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func parse(t *testing.T, text string) []todotxt.Task {
	t.Helper()
	lines, err := todotxt.Read(strings.NewReader(text), "list")
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func shipped(t *testing.T) []todotxt.Task {
	t.Helper()
	text, err := os.ReadFile("../todo.txt")
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(text))
}

// importing imports lines and checks what it did. In memory nothing is ever persisted, which is the error to expect.
func importing(t *testing.T, store *livestore.Store, lines []todotxt.Task, want tasks.ImportReport) {
	t.Helper()
	got, err := tasks.Import(t.Context(), store, lines, nil)
	if _, ok := errors.AsType[*livestore.StageError](err); err != nil && !ok {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("the import did %+v, want %+v", got, want)
	}
}

func file(t *testing.T, store *livestore.Store) string {
	t.Helper()
	var b strings.Builder
	if err := todotxt.Write(&b, get(t, store, tasks.File)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestImportTakesOverWhatIsMissing(t *testing.T) {
	store := open(t)
	importing(t, store, parse(t, "one\ntwice\ntwice\n"), tasks.ImportReport{Lines: 3, Added: 3})

	// The same file with a line in front, one less and one more: position plays no part.
	importing(t, store, parse(t, "zero\ntwice\ntwice\ntwice\n"), tasks.ImportReport{Lines: 4, Added: 2, Known: 2})
	if got, want := file(t, store), "one\ntwice\ntwice\nzero\ntwice\n"; got != want {
		t.Errorf("the list is\n%s", got)
	}

	// What happened to a task since does not make its line new, and what was removed stays removed.
	id := tasks.ImportIDs(parse(t, "one\n"))[0]
	commit(t, store, tasks.Completed.New(tasks.TaskCompleted{ID: id, On: "2026-11-24"}))
	importing(t, store, parse(t, "one\n"), tasks.ImportReport{Lines: 1, Known: 1})
	importing(t, store, parse(t, "x 2026-11-24 one\n"), tasks.ImportReport{Lines: 1, Known: 1}) // as it would be exported
	commit(t, store, tasks.Removed.New(tasks.TaskRemoved{ID: id, On: "2026-11-24"}))
	importing(t, store, parse(t, "one\n"), tasks.ImportReport{Lines: 1, Removed: 1})

	// A task written here is the line that looks like it, once.
	commit(t, store, tasks.Added.New(tasks.TaskAdded{ID: "a", Text: "here"}))
	importing(t, store, parse(t, "here\nhere\n"), tasks.ImportReport{Lines: 2, Known: 1, Added: 1})
}

func TestImportIsOneCommitAChunk(t *testing.T) {
	store := open(t)
	var commits []int
	opts := &tasks.ImportOptions{Chunk: 4, OnCommit: func(done, total int) {
		if commits = append(commits, done); total != 10 {
			t.Errorf("%d lines in all", total)
		}
	}}
	lines := shipped(t)[:10]
	if _, err := tasks.Import(t.Context(), store, lines, opts); err != nil {
		if _, ok := errors.AsType[*livestore.StageError](err); !ok {
			t.Fatal(err)
		}
	}
	if want := []int{4, 8, 10}; !slices.Equal(commits, want) {
		t.Errorf("commits after lines %v, want %v", commits, want)
	}
}

func TestMaterializersRefuse(t *testing.T) {
	store := open(t)
	commit(t, store, tasks.Added.New(tasks.TaskAdded{ID: "a", Text: "x ray", Priority: "A"}))
	for name, c := range map[string]struct {
		draft event.Draft
		want  func(error) bool
	}{
		"an id that is taken": {tasks.Added.New(tasks.TaskAdded{ID: "a", Text: "b"}), is[*tasks.ExistsError]},
		"no such task":        {tasks.Completed.New(tasks.TaskCompleted{ID: "b", On: "2026-11-24"}), is[*tasks.NotFoundError]},
		"no such day":         {tasks.Completed.New(tasks.TaskCompleted{ID: "a", On: "2026-11-31"}), is[*todotxt.DateError]},
		"no priority":         {tasks.Prioritized.New(tasks.TaskPrioritized{ID: "a", Priority: "a"}), is[*todotxt.PriorityError]},
		"no line":             {tasks.Deprioritized.New(tasks.TaskDeprioritized{ID: "a"}), is[*todotxt.AmbiguousError]},
		"no text":             {tasks.Added.New(tasks.TaskAdded{ID: "b"}), func(err error) bool { return errors.Is(err, todotxt.ErrBlank) }},
	} {
		before := get(t, store, tasks.All)
		// The first event of the commit would apply: all or nothing.
		_, err := store.Commit(t.Context(), tasks.Added.New(tasks.TaskAdded{ID: "c", Text: "c"}), c.draft)
		if !c.want(err) {
			t.Errorf("%s: %v", name, err)
		}
		if after := get(t, store, tasks.All); !slices.Equal(before, after) {
			t.Errorf("%s: the list changed to %v", name, after)
		}
	}
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// TestEveryTaskIsFoundByItsWords looks for each task by each of its words, projects and contexts.
func TestEveryTaskIsFoundByItsWords(t *testing.T) {
	store := open(t)
	lines := shipped(t)
	importing(t, store, lines, tasks.ImportReport{Lines: len(lines), Added: len(lines)})
	for _, row := range get(t, store, tasks.All) {
		for w := range todotxt.Words(row.Text) {
			if w.Kind == todotxt.Space {
				continue
			}
			f := tasks.Filter{Which: tasks.NotRemoved, Text: []string{w.Text}}
			switch w.Kind {
			case todotxt.Project:
				f = tasks.Filter{Which: tasks.NotRemoved, Projects: []string{w.Value}}
			case todotxt.Context:
				f = tasks.Filter{Which: tasks.NotRemoved, Contexts: []string{w.Value}}
			}
			found := get(t, store, tasks.List(f))
			if !slices.Contains(found, row) {
				t.Errorf("%q does not find %q", w.Text, row.Text)
			}
			for _, r := range found {
				if !fits(r, w) {
					t.Errorf("%q finds %q", w.Text, r.Text)
				}
			}
		}
	}
}

// fits says whether a task has the word, by a look at its text that knows nothing of indexes. Words with letters beyond ASCII
// may be found without their accents: those are not looked at.
func fits(r tasks.Row, w todotxt.Word) bool {
	under := func(names []string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return n == w.Value || strings.HasPrefix(n, w.Value+"/") })
	}
	switch {
	case w.Kind == todotxt.Project:
		return under(r.Projects())
	case w.Kind == todotxt.Context:
		return slices.Contains(r.Contexts(), w.Value)
	case strings.ContainsFunc(w.Text, func(c rune) bool { return c > 127 }):
		return true
	}
	return strings.Contains(strings.ToLower(unaccent.Replace(r.Text)), strings.ToLower(w.Text))
}

var unaccent = strings.NewReplacer(
	"é", "e", "è", "e", "ä", "a", "ö", "o", "ü", "u", "ñ", "n", "ã", "a", "ø", "o", "Ø", "O", "á", "a", "í", "i", "Ó", "O", "ő", "o",
	"ë", "e", "û", "u", "ễ", "e", "ị", "i", "ở", "o", "Ç", "C", "Đ", "D", "đ", "d", "ć", "c",
)

// TestListIsLive watches a list that is narrowed down by text, which the full-text index finds.
func TestListIsLive(t *testing.T) {
	store := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	milk := livestore.Query(tasks.List(tasks.Filter{Text: []string{"milk"}}))
	steps := []func(){
		func() { commit(t, store, tasks.Added.New(tasks.TaskAdded{ID: "a", Text: "Buy milk"})) },
		func() { commit(t, store, tasks.Prioritized.New(tasks.TaskPrioritized{ID: "a", Priority: "B"})) },
		func() {
			commit(t, store, tasks.Added.New(tasks.TaskAdded{ID: "b", Text: "Buy bread"})) // no change of this list
			commit(t, store, tasks.Imported.New(tasks.TaskImported{ID: "c", Text: "Oat MILK", Priority: "A"}))
		},
		func() { commit(t, store, tasks.Completed.New(tasks.TaskCompleted{ID: "a", On: "2026-11-24"})) },
		func() { commit(t, store, tasks.Removed.New(tasks.TaskRemoved{ID: "c", On: "2026-11-24"})) },
		func() { commit(t, store, tasks.Restored.New(tasks.TaskRestored{ID: "c"})) },
		cancel,
	}
	var seen []string
	for rows, err := range livestore.Watch(ctx, store, milk) {
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, r := range rows {
			lines = append(lines, r.String())
		}
		seen = append(seen, strings.Join(lines, "; "))
		steps[0]()
		steps = steps[1:]
	}
	want := []string{
		"", "Buy milk", "(B) Buy milk", "(A) Oat MILK; (B) Buy milk", "(A) Oat MILK", "", "(A) Oat MILK",
	}
	if !slices.Equal(seen, want) {
		t.Errorf("the list was\n%q, want\n%q", seen, want)
	}
}

// TestNumbersStay shows that a number once given means one task forever.
func TestNumbersStay(t *testing.T) {
	store := open(t)
	add := func(id string) { commit(t, store, tasks.Added.New(tasks.TaskAdded{ID: id, Text: id})) }
	add("a")
	add("b")
	commit(t, store, tasks.Removed.New(tasks.TaskRemoved{ID: "b", On: "2026-11-24"}))
	add("c")
	if c := get(t, store, tasks.Numbered(3)); c == nil || c.ID != "c" {
		t.Errorf("number 3 is %+v", c)
	}
	if last := get(t, store, tasks.LastRemoved); last == nil || last.ID != "b" || last.Number != 2 {
		t.Errorf("removed last is %+v", last)
	}
	if none := get(t, store, tasks.Numbered(4)); none != nil {
		t.Errorf("number 4 is %+v", none)
	}
	if got, want := get(t, store, tasks.Count("2026-11-24")), (tasks.Counts{Open: 2, Removed: 1}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
}
