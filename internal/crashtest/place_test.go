package crashtest

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/local"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/state"
)

// place is a directory that outlives many processes, and what is known to be in it.
type place struct {
	dir    string
	schema int
	turns  int            // processes that have had it
	killed map[int]killed // by turn, those since the last check
	log    []event.Client // as it was found last: none of it may change any more
	state  *derived       // from log
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{dir: t.TempDir(), state: newDerived(t, schemaAt(0)), killed: map[int]killed{}}
	t.Cleanup(func() { p.state.engine.Conn().Close() })
	return p
}

// quiet drops what boots and retries have to say: they are provoked here.
var quiet = slog.New(slog.DiscardHandler)

// open opens the store of the place in this process.
func (p *place) open(t *testing.T) *livestore.Store {
	t.Helper()
	store, err := livestore.Open(t.Context(), schemaAt(p.schema), local.New(p.dir, nil), &livestore.Options{StoreID: storeID, Logger: quiet})
	if err != nil {
		t.Fatalf("open after the crash: %v", err)
	}
	return store
}

// heard takes what a child had said before it was killed.
func (p *place) heard(t *testing.T, k killed) {
	t.Helper()
	p.inLog(t, k.persisted)
	p.killed[p.turns] = k
	p.turns++
}

// check opens the place after children were killed in it and compares what is there with what they had said.
func (p *place) check(t *testing.T) {
	t.Helper()
	store := p.open(t)
	log := collect(t, store)
	p.compare(t, log)
	clear(p.killed)

	// The store goes on as if nothing had happened.
	mine := label{run: p.turns, session: parent, events: 1}
	receipt, err := store.Commit(t.Context(), mine.drafts()...)
	if err != nil {
		t.Fatalf("commit after the crash: %v", err)
	}
	if err := receipt.Wait(t.Context(), livestore.Persisted); err != nil {
		t.Fatalf("persist after the crash: %v", err)
	}
	p.log = collect(t, store)
	if n := len(log); len(p.log) != n+1 || n > 0 && !reflect.DeepEqual(p.log[:n], log) {
		t.Errorf("the log has %d events, had %d before one more was committed", len(p.log), n)
	}
	p.state.follow(t, p.log)
	places, err := livestore.Get(store, state.SQL[Entry](`SELECT * FROM entries ORDER BY place`))
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatalf("close after the crash: %v", err)
	}
	want := column(t, p.state.engine.Conn(), `SELECT id || ' ' || prev FROM entries ORDER BY place`)
	for i, e := range places {
		places[i].Prev = e.ID + " " + e.Prev
	}
	if got := lines(places); !slices.Equal(got, want) {
		t.Errorf("the session has %d entries, want %d, or other ones", len(got), len(want))
	}
	same(t, "the state file", p.dumpFile(t), p.state.dump(t))
	p.tidy(t)
	p.turns++
}

// parent is the number of the session with which the test itself commits.
const parent = 1000

func lines(entries []Entry) []string {
	all := make([]string, len(entries))
	for i, e := range entries {
		all[i] = e.Prev
	}
	return all
}

func collect(t *testing.T, store *livestore.Store) []event.Client {
	t.Helper()
	log, err := eventlog.Collect(store.Events(context.Background(), nil))
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// inLog looks into the eventlog as the child has left it, without its journals: what was persisted has to be there.
func (p *place) inLog(t *testing.T, persisted []label) {
	t.Helper()
	if len(persisted) == 0 {
		return
	}
	dir := t.TempDir()
	for _, name := range []string{"eventlog.db", "eventlog.db-wal"} {
		b, err := os.ReadFile(filepath.Join(p.dir, storeID, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log, err := eventlog.Open(filepath.Join(dir, "eventlog.db"), &eventlog.Options{StoreID: storeID})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	there := map[label]bool{}
	for e, err := range log.Read(event.SeqNum{}, 0) {
		if err != nil {
			t.Fatal(err)
		}
		l, err := labelOf(e)
		if err != nil {
			t.Fatal(err)
		}
		there[l] = true
	}
	for _, l := range persisted {
		if !there[l] {
			t.Errorf("commit %s was persisted and is not in the eventlog", l)
		}
	}
}

// compare checks a log against what is known: nothing of before has changed, every commit that returned is there once, whole and in the
// order of processes and of each session, and of each session at most the one more that was under way.
func (p *place) compare(t *testing.T, log []event.Client) {
	t.Helper()
	if n := len(p.log); len(log) < n || n > 0 && !reflect.DeepEqual(log[:n], p.log) {
		t.Fatalf("the first %d events are not those from before (there are %d)", n, len(log))
	}
	chained(t, log)
	type who struct{ run, session int }
	found, said := map[who][]label{}, map[who][]label{}
	run := 0
	for _, l := range wholeCommits(t, log[len(p.log):]) {
		if l.run < run {
			t.Errorf("commit %s comes after those of run %d", l, run)
		}
		run = l.run
		found[who{l.run, l.session}] = append(found[who{l.run, l.session}], l)
	}
	for turn, k := range p.killed {
		for s := range sessions {
			said[who{turn, s}] = nil
		}
		for _, l := range k.committed {
			said[who{l.run, l.session}] = append(said[who{l.run, l.session}], l)
		}
	}
	for w, want := range said {
		got := found[w]
		delete(found, w)
		if len(got) < len(want) {
			t.Errorf("run %d, session %d: %d commits returned and only %d are there", w.run, w.session, len(want), len(got))
		}
		if len(got) > len(want)+1 {
			t.Errorf("run %d, session %d: %d commits returned and %d are there, though only one can have been under way", w.run, w.session, len(want), len(got))
		}
		for i, l := range got {
			if l.commit != i {
				t.Errorf("commit %s where number %d of its session is due", l, i)
			}
			if i < len(want) && l != want[i] {
				t.Errorf("commit %s is there, %s returned", l, want[i])
			}
		}
	}
	if len(found) > 0 {
		t.Errorf("there are commits of sessions that do not exist: %v", found)
	}
}

// sessions is how many a child may have.
const sessions = 4

// chained checks that numbers and parents go on from each other, and that scopes are those of the events.
func chained(t testing.TB, log []event.Client) {
	t.Helper()
	head := event.SeqNum{}
	for i, e := range log {
		scope := scopeOf(e.Name)
		if num, prev := head.Next(scope, e.Num.Generation); e.Num != num || e.Parent.ComparePosition(prev) != 0 {
			t.Errorf("event %d of the log is %s after %s, want %s after %s (%s %s)", i, e.Num, e.Parent, num, prev, scope, e.Name)
			return
		}
		head = e.Num
	}
}

// wholeCommits reads the commits in a part of a log, each named by its first event, and checks that each is whole and in one piece.
func wholeCommits(t testing.TB, log []event.Client) []label {
	t.Helper()
	var commits []label
	for len(log) > 0 {
		first, err := labelOf(log[0])
		if err != nil {
			t.Fatal(err)
		}
		for i := range first.events {
			want := first
			want.index = i
			if i == len(log) {
				t.Errorf("commit %s has only %d events", first, i)
				return commits
			}
			l, err := labelOf(log[i])
			if err != nil {
				t.Fatal(err)
			}
			if l != want || log[i].ID != (event.ID{Commit: log[0].ID.Commit, Index: i}) {
				t.Errorf("event %s of the log is %s (%s) where %s is due", log[i].Num, l, log[i].ID, want)
				return commits
			}
		}
		commits = append(commits, first)
		log = log[first.events:]
	}
	return commits
}

// stateFile returns the state file of the place's schema.
func (p *place) stateFile(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(p.dir, storeID, "state-*.db"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the state files are %v (%v), want one", files, err)
	}
	return files[0]
}

func (p *place) dumpFile(t *testing.T) string {
	t.Helper()
	conn, err := sqlite.Open(p.stateFile(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return dump(t, conn)
}

// tidy checks that a closed store leaves nothing but log, state, lock and its owner, and what a kill has torn.
func (p *place) tidy(t *testing.T) {
	t.Helper()
	list, err := os.ReadDir(filepath.Join(p.dir, storeID))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range list {
		state := strings.HasPrefix(f.Name(), "state-") && strings.HasSuffix(f.Name(), ".db")
		if !state && !strings.HasSuffix(f.Name(), ".torn") { // the end of a journal that the kill has cut is kept
			names = append(names, f.Name())
		}
	}
	if want := []string{"eventlog.db", "lock", "owner"}; !slices.Equal(names, want) {
		t.Errorf("beside the state the closed store leaves %q, want %q", names, want)
	}
}

// building says whether there is a state that is not complete.
func (p *place) building(t *testing.T) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(p.dir, storeID, "*.building*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(files) > 0
}
