package tasks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/examples/todo/todotxt"
)

// ImportOptions changes how a file is imported; nil means the defaults.
type ImportOptions struct {
	// Chunk is the number of lines in one commit. Default 50.
	Chunk int
	// OnCommit is called after each commit that returned, with the number of lines that are in the list now and of those
	// the file has. Default: nothing.
	OnCommit func(done, total int)
}

// ImportReport says what an import did.
type ImportReport struct {
	Lines   int // in the file
	Added   int // new in the list
	Known   int // in the list already
	Removed int // in the list already, and removed there
}

// Import takes over the lines of a todo.txt file that are not in the list yet. It commits them in chunks; when it is interrupted,
// even by kill -9, importing the same file again goes on where it was.
//
// The id of an imported task is made of its line, so a line is known again whatever happened to the task since. A line
// that stands twice in the file becomes two tasks. A line that equals the present line of another task, as in a file that was
// exported from this list, is that task.
func Import(ctx context.Context, store *livestore.Store, lines []todotxt.Task, opts *ImportOptions) (ImportReport, error) {
	if opts == nil {
		opts = &ImportOptions{}
	}
	report := ImportReport{Lines: len(lines)}
	missing, err := plan(store, lines, &report)
	if err != nil {
		return report, err
	}
	chunk := opts.Chunk
	if chunk <= 0 {
		chunk = 50
	}
	var last *livestore.Receipt
	for len(missing) > 0 {
		n := min(chunk, len(missing))
		if last, err = store.Commit(ctx, missing[:n]...); err != nil {
			return report, fmt.Errorf("import: %w", err)
		}
		missing = missing[n:]
		report.Added += n
		if opts.OnCommit != nil {
			opts.OnCommit(report.Known+report.Removed+report.Added, report.Lines)
		}
	}
	if last == nil {
		return report, nil
	}
	return report, last.Wait(ctx, livestore.Persisted)
}

// plan makes an event for each line that is not in the list.
func plan(store *livestore.Store, lines []todotxt.Task, report *ImportReport) ([]event.Draft, error) {
	rows, err := livestore.Get(store, All)
	if err != nil {
		return nil, err
	}
	ids := ImportIDs(lines)
	inFile := make(map[string]bool, len(lines))
	for _, id := range ids {
		inFile[id] = true
	}
	byID := make(map[string]Row, len(rows))
	others := map[todotxt.Task]int{} // tasks that no id of this file stands for, by their present line
	for _, r := range rows {
		byID[r.ID] = r
		if !r.Removed() && !inFile[r.ID] {
			others[r.Task]++
		}
	}
	var drafts []event.Draft
	for i, line := range lines {
		r, imported := byID[ids[i]]
		switch {
		case imported && r.Removed():
			report.Removed++
		case imported:
			report.Known++
		case others[line] > 0:
			others[line]--
			report.Known++
		default:
			drafts = append(drafts, Imported.New(TaskImported{
				ID: ids[i], Text: line.Text, Done: line.Done, Priority: line.Priority, Completed: line.Completed, Created: line.Created,
			}))
		}
	}
	return drafts, nil
}

// ImportIDs returns the ids that tasks get when their lines are imported: each is made of the line, and of how many like it stand
// before it.
func ImportIDs(lines []todotxt.Task) []string {
	ids := make([]string, len(lines))
	before := map[todotxt.Task]int{}
	for i, line := range lines {
		sum := sha256.Sum256([]byte(line.String() + "\x00" + strconv.Itoa(before[line])))
		ids[i] = hex.EncodeToString(sum[:12])
		before[line]++
	}
	return ids
}
