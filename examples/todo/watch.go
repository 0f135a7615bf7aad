package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/examples/todo/screen"
	"github.com/livestore-go/livestore/examples/todo/tasks"
)

func (a *app) watchCommand() *cobra.Command {
	var which whichFlags
	c := &cobra.Command{
		Use:   "watch [WORD...]",
		Short: "Show the list, and again whenever it changes",
		Long: `Show the list, and again whenever it changes. Commands are typed below it, without the word todo in front; q leaves. Where
the list does not go to a terminal, it is shown once.

` + filterHelp,
		RunE: func(c *cobra.Command, args []string) error {
			if a.store != nil {
				return usagef("this is a watch already")
			}
			filter := tasks.ParseFilter(args)
			filter.Which = which.which()
			if !a.out.Interactive() {
				return a.list(c.Context(), filter)
			}
			return a.with(c.Context(), func(store *livestore.Store) error {
				w := &watch{app: a, store: store, filter: filter, live: a.out.Whole()}
				defer w.live.Close()
				return w.run(c.Context())
			})
		},
	}
	which.add(c)
	return c
}

// watch shows one list.
type watch struct {
	app    *app
	store  *livestore.Store
	filter tasks.Filter
	live   *screen.Live

	mu       sync.Mutex
	view     view
	standing string // with the server; empty without one
	message  string // of the last command
}

// view is what the list shows: both parts come from one moment.
type view struct {
	rows   []tasks.Row
	counts tasks.Counts
}

func (w *watch) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)

	rows := livestore.Query(tasks.List(w.filter), livestore.Label("list"))
	counts := livestore.Query(tasks.Count(today()), livestore.Label("counts"))
	both := livestore.Computed(func(g *livestore.Getter) view {
		return view{livestore.Use(g, rows), livestore.Use(g, counts)}
	}, livestore.Label("watch"))

	var others sync.WaitGroup
	defer others.Wait()
	defer cancel()
	others.Go(func() {
		defer cancel()
		w.obey(ctx)
	})
	if w.app.open.Sync != "" {
		others.Go(func() {
			for s := range w.store.WatchSyncStatus(ctx) {
				w.show(func() { w.standing = standing(s) })
			}
		})
	}
	defer screen.OnResize(func() { w.show(func() {}) })()
	for v, err := range livestore.Watch(ctx, w.store, both) {
		if err != nil {
			return err
		}
		w.show(func() { w.view = v })
	}
	v, err := livestore.Get(w.store, both) // what the last command did, if the loop ended before it saw that
	if err != nil {
		return err
	}
	w.show(func() { w.view = v })
	return nil
}

// obey runs the commands that are typed below the list.
func (w *watch) obey(ctx context.Context) {
	for line := range lines(ctx, w.app.in) {
		out, quit, err := w.app.obey(ctx, w.store, line)
		if quit {
			return
		}
		if err != nil {
			out += explain(err)
		}
		w.show(func() { w.message = strings.TrimRight(out, "\n") })
	}
}

// show draws the list after what it shows has changed.
func (w *watch) show(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
	term := w.app.out
	lines := term.Tasks(w.view.rows, today())
	foot := []string{term.Paint(screen.Strong, summary(w.filter, len(w.view.rows), w.view.counts))}
	if w.standing != "" {
		style := screen.Yellow
		if strings.HasPrefix(w.standing, synced) {
			style = screen.Green
		}
		foot = append(foot, term.Paint(style, w.standing))
	}
	if w.message != "" {
		foot = append(foot, strings.Split(w.message, "\n")...)
	}
	_, height := term.Size()
	w.live.Draw(page(lines, foot, height, func(hidden int) string {
		return term.Paint(screen.Dim, fmt.Sprintf("… and %d more", hidden))
	}), "> ")
}

// page fits a list, and what is said below it, above the prompt of a terminal with height rows: one row more and the first one would be
// pushed away. The first line below the list is what stays longest.
func page(lines, foot []string, height int, more func(hidden int) string) []string {
	room := max(height-1, 0) // without the prompt
	foot = foot[:min(len(foot), (room+1)/2)]
	room -= len(foot)
	var rule []string
	if room > 1 {
		rule = []string{"--"}
		room--
	}
	switch {
	case room == 0:
		lines = nil
	case len(lines) > room:
		lines = append(slices.Clone(lines[:room-1]), more(len(lines)-room+1))
	}
	return slices.Concat(lines, rule, foot)
}
