package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/livestore-go/livestore/internal/sim"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// maxWeight is as much as all the usual weights together.
const maxWeight = 10_000

// every is how often it says how it stands.
const every = 10 * time.Second

// flags are what the command line says.
type flags struct {
	seeds, from uint64
	duration    time.Duration
	workers     int
	resume      string
	script      string
	shrink      time.Duration
	counts      bool
	opts        sim.Options
}

func parse(args []string, stderr io.Writer) (f flags, err error) {
	fs := flag.NewFlagSet("simulate", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Uint64Var(&f.seeds, "seeds", 0, "how many seeds to run, with -resume in all its runs; 0: until -duration is over, or for ever")
	fs.Uint64Var(&f.from, "from", 1, "the first seed")
	fs.DurationVar(&f.duration, "duration", 0, "for how long to run; 0: until all seeds are done")
	fs.IntVar(&f.workers, "workers", runtime.NumCPU(), "how many schedules run at the same time")
	fs.StringVar(&f.resume, "resume", "", "a `file` that says which seed is next, in place of -from: read at the start, written as it goes on")
	fs.StringVar(&f.script, "script", "", "run the script in this `file` and nothing else")
	fs.DurationVar(&f.shrink, "shrink", 2*time.Minute, "how long to look for a shorter schedule that fails as well")
	fs.BoolVar(&f.counts, "counts", false, "print at the end how often it came to what")
	fs.IntVar(&f.opts.Steps, "steps", 0, "steps of a schedule; 0: as many as is usual")
	fs.Func("weight", "`DEED=N`: how often a deed is drawn in a fleet, 0 for never; may be given several times", func(s string) error {
		name, n, _ := strings.Cut(s, "=")
		weight, err := strconv.Atoi(n)
		if err != nil || weight < 0 || weight > maxWeight {
			return fmt.Errorf("want DEED=N with N from 0 to %d", maxWeight)
		}
		if !slices.Contains(sim.Deeds(), name) {
			return fmt.Errorf("there is no deed %q; there are %q", name, sim.Deeds())
		}
		if f.opts.Weights == nil {
			f.opts.Weights = map[string]int{}
		}
		f.opts.Weights[name] = weight
		return nil
	})
	if err := fs.Parse(args); err != nil {
		return f, err
	}
	if fs.NArg() > 0 || f.workers < 1 || f.opts.Steps < 0 {
		err := fmt.Errorf("simulate: there are no arguments but flags, -workers is at least 1 and -steps at least 0: %q", args)
		fmt.Fprintln(stderr, err)
		return f, err
	}
	return f, nil
}

func simulate(ctx context.Context, args []string, stdout, stderr io.Writer, schedule func(uint64, *sim.Options) sim.Result) int {
	f, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		return exitUsage
	}
	if f.script != "" {
		return play(f.script, stdout, stderr)
	}
	if f.resume != "" {
		next, err := readNext(f.resume)
		if err != nil {
			fmt.Fprintln(stderr, "simulate:", err)
			return exitUsage
		}
		if next > 0 && next < f.from {
			fmt.Fprintf(stderr, "simulate: %s says that seed %d is next, and -from says %d: take another file, or none\n", f.resume, next, f.from)
			return exitUsage
		}
		if err := writeNext(f.resume, max(next, f.from)); err != nil {
			fmt.Fprintln(stderr, "simulate:", err)
			return exitUsage
		}
		if next > f.from {
			f.seeds -= min(f.seeds, next-f.from)
			if f.from = next; f.seeds == 0 && slices.Contains(args, "-seeds") {
				fmt.Fprintf(stdout, "all seeds before %d are done\n", next)
				return exitOK
			}
		}
	}
	if f.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.duration)
		defer cancel()
	}
	r := &runner{flags: f, out: stdout, schedule: schedule, next: f.from, done: f.from, ended: map[uint64]bool{}, counts: map[string]int{}}
	return r.run(ctx, stderr)
}

// play runs one script and prints all that happens.
func play(name string, stdout, stderr io.Writer) int {
	file, err := os.Open(name)
	if err != nil {
		fmt.Fprintln(stderr, "simulate:", err)
		return exitUsage
	}
	defer file.Close()
	s, err := sim.ParseScript(file)
	if err != nil {
		fmt.Fprintf(stderr, "simulate: %s: %v\n", name, err)
		return exitUsage
	}
	r := s.Run()
	if r.Err == nil {
		fmt.Fprintln(stdout, strings.Join(r.Trace, "\n"))
	}
	fmt.Fprintln(stdout, r)
	if r.Err != nil {
		return exitFailed
	}
	return exitOK
}

// readNext reads which seed is next. A file that is not there says nothing.
func readNext(name string) (uint64, error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	next, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s does not say which seed is next: %w", name, err)
	}
	return next, nil
}

func writeNext(name string, next uint64) error {
	return os.WriteFile(name, fmt.Appendf(nil, "%d\n", next), 0o600)
}

// runner runs seeds.
type runner struct {
	flags
	out      io.Writer
	schedule func(uint64, *sim.Options) sim.Result
	began    time.Time

	mu     sync.Mutex
	next   uint64          // the next one to begin
	done   uint64          // all before this one have ended
	ended  map[uint64]bool // and of those after it
	n      int             // so many
	counts map[string]int
	failed *sim.Result // the lowest seed that failed
}

func (r *runner) run(ctx context.Context, stderr io.Writer) int {
	r.began = time.Now()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var workers sync.WaitGroup
	for range r.workers {
		workers.Go(func() { r.work(ctx) })
	}
	all := make(chan struct{})
	go func() {
		workers.Wait()
		close(all)
	}()
	for waiting := true; waiting; {
		select {
		case <-ticker.C:
			r.say()
			if err := r.save(); err != nil {
				fmt.Fprintln(stderr, "simulate:", err)
			}
		case <-all:
			waiting = false
		}
	}
	r.say()
	if err := r.save(); err != nil {
		fmt.Fprintln(stderr, "simulate:", err)
		return exitFailed
	}
	if r.flags.counts {
		for _, what := range slices.Sorted(maps.Keys(r.counts)) {
			fmt.Fprintf(r.out, "%9d %s\n", r.counts[what], what)
		}
	}
	if r.failed == nil {
		return exitOK
	}
	r.explain(*r.failed)
	return exitFailed
}

// work runs one seed after the other.
func (r *runner) work(ctx context.Context) {
	for {
		seed, ok := r.take(ctx)
		if !ok {
			return
		}
		res := r.schedule(seed, &r.opts)
		r.end(seed, res)
	}
}

func (r *runner) take(ctx context.Context) (uint64, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil || r.failed != nil || r.seeds > 0 && r.next >= r.from+r.seeds {
		return 0, false
	}
	r.next++
	return r.next - 1, true
}

func (r *runner) end(seed uint64, res sim.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for what, n := range res.Counts {
		r.counts[what] += n
	}
	r.n++
	if res.Err != nil {
		if r.failed == nil || seed < r.failed.Seed {
			r.failed = &res
		}
		return // it is the first one when the command resumes
	}
	r.ended[seed] = true
	for ; r.ended[r.done]; r.done++ {
		delete(r.ended, r.done)
	}
}

// save says in the file which seed is next.
func (r *runner) save() error {
	if r.resume == "" {
		return nil
	}
	r.mu.Lock()
	next := r.done
	r.mu.Unlock()
	return writeNext(r.resume, next)
}

// say prints how it stands, on one line.
func (r *runner) say() {
	r.mu.Lock()
	defer r.mu.Unlock()
	passed := time.Since(r.began)
	rate := float64(r.n) / max(passed.Seconds(), 1e-3)
	sum := func(prefixes ...string) (n int) {
		for what, k := range r.counts {
			for _, p := range prefixes {
				if strings.HasPrefix(what, p) {
					n += k
				}
			}
		}
		return n
	}
	left := ""
	if r.seeds > 0 && rate > 0 {
		seconds := float64(r.seeds-min(r.seeds, uint64(r.n))) / rate
		left = fmt.Sprintf(", %s left", time.Duration(seconds)*time.Second)
	}
	fmt.Fprintf(r.out, "%s: %d seeds from %d on, %.1f a second%s; %d steps, %d faults, %d crashes, %d rebases, %d checks\n",
		passed.Round(time.Second), r.n, r.from, rate, left, sum("action: "), sum("fault: "), sum("crash: "),
		sum("leader: rebase", "session: rebase"), sum("check: "))
}

// explain prints a schedule that has failed, as short as it gets.
func (r *runner) explain(res sim.Result) {
	fmt.Fprintf(r.out, "\nseed %d fails: %v\n", res.Seed, res.Err)
	if len(res.Script.Steps) == 0 {
		fmt.Fprintf(r.out, "\n%s\nagain: go run ./internal/sim/cmd/simulate -from %d -seeds 1 -steps %d\n",
			strings.Join(res.Trace, "\n"), res.Seed, r.opts.Steps)
		return
	}
	until := time.Now().Add(r.flags.shrink)
	small := res.Script.Shrink(func() bool { return time.Now().Before(until) })
	if small.Err != nil {
		res = small
	}
	fmt.Fprintf(r.out, "\n%s\n\nas a script of %d steps, for -script FILE:\n\n%s", res, len(res.Script.Steps), res.Script)
}
