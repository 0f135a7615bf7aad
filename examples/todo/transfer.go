package main

import (
	"errors"
	"fmt"
	"io"
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
					opts.OnCommit = func(done, total int) { fmt.Fprintf(a.out, "\r%d of %d lines", done, total) }
				case progress:
					opts.OnCommit = func(done, total int) { fmt.Fprintf(a.out, "%d of %d lines\n", done, total) }
				}
				report, err := tasks.Import(c.Context(), store, lines, &opts)
				if a.out.Interactive() {
					fmt.Fprint(a.out, "\r\x1b[K")
				}
				if err != nil {
					return err
				}
				fmt.Fprintf(a.out, "%d lines: %d imported, %d here already", report.Lines, report.Added, report.Known)
				if report.Removed > 0 {
					fmt.Fprintf(a.out, ", %d removed here ('todo list --removed' shows them)", report.Removed)
				}
				fmt.Fprintln(a.out)
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
				fmt.Fprintf(a.out, "%d tasks written to %s\n", len(lines), args[0])
				return nil
			})
		},
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "replace the file if there is one")
	return c
}

// writeFile writes a file as a whole or not at all.
func writeFile(name string, replace bool, write func(io.Writer) error) (err error) {
	if _, err := os.Stat(name); err == nil && !replace {
		return fmt.Errorf("%s exists: --force replaces it", name)
	}
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
