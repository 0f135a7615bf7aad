package main

import (
	"github.com/spf13/cobra"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/examples/todo/tasks"
)

func (a *app) dumpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "dump",
		Short: "Write the state and the events as text, to compare two machines",
		Long: `Write the rows of all tables, sorted, and the eventlog, one event a line. Two machines on which 'todo sync' has nothing left to do
write the same, to the last byte.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.with(c.Context(), func(store *livestore.Store) error {
				a.exchange(c.Context(), store)
				return tasks.Dump(c.Context(), store, a.out)
			})
		},
	}
}
