package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/event"
)

// settle waits until the list and the server's are one: this long at most, and no longer once it is known that they will not soon
// be. It returns how they stand. Without a server, and while a watch or a shell keeps the list open, there is nothing to wait for.
func (a *app) settle(ctx context.Context, store *livestore.Store, limit time.Duration) livestore.SyncStatus {
	if a.open.Sync == "" || a.store != nil {
		return store.SyncStatus()
	}
	return settled(ctx, store, limit, stuck)
}

// settled waits until the store is synced, or the status gives reason to give up.
func settled(
	ctx context.Context, store *livestore.Store, limit time.Duration, giveUp func(livestore.SyncStatus) bool,
) livestore.SyncStatus {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for s := range store.WatchSyncStatus(ctx) {
		if s.Synced() || giveUp(s) {
			return s
		}
	}
	return store.SyncStatus()
}

// stuck says that the server does not answer, or that sync waits for somebody.
func stuck(s livestore.SyncStatus) bool { return s.Paused != "" || !s.Connected && s.Why != "" }

// commit commits events as one and waits until they are safe on disk, and for a moment for the server: a process that ends at
// once would never push. What does not get there is pushed by the next command.
func (a *app) commit(ctx context.Context, store *livestore.Store, drafts ...event.Draft) error {
	receipt, err := store.Commit(ctx, drafts...)
	if err != nil {
		return err
	}
	if err := receipt.Wait(ctx, livestore.Persisted); err != nil {
		return err
	}
	a.exchange(ctx, store)
	for _, aside := range store.SetAside() {
		if aside.ID == receipt.ID() { // another client was first with something that goes against it
			return fmt.Errorf("the change does not go with what others did, and is set aside: %s", aside.Err)
		}
	}
	return nil
}

// exchange waits for the server, to have what is done here and to say what others did, and says when something stays behind.
func (a *app) exchange(ctx context.Context, store *livestore.Store) {
	s := a.settle(ctx, store, a.wait)
	switch {
	case a.open.Sync == "" || a.store != nil:
	case s.Unconfirmed > 0:
		fmt.Fprintf(a.err, "todo: safe on this disk, but not yet with the server: %s\n", standing(s))
	case s.Paused != "":
		fmt.Fprintf(a.err, "todo: what others do does not come here: %s\n", standing(s))
	}
}

func (a *app) syncCommand() *cobra.Command {
	var limit time.Duration
	c := &cobra.Command{
		Use:   "sync",
		Short: "Wait until the list here and the server's are one",
		Long: `Push to the server what was done here, pull what was done elsewhere, and wait until nothing is left of either. When that
does not come about in time, the exit code is 1.

In a watch or a shell it tries at once what waits for another attempt: a connection that did not come about, credentials that were
refused.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if a.open.Sync == "" {
				return usagef("there is no server to sync with: name one with --sync or TODO_SYNC")
			}
			return a.with(c.Context(), func(store *livestore.Store) error {
				if a.store != nil { // it has been open for some time
					if err := store.ResumeSync(c.Context()); err != nil {
						return err
					}
				}
				said := false
				s := settled(c.Context(), store, limit, func(s livestore.SyncStatus) bool {
					if !s.Connected && s.Why != "" && !said {
						said = true
						fmt.Fprintf(a.err, "todo: waiting for %s, up to %s\n", a.open.Sync, limit)
					}
					return s.Paused != ""
				})
				switch err := c.Context().Err(); {
				case err != nil:
					return err
				case !s.Synced():
					return fmt.Errorf("not synced: %s", standing(s))
				}
				fmt.Fprintln(a.out, standing(s))
				return nil
			})
		},
	}
	c.Flags().DurationVar(&limit, "timeout", 30*time.Second, "how long to wait")
	return c
}
