package sim_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/livestore-go/livestore/internal/sim"
)

var rewriteHashes = flag.Bool("rewrite-hashes", false, "write testdata/hashes.txt anew: after a change of what happens in a schedule")

const hashes = "testdata/hashes.txt"

// hashed is how many seeds have their hash in testdata/hashes.txt.
const hashed = 16

// TestSameEverywhere compares the hash of some schedules with what it was on the machine where they were written down, without the race
// detector: a seed replays exactly, wherever it is run.
func TestSameEverywhere(t *testing.T) {
	var b strings.Builder
	for seed := uint64(1); seed <= hashed; seed++ {
		r := sim.Schedule(seed, nil)
		if r.Err != nil {
			t.Fatal(r)
		}
		fmt.Fprintf(&b, "%d %016x\n", seed, r.Hash)
	}
	if *rewriteHashes {
		if err := os.WriteFile(hashes, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(hashes)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("other hashes than in %s. If schedules have changed, write them anew with -rewrite-hashes. Here:\n%s", hashes, b.String())
	}
}
