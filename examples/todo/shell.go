package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/examples/todo/screen"
)

func (a *app) shellCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "shell",
		Short: "Keep the list open and run commands from standard input",
		Long: `Keep the list open, and in sync, and run the commands that come on standard input, one a line, without the word todo in front. For
scripts and other programs: what a command writes is followed by a line 'ok', or by 'error: ' and what went wrong. How the
list stands with the server goes to standard error, a line whenever that changes.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if a.store != nil {
				return usagef("the list is kept open already")
			}
			return a.with(c.Context(), func(store *livestore.Store) error { return a.shell(c.Context(), store) })
		},
	}
}

func (a *app) shell(ctx context.Context, store *livestore.Store) error {
	ctx, cancel := context.WithCancel(ctx)
	var telling sync.WaitGroup
	defer telling.Wait()
	defer cancel()
	if a.open.Sync != "" {
		telling.Go(func() {
			last := ""
			tell := func(line string) {
				if line != last {
					last = line
					fmt.Fprintln(a.err, "sync: "+line)
				}
			}
			for s := range store.WatchSyncStatus(ctx) {
				tell(standing(s))
			}
			tell(standing(store.SyncStatus())) // the last command may have changed it just now
		})
	}
	for line := range lines(ctx, a.in) {
		out, quit, err := a.obey(ctx, store, line)
		if quit {
			return nil
		}
		fmt.Fprint(a.out, out)
		if err != nil {
			fmt.Fprintln(a.out, "error: "+strings.ReplaceAll(explain(err), "\n", " "))
		} else {
			fmt.Fprintln(a.out, "ok")
		}
	}
	return ctx.Err()
}

// lines iterates over the lines of an input until it ends or ctx is done. Reading a terminal can not be cancelled: the goroutine that does
// ends with its input, or with the process.
func lines(ctx context.Context, in io.Reader) iter.Seq[string] {
	return func(yield func(string) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		read := make(chan string)
		go func() {
			defer close(read)
			for scan := bufio.NewScanner(in); scan.Scan(); {
				select {
				case read <- scan.Text():
				case <-ctx.Done():
					return
				}
			}
		}()
		for {
			select {
			case <-ctx.Done():
				return
			case line, ok := <-read:
				if !ok || !yield(line) {
					return
				}
			}
		}
	}
}

// obey runs a command that was typed where the list is open, and returns what it wrote.
func (a *app) obey(ctx context.Context, store *livestore.Store, line string) (out string, quit bool, err error) {
	words := strings.Fields(line)
	if len(words) > 1 && words[0] == "todo" {
		words = words[1:] // as a person would type it elsewhere
	}
	if len(words) == 0 {
		return "", false, nil
	}
	if words[0] == "q" || words[0] == "quit" || words[0] == "exit" {
		return "", true, nil
	}
	var b bytes.Buffer
	inner := &app{out: screen.New(&b), err: &b, in: strings.NewReader(""), store: store, dir: a.dir, open: a.open, wait: a.wait}
	err = inner.run(ctx, words)
	return b.String(), false, err
}
