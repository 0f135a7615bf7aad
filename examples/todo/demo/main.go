// Demo shows what the to-do example is about.
//
//	demo         two machines and a server: edits on both without a connection, a server and a machine killed, one list in the end
//	demo crash   one machine: a long list is taken in and changed, and killed with -9 in the middle of either
//
// Both end with checks of everything they claim, and with exit code 1 when one of them fails.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/livestore-go/livestore/examples/todo/screen"
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
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "crash" {
		return runCrash(ctx, args[1:])
	}
	flags := flag.NewFlagSet("demo", flag.ExitOnError)
	pause := flags.Duration("pause", 1500*time.Millisecond, "time to look at a picture; commands take a quarter of it")
	keep := flags.String("keep", "", "directory to keep everything in; the default is a temporary one")
	_ = flags.Parse(args) // it exits by itself
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is not understood: -h says what is", flags.Arg(0))
	}
	dir, remove, err := directory(*keep)
	if err != nil {
		return err
	}
	defer remove()
	s := &story{out: screen.New(os.Stdout), dir: dir, pause: *pause}
	return s.tell(ctx)
}

func runCrash(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("demo crash", flag.ExitOnError)
	name := flags.String("file", "todo/todo.txt", "todo.txt to take in")
	pause := flags.Duration("pause", 25*time.Millisecond, "time between two commits, for the eye")
	keep := flags.String("keep", "", "directory to keep the list in; the default is a temporary one")
	_ = flags.Parse(args)
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is not understood: -h says what is", flags.Arg(0))
	}
	return show(ctx, os.Stdout, options{file: *name, keep: *keep, pause: *pause})
}

// directory returns the directory to work in, and what removes it if it is a temporary one.
func directory(keep string) (dir string, remove func(), err error) {
	if keep != "" {
		return keep, func() {}, os.MkdirAll(keep, 0o700)
	}
	dir, err = os.MkdirTemp("", "livestore-demo-")
	return dir, func() { os.RemoveAll(dir) }, err
}
