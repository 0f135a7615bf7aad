package local_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/adaptertest"
	"github.com/livestore-go/livestore/adapter/local"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
	"github.com/livestore-go/livestore/state"
)

// asNobody is set in the environment of a child process that tries a directory it may not write to.
const asNobody = "LIVESTORE_TEST_AS_NOBODY"

func TestMain(m *testing.M) {
	if dir := os.Getenv(asNobody); dir != "" {
		_, err := livestore.Open(context.Background(), schema, local.New(dir, nil), &livestore.Options{StoreID: "store"})
		fmt.Println(err)
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
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	expectNames(t, dir)
}

func TestReadOnlyDirectory(t *testing.T) {
	base, err := os.MkdirTemp("/tmp", "livestore-readonly-") // t.TempDir lies in directories that others may not enter
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(base)
	if err := os.Chmod(base, 0o555); err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Skipf("no copy of the test binary for another user: %v", err)
	}
	bin, err := os.MkdirTemp("/tmp", "livestore-bin-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(bin)
	exe := filepath.Join(bin, "test")
	if err := os.WriteFile(exe, self, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), asNobody+"="+base)
	if os.Getuid() == 0 { // who is root may write anywhere
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("permission denied")) || !bytes.Contains(out, []byte(base)) {
		t.Errorf("opening a store in a read-only directory says %q, %v", out, err)
	}
}
