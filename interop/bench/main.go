// Command bench measures the official client and backend and ours at the same work, in one run: clients are processes of their own on both
// sides, and backends keep their data in files. It prints a table with the medians of several runs; scripts/interop bench runs it.
//
// The official side needs the install of scripts/interop.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// figure is what one run of a work gives, in the order of its labels.
type figure []float64

// work is something both sides do.
type work struct {
	name   string
	labels []string // of the figures, with their unit
	more   bool     // more is better
	run    func(ctx context.Context, s *side, n int) (figure, error)
}

var works = []work{
	{"commit", []string{
		"10,000 commits of one event, in memory, commits/s", "the first 1,000 of them, commits/s", "the last 1,000 of them, commits/s",
	}, true, commits},
	{"bulk", []string{"5,000 events client to client, events/s"}, true, bulk},
	{"latency", []string{"one event client to client, p50 ms", "one event client to client, p99 ms"}, false, latency},
	{"rebase", []string{"rebase of 500 on 500 up to all confirmed, ms"}, false, rebase},
	{"push", []string{"backend: pushes of 50, events/s"}, true, push},
	{"pull", []string{"backend: pull of 10,000, events/s"}, true, pull},
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "client" {
		if err := child(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	runs := flag.Int("runs", 3, "how often each work is done on each side")
	only := flag.String("only", "", "one work: commit, bulk, latency, rebase, push or pull")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := bench(ctx, *runs, *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, runs int, only string) error {
	sides, end, err := start(ctx)
	defer end()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "work\tofficial\tours\ttimes\n")
	for _, w := range works {
		if only != "" && only != w.name {
			continue
		}
		var medians [2]figure
		all := make([][]figure, len(sides))
		for n := range runs {
			for i, s := range sides { // by turns: what else the machine does falls on both
				f, err := w.try(ctx, s, n)
				if err != nil {
					return fmt.Errorf("%s, %s, run %d: %w", w.name, s.name, n+1, err)
				}
				all[i] = append(all[i], f)
				fmt.Fprintf(os.Stderr, "%s, %s, run %d: %.4g\n", w.name, s.name, n+1, []float64(f))
			}
		}
		for i := range sides {
			medians[i] = median(all[i])
		}
		for k, label := range w.labels {
			official, ours := medians[0][k], medians[1][k]
			times := official / ours
			if w.more {
				times = ours / official
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", label, number(official), number(ours), number(times))
		}
	}
	fmt.Println()
	return table.Flush()
}

// try does a work once, within a few minutes.
func (w *work) try(ctx context.Context, s *side, n int) (figure, error) {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Minute)
	defer cancel()
	return w.run(ctx, s, n)
}

// median returns the median of each figure.
func median(runs []figure) figure {
	f := make(figure, len(runs[0]))
	for k := range f {
		var values []float64
		for _, r := range runs {
			values = append(values, r[k])
		}
		slices.Sort(values)
		f[k] = values[len(values)/2]
	}
	return f
}

// number writes three digits that count.
func number(f float64) string {
	switch {
	case f >= 100:
		s := fmt.Sprintf("%.0f", f)
		for i := len(s) - 3; i > 0; i -= 3 {
			s = s[:i] + "," + s[i:]
		}
		return s
	case f >= 10:
		return fmt.Sprintf("%.1f", f)
	}
	return strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.2f", f), "0"), ".")
}
