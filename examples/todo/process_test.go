package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/livestore-go/livestore/examples/todo/tasks"
)

// todo makes a process of todo on a directory.
func todo(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self, args...)
	c.Env = append(os.Environ(), asTodo+"=1", "TODO_TODAY=2026-11-24", "TODO_DIR="+dir)
	c.Stderr = os.Stderr
	return c
}

// TestImportSurvivesKill kills an import with -9 again and again, at random commits, until it comes to its end. No commit that had
// returned is missing afterwards, and no line is there twice.
func TestImportSurvivesKill(t *testing.T) {
	want, err := os.ReadFile("todo.txt")
	if err != nil {
		t.Fatal(err)
	}
	total := bytes.Count(want, []byte("\n"))
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	const enough, atMost = 6, 40 // kills, and lists to see them on: an import may end before its kill arrives
	kills := 0
	for lists := 0; kills < enough; lists++ {
		if lists == atMost {
			t.Fatalf("only %d of %d imports could be killed: the test shows little", kills, lists)
		}
		dir := t.TempDir()
		for reached := 0; reached < total; {
			first, last := importUntil(t, dir, reached+1+random.IntN(60))
			if first > 0 && first <= reached {
				t.Fatalf("%d lines had returned before the kill, and the import went on at line %d", reached, first)
			}
			if last < total {
				kills++
			}
			reached = max(reached, last)
		}
		got, err := todo(t, dir, "export").Output()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("after %d kills the list is not the file: %d lines of %d", kills, bytes.Count(got, []byte("\n")), total)
		}
		if again, err := todo(t, dir, "import", "todo.txt").Output(); err != nil || !strings.Contains(string(again), ": 0 imported") {
			t.Errorf("the same file once more: %s, %v", again, err)
		}
	}
}

// importUntil imports the file that ships, one line a commit, and kills the process when that many lines are in. It returns the first
// and the last number of lines the process reported.
func importUntil(t *testing.T, dir string, kill int) (first, last int) {
	t.Helper()
	c := todo(t, dir, "import", "--chunk=1", "--progress", "todo.txt")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	for in := bufio.NewScanner(out); in.Scan(); {
		var n, of int
		if _, err := fmt.Sscanf(in.Text(), "%d of %d lines", &n, &of); err != nil {
			continue // the report at the end
		}
		if first == 0 {
			first = n
		}
		last = n
		if n >= kill && !killed {
			killed = true
			if err := c.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Error(err)
			}
		}
	}
	if err := c.Wait(); err != nil && !killed {
		t.Fatal(err)
	}
	return first, last
}

// TestSecondProcess opens a list that another process has open.
func TestSecondProcess(t *testing.T) {
	dir := t.TempDir()
	store, err := tasks.Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()

	for _, command := range []string{"list", "watch", "status"} {
		second := todo(t, dir, command)
		var said bytes.Buffer
		second.Stderr = &said
		err := second.Run()
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.ExitCode() != 1 {
			t.Errorf("%s: %v, want exit code 1", command, err)
		}
		for _, want := range []string{dir, strconv.Itoa(os.Getpid()), "watch open in another terminal"} {
			if !strings.Contains(said.String(), want) {
				t.Errorf("%s says %q, which does not name %q", command, said.String(), want)
			}
		}
	}
}
