package crashtest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/internal/journal/faultfs"
	"github.com/livestore-go/livestore/internal/session"
	"github.com/livestore-go/livestore/internal/sqlite/crashvfs"
)

// crash is a loss of power: in which life of a client it happens, the how manieth there, and at which operation that changes a file,
// counted since the boot before.
type crash struct {
	life  uint64
	n, op int
}

// powerOffAt lets the power go at the op-th operation of the disk, 0 for never.
func (w *world) powerOffAt(op int) {
	w.op = op
	w.disk.PowerOffAt(op)
}

// off says whether the power has gone.
func (w *world) off() bool { return w.op > 0 && w.disk.Ops() >= w.op }

// until does steps until the power goes.
func (w *world) until(t testing.TB, op, steps int) (gone bool) {
	t.Helper()
	w.powerOffAt(w.disk.Ops() + op)
	for range steps {
		err := w.step()
		if w.off() {
			return true
		}
		if err != nil {
			t.Fatalf("with the power on: %v", err)
		}
	}
	return false
}

// recover starts the client on what the disk holds after the loss of power, and checks what is there. Now and then it is only the process
// that ends at that operation: then nothing that was written is lost. While the client boots the same may happen again.
func (w *world) recover(t testing.TB, damage *rand.Rand) (losses, kills int) {
	t.Helper()
	for {
		w.note()
		var disk *crashvfs.FS
		if damage.IntN(4) == 0 {
			disk = crashvfs.Mount(w.disk.Kill())
			kills++
		} else {
			disk = w.disk.Crash(damage)
			losses++
			for _, c := range w.commits {
				if c.stage == session.Committed {
					c.stage, c.receipt = 0, nil // it may be lost now
				}
			}
		}
		w.end()
		w.mount(disk)
		w.turn++
		w.ids = 0
		op := 0
		if damage.IntN(3) == 0 {
			op = 1 + damage.IntN(60)
		}
		w.powerOffAt(op)
		err := w.boot()
		if w.off() {
			continue
		}
		if err != nil {
			t.Fatalf("boot after the power came back: %v", err)
		}
		w.powerOffAt(0)
		w.verify(t, session.Committed)
		return losses, kills
	}
}

// hits counts losses of power by what had been done to which file just before.
type hits map[string]int

// watch has each disk note each operation in *at.
func (w *world) watch(at *string) {
	w.arm = func(disk *crashvfs.FS) {
		disk.SetFault(func(op faultfs.Op) (int, error) {
			*at = op.Kind + " " + kindOf(op.Name)
			return 0, nil
		})
	}
	w.arm(w.disk)
}

func kindOf(name string) string {
	switch {
	case strings.Contains(name, ".building"):
		return "state that is built"
	case strings.HasPrefix(name, "state-"):
		return "state"
	case strings.HasPrefix(name, "eventlog"):
		return "eventlog"
	case strings.Contains(name, journal.Ext):
		return "journal"
	}
	return "directory"
}

func (h hits) String() string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(h)) {
		fmt.Fprintf(&b, "\n\t%4d %s", h[k], k)
	}
	return b.String()
}

var (
	powerLives  = pick(84, 8)
	powerLosses = pick(20, 10) // in each life
)

// TestPowerLoss lets a client live through one loss of power after the other, each at a random operation on its files, also while it boots,
// takes journals, rebuilds state, swaps it in, or rebases. What was persisted stays, what was not is there whole or not at all,
// each boot succeeds, and state is what the log says.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	total, killed, commits, aside, after := 0, 0, 0, 0, hits{}
	for life := range uint64(powerLives) {
		w := newDiskWorld(life)
		damage := rand.New(rand.NewPCG(5, life))
		for n := 0; n < powerLosses; {
			c := crash{life: life, n: n, op: 1 + damage.IntN(250)}
			at := "nothing"
			w.watch(&at)
			if !w.until(t, c.op, 400) {
				t.Fatalf("%+v: the client does nothing with its files", c)
			}
			after[at]++
			l, k := w.recover(t, damage)
			n += l
			total += l
			killed += k
			if t.Failed() {
				t.Fatalf("%+v", c)
			}
		}
		for len(w.sessions) < 2 {
			if err := w.open(); err != nil {
				t.Fatalf("life %d: %v", life, err)
			}
		}
		if err := w.settle(); err != nil {
			t.Fatalf("life %d: %v", life, err)
		}
		w.sessionsFollow(t)
		commits += len(w.commits)
		aside += len(w.look(t).aside)
		w.verify(t, session.Persisted)
		w.end()
		w.disk.Close()
		if t.Failed() {
			t.Fatalf("life %d at its end", life)
		}
	}
	t.Logf("%d losses of power and %d kills in %d lives; %d commits lived through them, %d of them set aside. After which operation:%s", total, killed, powerLives, commits, aside, after)
}

// script is a short run through everything that touches files: a new directory, sessions, commits of all kinds, journals that are taken,
// a new schema, a rebase by undo entries and one without them, a session that leaves in order.
func (w *world) script() error {
	var errs error
	do := func(err error) bool {
		errs = errors.Join(errs, err)
		w.note()
		return errs == nil && !w.off()
	}
	run := func() bool {
		return do(w.open()) && do(w.commit(w.sessions[0], 3, false)) && do(w.commit(w.sessions[0], 1, true)) &&
			do(w.push(true)) && do(w.commit(w.sessions[0], 20, false)) && do(w.pull(w.sessions[0])) && do(w.push(true))
	}
	another := func() bool {
		w.backend.foreign(4)
		return do(w.download(0)) && do(w.pull(w.sessions[0]))
	}
	_ = do(w.boot()) && run() && another() && do(w.upload()) && another() &&
		do(w.again(0, false)) && run() && another() && // journals are taken
		do(w.again(1, false)) && run() && do(w.upload()) && // and state is made anew
		do(w.again(1, true)) && run() && another() && // and in the middle of a rebase
		do(w.settle()) && do(w.leave(w.sessions[0]))
	return errs
}

// again ends the process and starts the next one.
func (w *world) again(schema int, strip bool) error {
	w.end()
	w.turn++
	w.ids, w.schema = 0, schema
	if strip {
		if err := w.stripUndo(); err != nil {
			return err
		}
	}
	return w.boot()
}

var (
	scripts   = pick(1, 1)  // how many times the script runs, each time with other damage
	longRun   = pick(8, 60) // of the writes to one file on end, the first, the last, and each longRun-th
	eachOther = pick(1, 4)  // of what is left
)

// moments runs the script with the power on and returns the operations at which it is worth losing it.
func moments(t *testing.T, seed uint64) (ops []int, kinds []string) {
	t.Helper()
	w := newDiskWorld(seed)
	w.disk.SetFault(func(op faultfs.Op) (int, error) {
		kinds = append(kinds, op.Kind+" "+kindOf(op.Name))
		return 0, nil
	})
	if err := w.script(); err != nil {
		t.Fatalf("with the power on: %v", err)
	}
	n := w.disk.Ops()
	w.end()
	w.disk.Close()
	run := 0
	for i := range n {
		run++
		if i == 0 || i == n-1 || kinds[i] != kinds[i-1] || kinds[i] != kinds[i+1] || !strings.HasPrefix(kinds[i], "write") {
			run = 0
		}
		if run%longRun == 0 {
			ops = append(ops, i+1)
		}
	}
	return ops, kinds
}

// TestPowerLossAtEachOperation lets the power go at the operations of one script: at each that is not one of many writes to a file.
func TestPowerLossAtEachOperation(t *testing.T) {
	t.Parallel()
	total, killed := 0, 0
	after := hits{}
	for n := range uint64(scripts) {
		ops, kinds := moments(t, n)
		for i := 0; i < len(ops); i += eachOther {
			op := ops[i]
			w := newDiskWorld(n)
			w.powerOffAt(op)
			if err := w.script(); !w.off() {
				t.Fatalf("script %d does not come to operation %d: %v", n, op, err)
			}
			after[kinds[op-1]]++
			l, k := w.recover(t, rand.New(rand.NewPCG(n, uint64(op))))
			total, killed = total+l, killed+k
			if err := w.open(); err != nil {
				t.Error(err)
			} else if err := w.settle(); err != nil {
				t.Error(err)
			} else {
				w.verify(t, session.Persisted)
			}
			w.end()
			w.disk.Close()
			if t.Failed() {
				t.Fatalf("script %d, operation %d of %d, %s", n, op, len(kinds), kinds[op-1])
			}
		}
	}
	t.Logf("%d losses of power and %d kills. At which operation:%s", total, killed, after)
}
