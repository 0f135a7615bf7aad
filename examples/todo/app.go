package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

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
	store *livestore.Store // set while a watch lends its own
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

Every change is safe on disk before the command returns.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if a.dir == "" {
				return errors.New("--dir is empty: name the directory that holds the list")
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetFlagErrorFunc(wrongFlag)
	root.PersistentFlags().StringVar(&a.dir, "dir", cmp.Or(a.dir, defaultDir()), "directory that holds the list")
	root.AddCommand(
		a.addCommand(), a.listCommand(), a.watchCommand(), a.doneCommand(), a.reopenCommand(), a.priCommand(), a.rmCommand(),
		a.undeleteCommand(), a.importCommand(), a.exportCommand(), a.statusCommand(),
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

// with calls f with the open store, and closes it again unless a watch lends it.
func (a *app) with(ctx context.Context, f func(*livestore.Store) error) (err error) {
	if a.store != nil {
		return f(a.store)
	}
	store, err := tasks.Open(ctx, a.dir)
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
