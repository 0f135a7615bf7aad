package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		main() // the test program is its own child
		return
	}
	os.Exit(m.Run())
}

func TestDemo(t *testing.T) {
	var out bytes.Buffer
	if err := show(t.Context(), &out, options{file: "../todo.txt", keep: t.TempDir(), pause: 20 * time.Millisecond}); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if n := strings.Count(out.String(), "kill -9"); n != 2 || !strings.HasSuffix(out.String(), "\nNothing lost, nothing twice.\n") {
		t.Errorf("the demo told another story, with %d kills:\n%s", n, out.String())
	}
}

// TestDemoNoticesLoss shows that the checks of the demo can fail: the list it looks at lacks what the last run did.
func TestDemoNoticesLoss(t *testing.T) {
	lines, err := read("../todo.txt")
	if err != nil {
		t.Fatal(err)
	}
	dir, out := t.TempDir(), &bytes.Buffer{}
	o := options{file: "../todo.txt", pause: 20 * time.Millisecond}
	p, err := runChild(t.Context(), out, dir, o, progress{}, func(p progress) bool { return p.lines > 100 })
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(t.Context(), out, dir, lines); err == nil {
		t.Errorf("a list of %d lines passed for one of %d", p.lines, len(lines))
	}
	if _, err := runChild(t.Context(), out, dir, o, progress{lines: p.lines + 100}, nil); err == nil || !strings.Contains(err.Error(), "lost") {
		t.Errorf("100 lines that had returned and are not there: %v", err)
	}
}
