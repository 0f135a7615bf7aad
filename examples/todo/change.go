package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/examples/todo/tasks"
	"github.com/livestore-go/livestore/examples/todo/todotxt"
)

// The commands that change tasks by their numbers: done, reopen, pri, rm and undelete.

func (a *app) doneCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "done NUMBER...",
		Aliases: []string{"do"},
		Short:   "Complete tasks",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.change(c.Context(), args, func(r tasks.Row) (event.Draft, error) {
				if r.Done {
					return event.Draft{}, fmt.Errorf("task %d is completed already", r.Number)
				}
				return tasks.Completed.New(tasks.TaskCompleted{ID: r.ID, On: today()}), nil
			})
		},
	}
}

func (a *app) reopenCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reopen NUMBER...",
		Short: "Take completed tasks up again",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.change(c.Context(), args, func(r tasks.Row) (event.Draft, error) {
				if !r.Done {
					return event.Draft{}, fmt.Errorf("task %d is open already", r.Number)
				}
				return tasks.Reopened.New(tasks.TaskReopened{ID: r.ID}), nil
			})
		},
	}
}

func (a *app) priCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "pri NUMBER... PRIORITY",
		Short:   "Give tasks a priority, A to Z, or none",
		Example: "  todo pri 12 A\n  todo pri 3 4 none",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			numbers, last := args[:len(args)-1], args[len(args)-1]
			if last == "none" {
				return a.change(c.Context(), numbers, func(r tasks.Row) (event.Draft, error) {
					return tasks.Deprioritized.New(tasks.TaskDeprioritized{ID: r.ID}), nil
				})
			}
			p, err := todotxt.ParsePriority(last)
			if err != nil {
				return usagef("%w, or none", err)
			}
			return a.change(c.Context(), numbers, func(r tasks.Row) (event.Draft, error) {
				return tasks.Prioritized.New(tasks.TaskPrioritized{ID: r.ID, Priority: p}), nil
			})
		},
	}
}

func (a *app) rmCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "rm NUMBER...",
		Aliases: []string{"del"},
		Short:   "Remove tasks; undelete brings them back",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.change(c.Context(), args, func(r tasks.Row) (event.Draft, error) {
				return tasks.Removed.New(tasks.TaskRemoved{ID: r.ID, On: today()}), nil
			})
		},
	}
}

func (a *app) undeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "undelete [NUMBER...]",
		Short: "Bring removed tasks back: those with the numbers, or the last one",
		RunE: func(c *cobra.Command, args []string) error {
			return a.with(c.Context(), func(store *livestore.Store) error {
				if len(args) == 0 {
					last, err := livestore.Get(store, tasks.LastRemoved)
					if err != nil {
						return err
					}
					if last == nil {
						return fmt.Errorf("nothing is removed")
					}
					args = []string{strconv.Itoa(last.Number)}
				}
				return a.changeIn(c.Context(), store, args, func(r tasks.Row) (event.Draft, error) {
					if !r.Removed() {
						return event.Draft{}, fmt.Errorf("task %d is not removed", r.Number)
					}
					return tasks.Restored.New(tasks.TaskRestored{ID: r.ID}), nil
				})
			})
		},
	}
}

// change makes one event for each numbered task that is not removed, commits them as one, and shows the tasks as they are then.
func (a *app) change(ctx context.Context, numbers []string, draft func(tasks.Row) (event.Draft, error)) error {
	return a.with(ctx, func(store *livestore.Store) error {
		return a.changeIn(ctx, store, numbers, func(r tasks.Row) (event.Draft, error) {
			if r.Removed() {
				return event.Draft{}, fmt.Errorf("task %d is removed: bring it back with 'todo undelete %d'", r.Number, r.Number)
			}
			return draft(r)
		})
	})
}

func (a *app) changeIn(ctx context.Context, store *livestore.Store, numbers []string, draft func(tasks.Row) (event.Draft, error)) error {
	rows, err := find(store, numbers)
	if err != nil {
		return err
	}
	drafts := make([]event.Draft, len(rows))
	for i, r := range rows {
		if drafts[i], err = draft(r); err != nil {
			return err
		}
	}
	if err := a.commit(ctx, store, drafts...); err != nil {
		return err
	}
	for _, r := range rows {
		now, err := livestore.Get(store, tasks.ByID(r.ID))
		if err != nil {
			return err
		}
		line := a.out.Task(*now, today())
		if now.Removed() {
			line += "  (removed)"
		}
		fmt.Fprintln(a.out, line)
	}
	return nil
}

const noNumber = "%q is no number of a task: 'todo list' shows them in front"

// find returns the tasks with the numbers, each once.
func find(store *livestore.Store, numbers []string) ([]tasks.Row, error) {
	var rows []tasks.Row
	seen := map[int]bool{}
	for _, s := range numbers {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return nil, usagef(noNumber, s)
		}
		if seen[n] {
			continue
		}
		seen[n] = true
		row, err := livestore.Get(store, tasks.Numbered(n))
		if err != nil {
			return nil, err
		}
		if row == nil {
			return nil, fmt.Errorf("there is no task %d", n)
		}
		rows = append(rows, *row)
	}
	return rows, nil
}
