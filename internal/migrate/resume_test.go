package migrate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/internal/migrate"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/internal/sqlite/crashvfs"
	"github.com/livestore-go/livestore/state"
)

// How many events the rebuilds of these tests have, and how many share a segment.
const (
	allEvents  = 23
	perSegment = 5
)

type sum struct {
	Name  string `db:"name,primarykey"`
	Times int    `db:"times"`
}

var sums = state.NewTable[sum]("sums")

// summed returns a schema whose events add a row and change one that is there, and so write over pages of segments before. f, when not nil,
// runs before each event with its position.
func summed(version string, f func(n int) error) *state.Schema {
	return state.MustSchema(rows, sums, state.Version(version), state.On(added, func(tx *state.Tx, e named) error {
		n := int(tx.Event().Num.Global)
		if f != nil {
			if err := f(n); err != nil {
				return err
			}
		}
		if err := tx.Exec(rows.Insert(row{n, strings.Repeat(e.Name, 300)})); err != nil {
			return err
		}
		return tx.Exec(state.Exec(`INSERT INTO sums VALUES (?, 1) ON CONFLICT DO UPDATE SET times = times + 1`, fmt.Sprint(n%3)))
	}))
}

// logOf makes a log of n events, in memory; those behind rebased are of a later generation.
func logOf(t testing.TB, n, rebased int) *eventlog.Log {
	t.Helper()
	log, err := eventlog.Open("memory", &eventlog.Options{StoreID: "store", Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	var all []event.Client
	var head event.SeqNum
	for i := range n {
		generation := int64(0)
		if i >= rebased {
			generation = 1
		}
		num, parent := head.Next(event.ScopeSynced, generation)
		head = num
		all = append(all, event.Client{
			Num: num, Parent: parent, Name: "v1.Added", Args: jsontext.Value(fmt.Sprintf(`{"name":"n%d"}`, num.Global)),
			ClientID: "c", SessionID: "s", ID: event.ID{Commit: event.CommitID{Journal: "j", Ordinal: uint64(num.Global)}},
		})
	}
	if err := log.Update(func() error {
		return errors.Join(log.SetGeneration(int64(min(1, max(0, n-rebased)))), log.Append(all))
	}); err != nil {
		t.Fatal(err)
	}
	return log
}

// machine is a disk with states, and a log that is safe elsewhere.
type machine struct {
	disk *crashvfs.FS
	log  *eventlog.Log
	out  bytes.Buffer
	told [][2]int
	tell func() // more to do when OnBoot is called; may be nil

	segment int
}

func newMachine(t testing.TB, log *eventlog.Log) *machine {
	m := &machine{disk: crashvfs.New(), log: log, segment: perSegment}
	t.Cleanup(func() { m.disk.Close() })
	return m
}

// mount goes on with another disk.
func (m *machine) mount(disk *crashvfs.FS) {
	m.disk.Close()
	m.disk = disk
}

// open opens the state, closes it again, and returns what is in it.
func (m *machine) open(ctx context.Context, schema *state.Schema) (string, migrate.Report, error) {
	m.told = nil
	s := &migrate.State{
		FS: m.disk, VFS: m.disk.Name(), Log: m.log, Schema: schema, Synced: true, Segment: m.segment,
		Logger: slog.New(slog.NewTextHandler(&m.out, nil)),
		OnBoot: func(_ string, done, total int) {
			m.told = append(m.told, [2]int{done, total})
			if m.tell != nil {
				m.tell()
			}
		},
	}
	e, err := s.Open(ctx)
	if err != nil {
		return "", s.Report(), err
	}
	content, err := dump(e.Conn())
	return content, s.Report(), errors.Join(err, e.Conn().Close())
}

// files returns the names of the files of states.
func (m *machine) files(t testing.TB) []string {
	t.Helper()
	names, err := m.disk.List()
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// part returns the name of a rebuild that can be gone on with.
func (m *machine) part(t testing.TB) string {
	t.Helper()
	for _, n := range m.files(t) {
		if strings.HasSuffix(n, ".part") {
			return n
		}
	}
	t.Fatalf("no rebuild can be gone on with: %v", m.files(t))
	return ""
}

// whole is what a rebuild makes that nothing interrupts.
func whole(t testing.TB, log *eventlog.Log) string {
	t.Helper()
	content, _, err := newMachine(t, log).open(context.Background(), summed("1", nil))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// dump returns every row of every table, the engine's own included.
func dump(conn *sqlite.Conn) (string, error) {
	var b strings.Builder
	text := func(sql string) (all []string) {
		s, err := conn.Prepare(sqlite.Internal, sql)
		if err == nil {
			err = s.Each(nil, func(r *sqlite.Rows) { all = append(all, r.Text(0)) })
		}
		if err != nil {
			fmt.Fprintf(&b, "%s: %v\n", sql, err)
		}
		return all
	}
	for _, table := range text(`SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name`) {
		columns := text(`SELECT 'quote(' || name || ')' FROM pragma_table_info('` + table + `')`)
		for _, r := range text(`SELECT ` + strings.Join(columns, `||','||`) + ` FROM ` + table + ` ORDER BY 1`) {
			fmt.Fprintln(&b, table, r)
		}
	}
	return b.String(), conn.IntegrityCheck()
}

// A rebuild whose process is killed at any event goes on at the segment it was in, and ends as one that nothing interrupts.
func TestKilledRebuildGoesOn(t *testing.T) {
	log := logOf(t, allEvents, allEvents)
	want := whole(t, log)
	for k := 1; k <= allEvents; k++ {
		m := newMachine(t, log)
		var left *crashvfs.FS
		if _, _, err := m.open(t.Context(), summed("1", func(n int) error {
			if n == k && left == nil {
				left = crashvfs.Mount(m.disk.Kill())
			}
			return nil
		})); err != nil {
			t.Fatal(err)
		}
		m.mount(left)
		resumed := (k - 1) / perSegment * perSegment
		applied := 0
		got, report, err := m.open(t.Context(), summed("1", func(int) error { applied++; return nil }))
		if err != nil || got != want {
			t.Fatalf("killed at event %d: %v\n%s\nwant\n%s", k, err, got, want)
		}
		if applied != allEvents-resumed || report.Events != allEvents || report.Resumed != resumed || report.Action != migrate.Rebuilt {
			t.Errorf("killed at event %d: %d are applied, %+v", k, applied, report)
		}
		if resumed > 0 && m.told[0] != [2]int{resumed, allEvents} || m.told[len(m.told)-1] != [2]int{allEvents, allEvents} {
			t.Errorf("killed at event %d, told %v", k, m.told)
		}
		if m.out.Len() > 0 || len(m.files(t)) != 1 {
			t.Errorf("killed at event %d: files %v, logged %s", k, m.files(t), &m.out)
		}
	}
}

// The same with the files of the operating system, copied at that moment.
func TestCopiedRebuildGoesOn(t *testing.T) {
	log := logOf(t, allEvents, allEvents)
	want := whole(t, log)
	for _, k := range []int{3, perSegment + 1, 13, allEvents} {
		left := ""
		open := func(dir string, f func(n int) error) (string, migrate.Report) {
			s := &migrate.State{
				FS: journal.OS(dir), Dir: dir, Log: log, Schema: summed("1", f), Synced: true, Segment: perSegment, Logger: slog.New(slog.DiscardHandler),
			}
			e, err := s.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			content, err := dump(e.Conn())
			if err := errors.Join(err, e.Conn().Close()); err != nil {
				t.Fatal(err)
			}
			return content, s.Report()
		}
		dir := t.TempDir()
		open(dir, func(n int) error {
			if n != k {
				return nil
			}
			left = t.TempDir()
			return os.CopyFS(left, os.DirFS(dir))
		})
		if got, report := open(left, nil); got != want || report.Resumed != (k-1)/perSegment*perSegment {
			t.Errorf("copied at event %d: %+v\n%s\nwant\n%s", k, report, got, want)
		}
	}
}

// A rebuild that is cancelled keeps all it has applied, and can be cancelled again and again.
func TestCancelledRebuildGoesOn(t *testing.T) {
	log := logOf(t, allEvents, allEvents)
	want := whole(t, log)
	for k := 1; k <= allEvents; k++ {
		m := newMachine(t, log)
		ctx, cancel := context.WithCancel(t.Context())
		_, _, err := m.open(ctx, summed("1", func(n int) error {
			if n == k {
				cancel()
			}
			return nil
		}))
		resumed := (k + perSegment - 1) / perSegment * perSegment // none is left half done
		if k > allEvents/perSegment*perSegment {
			if err != nil {
				t.Fatalf("cancelled when it was complete: %v", err)
			}
			continue
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("cancelled at event %d: %v", k, err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		m.tell = cancel // where it goes on it is cancelled at once
		if _, _, err := m.open(ctx, summed("1", nil)); !errors.Is(err, context.Canceled) && resumed+perSegment < allEvents {
			t.Fatalf("cancelled anew after event %d: %v", resumed, err)
		}
		m.tell = nil
		got, report, err := m.open(t.Context(), summed("1", nil))
		if err != nil || got != want || report.Action == migrate.Rebuilt && report.Resumed < resumed {
			t.Fatalf("cancelled at event %d: %v, %+v\n%s\nwant\n%s", k, err, report, got, want)
		}
		if m.out.Len() > 0 || len(m.files(t)) != 1 {
			t.Errorf("cancelled at event %d: files %v, logged %s", k, m.files(t), &m.out)
		}
	}
}

// With the segment an app has, what is applied when ctx ends is kept too.
func TestCancelledInTheFirstSegment(t *testing.T) {
	p := newPlace(t, 2500)
	ctx, cancel := context.WithCancel(t.Context())
	s := &migrate.State{
		FS: journal.OS(p.dir), Dir: p.dir, Log: p.log, Schema: schemaOf("1", nil), Synced: true, Logger: slog.New(slog.DiscardHandler),
		OnBoot: func(_ string, done, _ int) {
			if done == 1000 {
				cancel()
			}
		},
	}
	if _, err := s.Open(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("open: %v", err)
	}
	e, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer e.Conn().Close()
	if r := s.Report(); r.Resumed == 0 || r.Resumed%1000 != 0 || r.Events != 2500 || count(t, e.Conn()) != 2500 {
		t.Errorf("there are %d rows, %+v", count(t, e.Conn()), r)
	}
}

// interrupted returns a machine whose rebuild has come to event 10 and not further.
func interrupted(t *testing.T, log *eventlog.Log) *machine {
	t.Helper()
	m := newMachine(t, log)
	ctx, cancel := context.WithCancel(t.Context())
	m.tell = func() {
		if len(m.told) == 2 {
			cancel()
		}
	}
	if _, _, err := m.open(ctx, summed("1", nil)); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	m.tell = nil
	m.part(t)
	return m
}

// What is in doubt is not built upon: the rebuild begins anew.
func TestDoubtfulRebuildBeginsAnew(t *testing.T) {
	log := logOf(t, allEvents, allEvents)
	put := func(change func(b []byte) []byte) func(*testing.T, *machine) {
		return func(t *testing.T, m *machine) {
			name := m.part(t)
			m.disk.Put(name, change(bytes.Clone(m.disk.Snapshot(name))))
		}
	}
	cases := map[string]func(*testing.T, *machine){
		"garbage": put(func([]byte) []byte { return bytes.Repeat([]byte("garbage "), 2000) }),
		"empty":   put(func([]byte) []byte { return nil }),
		"a page of zeros": put(func(b []byte) []byte {
			clear(b[2*4096 : 3*4096])
			return b
		}),
		"another schema": func(t *testing.T, m *machine) {
			was := m.disk.Snapshot(m.part(t))
			other := newMachine(t, log)
			if _, _, err := other.open(t.Context(), summed("2", nil)); err != nil {
				t.Fatal(err)
			}
			m.disk.Put(m.part(t), other.disk.Snapshot(other.files(t)[0]))
			if bytes.Equal(was, m.disk.Snapshot(m.part(t))) {
				t.Fatal("it is the same")
			}
		},
		"rebased before it": func(t *testing.T, m *machine) { m.log = logOf(t, allEvents, 7) },
		"beyond the log":    func(t *testing.T, m *machine) { m.log = logOf(t, 8, 8) },
		"an empty log":      func(t *testing.T, m *machine) { m.log = logOf(t, 0, 0) },
	}
	for cut := 1; cut < 8; cut++ {
		cases[fmt.Sprint("cut to page ", cut)] = put(func(b []byte) []byte { return b[:min(len(b)-1, cut*4096)] })
	}
	for name, doubt := range cases {
		t.Run(name, func(t *testing.T) {
			m := interrupted(t, log)
			doubt(t, m)
			got, report, err := m.open(t.Context(), summed("1", nil))
			if want := whole(t, m.log); err != nil || got != want {
				t.Fatalf("%v\n%s\nwant\n%s", err, got, want)
			}
			if report.Resumed != 0 || report.Events != int(m.log.Count()) {
				t.Errorf("%+v", report)
			}
			if strings.Count(m.out.String(), "\n") != 1 || !strings.Contains(m.out.String(), "begun anew") {
				t.Errorf("logged %s", &m.out)
			}
			if len(m.files(t)) != 1 {
				t.Errorf("files are %v", m.files(t))
			}
		})
	}
}

// A log that was rebased behind where the rebuild had come is gone on with.
func TestRebasedBehindIsGoneOnWith(t *testing.T) {
	m := interrupted(t, logOf(t, allEvents, allEvents))
	m.log = logOf(t, allEvents+4, 10)
	got, report, err := m.open(t.Context(), summed("1", nil))
	if want := whole(t, m.log); err != nil || got != want || report.Resumed != 10 {
		t.Fatalf("%v, %+v\n%s\nwant\n%s", err, report, got, want)
	}
}

// When a materializer fails, with an error or a panic, nothing stays that a mended one could build upon.
func TestFailedRebuildLeavesNothing(t *testing.T) {
	log := logOf(t, allEvents, allEvents)
	broken := errors.New("broken")
	for name, fail := range map[string]func() error{
		"error": func() error { return broken },
		"panic": func() error { panic(broken) },
	} {
		for _, k := range []int{1, 4, perSegment + 1, 13, allEvents} {
			t.Run(fmt.Sprint(name, " at ", k), func(t *testing.T) {
				m := newMachine(t, log)
				func() {
					defer func() {
						if r := recover(); r != nil && r != broken {
							panic(r)
						}
					}()
					if _, _, err := m.open(t.Context(), summed("1", func(n int) error {
						if n == k {
							return fail()
						}
						return nil
					})); !errors.Is(err, broken) {
						t.Errorf("open: %v", err)
					}
				}()
				if len(m.files(t)) != 0 {
					t.Errorf("left behind: %v", m.files(t))
				}
				if _, report, err := m.open(t.Context(), summed("1", nil)); err != nil || report.Resumed != 0 {
					t.Errorf("mended: %v, %+v", err, report)
				}
			})
		}
	}
}

// TestPowerLossInARebuild loses power at each operation of a rebuild for a new schema, then at others while the next boot goes on with it.
// Whatever the disk has kept, the boot that comes through has the whole state.
func TestPowerLossInARebuild(t *testing.T) {
	log := logOf(t, allEvents, allEvents)
	want := whole(t, log)
	start := newMachine(t, log)
	if _, _, err := start.open(t.Context(), summed("0", nil)); err != nil {
		t.Fatal(err)
	}
	for _, segment := range []int{perSegment, 2 * allEvents} {
		t.Run(fmt.Sprintf("%d events a segment", segment), func(t *testing.T) {
			damage := rand.New(rand.NewPCG(1, 2))
			resumed, losses := 0, 0
			for at := 0; ; at++ {
				op := 1 + at/draws
				m := newMachine(t, log)
				m.segment = segment
				m.mount(crashvfs.Mount(start.disk.Kill()))
				end := m.disk.Ops() + op
				m.disk.PowerOffAt(end)
				_, _, err := m.open(t.Context(), summed("1", nil))
				if m.disk.Ops() < end {
					if err != nil {
						t.Fatal(err)
					}
					break // it has come through
				}
				report, n := m.recover(t, damage, want)
				if report.Resumed > 0 {
					resumed++
				}
				losses += n
			}
			if resumed == 0 && segment < allEvents {
				t.Error("no rebuild was gone on with")
			}
			t.Logf("%d losses of power, %d rebuilds gone on with", losses, resumed)
		})
	}
}

// draws is how often the power goes at the same operation, with other damage each time.
const draws = 2

// recover boots after a loss of power, which may come again, until a boot comes through, and checks what that has.
func (m *machine) recover(t *testing.T, damage *rand.Rand, want string) (report migrate.Report, losses int) {
	t.Helper()
	for {
		losses++
		if damage.IntN(4) == 0 {
			m.mount(crashvfs.Mount(m.disk.Kill()))
		} else {
			m.mount(m.disk.Crash(damage))
		}
		end := 0
		if damage.IntN(2) == 0 {
			end = m.disk.Ops() + 1 + damage.IntN(40)
		}
		m.disk.PowerOffAt(end)
		got, report, err := m.open(t.Context(), summed("1", nil))
		if end > 0 && m.disk.Ops() >= end {
			continue
		}
		if err != nil || got != want {
			t.Fatalf("after %d losses of power: %v, %+v\n%s\nwant\n%s", losses, err, report, got, want)
		}
		return report, losses
	}
}

// A rebuild in the middle of a rebase is one segment, and leaves nothing.
func TestRebuildInARebaseIsNotResumed(t *testing.T) {
	m := interrupted(t, logOf(t, allEvents, allEvents))
	s := &migrate.State{
		FS: m.disk, VFS: m.disk.Name(), Log: m.log, Schema: summed("1", nil), Synced: true, Segment: perSegment,
		Logger: slog.New(slog.DiscardHandler),
	}
	e, err := s.Rebuild(event.SeqNum{Global: 17})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Conn().Close()
	if n := count(t, e.Conn()); n != 17 || e.Head().Num != (event.SeqNum{Global: 17}) {
		t.Errorf("%d rows at %s", n, e.Head().Num)
	}
	if slices.ContainsFunc(m.files(t), func(n string) bool { return strings.Contains(n, ".part") || strings.Contains(n, ".building") }) {
		t.Errorf("files are %v", m.files(t))
	}
}
