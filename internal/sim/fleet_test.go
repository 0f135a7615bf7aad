package sim_test

import (
	"flag"
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

// TestFleets runs random schedules of fleets.
func TestFleets(t *testing.T) {
	counts := run(t, *fleets, "TestFleet", sim.RunFleet)
	if all, unclear := counts["check: linearizable"], counts["check: linearizable, unclear"]; unclear*100 > all {
		t.Errorf("of %d histories %d took too long to be checked", all+unclear, unclear)
	}
	if *fleets >= 150 {
		reached(t, *fleets, counts, fleetOften, outageOften, rulesOften, workOften)
	}
	if *fleets >= 2000 {
		reached(t, *fleets, counts, fleetRare, outageRare, rulesRare, workRare)
	}
}

// TestFleetReplay runs schedules twice.
func TestFleetReplay(t *testing.T) {
	for seed := uint64(1); seed <= 8; seed++ {
		replay(t, sim.RunFleet(seed, options()), sim.RunFleet(seed, options()))
	}
}
