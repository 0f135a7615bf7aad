package local_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/adaptertest"
	"github.com/livestore-go/livestore/adapter/local"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/state"
)

// child runs, when it is not nil, in place of the tests in a process that a test has started.
var child func() bool

func TestMain(m *testing.M) {
	if child != nil && child() {
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func TestAdapter(t *testing.T) {
	adaptertest.Run(t, adaptertest.Config{
		New: func(place string) livestore.Adapter { return local.New(place, nil) }, Durable: true,
	})
}

type named struct {
	Name string `json:"name"`
}

type row struct {
	Name string `db:"name,primarykey"`
}

var (
	added  = event.Synced[named]("v1.Added")
	rows   = state.NewTable[row]("rows")
	schema = state.MustSchema(rows, state.On(added, func(tx *state.Tx, e named) error { return tx.Exec(rows.Insert(row(e))) }))
)

func open(t *testing.T, dir string) (*livestore.Store, error) {
	t.Helper()
	return livestore.Open(t.Context(), schema, local.New(dir, nil), &livestore.Options{StoreID: "store"})
}

func mustOpen(t *testing.T, dir string) *livestore.Store {
	t.Helper()
	s, err := open(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// filled returns a directory with a closed store of some events.
func filled(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	s := mustOpen(t, dir)
	for _, n := range names {
		if _, err := s.Commit(t.Context(), added.New(named{n})); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// expectNames opens the store and closes it again.
func expectNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	s := mustOpen(t, dir)
	defer s.Close()
	got, err := livestore.Get(s, rows.OrderBy(state.Asc(&rows.Row.Name)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range got {
		names = append(names, r.Name)
	}
	if fmt.Sprint(names) != fmt.Sprint(want) {
		t.Errorf("the store has %v, want %v", names, want)
	}
}

func stateFile(t *testing.T, dir string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "store", "state-*.db"))
	if err != nil || len(found) != 1 {
		t.Fatalf("state files: %v, %v", found, err)
	}
	return found[0]
}

func TestStateOfGarbageIsRebuilt(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, path string){
		"garbage": func(t *testing.T, path string) { write(t, path, bytes.Repeat([]byte("garbage "), 1000)) },
		"empty":   func(t *testing.T, path string) { write(t, path, nil) },
		"cut short": func(t *testing.T, path string) {
			if err := os.Truncate(path, 5000); err != nil {
				t.Fatal(err)
			}
		},
		"gone": func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		},
		"a directory's rest": func(t *testing.T, path string) { write(t, path+".building", []byte("half")) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filled(t, "a", "b", "c")
			damage(t, stateFile(t, dir))
			expectNames(t, dir, "a", "b", "c")
			if left, _ := filepath.Glob(filepath.Join(dir, "store", "*.building")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A log that can not be read is refused, and nothing in the directory changes.
func TestEventlogOfGarbageIsRefused(t *testing.T) {
	dir := filled(t, "a")
	path := filepath.Join(dir, "store", "eventlog.db")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	newer := bytes.Clone(whole)
	copy(newer[60:64], []byte{0, 0, 0, 99}) // user_version in the header of the file
	for name, content := range map[string][]byte{
		"garbage": bytes.Repeat([]byte("garbage "), 1000),
		"newer":   newer,
	} {
		t.Run(name, func(t *testing.T) {
			write(t, path, content)
			before := listing(t, filepath.Join(dir, "store"))
			_, err := open(t, dir)
			if _, ok := errors.AsType[*eventlog.FormatError](err); !ok {
				t.Errorf("opening it: %v", err)
			}
			if after := listing(t, filepath.Join(dir, "store")); after != before {
				t.Errorf("the directory was\n%s\nand is\n%s", before, after)
			}
		})
	}
	write(t, path, whole)
	expectNames(t, dir, "a")
}

// listing shows names, sizes and contents, but for the lock.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var out bytes.Buffer
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "lock" {
			return err
		}
		b, err := os.ReadFile(path)
		fmt.Fprintf(&out, "%s %d %x\n", d.Name(), len(b), b[:min(len(b), 100)])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestDirectoryBelongsToOneProcess(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	_, err := open(t, dir)
	if e, ok := errors.AsType[*local.LockedError](err); !ok || e.StoreID != "store" || e.PID != os.Getpid() {
		t.Errorf("opening it a second time: %v", err)
	}
	// What is locked can not be read everywhere: the process id stands beside it.
	if st, err := os.Stat(filepath.Join(dir, "store", "lock")); err != nil || st.Size() > 0 {
		t.Errorf("the lock file: %v, %v", st, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	expectNames(t, dir)
}

// An app that does not know an event of its log opens it all the same, unless its schema says to stop at one. The event stays, and
// the app that knows it has it back.
func TestSchemaThatDoesNotKnowAnEvent(t *testing.T) {
	extra := event.Synced[named]("v1.Extra")
	insert := func(tx *state.Tx, e named) error { return tx.Exec(rows.Insert(row(e))) }
	newer := state.MustSchema(rows, state.On(added, insert), state.On(extra, insert))
	for name, policy := range map[string]state.UnknownPolicy{"warn": state.Warn, "ignore": state.Ignore, "fail": state.Fail} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			use := func(schema *state.Schema, f func(*livestore.Store)) error {
				s, err := livestore.Open(t.Context(), schema, local.New(dir, nil), &livestore.Options{StoreID: "store"})
				if err != nil {
					return err
				}
				defer s.Close()
				f(s)
				return nil
			}
			expect := func(n int) func(*livestore.Store) {
				return func(s *livestore.Store) {
					if got, err := livestore.Get(s, rows.Count()); err != nil || got != n {
						t.Errorf("there are %d rows, want %d: %v", got, n, err)
					}
				}
			}
			err := use(newer, func(s *livestore.Store) {
				for _, d := range []event.Draft{added.New(named{"a"}), extra.New(named{"b"}), added.New(named{"c"})} {
					if _, err := s.Commit(t.Context(), d); err != nil {
						t.Fatal(err)
					}
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			older := state.MustSchema(rows, state.On(added, insert), state.UnknownEvents(policy))
			err = use(older, expect(2))
			if e, ok := errors.AsType[*state.UnknownEventError](err); name == "fail" && !ok || name != "fail" && err != nil {
				t.Errorf("opening it: %v, %v", err, e)
			}
			if err := use(newer, expect(3)); err != nil {
				t.Error(err)
			}
		})
	}
}

// What can not be read of a journal is kept and said; what can be is taken.
func TestDamagedJournalIsKept(t *testing.T) {
	dir := filled(t, "a")
	path := filepath.Join(dir, "store")
	log, err := eventlog.Open(filepath.Join(path, "eventlog.db"), &eventlog.Options{StoreID: "store"})
	if err != nil {
		t.Fatal(err)
	}
	clientID := log.Meta().ClientID
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	w, err := journal.Create(journal.OS(path), "left"+journal.Ext, journal.Header{Journal: "left", ClientID: clientID, SessionID: "s", StoreID: "store"})
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"b", "c", "d"} {
		args := []byte(fmt.Sprintf(`{"name":%q}`, name))
		if err := w.Append(journal.Record{Ordinal: uint64(i + 1), Events: []journal.Event{{Name: "v1.Added", Args: args}}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(path, "left"+journal.Ext)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[bytes.Index(b, []byte(`"c"`))] ^= 1
	write(t, file, b)
	expectNames(t, dir, "a", "b")
	if kept, err := os.ReadFile(file + ".torn"); err != nil || !bytes.Equal(kept, b) {
		t.Errorf("what could not be read is not kept: %v", err)
	}
	expectNames(t, dir, "a", "b")
}
