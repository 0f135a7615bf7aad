// Todo keeps a to-do list on the todo.txt format, in a store that survives whatever happens to the machine.
//
// Everything it does is a commit of events (package tasks); what it shows are queries, and the list of watch is a live one.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/livestore-go/livestore/examples/todo/screen"
)

func main() { os.Exit(run()) }

// run runs one command line and returns the exit code: 0, 2 for wrong usage, 1 for everything else that went wrong.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{out: screen.New(os.Stdout), err: os.Stderr, in: os.Stdin}
	err := a.run(ctx, os.Args[1:])
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "todo: "+explain(err))
	if isUsage(err) {
		fmt.Fprintln(os.Stderr, "See 'todo help'.")
		return 2
	}
	return 1
}
