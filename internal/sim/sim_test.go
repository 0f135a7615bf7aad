package sim_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/livestore-go/livestore/internal/sim"
)

var (
	oneSeed = flag.Uint64("seed", 0, "run this seed only and print what happens")
	from    = flag.Uint64("from", 1, "first seed of TestSchedules")
	seeds   = flag.Uint64("seeds", schedules, "how many seeds TestSchedules runs")
	steps   = flag.Int("steps", 0, "actions of a schedule; 0: as many as is usual")
)

func options() *sim.Options { return &sim.Options{Steps: *steps} }

// TestSeed prints one schedule: go test ./internal/sim -run TestSeed -seed 85 -v
func TestSeed(t *testing.T) {
	if *oneSeed == 0 {
		t.Skip("no -seed")
	}
	r := sim.Run(*oneSeed, options())
	t.Log(r)
	if r.Err != nil {
		t.Fail()
	}
}

// parts is how many ranges of seeds run at the same time.
const parts = 4

// run runs so many seeds. One that fails prints its seed and all that happened; test runs it again. It returns how often it came to what.
func run(t *testing.T, n uint64, test string, schedule func(uint64, *sim.Options) sim.Result) map[string]int {
	t.Helper()
	var mu sync.Mutex
	counts := map[string]int{}
	t.Run("seeds", func(t *testing.T) {
		for part := range uint64(parts) {
			t.Run(fmt.Sprint(part), func(t *testing.T) {
				t.Parallel()
				for seed := *from + part; seed < *from+n && !t.Failed(); seed += parts {
					r := schedule(seed, options())
					if r.Err != nil {
						t.Errorf("%s\nagain: go test ./internal/sim -run %s$ -seed %d -v", r, test, seed)
					}
					mu.Lock()
					for what, n := range r.Counts {
						counts[what] += n
					}
					mu.Unlock()
				}
			})
		}
	})
	t.Log(table(counts))
	return counts
}

// reached fails when it never came to one of these things.
func reached(t *testing.T, n uint64, counts map[string]int, want ...[]string) {
	t.Helper()
	for _, what := range slices.Concat(want...) {
		if counts[what] == 0 {
			t.Errorf("in %d schedules it never came to %q", n, what)
		}
	}
}

// TestSchedules runs random schedules of one client.
func TestSchedules(t *testing.T) {
	counts := run(t, *seeds, "TestSeed", sim.Run)
	if *seeds >= 300 {
		reached(t, *seeds, counts, often)
	}
	if *seeds >= 5000 {
		reached(t, *seeds, counts, rare)
	}
}

// TestReplay runs schedules twice.
func TestReplay(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		replay(t, sim.Run(seed, options()), sim.Run(seed, options()))
	}
}

// replay compares two runs of one seed.
func replay(t *testing.T, a, b sim.Result) {
	t.Helper()
	if a.Hash == b.Hash && len(a.Trace) > 0 {
		return
	}
	for i := range min(len(a.Trace), len(b.Trace)) {
		if a.Trace[i] != b.Trace[i] {
			t.Fatalf("seed %d does not replay, from line %d on:\n%s\n%s", a.Seed, i, a.Trace[i], b.Trace[i])
		}
	}
	t.Fatalf("seed %d does not replay: %d lines, and %d", a.Seed, len(a.Trace), len(b.Trace))
}

// TestMended runs what once failed. A file of testdata/seeds is a script of a fleet (see [sim.Script]), or a list: each line a seed of a
// client. What follows # says what had failed.
func TestMended(t *testing.T) {
	files, err := filepath.Glob("testdata/seeds/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no seeds", err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if slices.ContainsFunc(strings.Split(string(text), "\n"), func(l string) bool { return strings.HasPrefix(l, "fleet ") }) {
				mendedScript(t, string(text))
				return
			}
			mendedSeeds(t, string(text))
		})
	}
}

func mendedScript(t *testing.T, text string) {
	t.Helper()
	script, err := sim.ParseScript(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r := script.Run()
	if r.Err != nil {
		t.Error(r)
	}
	if n := len(script.Steps); n > 0 && len(r.Script.Steps) < n/2 {
		t.Errorf("of the %d steps of the script only %d can be done: it no longer shows what it did", n, len(r.Script.Steps))
	}
}

func mendedSeeds(t *testing.T, text string) {
	t.Helper()
	n := 0
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		seed, err := strconv.ParseUint(line, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		n++
		if r := sim.Run(seed, nil); r.Err != nil {
			t.Error(r)
		}
	}
	if n == 0 {
		t.Error("no seed in it")
	}
}
