package sim_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// groups are what is counted, in the order in which it is told. What begins with none of them comes last.
var groups = []struct{ head, begins string }{
	{"Faults", "fault: "},
	{"Crashes", "crash: "},
	{"Crash points", "crash point: "},
	{"Server", "server: "},
	{"Full disks", "full disk: "},
	{"Merges in a leader", "leader: "},
	{"Merges in a session", "session: "},
	{"Publishes", "publish: "},
	{"Pushes to a leader", "push: "},
	{"Commits", "commit: "},
	{"Receipts", "receipt: "},
	{"Boots", "boot: "},
	{"Checkers", "check: "},
	{"What was done", "action: "},
}

// table tells how often what was reached, in groups.
func table(counts map[string]int) string {
	var b strings.Builder
	rest := slices.Sorted(maps.Keys(counts))
	tell := func(head string, all []string) {
		if len(all) == 0 {
			return
		}
		fmt.Fprintf(&b, "\n%s\n", head)
		for _, what := range all {
			fmt.Fprintf(&b, "%10d %s\n", counts[what], what)
		}
	}
	for _, g := range groups {
		var in, out []string
		for _, what := range rest {
			if strings.HasPrefix(what, g.begins) {
				in = append(in, what)
			} else {
				out = append(out, what)
			}
		}
		tell(g.head, in)
		rest = out
	}
	tell("Everything else", rest)
	return b.String()
}

func TestTable(t *testing.T) {
	got := table(map[string]int{"odd": 1, "fault: b": 2, "fault: a": 3, "crash: x": 4})
	want := "\nFaults\n         3 fault: a\n         2 fault: b\n\nCrashes\n         4 crash: x\n\nEverything else\n         1 odd\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
