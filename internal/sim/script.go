package sim

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Script is a schedule of a fleet, spelled out: the seed of its world, and what happens there. What a step draws depends on the seed and
// the number of the step alone, so steps may be left out.
//
// As text it is a line "fleet SEED", and then a line "NUMBER CLIENT DEED" for each step; what follows # on a line is a remark. A text
// without steps is the whole schedule of the seed.
type Script struct {
	Seed  uint64
	Steps []Step
}

// Step is one thing that happens in a schedule.
type Step struct {
	At     uint64 // its number
	Client string // whom it happens to
	Deed   string // what
}

func (s Script) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "fleet %d\n", s.Seed)
	for _, step := range s.Steps {
		fmt.Fprintf(&b, "%d %s %s\n", step.At, step.Client, step.Deed)
	}
	return b.String()
}

// ParseScript reads the text of a script.
func ParseScript(r io.Reader) (s Script, err error) {
	began := false
	in := bufio.NewScanner(r)
	for n := 1; in.Scan(); n++ {
		line, _, _ := strings.Cut(in.Text(), "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		number, rest, _ := strings.Cut(line, " ")
		if !began {
			began = true
			if s.Seed, err = strconv.ParseUint(rest, 10, 64); err != nil || number != "fleet" {
				return s, fmt.Errorf("line %d: want \"fleet SEED\", got %q", n, line)
			}
			continue
		}
		client, what, _ := strings.Cut(rest, " ")
		at, err := strconv.ParseUint(number, 10, 64)
		if err != nil || !slices.ContainsFunc(deeds, func(d deed) bool { return d.name == what }) {
			return s, fmt.Errorf("line %d: want \"NUMBER CLIENT DEED\", got %q", n, line)
		}
		s.Steps = append(s.Steps, Step{At: at, Client: client, Deed: what})
	}
	if !began && in.Err() == nil {
		return s, fmt.Errorf("there is no line \"fleet SEED\"")
	}
	return s, in.Err()
}

// Run runs a script.
func (s Script) Run() Result {
	if len(s.Steps) == 0 {
		return RunFleet(s.Seed, nil)
	}
	return runSystem(s.Seed, &Options{}, func(y *system) error { return y.play(s.Steps) })
}

// play does steps that are spelled out. Those that can not be done now are left out.
func (s *system) play(steps []Step) error {
	for _, step := range steps {
		i := slices.IndexFunc(s.table, func(d deed) bool { return d.name == step.Deed })
		j := slices.IndexFunc(s.all, func(p *peer) bool { return p.client == step.Client })
		if i < 0 || j < 0 {
			continue
		}
		if err := s.step(step.At, s.table[i], s.all[j]); err != nil {
			return err
		}
	}
	return nil
}

// Shrink takes steps out of a script that fails, for as long as it fails without them and goOn returns true, and returns what is left
// and what that comes to.
func (s Script) Shrink(goOn func() bool) Result {
	best := s.Run()
	if best.Err == nil {
		return best
	}
	shrink(best.Script.Steps, goOn, func(steps []Step) ([]Step, bool) {
		r := Script{Seed: s.Seed, Steps: steps}.Run()
		if r.Err != nil {
			best = r
		}
		return r.Script.Steps, r.Err != nil
	})
	return best
}

// shrink leaves out of steps whatever is not needed for them to fail: halves first, single ones last. fails says which steps were done, and
// whether they failed.
func shrink(steps []Step, goOn func() bool, fails func([]Step) (done []Step, failed bool)) []Step {
	for size := len(steps) / 2; size > 0; {
		smaller := false
		for end := len(steps); end > 0 && goOn(); end -= size {
			end = min(end, len(steps))
			rest := slices.Delete(slices.Clone(steps), max(0, end-size), end)
			if len(rest) == 0 {
				continue
			}
			if done, failed := fails(rest); failed {
				steps, smaller = done, true
			}
		}
		if !goOn() {
			break
		}
		if size > 1 {
			size /= 2
		} else if !smaller {
			break
		}
	}
	return steps
}
