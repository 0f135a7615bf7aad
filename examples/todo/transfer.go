package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/examples/todo/tasks"
	"github.com/livestore-go/livestore/examples/todo/todotxt"
)

func (a *app) importCommand() *cobra.Command {
	var opts tasks.ImportOptions
	var progress bool
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "Take over the lines of a todo.txt file",
		Long: `Take over the lines of a todo.txt file that are not in the list yet; - reads them from standard input.

The same file may be imported again: lines that are here stay as they are, whatever happened to their tasks since. An import that
was interrupted goes on where it was.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			lines, err := a.read(args[0])
			if err != nil {
				return err
			}
			return a.with(c.Context(), func(store *livestore.Store) error {
				switch {
				case a.out.Interactive():
					opts.OnCommit = func(done, total int) { fmt.Fprintf(a.out, "\r%d of %s", done, count(total, "line")) }
				case progress:
					opts.OnCommit = func(done, total int) { fmt.Fprintf(a.out, "%d of %s\n", done, count(total, "line")) }
				}
				report, err := tasks.Import(c.Context(), store, lines, &opts)
				if a.out.Interactive() {
					fmt.Fprint(a.out, "\r\x1b[K")
				}
				if err != nil {
					return err
				}
				fmt.Fprintf(a.out, "%s: %d imported, %d here already", count(report.Lines, "line"), report.Added, report.Known)
				if report.Removed > 0 {
					fmt.Fprintf(a.out, ", %d removed here ('todo list --removed' shows them)", report.Removed)
				}
				fmt.Fprintln(a.out)
				a.exchange(c.Context(), store)
				return nil
			})
		},
	}
	c.Flags().IntVar(&opts.Chunk, "chunk", 50, "lines in one commit")
	c.Flags().BoolVar(&progress, "progress", false, "say after each commit how many lines are in, also where no person looks")
	return c
}

func (a *app) read(name string) ([]todotxt.Task, error) {
	if name == "-" {
		return todotxt.Read(a.in, "standard input")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return todotxt.Read(f, name)
}

func (a *app) exportCommand() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "export [FILE]",
		Short: "Write the list as a todo.txt file",
		Long: `Write every task that is not removed to a todo.txt file, or to standard output, in the order in which the tasks came. Lines
that were imported and not changed come out as they went in.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.with(c.Context(), func(store *livestore.Store) error {
				a.exchange(c.Context(), store)
				lines, err := livestore.Get(store, tasks.File)
				if err != nil {
					return err
				}
				if len(args) == 0 || args[0] == "-" {
					return todotxt.Write(a.out, lines)
				}
				if err := writeFile(args[0], force, func(w io.Writer) error { return todotxt.Write(w, lines) }); err != nil {
					return err
				}
				fmt.Fprintf(a.out, "%s written to %s\n", count(len(lines), "task"), args[0])
				return nil
			})
		},
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "replace the file if there is one")
	return c
}

// writeFile writes a file as a whole or not at all.
func writeFile(name string, replace bool, write func(io.Writer) error) error {
	if _, err := os.Stat(name); err == nil && !replace {
		return fmt.Errorf("%s exists: --force replaces it", name)
	}
	if err := replaceFile(name, write); err != nil {
		return fmt.Errorf("write %s: %w", name, cause(err))
	}
	return nil
}

// cause leaves the name of the file out of an error: it is not the one that was asked for.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}

// replaceFile writes a file beside the one with the name, and then puts it in its place.
func replaceFile(name string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	err = errors.Join(write(f), f.Sync(), f.Chmod(0o644), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
