// Demo shows what the to-do example is about: it takes in a todo.txt of some hundred lines and changes the list while a live query
// draws it, kills itself with -9 in the middle of either, and shows that every commit that had returned is there.
//
// A directory belongs to one process at a time, so the list is imported, changed and drawn by one child process. The parent kills it,
// starts it again, and checks at the end.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

// What the parent tells the child by its environment. childEnv makes this program the child.
const (
	childEnv = "TODO_DEMO_DIR"
	fileEnv  = "TODO_DEMO_FILE"
	pauseEnv = "TODO_DEMO_PAUSE"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "demo: "+err.Error())
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if os.Getenv(childEnv) != "" {
		return work(ctx)
	}
	name := flag.String("file", "todo/todo.txt", "todo.txt to take in")
	pause := flag.Duration("pause", 25*time.Millisecond, "time between two commits, for the eye")
	keep := flag.String("keep", "", "directory to keep the list in; the default is a temporary one")
	flag.Parse()
	return show(ctx, os.Stdout, options{file: *name, keep: *keep, pause: *pause})
}
