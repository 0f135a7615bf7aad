package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
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
		Long: `Show the list, and again whenever it changes. Commands are typed below it, without the word todo in front; q leaves.

` + filterHelp,
		RunE: func(c *cobra.Command, args []string) error {
			if a.store != nil {
				return usagef("this is a watch already")
			}
			filter := tasks.ParseFilter(args)
			filter.Which = which.which()
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

	mu      sync.Mutex
	view    view
	message string // of the last command
}

// view is what the list shows: both parts come from one moment.
type view struct {
	rows   []tasks.Row
	counts tasks.Counts
}

func (w *watch) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	rows := livestore.Query(tasks.List(w.filter), livestore.Label("list"))
	counts := livestore.Query(tasks.Count(today()), livestore.Label("counts"))
	both := livestore.Computed(func(g *livestore.Getter) view {
		return view{livestore.Use(g, rows), livestore.Use(g, counts)}
	}, livestore.Label("watch"))

	go func() { // reading a terminal can not be cancelled: the goroutine ends with its input or with the process
		defer cancel()
		w.obey(ctx)
	}()
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
	in := bufio.NewScanner(w.app.in)
	for ctx.Err() == nil && in.Scan() {
		words := strings.Fields(in.Text())
		if len(words) > 1 && words[0] == "todo" {
			words = words[1:] // as a person would type it elsewhere
		}
		if len(words) == 0 {
			w.show(func() { w.message = "" })
			continue
		}
		if words[0] == "q" || words[0] == "quit" || words[0] == "exit" {
			return
		}
		var out bytes.Buffer
		inner := &app{out: screen.New(&out), err: &out, in: strings.NewReader(""), store: w.store, dir: w.app.dir}
		if err := inner.run(ctx, words); err != nil {
			fmt.Fprintln(&out, explain(err))
		}
		w.show(func() { w.message = strings.TrimRight(out.String(), "\n") })
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
	if w.message != "" {
		foot = append(foot, strings.Split(w.message, "\n")...)
	}
	if term.Interactive() {
		_, height := term.Size()
		foot = foot[:min(len(foot), height/2)]
		if room := height - len(foot) - 2; len(lines) > room {
			hidden := len(lines) - room + 1
			lines = append(lines[:max(room-1, 0)], term.Paint(screen.Dim, fmt.Sprintf("… and %d more", hidden)))
		}
	}
	w.live.Draw(append(append(lines, "--"), foot...), "> ")
}
