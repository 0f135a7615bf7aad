package screen

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/livestore-go/livestore/examples/todo/tasks"
	"github.com/livestore-go/livestore/examples/todo/todotxt"
)

const today todotxt.Date = "2026-11-24"

func rows(t *testing.T, lines ...string) []tasks.Row {
	t.Helper()
	all := make([]tasks.Row, len(lines))
	for i, line := range lines {
		task, err := todotxt.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		all[i] = tasks.Row{Number: i + 9, Task: task}
	}
	return all
}

func TestPlainWhereNobodyLooks(t *testing.T) {
	var out bytes.Buffer
	term := New(&out)
	got := term.Tasks(rows(t, "(A) 2026-11-01 Call +p @c due:2026-11-24", "x done"), today)
	want := []string{" 9  (A) 2026-11-01 Call +p @c due:2026-11-24", "10  x done"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, want %q", got, want)
	}
	if term.Interactive() {
		t.Error("a buffer is no terminal")
	}
}

func TestColours(t *testing.T) {
	term := &Terminal{Writer: &bytes.Buffer{}, bold: true}
	for line, want := range map[string]string{
		"(A) Call +p @c": "\x1b[31m(A)\x1b[m Call \x1b[35m+p\x1b[m \x1b[36m@c\x1b[m",
		"due:2026-11-23": "\x1b[31mdue:2026-11-23\x1b[m", // overdue
		"due:2026-11-25": "\x1b[33mdue:2026-11-25\x1b[m", // tomorrow
		"due:2026-11-26": "\x1b[34mdue:2026-11-26\x1b[m",
		"due:soon":       "\x1b[2mdue:soon\x1b[m",
		"x done +p":      "\x1b[2mx done +p\x1b[m",
	} {
		got := term.Tasks(rows(t, line), today)[0]
		if got != "\x1b[2m9\x1b[m  "+want {
			t.Errorf("%q is shown as %q, want %q", line, got, want)
		}
	}
}

// TestTerminalIsNotObeyed shows text that would move the cursor or change the title of a terminal.
func TestTerminalIsNotObeyed(t *testing.T) {
	term := New(&bytes.Buffer{})
	got := term.Tasks(rows(t, "a\x1b[2Jb\x07c\u009bd\te"), today)[0]
	if want := "9  a\ufffd[2Jb\ufffdc\ufffdd e"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNoColor(t *testing.T) {
	tty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no terminal to be had: ", err)
	}
	defer tty.Close()
	for _, c := range []struct {
		noColor, term string
		bold          bool
	}{{"", "xterm", true}, {"1", "xterm", false}, {"", "dumb", false}} {
		t.Setenv("NO_COLOR", c.noColor)
		t.Setenv("TERM", c.term)
		term := New(tty)
		if term.bold != c.bold {
			t.Errorf("NO_COLOR=%s TERM=%s: colours %v", c.noColor, c.term, term.bold)
		}
		if term.Interactive() != (c.term != "dumb") {
			t.Errorf("TERM=%s: interactive %v", c.term, term.Interactive())
		}
	}
}

func TestLiveFollowsItselfWhereNobodyLooks(t *testing.T) {
	var out bytes.Buffer
	live := New(&out).Whole()
	live.Draw([]string{"one"}, "> ")
	live.Draw([]string{"two"}, "> ")
	live.Close()
	if got := out.String(); got != "one\ntwo\n" {
		t.Errorf("got %q", got)
	}
}
