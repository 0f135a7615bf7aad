package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/examples/todo/screen"
	"github.com/livestore-go/livestore/examples/todo/tasks"
	"github.com/livestore-go/livestore/examples/todo/todotxt"
)

// work is the child: it imports the file and changes the list, as far as neither is done already, while a live query draws it on
// standard error. On standard output it reports: what it found at the start, and every commit that has returned.
func work(ctx context.Context) (err error) {
	pause, err := time.ParseDuration(os.Getenv(pauseEnv))
	if err != nil {
		return err
	}
	lines, err := read(os.Getenv(fileEnv))
	if err != nil {
		return err
	}
	store, err := tasks.Open(ctx, os.Getenv(childEnv), nil)
	if err != nil {
		return err
	}
	found, err := livestore.Get(store, tasks.All)
	if err != nil {
		return err
	}
	fmt.Printf("%s %d %d\n", reportFound, len(found), applied(lines, found))

	var drawing sync.WaitGroup
	drawing.Go(func() { draw(ctx, store, len(lines)) })
	defer func() {
		err = errors.Join(err, store.Close()) // which ends the drawing
		drawing.Wait()
	}()
	_, err = tasks.Import(ctx, store, lines, &tasks.ImportOptions{Chunk: chunk, OnCommit: func(done, _ int) {
		fmt.Printf("%s %d\n", reportLines, done)
		time.Sleep(pause)
	}})
	if err != nil {
		return err
	}
	return change(ctx, store, lines, pause)
}

// change makes the changes that are not made yet, each in one commit.
func change(ctx context.Context, store *livestore.Store, lines []todotxt.Task, pause time.Duration) error {
	ids := tasks.ImportIDs(lines)
	for i, s := range steps(lines) {
		row, err := livestore.Get(store, tasks.ByID(ids[s.line]))
		if err != nil {
			return err
		}
		if s.applied(*row) {
			continue
		}
		if _, err := store.Commit(ctx, s.draft(row.ID)); err != nil {
			return err
		}
		fmt.Printf("%s %d\n", reportChanges, i+1)
		time.Sleep(pause)
	}
	return nil
}

// applied counts the changes that are made.
func applied(lines []todotxt.Task, rows []tasks.Row) int {
	byID := map[string]tasks.Row{}
	for _, r := range rows {
		byID[r.ID] = r
	}
	n := 0
	ids := tasks.ImportIDs(lines)
	for _, s := range steps(lines) {
		if r, ok := byID[ids[s.line]]; ok && s.applied(r) {
			n++
		}
	}
	return n
}

// height is the number of tasks the live list shows.
const height = 10

// draw draws the list until the store is closed.
func draw(ctx context.Context, store *livestore.Store, total int) {
	type view struct {
		rows   []tasks.Row
		counts tasks.Counts
	}
	rows := livestore.Query(tasks.List(tasks.Filter{}), livestore.Label("open tasks"))
	counts := livestore.Query(tasks.Count(today), livestore.Label("counts"))
	both := livestore.Computed(func(g *livestore.Getter) view {
		return view{livestore.Use(g, rows), livestore.Use(g, counts)}
	}, livestore.Label("demo"))

	term := screen.New(os.Stderr)
	block := term.Block()
	for v, err := range livestore.Watch(ctx, store, both) {
		if err != nil {
			return // the store is closed
		}
		c := v.counts
		all := c.Open + c.Done + c.Removed
		head := fmt.Sprintf("%s %3d of %d tasks: %d open (%d due), %d completed, %d removed",
			bar(all, total), all, total, c.Open, c.Due, c.Done, c.Removed)
		if !term.Interactive() { // one line for some of the pictures is enough for a log
			if all%60 == 0 || all == total && (c.Done+c.Removed)%10 == 0 {
				block.Draw([]string{head}, "")
			}
			continue
		}
		lines := term.Tasks(v.rows[:min(len(v.rows), height)], today)
		for len(lines) < height {
			lines = append(lines, "")
		}
		block.Draw(append([]string{"", term.Paint(screen.Strong, head)}, lines...), "")
	}
}

// bar shows how full something is.
func bar(n, of int) string {
	const width = 20
	full := n * width / max(of, 1)
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}

func read(name string) ([]todotxt.Task, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read the list to take in: %w", err)
	}
	defer f.Close()
	return todotxt.Read(f, name)
}
