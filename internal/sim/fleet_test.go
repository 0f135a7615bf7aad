package sim_test

import (
	"flag"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/livestore-go/livestore/internal/sim"
)

var fleets = flag.Uint64("fleets", fleetSchedules, "how many seeds TestFleets runs")

// TestFleet prints one schedule: go test ./internal/sim -run TestFleet$ -seed 85 -v
func TestFleet(t *testing.T) {
	if *oneSeed == 0 {
		t.Skip("no -seed")
	}
	r := sim.RunFleet(*oneSeed, options())
	t.Log(r)
	if r.Err != nil {
		t.Fail()
	}
}

// TestFleets runs random schedules of three clients and a server. One that fails prints its seed and all that happened; -seed runs
// it again.
func TestFleets(t *testing.T) {
	var mu sync.Mutex
	counts := map[string]int{}
	t.Run("seeds", func(t *testing.T) {
		for part := range uint64(parts) {
			t.Run(fmt.Sprint(part), func(t *testing.T) {
				t.Parallel()
				for seed := *from + part; seed < *from+*fleets && !t.Failed(); seed += parts {
					r := sim.RunFleet(seed, options())
					if r.Err != nil {
						t.Errorf("%s\nagain: go test ./internal/sim -run TestFleet$ -seed %d -v", r, seed)
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
	if all, unclear := counts["check: linearizable"], counts["check: linearizable, unclear"]; unclear*100 > all {
		t.Errorf("of %d histories %d took too long to be checked", all+unclear, unclear)
	}
	want := slices.Concat(fleetOften, outageOften, rulesOften, workOften)
	if *fleets >= 2000 {
		want = slices.Concat(want, fleetRare, outageRare, rulesRare, workRare)
	}
	for _, what := range want {
		if *fleets >= 150 && counts[what] == 0 {
			t.Errorf("in %d schedules it never came to %q", *fleets, what)
		}
	}
}

// TestFleetReplay runs schedules twice.
func TestFleetReplay(t *testing.T) {
	for seed := uint64(1); seed <= 8; seed++ {
		replay(t, sim.RunFleet(seed, options()), sim.RunFleet(seed, options()))
	}
}
