package sim

import (
	"slices"
	"strings"
	"testing"
)

// A script of all that was done is the schedule of its seed.
func TestScriptIsTheSchedule(t *testing.T) {
	for seed := uint64(1); seed <= 4; seed++ {
		a := RunFleet(seed, nil)
		s, err := ParseScript(strings.NewReader("# a remark\n" + a.Script.String()))
		if err != nil {
			t.Fatal(err)
		}
		if b := s.Run(); a.Hash != b.Hash {
			t.Errorf("seed %d: as a script it has hash %016x, and %016x as a seed", seed, b.Hash, a.Hash)
		}
		half := Script{Seed: seed, Steps: s.Steps[:len(s.Steps)/2]}
		if r := half.Run(); r.Err != nil || len(r.Script.Steps) == 0 {
			t.Errorf("half of the schedule of seed %d: %v", seed, r)
		}
	}
}

func TestParseScript(t *testing.T) {
	for _, bad := range []string{"", "12 c1 dial", "fleet", "fleet x", "fleet 1\n1 c1 fly", "fleet 1\nx c1 dial"} {
		if s, err := ParseScript(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is no script, and was taken for %v", bad, s)
		}
	}
}

func TestShrink(t *testing.T) {
	var steps []Step
	for at := range uint64(100) {
		steps = append(steps, Step{At: at})
	}
	runs := 0
	needed := []uint64{3, 40, 41, 97}
	fails := func(steps []Step) ([]Step, bool) {
		runs++
		for _, at := range needed {
			if !slices.ContainsFunc(steps, func(s Step) bool { return s.At == at }) {
				return steps, false
			}
		}
		return steps, true
	}
	got := shrink(steps, func() bool { return true }, fails)
	if len(got) != len(needed) || runs > 100 {
		t.Errorf("in %d runs, %d steps are left: %v", runs, len(got), got)
	}
	if got := shrink(steps, func() bool { return false }, fails); len(got) != len(steps) {
		t.Errorf("it went on: %d steps are left", len(got))
	}
}
