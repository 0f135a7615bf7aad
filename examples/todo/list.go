package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/examples/todo/tasks"
)

const filterHelp = `Words narrow the list down, and all of them must fit: +project, @context, and anything else as
part of the text, in upper or lower case, with accents or without. +work finds +work/review too.`

// whichFlags are the flags that say which tasks to list.
type whichFlags struct{ all, done, removed bool }

func (w *whichFlags) add(c *cobra.Command) {
	c.Flags().BoolVarP(&w.all, "all", "a", false, "completed tasks too")
	c.Flags().BoolVarP(&w.done, "done", "d", false, "completed tasks only")
	c.Flags().BoolVarP(&w.removed, "removed", "r", false, "removed tasks only")
	c.MarkFlagsMutuallyExclusive("all", "done", "removed")
}

func (w *whichFlags) which() tasks.Which {
	switch {
	case w.all:
		return tasks.NotRemoved
	case w.done:
		return tasks.OnlyDone
	case w.removed:
		return tasks.OnlyRemoved
	default:
		return tasks.OnlyOpen
	}
}

func (a *app) listCommand() *cobra.Command {
	var which whichFlags
	c := &cobra.Command{
		Use:     "list [WORD...]",
		Aliases: []string{"ls"},
		Short:   "List tasks by project, context or text",
		Long:    "List the open tasks: first by priority, then by due date, then by number.\n\n" + filterHelp,
		Example: "  todo list\n  todo list +house @phone\n  todo list --done cafe",
		RunE: func(c *cobra.Command, args []string) error {
			filter := tasks.ParseFilter(args)
			filter.Which = which.which()
			return a.list(c.Context(), filter)
		},
	}
	which.add(c)
	return c
}

// list shows a list once.
func (a *app) list(ctx context.Context, filter tasks.Filter) error {
	return a.with(ctx, func(store *livestore.Store) error {
		a.exchange(ctx, store)
		rows, err := livestore.Get(store, tasks.List(filter))
		if err != nil {
			return err
		}
		counts, err := livestore.Get(store, tasks.Count(today()))
		if err != nil {
			return err
		}
		for _, line := range a.out.Tasks(rows, today()) {
			fmt.Fprintln(a.out, line)
		}
		fmt.Fprintln(a.out, "--")
		fmt.Fprintln(a.out, summary(filter, len(rows), counts))
		return nil
	})
}

// summary says how much of the list is shown.
func summary(f tasks.Filter, shown int, c tasks.Counts) string {
	kind, total := "open", c.Open
	switch f.Which {
	case tasks.OnlyDone:
		kind, total = "completed", c.Done
	case tasks.NotRemoved:
		kind, total = "open and completed", c.Open+c.Done
	case tasks.OnlyRemoved:
		kind, total = "removed", c.Removed
	}
	s := fmt.Sprintf("%d %s", total, kind)
	switch words := f.Words(); {
	case words != "":
		s = fmt.Sprintf("%d of %d %s with %s", shown, total, kind, words)
	case f.Which == tasks.OnlyOpen && c.Due > 0:
		s += fmt.Sprintf(", %d due", c.Due)
	}
	return s
}
