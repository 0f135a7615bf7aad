package screen

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/livestore-go/livestore/examples/todo/tasks"
	"github.com/livestore-go/livestore/examples/todo/todotxt"
)

// Tasks shows each task as one line, with its number in front. A day says what is overdue.
func (t *Terminal) Tasks(rows []tasks.Row, today todotxt.Date) []string {
	digits := 1
	for _, r := range rows {
		digits = max(digits, len(strconv.Itoa(r.Number)))
	}
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = t.fit(t.Paint(Dim, fmt.Sprintf("%*d", digits, r.Number)) + "  " + t.task(r.Task, today))
	}
	return lines
}

// Task shows one task as a line.
func (t *Terminal) Task(r tasks.Row, today todotxt.Date) string {
	return t.Tasks([]tasks.Row{r}, today)[0]
}

// task shows the line of a task. Control characters, which a terminal would obey, are shown as what they are.
func (t *Terminal) task(task todotxt.Task, today todotxt.Date) string {
	if task.Done {
		return t.Paint(Dim, harmless(task.String()))
	}
	var b strings.Builder
	if task.Priority != "" {
		b.WriteString(t.Paint(priorityStyle(task.Priority), "("+string(task.Priority)+")") + " ")
	}
	if task.Created != "" {
		b.WriteString(t.Paint(Dim, string(task.Created)) + " ")
	}
	for w := range todotxt.Words(task.Text) {
		b.WriteString(t.Paint(wordStyle(w, today), harmless(w.Text)))
	}
	return b.String()
}

func priorityStyle(p todotxt.Priority) Style {
	switch p {
	case "A":
		return Red
	case "B":
		return Yellow
	case "C":
		return Green
	default:
		return Strong
	}
}

func wordStyle(w todotxt.Word, today todotxt.Date) Style {
	switch w.Kind {
	case todotxt.Project:
		return Magenta
	case todotxt.Context:
		return Cyan
	case todotxt.Tag:
		due, err := todotxt.ParseDate(w.Value)
		switch {
		case w.Key != "due" || err != nil:
			return Dim
		case due < today:
			return Red
		case today.Days(due) <= 1:
			return Yellow
		}
		return Blue
	default:
		return Plain
	}
}

func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0:
			return '\ufffd'
		}
		return r
	}, s)
}
