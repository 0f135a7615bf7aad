package todotxt

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// MaxLine is the longest line that is read, in bytes.
const MaxLine = 64 << 10

// LineError says which line of a file is wrong.
type LineError struct {
	File string
	Line int // counted from 1
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err) }

func (e *LineError) Unwrap() error { return e.Err }

// ErrTooLong says that a line is longer than [MaxLine].
var ErrTooLong = errors.New("the line is longer than 64 KiB: it is no task")

// Read reads a todo.txt file. Blank lines are left out; a byte order mark and the line breaks of Windows are accepted. Any
// line that is wrong is a *[LineError], and nothing is returned: a file is taken whole or not at all.
func Read(r io.Reader, name string) ([]Task, error) {
	var tasks []Task
	in := bufio.NewScanner(r)
	in.Buffer(nil, MaxLine)
	n := 0
	for in.Scan() {
		n++
		line := in.Text()
		if n == 1 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		if strings.TrimSpace(line) == "" {
			continue
		}
		t, err := Parse(line)
		if err != nil {
			return nil, &LineError{File: name, Line: n, Err: err}
		}
		tasks = append(tasks, t)
	}
	if errors.Is(in.Err(), bufio.ErrTooLong) {
		return nil, &LineError{File: name, Line: n + 1, Err: ErrTooLong}
	}
	if in.Err() != nil {
		return nil, fmt.Errorf("read %s: %w", name, in.Err())
	}
	return tasks, nil
}

// Write writes the tasks, one a line.
func Write(w io.Writer, tasks []Task) error {
	out := bufio.NewWriter(w)
	for _, t := range tasks {
		out.WriteString(t.String()) // the error of each write is the one that Flush returns
		out.WriteByte('\n')
	}
	return out.Flush()
}
