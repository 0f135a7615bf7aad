package client_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/leader"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/sqlite/crashvfs"
	"github.com/livestore-go/livestore/state"
)

var (
	put   = event.Synced[named]("v1.Put")
	older = state.MustSchema(rows, onPut())
	newer = state.MustSchema(rows, onPut(),
		state.On(added, func(tx *state.Tx, e named) error { return tx.Exec(rows.Insert(row(e))) }))
)

func onPut() state.Part {
	return state.On(put, func(tx *state.Tx, e named) error { return tx.Exec(rows.Insert(row(e))) })
}

// puts are events of others that both versions know.
func puts(names ...string) []event.Global {
	events := ofOthers(names...)
	for i := range events {
		events[i].Name = put.Name()
	}
	return events
}

// downgraded is the disk of a client with three pending commits, w, then x and y, then z, which a version of the app that does not know
// them has brought onto what the backend has.
func downgraded(t *testing.T, theirs ...string) *crashvfs.FS {
	t.Helper()
	disk := crashvfs.New()
	m, err := bootWith(disk, newer, true)
	if err != nil {
		t.Fatal(err)
	}
	push(t, m, event.ID{}, 1, "w")
	push(t, m, event.ID{Commit: event.CommitID{Journal: "j", Ordinal: 1}}, 2, "x", "y")
	push(t, m, event.ID{Commit: event.CommitID{Journal: "j", Ordinal: 2}, Index: 1}, 3, "z")
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if m, err = bootWith(disk, older, true); err != nil {
		t.Fatal(err)
	}
	if err := m.BackendPulled("b", 0, puts(theirs...), true); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return disk
}

func aside(t *testing.T, m *leader.Machine) string {
	t.Helper()
	snap, err := m.Boot(link.BootRequest{Version: link.Version})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, a := range snap.SetAside {
		var args []string
		for _, e := range a.Events {
			args = append(args, string(e.Args))
		}
		out = append(out, fmt.Sprintf("%d:%s", a.ID.Ordinal, strings.Join(args, "")))
		if !strings.Contains(a.Err, "UNIQUE") {
			t.Errorf("commit %s is set aside because %s", a.ID, a.Err)
		}
	}
	return strings.Join(out, " ")
}

// A pending commit that an older version of the app has kept and brought onto other events, without knowing it, may not apply there. The
// version that knows it opens the store, sets that commit aside whole, and goes on with the others, wherever the power goes meanwhile.
func TestUpgradeSetsAsideWhatNoLongerApplies(t *testing.T) {
	for name, c := range map[string]struct {
		theirs           string
		log, rows, aside string
	}{
		"the middle one": {
			"y", `e1={"name":"y"} e2r1={"name":"w"} e3r2={"name":"z"}`, "w y z", `2:{"name":"x"}{"name":"y"}`,
		},
		"the first and the last": {
			"z w", `e1={"name":"z"} e2={"name":"w"} e3r2={"name":"x"} e4r2={"name":"y"}`, "w x y z", `1:{"name":"w"} 3:{"name":"z"}`,
		},
		"all":  {"w x z", `e1={"name":"w"} e2={"name":"x"} e3={"name":"z"}`, "w x z", `1:{"name":"w"} 2:{"name":"x"}{"name":"y"} 3:{"name":"z"}`},
		"none": {"v", `e1={"name":"v"} e2r1={"name":"w"} e3r1={"name":"x"} e4r1={"name":"y"} e5r1={"name":"z"}`, "v w x y z", ""},
	} {
		t.Run(name, func(t *testing.T) {
			check := func(disk *crashvfs.FS) {
				t.Helper()
				for range 2 {
					m, err := bootWith(disk, newer, true)
					if err != nil {
						t.Fatal(err)
					}
					if log, rows := linesOf(t, m, newer); log != c.log || rows != c.rows {
						t.Errorf("the log is %s, the state %s", log, rows)
					}
					if got := aside(t, m); got != c.aside {
						t.Errorf("set aside is %s", got)
					}
					if err := m.Close(); err != nil {
						t.Fatal(err)
					}
				}
				disk.Close()
			}
			check(downgraded(t, strings.Fields(c.theirs)...))

			ops := 0
			for op := 1; !t.Failed(); op++ {
				disk := downgraded(t, strings.Fields(c.theirs)...)
				at := disk.Ops() + op
				disk.PowerOffAt(at)
				m, err := bootWith(disk, newer, true)
				over := err == nil && disk.Ops() < at
				if err == nil {
					_ = m.Close()
				}
				if over {
					disk.Close()
					break
				}
				ops++
				crashed := disk.Crash(rand.New(rand.NewPCG(uint64(op), 1)))
				disk.Close()
				check(crashed)
			}
			if ops < 10 {
				t.Errorf("only %d operations", ops)
			}
		})
	}
}

// What was committed on a store applies there: when it does not, and no other version of the app is in the game, the schema is wrong. The store
// does not open with it, and nothing is set aside, with a sync provider or without.
func TestUpgradeToABrokenSchemaSetsNothingAside(t *testing.T) {
	broken := map[string]func(*state.Tx, named) error{
		"an error": func(*state.Tx, named) error { return errors.New("no") },
		"a panic":  func(*state.Tx, named) error { panic("no") },
	}
	for name, materializer := range broken {
		for _, synced := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, synced %t", name, synced), func(t *testing.T) {
				disk := crashvfs.New()
				defer disk.Close()
				m, err := bootWith(disk, newer, synced)
				if err != nil {
					t.Fatal(err)
				}
				push(t, m, event.ID{}, 1, "w")
				if err := m.Close(); err != nil {
					t.Fatal(err)
				}
				wrong := state.MustSchema(state.Version("2"), rows, onPut(), state.On(added, materializer))
				if _, err := bootWith(disk, wrong, synced); err == nil || !strings.Contains(err.Error(), "mend the materializer") {
					t.Errorf("the store opens with a schema that can not apply its events: %v", err)
				}
				if m, err = bootWith(disk, newer, synced); err != nil {
					t.Fatal(err)
				}
				if log, rows := linesOf(t, m, newer); log != `e1={"name":"w"}` || rows != "w" || aside(t, m) != "" {
					t.Errorf("the log is %s, the state %s, set aside is %s", log, rows, aside(t, m))
				}
				if err := m.Close(); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}
