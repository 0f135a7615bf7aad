package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/local"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/examples/todo/screen"
	"github.com/livestore-go/livestore/examples/todo/tasks"
	"github.com/livestore-go/livestore/examples/todo/todotxt"
)

// app is what the commands share.
type app struct {
	out *screen.Terminal
	err io.Writer
	in  io.Reader

	dir   string
	open  tasks.OpenOptions
	wait  time.Duration
	store *livestore.Store // set while a watch or a shell lends its own
	begun bool             // the command line was understood
}

// run runs one command line.
func (a *app) run(ctx context.Context, args []string) error {
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetIn(a.in)
	err := root.ExecuteContext(ctx)
	if err != nil && !a.begun {
		return &usageError{err}
	}
	return err
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "todo",
		Short: "A to-do list that loses nothing",
		Long: `A to-do list on the todo.txt format (todotxt.org).

  todo add (B) Order the roof tiles +house @computer due:2026-12-01
  todo list +house
  todo done 12

Every change is safe on disk before the command returns. With --sync, or TODO_SYNC in the environment, the lists of several machines
become one: what was done without a connection is merged when there is one. The number of a new task may change until the
server has it; nothing else does.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			var given []string
			c.Root().PersistentFlags().VisitAll(func(f *pflag.Flag) {
				if f.Changed {
					given = append(given, "--"+f.Name)
				}
			})
			switch {
			case a.store != nil && len(given) > 0:
				return fmt.Errorf("%s is for opening the list, and it is open", strings.Join(given, " and "))
			case a.dir == "":
				return errors.New("--dir is empty: name the directory that holds the list")
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetFlagErrorFunc(wrongFlag)
	root.PersistentFlags().StringVar(&a.dir, "dir", cmp.Or(a.dir, defaultDir()), "directory that holds the list")
	root.PersistentFlags().StringVar(&a.open.Store, "store", cmp.Or(a.open.Store, "todo"), "name of the list, here and on the server")
	root.PersistentFlags().StringVar(&a.open.Sync, "sync", cmp.Or(a.open.Sync, os.Getenv("TODO_SYNC")),
		"address of the server to sync with, as in ws://127.0.0.1:8787, or TODO_SYNC")
	root.PersistentFlags().StringVar(&a.open.Token, "token", a.open.Token, "what the server lets you in by, or TODO_TOKEN")
	root.PersistentFlags().DurationVar(&a.wait, "wait", cmp.Or(a.wait, defaultWait()),
		"how long a command waits for a server that answers, or TODO_WAIT")
	root.AddCommand(
		a.addCommand(), a.listCommand(), a.watchCommand(), a.doneCommand(), a.reopenCommand(), a.priCommand(), a.rmCommand(),
		a.undeleteCommand(), a.importCommand(), a.exportCommand(), a.statusCommand(), a.syncCommand(), a.shellCommand(), a.dumpCommand(),
	)
	for _, c := range root.Commands() { // cobra checks flags to the last moment before it calls RunE
		run := c.RunE
		c.RunE = func(c *cobra.Command, args []string) error {
			a.begun = true
			return run(c, args)
		}
	}
	return root
}

// wrongFlag explains a number below zero, which cobra takes for a flag.
func wrongFlag(c *cobra.Command, err error) error {
	_, word, _ := strings.Cut(err.Error(), "unknown shorthand flag: ")
	_, word, ok := strings.Cut(word, " in ")
	if _, isNumber := strconv.Atoi(word); !ok || isNumber != nil {
		return err
	}
	if strings.Contains(c.Use, "NUMBER") {
		return fmt.Errorf(noNumber, word)
	}
	return fmt.Errorf("%w: put -- in front of words that begin with -", err)
}

// defaultWait is how long a command that ends at once waits for the server.
func defaultWait() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("TODO_WAIT")); err == nil && d > 0 {
		return d
	}
	return 2 * time.Second
}

// defaultDir is where programs of this person keep their data.
func defaultDir() string {
	if dir := os.Getenv("TODO_DIR"); dir != "" {
		return dir
	}
	base := os.Getenv("XDG_DATA_HOME")
	if base == "" && runtime.GOOS != "windows" && runtime.GOOS != "darwin" {
		if home, err := os.UserHomeDir(); err == nil {
			base = filepath.Join(home, ".local", "share")
		}
	}
	if base == "" {
		base, _ = os.UserConfigDir()
	}
	return filepath.Join(base, "livestore-todo")
}

// today is the day it is where this person is. TODO_TODAY says otherwise, for scripts and tests.
func today() todotxt.Date {
	if d, err := todotxt.ParseDate(os.Getenv("TODO_TODAY")); err == nil {
		return d
	}
	return todotxt.DateOf(time.Now())
}

// with calls f with the open store, and closes it again unless it is lent.
func (a *app) with(ctx context.Context, f func(*livestore.Store) error) (err error) {
	if a.store != nil {
		return f(a.store)
	}
	opts := a.open
	opts.Token = cmp.Or(opts.Token, os.Getenv("TODO_TOKEN"))
	opts.Logger = slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelError})) // how sync stands is said in words
	store, err := tasks.Open(ctx, a.dir, &opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return f(store)
}

// count says how many there are of a thing.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// usageError is a command line that was not understood.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

func isUsage(err error) bool {
	_, ok := errors.AsType[*usageError](err)
	return ok
}

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// explain says what went wrong as the person at the terminal needs to hear it.
func explain(err error) string {
	if locked, ok := errors.AsType[*local.LockedError](err); ok {
		return fmt.Sprintf("%v\nIs a watch open in another terminal? Leave it with q, or type the command there.", locked)
	}
	if ambiguous, ok := errors.AsType[*todotxt.AmbiguousError](err); ok {
		return ambiguous.Error()
	}
	if wrong, ok := errors.AsType[*event.ArgsError](err); ok {
		return wrong.Err.Error()
	}
	return err.Error()
}
