package crashtest

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Together with those of TestKillWhileRebasing and TestKillWhileRebuilding these are 520 kills.
var (
	killDirs = pick(42, 4) // directories
	killEach = pick(10, 5) // kills in each
)

// pick chooses a figure by whether the race detector is on.
func pick(full, race int) int {
	if slow {
		return race
	}
	return full
}

// moments are the places in the life of a child where it is killed: one in five while it boots, most of the others soon after its first
// commit returned, when journals are new and the log's first transactions are under way.
func randomMoment(r *rand.Rand) moment {
	if r.IntN(5) == 0 {
		return moment{boot: true, delay: time.Duration(r.Int64N(int64(60 * time.Millisecond)))}
	}
	part := r.Float64()
	return moment{delay: time.Duration(part * part * float64(60*time.Millisecond))}
}

// TestKillWhileCommitting kills a process whose sessions commit as fast as they can, ten times in each directory. What its commits had
// returned has to be in the log, once, whole and in order, and state what the log says.
func TestKillWhileCommitting(t *testing.T) {
	t.Parallel()
	kills, commits, opened, persisted, idle := 0, 0, 0, 0, 0
	for d := range killDirs {
		p := newPlace(t)
		r := rand.New(rand.NewPCG(2, uint64(d)))
		for n := range killEach {
			m := randomMoment(r)
			j := job{
				what: "commit", dir: p.dir, turn: p.turns, sessions: 2 + r.IntN(sessions-1), seed: r.Uint64(), budget: 600,
			}
			k := kill(t, j, m)
			p.heard(t, k)
			if r.IntN(3) > 0 || n == killEach-1 { // else the next child finds what this one has left
				p.check(t)
			}
			if t.Failed() {
				t.Fatalf("directory %d, kill %d, %v; job %s; it had said %d lines, the last %q", d, p.turns, m, j, len(k.said), tail(k.said))
			}
			kills++
			commits += len(k.committed)
			persisted += len(k.persisted)
			if k.opened > 0 {
				opened++
			}
			if k.rest {
				idle++
			}
		}
		scratch := newDerived(t, schemaAt(0))
		defer scratch.engine.Conn().Close()
		scratch.follow(t, p.log)
		same(t, "state that was followed", p.state.dump(t), scratch.dump(t))
	}
	t.Logf("%d kills, %d with an open store, %d of them idle; %d commits had returned, %d were known to be persisted", kills, opened, idle, commits, persisted)
	if !slow && (opened < kills/2 || opened == kills || idle > kills/2 || commits == 0) {
		t.Error("the moments are not where they are meant to be")
	}
}

func tail(lines []string) []string { return lines[max(0, len(lines)-3):] }
