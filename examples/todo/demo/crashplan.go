package main

import (
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/examples/todo/tasks"
	"github.com/livestore-go/livestore/examples/todo/todotxt"
)

// today is the day on which everything in the demo happens.
const today todotxt.Date = "2026-11-24"

// chunk is the number of lines of one commit of the import.
const chunk = 3

// step is one change of the list: what it makes of the task, and what it commits.
type step struct {
	line    int // of the file, counted from 0
	applied func(tasks.Row) bool
	expect  func(todotxt.Task) (t todotxt.Task, present bool)
	draft   func(id string) event.Draft
}

// steps returns the changes of the demo: about every sixth open task is completed, and others get a priority or are removed.
func steps(lines []todotxt.Task) []step {
	var all []step
	open := 0
	for i, t := range lines {
		if t.Done {
			continue
		}
		open++
		switch open % 12 {
		case 1, 7:
			all = append(all, step{
				line: i, applied: func(r tasks.Row) bool { return r.Done },
				expect: func(t todotxt.Task) (todotxt.Task, bool) { return t.Complete(today), true },
				draft:  func(id string) event.Draft { return tasks.Completed.New(tasks.TaskCompleted{ID: id, On: today}) },
			})
		case 4:
			if t.Priority == "A" {
				continue // it is what the change would make it
			}
			all = append(all, step{
				line: i, applied: func(r tasks.Row) bool { return r.Priority == "A" },
				expect: func(t todotxt.Task) (todotxt.Task, bool) { return t.Prioritize("A"), true },
				draft: func(id string) event.Draft {
					return tasks.Prioritized.New(tasks.TaskPrioritized{ID: id, Priority: "A"})
				},
			})
		case 10:
			all = append(all, step{
				line: i, applied: func(r tasks.Row) bool { return r.Removed() },
				expect: func(t todotxt.Task) (todotxt.Task, bool) { return t, false },
				draft:  func(id string) event.Draft { return tasks.Removed.New(tasks.TaskRemoved{ID: id, On: today}) },
			})
		}
	}
	return all
}

// expected returns what the list must hold in the end, by the rules of the format alone.
func expected(lines []todotxt.Task) []todotxt.Task {
	gone := map[int]bool{}
	after := append([]todotxt.Task(nil), lines...)
	for _, s := range steps(lines) {
		t, present := s.expect(after[s.line])
		after[s.line], gone[s.line] = t, !present
	}
	var all []todotxt.Task
	for i, t := range after {
		if !gone[i] {
			all = append(all, t)
		}
	}
	return all
}
