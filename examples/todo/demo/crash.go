package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/examples/todo/screen"
	"github.com/livestore-go/livestore/examples/todo/tasks"
	"github.com/livestore-go/livestore/examples/todo/todotxt"
)

// What the parent tells the child by its environment. childEnv makes this program the child.
const (
	childEnv = "TODO_DEMO_DIR"
	fileEnv  = "TODO_DEMO_FILE"
	pauseEnv = "TODO_DEMO_PAUSE"
)

// What the child reports, one a line.
const (
	reportFound   = "found"   // tasks and changes that are there when the store opens
	reportLines   = "lines"   // lines of the file that are in the list, after a commit has returned
	reportChanges = "changes" // changes that are made, after a commit has returned
)

type options struct {
	file, keep string
	pause      time.Duration
}

// progress is how far the list is: what the child said last.
type progress struct{ lines, changes int }

// show is the parent of the story of one machine. A directory belongs to one process at a time, so the list is imported, changed and drawn
// by one child process. The parent kills it, starts it again, and checks at the end.
func show(ctx context.Context, out io.Writer, o options) error {
	lines, err := read(o.file)
	if err != nil {
		return err
	}
	dir, remove, err := directory(o.keep)
	if err != nil {
		return err
	}
	defer remove()
	if o.file, err = filepath.Abs(o.file); err != nil {
		return err
	}
	term := screen.New(out)
	say := func(format string, args ...any) {
		fmt.Fprintln(out, term.Paint(screen.Strong, fmt.Sprintf(format, args...)))
	}
	changes := len(steps(lines))

	say("A new list takes in %s, %d lines, %d in a commit.", filepath.Base(o.file), len(lines), chunk)
	first, err := runChild(ctx, out, dir, o, progress{}, func(p progress) bool { return p.lines >= len(lines)/2 })
	if err != nil {
		return err
	}
	say("\nkill -9, when the commits with the first %d lines had returned. The same command again:", first.lines)

	second, err := runChild(ctx, out, dir, o, first, func(p progress) bool { return p.changes >= changes/2 })
	if err != nil {
		return err
	}
	say("\nkill -9, when %d lines and %d changes had returned. The same command again:", second.lines, second.changes)

	if _, err := runChild(ctx, out, dir, o, second, nil); err != nil {
		return err
	}
	say("\nThe list, opened once more and compared with the file:")
	return verify(ctx, out, dir, lines)
}

// runChild runs the child until it ends, or kills it when enough says so. It checks that what had returned before is there.
func runChild(
	ctx context.Context, out io.Writer, dir string, o options, before progress, enough func(progress) bool,
) (p progress, err error) {
	self, err := os.Executable()
	if err != nil {
		return p, err
	}
	child := exec.CommandContext(ctx, self)
	child.Env = append(os.Environ(), childEnv+"="+dir, fileEnv+"="+o.file, pauseEnv+"="+o.pause.String())
	child.Stderr = out // the live list
	reports, err := child.StdoutPipe()
	if err != nil {
		return p, err
	}
	if err := child.Start(); err != nil {
		return p, err
	}
	killed := false
	scan := bufio.NewScanner(reports)
	for scan.Scan() { // to the end, also after the kill: what is in the pipe had returned
		var what string
		var a, b int
		if n, _ := fmt.Sscan(scan.Text(), &what, &a, &b); n < 2 {
			continue
		}
		switch what {
		case reportFound:
			p = progress{a, b}
			if p.lines < before.lines || p.changes < before.changes {
				err = fmt.Errorf("commits were lost: %d lines and %d changes had returned, %d and %d are there",
					before.lines, before.changes, p.lines, p.changes)
			}
		case reportLines:
			p.lines = a
		case reportChanges:
			p.changes = a
		}
		if !killed && (err != nil || enough != nil && enough(p)) {
			killed = true
			_ = child.Process.Kill() // SIGKILL; that it has ended already shows below
		}
	}
	ended := child.Wait()
	switch {
	case err != nil:
		return p, err
	case scan.Err() != nil:
		return p, scan.Err()
	case killed && ended == nil:
		return p, errors.New("the child ended before it could be killed: give it a longer -pause")
	case !killed && ended != nil:
		return p, fmt.Errorf("the child failed: %w", ended)
	}
	return p, nil
}

// verify opens the list and compares it with what the file and the changes must make of it.
func verify(ctx context.Context, out io.Writer, dir string, lines []todotxt.Task) (err error) {
	store, err := tasks.Open(ctx, dir, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	got, err := livestore.Get(store, tasks.File)
	if err != nil {
		return err
	}
	logged := map[string]int{}
	for e, err := range store.Events(ctx, nil) {
		if err != nil {
			return err
		}
		logged[e.Name]++
	}

	want := expected(lines)
	wantLogged := map[string]int{tasks.Imported.Name(): len(lines)}
	for _, s := range steps(lines) {
		wantLogged[s.draft("x").Definition().Name()]++
	}
	term := screen.New(out)
	wrong := 0
	check := func(ok bool, format string, args ...any) {
		mark := term.Paint(screen.Green, "ok   ")
		if !ok {
			mark = term.Paint(screen.Red, "WRONG")
			wrong++
		}
		fmt.Fprintf(out, "  %s %s\n", mark, fmt.Sprintf(format, args...))
	}
	check(slices.Equal(got, want), "%d tasks in the order of the file, each line as it must be", len(want))
	for _, name := range []string{tasks.Imported.Name(), tasks.Completed.Name(), tasks.Prioritized.Name(), tasks.Removed.Name()} {
		check(logged[name] == wantLogged[name], "%3d × %s in the eventlog, each exactly once", logged[name], name)
	}
	if wrong > 0 {
		return fmt.Errorf("%d of the checks failed; the list must have %d tasks and has %d", wrong, len(want), len(got))
	}
	fmt.Fprintln(out, "\nNothing lost, nothing twice.")
	return nil
}
