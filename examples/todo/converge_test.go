package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/livestore-go/livestore/examples/todo/machine"
)

// buildServer builds the program that serves.
func buildServer(t *testing.T) string {
	t.Helper()
	dir := t.TempDir() + string(filepath.Separator)
	build := exec.CommandContext(t.Context(), "go", "build", "-o", dir, "github.com/livestore-go/livestore/cmd/livestore")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	names, err := filepath.Glob(dir + "livestore*")
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	return names[0]
}

// TestTwoClientsConverge kills the server while two clients change the same tasks and go on doing so, starts it again, and wants both to be
// one within two seconds of the moment at which both are connected again: the same list and the same dump, every event once.
func TestTwoClientsConverge(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(asTodo, "1")
	p := machine.Programs{Todo: self, Livestore: buildServer(t), Today: "2026-11-24"}
	storage := "sqlite:" + filepath.Join(t.TempDir(), "server")
	server, err := machine.Serve(t.Context(), p, "127.0.0.1:0", storage)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { server.Kill() }()
	var clients [2]*machine.Client
	for i, name := range []string{"laptop", "phone"} {
		if clients[i], err = machine.Start(t.Context(), p, name, filepath.Join(t.TempDir(), name), server.URL()); err != nil {
			t.Fatal(err)
		}
		defer clients[i].Close()
	}
	do := func(c *machine.Client, format string, args ...any) []string {
		t.Helper()
		out, err := c.Do(t.Context(), fmt.Sprintf(format, args...))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	until := func(c *machine.Client, mark int, ok func(string) bool) time.Time {
		t.Helper()
		at, err := c.Until(t.Context(), mark, ok)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	synced := func(n int) func(string) bool {
		return func(line string) bool { return line == fmt.Sprintf("synced at e%d", n) }
	}

	const shared = 20
	for n := range shared {
		do(clients[0], "add (D) task %d", n)
	}
	for _, c := range clients {
		until(c, 0, synced(shared))
	}
	total := shared
	want := map[string]int{} // by what the events are about: how many
	for range 3 {
		// Some changes are on their way when the server is killed; then both work through the same tasks. Numbers are those each has in its
		// own list; new tasks come last.
		for n := range 5 {
			for i, c := range clients {
				do(c, "pri %d %c", n+1, 'C'+byte(i))
				do(c, "add new of %s", c.Name)
			}
		}
		marks := [2]int{clients[0].Mark(), clients[1].Mark()}
		server.Kill()
		for n := range 5 {
			for i, c := range clients {
				do(c, "pri %d %c", n+1, 'A'+byte(i))
				do(c, "add new of %s", c.Name)
				do(c, "done %d", n+11)
				do(c, "reopen %d", n+11)
				do(c, "rm %d", n+6)
				do(c, "undelete %d", n+6)
			}
		}
		for name, n := range map[string]int{
			"TaskPrioritized": 20, "TaskAdded": 20, "TaskCompleted": 10, "TaskReopened": 10, "TaskRemoved": 10, "TaskRestored": 10,
		} {
			want[name] += n
			total += n
		}
		for i, c := range clients {
			until(c, marks[i], func(line string) bool { return strings.HasPrefix(line, "not connected") })
		}
		// The dumps must differ now, or the rest shows nothing.
		if a, b := do(clients[0], "dump"), do(clients[1], "dump"); slices.Equal(a, b) {
			t.Fatal("both made the same changes")
		}
		marks = [2]int{clients[0].Mark(), clients[1].Mark()}
		if server, err = machine.Serve(t.Context(), p, server.Address, storage); err != nil {
			t.Fatal(err)
		}
		var connected, one time.Time
		for i, c := range clients {
			at := until(c, marks[i], func(line string) bool {
				return strings.HasPrefix(line, "connected") || strings.HasPrefix(line, "synced")
			})
			connected = latest(connected, at)
		}
		for i, c := range clients {
			one = latest(one, until(c, marks[i], synced(total)))
		}
		if took := one.Sub(connected); took > 2*time.Second {
			t.Errorf("they became one %s after both were connected", took)
		} else {
			t.Logf("they became one %s after both were connected", took)
		}
		compare(t, do(clients[0], "list --all"), do(clients[1], "list --all"))
		dump := do(clients[0], "dump")
		compare(t, dump, do(clients[1], "dump"))
		checkLog(t, dump, total, want)
	}
	if aside := do(clients[0], "status"); !slices.Contains(aside, "set aside  0") {
		t.Errorf("something was set aside: %q", aside)
	}
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func compare(t *testing.T, a, b []string) {
	t.Helper()
	if !slices.Equal(a, b) {
		t.Errorf("one has\n%s\nand the other\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
}

// checkLog checks that the numbers have no gap, that every task was added once, and that there are as many events of each kind as were
// committed.
func checkLog(t *testing.T, dump []string, total int, want map[string]int) {
	t.Helper()
	log := dump[slices.Index(dump, "eventlog")+1:]
	if len(log) != total {
		t.Errorf("%d events in the eventlog, %d were committed", len(log), total)
	}
	const shared = 20
	got := map[string]int{"TaskAdded": -shared}
	added := map[string]bool{}
	for i, line := range log {
		num, event, _ := strings.Cut(line, " ")
		if num != fmt.Sprintf("e%d", i+1) {
			t.Fatalf("event %d is %s", i+1, line)
		}
		name, _, _ := strings.Cut(event, " ")
		name = strings.TrimPrefix(name, "v1.")
		if got[name]++; name == "TaskAdded" && added[event] {
			t.Errorf("twice: %s", event)
		}
		added[event] = true
	}
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%d × %s, %d were committed", got[name], name, n)
		}
	}
}
