package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/examples/todo/tasks"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say where the list is and how it stands",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.with(c.Context(), func(store *livestore.Store) error {
				counts, err := livestore.Get(store, tasks.Count(today()))
				if err != nil {
					return err
				}
				sync := store.SyncStatus()
				for _, line := range [][2]string{
					{"directory", fmt.Sprintf("%s (%s)", a.dir, store.StorageMode())},
					{"tasks", fmt.Sprintf("%d open (%d due), %d completed, %d removed", counts.Open, counts.Due, counts.Done, counts.Removed)},
					{"eventlog", fmt.Sprintf("at %s, %s pending", sync.LeaderHead, count(sync.Pending, "event"))},
					{"set aside", fmt.Sprint(sync.SetAside)},
					{"client", fmt.Sprintf("%s, session %s", store.ClientID(), store.SessionID())},
				} {
					fmt.Fprintf(a.out, "%-10s %s\n", line[0], line[1])
				}
				return nil
			})
		},
	}
}
