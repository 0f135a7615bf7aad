package client_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/client"
	"github.com/livestore-go/livestore/internal/leader"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/internal/sqlite/crashvfs"
	"github.com/livestore-go/livestore/internal/syncstate"
	"github.com/livestore-go/livestore/state"
)

// boot starts the leader of a client whose files are on a disk.
func boot(disk *crashvfs.FS) (*leader.Machine, error) { return bootWith(disk, schema, true) }

func bootWith(disk *crashvfs.FS, s *state.Schema, synced bool) (*leader.Machine, error) {
	files := client.Files{FS: disk, VFS: disk.Name(), Synced: synced}
	r := request("store")
	r.Schema = s
	m, _, err := files.Boot(context.Background(), r, func() string { return "me" })
	return m, err
}

// again boots the client anew, on a state that is rebuilt: such a one could undo what the backend had confirmed, too.
func again(t *testing.T, m *leader.Machine, disk *crashvfs.FS) *leader.Machine {
	t.Helper()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := disk.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, "state-") {
			if err := disk.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	if m, err = boot(disk); err != nil {
		t.Fatal(err)
	}
	return m
}

// lines are the events of a log and the rows of a state.
func lines(t *testing.T, m *leader.Machine) (log, table string) {
	t.Helper()
	return linesOf(t, m, schema)
}

func linesOf(t *testing.T, m *leader.Machine, schema *state.Schema) (log, table string) {
	t.Helper()
	reply, err := m.Events(link.EventsRequest{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	var events, rows []string
	for _, e := range reply.Events {
		events = append(events, fmt.Sprintf("%s=%s", e.Num, e.Args))
	}
	snap, err := m.Boot(link.BootRequest{Version: link.Version})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := sqlite.Open(":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Deserialize(snap.State); err != nil {
		t.Fatal(err)
	}
	e, err := materialize.Open(conn, schema, false)
	if err != nil {
		t.Fatal(err)
	}
	if want := (materialize.Head{Num: snap.Head, ID: snap.HeadID}); e.Head() != want {
		t.Errorf("state stands at %v and the log at %v", e.Head(), want)
	}
	stmt, err := conn.Prepare(sqlite.Read, "SELECT name FROM rows ORDER BY name")
	if err != nil {
		t.Fatal(err)
	}
	if err := stmt.Each(nil, func(r *sqlite.Rows) { rows = append(rows, r.Text(0)) }); err != nil {
		t.Fatal(err)
	}
	return strings.Join(events, " "), strings.Join(rows, " ")
}

// push has a leader take a commit of its own, which stands on an event with an identity. It returns the number of the last event.
func push(t *testing.T, m *leader.Machine, on event.ID, ordinal uint64, names ...string) event.SeqNum {
	t.Helper()
	c := link.Commit{ID: event.CommitID{Journal: "j", Ordinal: ordinal}}
	heads := m.Heads()
	for i, n := range names {
		num, parent := heads.Next(event.ScopeSynced)
		heads.Local = num
		c.Events = append(c.Events, event.Client{
			Num: num, Parent: parent, Name: "v1.Added", Args: jsontext.Value(fmt.Sprintf(`{"name":%q}`, n)), ClientID: "me", SessionID: "s",
			ID: event.ID{Commit: c.ID, Index: i},
		})
	}
	r := link.PushRequest{Version: link.Version, Base: m.Heads().Local, BaseID: on, Commits: []link.Commit{c}}
	if r := m.Push([]link.PushRequest{r})[0]; !r.Reply.Taken {
		t.Fatal(r)
	}
	return heads.Local
}

// ofOthers are events as a backend has them.
func ofOthers(names ...string) []event.Global {
	var events []event.Global
	for i, n := range names {
		events = append(events, event.Global{
			SeqNum: int64(i) + 1, ParentSeqNum: int64(i), Name: "v1.Added", Args: jsontext.Value(fmt.Sprintf(`{"name":%q}`, n)),
			ClientID: "other", SessionID: "o",
		})
	}
	return events
}

// The process ends, or the power goes, at any operation on a file while the log is brought onto another backend, or emptied. Then the client
// is what it was or what it was to become, and state is what the log says: also where an event of the new backend has the number of
// another one before.
func TestCrashWhileTheLogIsReplaced(t *testing.T) {
	const before = `e1={"name":"x"} e2={"name":"y"} e3={"name":"own"}`
	for name, c := range map[string]struct {
		act   func(m *leader.Machine) error
		after string
		rows  string
	}{
		"rebase": {
			func(m *leader.Machine) error { return m.RebaseOnto("b2", 1, ofOthers("x", "z", "v")[1:]) },
			`e1={"name":"x"} e2={"name":"z"} e3={"name":"v"} e4r1={"name":"own"}`, "own v x z",
		},
		"reset": {func(m *leader.Machine) error { return m.Reset(true) }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			reached, old, done := 0, 0, 0
			for op := 1; ; op++ {
				disk := crashvfs.New()
				m, err := boot(disk)
				if err != nil {
					t.Fatal(err)
				}
				if err := m.BackendPulled("b", 0, ofOthers("x", "y"), true); err != nil {
					t.Fatal(err)
				}
				parent := m.Heads().Local
				num := push(t, m, event.ID{}, 1, "own")
				if m.Heads() != (syncstate.Heads{Local: num, Upstream: parent}) {
					t.Fatalf("the heads are %s", m.Heads())
				}
				m = again(t, m, disk)
				at := disk.Ops() + op
				disk.PowerOffAt(at)
				err = c.act(m)
				over := disk.Ops() < at
				_ = m.Close()
				if over {
					if err != nil {
						t.Fatalf("with the power on: %v", err)
					}
					disk.Close()
					break
				}
				reached++
				var disks []*crashvfs.FS
				if op%2 == 0 {
					disks = append(disks, crashvfs.Mount(disk.Kill()))
				}
				for seed := range uint64(4) {
					disks = append(disks, disk.Crash(rand.New(rand.NewPCG(uint64(op), seed))))
				}
				disk.Close()
				for _, disk := range disks {
					m, err := boot(disk)
					if err != nil {
						t.Fatalf("operation %d: boot: %v", op, err)
					}
					switch log, rows := lines(t, m); {
					case log == before && rows == "own x y":
						old++
						if err := c.act(m); err != nil {
							t.Errorf("operation %d: and again: %v", op, err)
						}
						if log, rows := lines(t, m); log != c.after || rows != c.rows {
							t.Errorf("operation %d: and again: %s, state %s", op, log, rows)
						}
					case log == c.after && rows == c.rows:
						done++
					default:
						t.Errorf("operation %d: the log is %s, the state %s", op, log, rows)
					}
					if err := m.Close(); err != nil {
						t.Errorf("operation %d: %v", op, err)
					}
					disk.Close()
				}
				if t.Failed() {
					return
				}
			}
			t.Logf("%d operations; %d times it was as before, %d times it was done", reached, old, done)
			if reached < 10 || old == 0 || done == 0 {
				t.Errorf("only %d operations, %d before, %d after", reached, old, done)
			}
		})
	}
}
