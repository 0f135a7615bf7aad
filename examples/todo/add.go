package main

import (
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/examples/todo/tasks"
	"github.com/livestore-go/livestore/examples/todo/todotxt"
)

func (a *app) addCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "add TASK...",
		Short: "Write down a task",
		Long: `Write down a task, as a line of todo.txt: a priority in front, +projects, @contexts and tags such as due:2026-12-01 in
the text. Today becomes the creation date unless the line has one.`,
		Example: `  todo add "(A) Call the plumber +house @phone due:2026-11-25"`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			task, err := todotxt.Parse(strings.TrimSpace(strings.Join(args, " ")))
			if err != nil {
				return &usageError{err}
			}
			if task.Created == "" {
				task.Created = today()
			}
			return a.with(c.Context(), func(store *livestore.Store) error {
				id := rand.Text()
				drafts := []event.Draft{
					tasks.Added.New(tasks.TaskAdded{ID: id, Text: task.Text, Priority: task.Priority, Created: task.Created}),
				}
				if task.Done {
					on := task.Completed
					if on == "" {
						on = today()
					}
					drafts = append(drafts, tasks.Completed.New(tasks.TaskCompleted{ID: id, On: on}))
				}
				if err := a.commit(c.Context(), store, drafts...); err != nil {
					return err
				}
				row, err := livestore.Get(store, tasks.ByID(id))
				if err != nil {
					return err
				}
				fmt.Fprintln(a.out, a.out.Task(*row, today()))
				return nil
			})
		},
	}
}
