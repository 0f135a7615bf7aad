// Package todotxt reads and writes tasks in the todo.txt format, one task a line.
//
// A [Task] is a line taken apart: a completion mark, a priority, two dates and the text. Nothing is lost and nothing is
// made pretty: the String of a parsed line is that line, byte for byte, whatever it holds.
//
//	x (A) 2026-11-24 2026-11-02 Call the plumber +house @phone due:2026-11-25
//	│  │      │          │      └ text, with projects, contexts and tags in it
//	│  │      │          └ creation date
//	│  │      └ completion date, only on a completed task
//	│  └ priority
//	└ completed
//
// Rules: http://todotxt.org, where a completed task may keep its priority in front. Each of the four parts before the
// text counts only when a space follows it.
package todotxt

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// Priority is an uppercase letter from "A" (first) to "Z", or empty when the task has none.
type Priority string

// ParsePriority reads a letter from A to Z, in upper or lower case.
func ParsePriority(s string) (Priority, error) {
	p := Priority(strings.ToUpper(s))
	if !p.valid() {
		return "", &PriorityError{Text: s}
	}
	return p, nil
}

func (p Priority) valid() bool { return len(p) == 1 && p[0] >= 'A' && p[0] <= 'Z' }

// PriorityError says that a text is no priority.
type PriorityError struct{ Text string }

func (e *PriorityError) Error() string {
	return "\"" + e.Text + "\" is no priority: give one letter from A (first) to Z"
}

// Task is one line of a todo.txt file, taken apart. The tags name the columns of a table that keeps tasks.
type Task struct {
	Done      bool     `db:"done"`
	Priority  Priority `db:"priority"`
	Completed Date     `db:"completed"` // only on a task that is done
	Created   Date     `db:"created"`
	Text      string   `db:"text"` // everything else, as written
}

// What a line can not be.
var (
	ErrBlank    = errors.New("a task needs some text")
	ErrNewline  = errors.New("a task is one line: take the line break out")
	ErrNUL      = errors.New("the text holds a NUL byte: it is no text file")
	ErrEncoding = errors.New("the text is not UTF-8: convert it first")
)

// Parse takes a line apart. The line comes without its line break.
func Parse(line string) (Task, error) {
	switch {
	case strings.TrimSpace(line) == "":
		return Task{}, ErrBlank
	case strings.ContainsAny(line, "\n\r"):
		return Task{}, ErrNewline
	case strings.Contains(line, "\x00"):
		return Task{}, ErrNUL
	case !utf8.ValidString(line):
		return Task{}, ErrEncoding
	}
	var t Task
	rest := line
	if after, ok := strings.CutPrefix(rest, "x "); ok {
		t.Done, rest = true, after
	}
	if len(rest) >= 4 && rest[0] == '(' && rest[2] == ')' && rest[3] == ' ' && Priority(rest[1:2]).valid() {
		t.Priority, rest = Priority(rest[1:2]), rest[4:]
	}
	first, rest := cutDate(rest)
	if !t.Done {
		t.Created = first
	} else if t.Completed = first; first != "" {
		t.Created, rest = cutDate(rest)
	}
	t.Text = rest
	return t, nil
}

// cutDate takes a date with the space after it off the front of s.
func cutDate(s string) (Date, string) {
	word, rest, found := strings.Cut(s, " ")
	if !found {
		return "", s
	}
	d, err := ParseDate(word)
	if err != nil {
		return "", s
	}
	return d, rest
}

// String writes the task as its line.
func (t Task) String() string {
	var b strings.Builder
	if t.Done {
		b.WriteString("x ")
	}
	if t.Priority != "" {
		b.WriteString("(" + string(t.Priority) + ") ")
	}
	if t.Completed != "" {
		b.WriteString(string(t.Completed) + " ")
	}
	if t.Created != "" {
		b.WriteString(string(t.Created) + " ")
	}
	b.WriteString(t.Text)
	return b.String()
}

// AmbiguousError says that a task would be another one when its line is read again, as an open task with the text "x ray"
// reads as a completed one with the text "ray".
type AmbiguousError struct{ Task Task }

func (e *AmbiguousError) Error() string {
	return "\"" + e.Task.String() + "\" would be read as something else: change how its text begins"
}

// Validate says why the task can not be written as a line, nil when it can.
func (t Task) Validate() error {
	back, err := Parse(t.String())
	if err != nil {
		return err
	}
	if back != t {
		return &AmbiguousError{Task: t}
	}
	return nil
}
