package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/examples/todo/tasks"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say where the list is and how it stands, here and with the server",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.with(c.Context(), func(store *livestore.Store) error {
				a.settle(c.Context(), store, a.wait)
				counts, err := livestore.Get(store, tasks.Count(today()))
				if err != nil {
					return err
				}
				s := store.SyncStatus()
				lines := [][2]string{
					{"directory", fmt.Sprintf("%s (%s), store %s", a.dir, store.StorageMode(), store.StoreID())},
					{"tasks", fmt.Sprintf("%d open (%d due), %d completed, %d removed", counts.Open, counts.Due, counts.Done, counts.Removed)},
				}
				if a.open.Sync == "" {
					lines = append(lines,
						[2]string{"sync", "off: the list stays on this machine (--sync URL shares it)"},
						[2]string{"here", fmt.Sprintf("session at %s, leader at %s", s.LocalHead, s.LeaderHead)},
						[2]string{"pending", fmt.Sprintf("%s for the leader", count(s.Pending, "event"))})
				} else {
					server := fmt.Sprintf("has confirmed up to %s, is at %s", s.UpstreamHead, s.BackendHead)
					if !s.Connected {
						server += " as far as was heard"
					}
					lines = append(lines,
						[2]string{"sync", standing(s)},
						[2]string{"connection", a.open.Sync + ", " + connection(store.NetworkStatus())},
						[2]string{"here", fmt.Sprintf("session at %s, leader at %s", s.LocalHead, s.LeaderHead)},
						[2]string{"server", server},
						[2]string{"pending", fmt.Sprintf("%s for the leader, %s for the server", count(s.Pending, "event"), count(s.Unconfirmed, "event"))})
				}
				lines = append(lines, [2]string{"set aside", fmt.Sprint(s.SetAside)})
				for _, aside := range store.SetAside() {
					var names []string
					for _, e := range aside.Events {
						names = append(names, e.Name+" "+string(e.Args))
					}
					lines = append(lines, [2]string{"", strings.Join(names, ", ") + ": " + aside.Err})
				}
				lines = append(lines, [2]string{"client", fmt.Sprintf("%s, session %s", store.ClientID(), store.SessionID())})
				for _, line := range lines {
					fmt.Fprintf(a.out, "%-10s %s\n", line[0], line[1])
				}
				return nil
			})
		},
	}
}

// connection says how the connection is, and since when or why not.
func connection(n livestore.NetworkStatus) string {
	since := ""
	if !n.Since.IsZero() {
		since = " since " + n.Since.Format(time.TimeOnly)
	}
	switch {
	case n.Connected:
		return "connected" + since
	case n.Paused:
		return "paused by this program" + since
	case n.Why != "":
		return "not connected" + since + ": " + reason(n.Why)
	}
	return "not connected" + since
}
