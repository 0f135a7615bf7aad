// Package cli holds the commands of the program livestore.
//
// Results go to standard output and everything else to standard error. The exit code is 0 when a command did what it was asked to, 2
// when it was called wrongly, and 1 when something else went wrong.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"charm.land/fang/v2"
	"github.com/spf13/cobra"
)

// Main runs the command line of the process, until it is done or the process gets SIGINT or SIGTERM, and returns the exit code. A second
// signal ends the process at once.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer context.AfterFunc(ctx, stop)()
	return Run(ctx, os.Args[1:], os.Stdout, os.Stderr, os.LookupEnv)
}

// Run runs one command line and returns the exit code. When ctx is over the command ends as if it had been told to by a signal. env
// looks up a variable of the environment.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer, env func(string) (string, bool)) int {
	root := &cobra.Command{
		Use:   "livestore",
		Short: "The sync server of LiveStore",
		Long: "The sync server of LiveStore: it orders the events of all clients of a store, keeps them, and hands them out.\n" +
			"Clients in Go and in JavaScript (LiveStore 0.4 and later) may share a store.",
	}
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.AddCommand(newServe(env), newVersion())
	err := fang.Execute(ctx, root, fang.WithVersion(version()), fang.WithErrorHandler(explain))
	switch {
	case err == nil:
		return 0
	case isUsage(err):
		return 2
	}
	return 1
}

// failure is an error of a command that was called rightly. All others, those of cobra and of flags among them, are about the usage.
type failure struct{ err error }

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// usage is an error of a command about how it was called.
type usage struct{ err error }

func (u *usage) Error() string { return u.err.Error() }
func (u *usage) Unwrap() error { return u.err }

func usagef(format string, args ...any) error { return &usage{fmt.Errorf(format, args...)} }

func isUsage(err error) bool {
	_, failed := errors.AsType[*failure](err)
	return !failed
}

// run makes of a function that runs a command the one cobra wants, which tells failures from wrong usage.
func run(f func(cmd *cobra.Command) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		err := f(cmd)
		if _, wrong := errors.AsType[*usage](err); err == nil || wrong {
			return err
		}
		return &failure{err}
	}
}

// explain says what went wrong, in one line that other programs can read too.
func explain(w io.Writer, _ fang.Styles, err error) {
	fmt.Fprintf(w, "livestore: %v\n", err)
	if isUsage(err) {
		fmt.Fprintln(w, "See 'livestore help' and 'livestore COMMAND --help'.")
	}
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of the program",
		Args:  cobra.NoArgs,
		RunE: run(func(cmd *cobra.Command) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "livestore %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		}),
	}
}

// version is that of the module, or the revision it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
