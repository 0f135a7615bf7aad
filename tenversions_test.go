package livestore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/local"
	"github.com/livestore-go/livestore/adapter/memory"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/provider"
	"github.com/livestore-go/livestore/provider/providertest"
	"github.com/livestore-go/livestore/state"
)

// fact is a synced event with what it means, independent of any version: versions before since do not know it. What the users of the
// test do to one todo gives the same in any order, so that facts need none.
type fact struct {
	since  int
	draft  event.Draft
	change func(list map[string]*want)
}

// family is all the clients of a store, and what they have committed.
type family struct {
	t         *testing.T
	backend   *providertest.Backend
	facts     []fact
	committed []string // client, name and arguments of each synced event
	latest    string   // a todo of the laptop for another client to complete, empty when that is done
}

// user is a client with its directory.
type user struct {
	*livestore.Store

	all          *family
	name, dir    string
	adapter      livestore.Adapter
	version      int // of the app, from 1
	app          todoApp
	made         int
	receipts     []*livestore.Receipt
	filter, sort string
	opened       map[string]int
}

func (f *family) user(name string) *user {
	u := &user{all: f, name: name, dir: f.t.TempDir(), filter: "all", sort: "title", opened: map[string]int{}}
	u.adapter = local.New(u.dir, &local.Options{ClientID: name, Sync: f.backend.Provider()})
	return u
}

func (u *user) open(version int) {
	u.version, u.app = version, todoApps()[version-1]
	u.Store = openApp(u.all.t, u.app.schema, u.adapter, nil)
}

// id returns the id of a new todo.
func (u *user) id() string {
	u.made++
	return fmt.Sprintf("%s-%02d", u.name, u.made)
}

func (u *user) commit(facts ...fact) {
	var drafts []event.Draft
	for _, f := range facts {
		drafts = append(drafts, f.draft)
	}
	r := commit(u.all.t, u.Store, drafts...)
	for _, e := range r.Events() {
		u.all.committed = append(u.all.committed, fmt.Sprintf("%s %s %s", u.name, e.Name, e.Args))
	}
	u.all.facts, u.receipts = append(u.all.facts, facts...), append(u.receipts, r)
}

// look opens a todo, which is known to this client only.
func (u *user) look(id string, times int, drafts ...event.Draft) {
	u.opened[id] += times
	commit(u.all.t, u.Store, drafts...)
}

// show changes the client document.
func (u *user) show(draft event.Draft) { commit(u.all.t, u.Store, draft) }

// made says that an event creates a todo.
func made(since int, draft event.Draft, id string, w want) fact {
	return fact{since, draft, func(list map[string]*want) {
		own := w // each list has another
		list[id] = &own
	}}
}

// changed says what an event does to a todo, if it is there.
func changed(since int, draft event.Draft, id string, f func(w *want)) fact {
	return fact{since, draft, func(list map[string]*want) {
		if w := list[id]; w != nil {
			f(w)
		}
	}}
}

func done(id string) fact {
	return changed(1, todoCompleted.New(TodoCompleted{ID: id}), id, func(w *want) { w.done = true })
}

func renamed(id, title string) fact {
	return changed(3, renamedV3.New(RenamedV3{id, title}), id, func(w *want) { w.title = title })
}

func tagged(id, tag string) fact {
	return changed(6, taggedV6.New(TaggedV6{id, tag}), id, func(w *want) { w.tag(tag) })
}

func (w *want) tag(tag string) {
	w.tags = slices.Clone(w.tags)
	if i, ok := slices.BinarySearch(w.tags, tag); !ok {
		w.tags = slices.Insert(w.tags, i, tag)
	}
}

func deleted(id string) fact {
	return fact{6, deletedV6.New(DeletedV6{id}), func(list map[string]*want) { delete(list, id) }}
}

func pinned(id string) fact {
	return fact{9, pinnedV9.New(PinnedV9{id}), func(list map[string]*want) {
		for other, w := range list {
			w.pinned = other == id
		}
	}}
}

// wanted is what those facts come to for a version of the app, a line a todo.
func wanted(app todoApp, version int, facts []fact) []string {
	list := map[string]*want{}
	for _, f := range facts {
		if f.since <= version {
			f.change(list)
		}
	}
	out := []string{}
	for id, w := range list {
		out = append(out, app.line(id, w))
	}
	slices.Sort(out)
	return out
}

// undone returns the last todo of a client that is not done, empty when there is none.
func undone(facts []fact, name string) (last string) {
	list := map[string]*want{}
	for _, f := range facts {
		f.change(list)
	}
	for id, w := range list {
		if !w.done && strings.HasPrefix(id, name) {
			last = max(last, id)
		}
	}
	return last
}

func useV1(u *user) {
	id, other := u.id(), u.id()
	first := todoCreated.New(TodoCreated{ID: id, Text: " Buy milk "})
	u.commit(made(1, first, id, want{title: " Buy milk ", priority: 3, rank: "normal"}))
	u.commit(made(1, create(other, "Feed the cat"), other, want{title: "Feed the cat", priority: 3, rank: "normal"}), done(other))
	u.filter = "filter " + id
	u.show(uiState.Set(state.SessionID, UIState{Filter: u.filter}))
	if x := u.all.latest; x != "" { // most often one that it does not know
		u.all.latest = ""
		u.commit(done(x))
	}
}

func createV2(id, title string, priority int) fact {
	w := want{title: title, priority: priority, rank: ranks[rankOf(priority)]}
	return made(1, createdV2.New(CreatedV2{id, title, priority}), id, w)
}

func useV2(u *user) {
	id, other := u.id(), u.id()
	u.commit(createV2(id, "Buy milk", 5), createV2(other, "Pay the rent", 0))
	u.commit(done(id))
	u.filter = "filter " + id
	u.show(uiState.Patch(state.SessionID, state.Set(&uiState.Row.Filter, u.filter)))
}

func useV3(u *user) {
	id := u.id()
	u.commit(createV2(id, "Buy milk", 1))
	u.commit(renamed(id, "Buy oat milk"))
	u.look(id, 2, openedV3.New(OpenedV3{id}), openedV3.New(OpenedV3{id}))
	useV2(u)
}

func useV4(u *user) {
	id, old := u.id(), u.id()
	draft := createdV4.New(CreatedV4{id, "Buy milk", 4, []string{"home", "shop"}})
	u.commit(made(4, draft, id, want{title: "Buy milk", priority: 4, rank: "low", tags: []string{"home", "shop"}}))
	u.commit(renamed(id, "Buy soap"), done(id))
	u.look(id, 1, openedV3.New(OpenedV3{id}))
	w := want{title: "The old way", priority: 2, rank: "high"}
	u.commit(made(1, leftV4.New(CreatedV2{old, "The old way", 2}), old, w), renamed(old, "The old way to milk"))
	u.filter = "filter " + id
	u.show(uiState.Patch(state.SessionID, state.Set(&uiState.Row.Filter, u.filter)))
}

func useV5(u *user) {
	id := u.id()
	draft := createdV5.New(CreatedV5{id, " Milk the cow", 0, []string{}})
	u.commit(made(5, draft, id, want{title: " Milk the cow", rank: "high"}))
	u.commit(renamed(id, "milk the cow"))
	u.look(id, 1, openedV3.New(OpenedV3{id}))
}

func useV6(u *user) {
	id, gone := u.id(), u.id()
	draft := createdV5.New(CreatedV5{id, "Mow the lawn", 2, []string{"garden"}})
	u.commit(made(5, draft, id, want{title: "Mow the lawn", rank: "low", tags: []string{"garden"}}), tagged(id, "home"))
	w := want{title: "A mistake", rank: "normal", tags: []string{"home"}}
	u.commit(made(5, createdV5.New(CreatedV5{gone, "A mistake", 1, []string{"home"}}), gone, w))
	u.commit(tagged(gone, "never"), deleted(gone))
	u.commit(tagged(gone, "too late"), done(gone))
}

// To versions 5 and 6 a todo of a later one has the rank zero, as its event lacks it.
func useV7(u *user) {
	id, gone := u.id(), u.id()
	draft := createdV7.New(CreatedV7{id, " Buy milk", []string{"shop"}})
	u.commit(made(5, draft, id, want{title: " Buy milk", rank: "high", tags: []string{"shop"}}))
	u.commit(tagged(id, "home"), done(id))
	u.look(id, 1, openedV3.New(OpenedV3{id}))
	w := want{title: "A mistake", rank: "high", tags: []string{"home"}}
	u.commit(made(5, createdV7.New(CreatedV7{gone, "A mistake", []string{"home"}}), gone, w))
	u.commit(deleted(gone))
}

func useV8(u *user) {
	useV7(u)
	u.sort = "age " + u.id()
	u.show(uiStateV8.Patch(state.SessionID, state.Set(&uiStateV8.Row.Sort, u.sort)))
	u.filter = "filter " + u.id()
	u.show(uiStateV8.Set(state.SessionID, UIStateV8{u.filter, u.sort}))
}

func useV9(u *user) {
	id, other := u.id(), u.id()
	u.commit(made(5, createdV7.New(CreatedV7{id, "milk", []string{}}), id, want{title: "milk", rank: "high"}), pinned(id))
	u.commit(made(5, createdV7.New(CreatedV7{other, "no", []string{"a"}}), other, want{title: "no", rank: "high", tags: []string{"a"}}))
	u.commit(pinned(other), renamed(other, "more milk"))
	useV8(u)
}

func useV10(u *user) {
	id, other := u.id(), u.id()
	due := time.Date(2027, 1, u.made, 12, 0, 0, 5e6, time.UTC)
	task := CreatedV10{id, "Sign", []string{"work"}, &due, []string{"https://example.org/1"}}
	u.commit(made(10, createdV10.New(task), id, want{title: "Sign", tags: task.Tags, due: due.UnixMilli(), links: task.Links}), pinned(id))
	u.commit(made(10, createdV10.New(CreatedV10{ID: other, Title: "Plain", Tags: []string{}}), other, want{title: "Plain"}))
	change := changedV10.New(ChangedV10{ID: id, Title: new("Sign for the milk"), Completed: new(true)})
	u.commit(changed(10, change, id, func(w *want) { w.title, w.done = "Sign for the milk", true }), tagged(id, "home"))
	u.commit(deleted(other))
	u.look(id, 3, openedV10.New(OpenedV10{id, 3}))
	u.look(id, 1, openedV10.New(OpenedV10{id, 1}))
	u.sort = "due " + id
	u.show(uiStateV10.Patch(state.SessionID, state.Set(&uiStateV10.Row.Sort, u.sort)))
}

// has checks that a client shows those facts, and what is its own, as its version does.
func (u *user) has(when string, facts []fact) {
	t := u.all.t
	t.Helper()
	lines := get(t, u.Store, state.SQL[string](u.app.list))
	slices.Sort(lines)
	if diff := cmp.Diff(wanted(u.app, u.version, facts), lines); diff != "" {
		t.Errorf("%s, %s at version %d does not have what was committed (-committed +there):\n%s", when, u.name, u.version, diff)
	}
	equal(t, fmt.Sprintf("%s, the document of %s at version %d", when, u.name, u.version), get(t, u.Store, u.app.ui), u.app.shown(u))
	if u.app.opened {
		got := map[string]int{}
		for _, o := range get(t, u.Store, openedTable.All()) {
			got[o.ID] = o.Times
		}
		if diff := cmp.Diff(u.opened, got); diff != "" {
			t.Errorf("%s, what %s has opened at version %d (-opened +there):\n%s", when, u.name, u.version, diff)
		}
	}
}

// rows reads all rows of a table or view as text.
type rows struct {
	state.Yield[[]string]

	table string
}

func (q rows) Statement(string) (state.Statement, error) {
	return state.Statement{SQL: "SELECT * FROM " + q.table}, nil
}

func (q rows) Decode(r state.Rows) ([]string, error) {
	out := []string{}
	for r.Next() {
		var line []string
		for i, c := range r.Columns() {
			v := "NULL"
			if !r.IsNull(i) {
				v = fmt.Sprintf("%q", r.Text(i))
			}
			line = append(line, c+"="+v)
		}
		out = append(out, q.table+": "+strings.Join(line, " "))
	}
	slices.Sort(out) // the order of a table is that of its rowids
	return out, r.Err()
}

// stateOf returns all rows of all tables that synced events write, or of all.
func stateOf(t *testing.T, s *livestore.Store, schema *state.Schema, clientOnly bool) string {
	t.Helper()
	var out []string
	for _, table := range schema.Tables() {
		if clientOnly || !table.ClientOnly {
			out = append(out, get(t, s, rows{table: table.Name})...)
		}
	}
	return strings.Join(out, "\n")
}

// agrees checks a client that is synced: it has everything that anybody has committed and it can know, its log is that of the backend, no
// commit is set aside, and a client of the same version that has just pulled all of it has the same rows.
func (u *user) agrees(when string) {
	t, b := u.all.t, u.all.backend
	t.Helper()
	u.has(when, u.all.facts)
	name := fmt.Sprintf("%s, %s at version %d", when, u.name, u.version)
	equal(t, name+", the log", logOf(t, u.Store), logIn(b))
	if st := u.SyncStatus(); len(u.SetAside()) != 0 || !st.Synced() || st.Why != "" || st.HaltedAt.Global != 0 {
		t.Errorf("%s: %d commits are set aside, and the status is %+v", name, len(u.SetAside()), st)
	}
	fresh := openApp(t, u.app.schema, memory.New(&memory.Options{ClientID: "fresh", Sync: b.Provider()}), nil)
	synced(t, client{Store: fresh})
	equal(t, name+", against a fresh client", stateOf(t, u.Store, u.app.schema, false), stateOf(t, fresh, u.app.schema, false))
	closed(t, fresh)
}

// rebuilt opens the directory of a client anew without a state, and without the backend: everything is as it was. It stays offline.
func (u *user) rebuilt() {
	t := u.all.t
	t.Helper()
	before, log := stateOf(t, u.Store, u.app.schema, true), logOf(t, u.Store)
	closed(t, u.Store)
	files, err := filepath.Glob(filepath.Join(u.dir, "test", "state-*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("version %d has left the state files %v, %v", u.version, files, err)
	}
	for _, f := range files {
		err = errors.Join(err, os.Remove(f))
	}
	if err != nil {
		t.Fatal(err)
	}
	u.all.backend.SetDown(true)
	u.open(u.version)
	equal(t, fmt.Sprintf("%s at version %d, rebuilt", u.name, u.version), stateOf(t, u.Store, u.app.schema, true), before)
	equal(t, fmt.Sprintf("the log of %s at version %d, rebuilt", u.name, u.version), logOf(t, u.Store), log)
}

// sync brings all together.
func (f *family) sync(users ...*user) {
	f.t.Helper()
	f.backend.SetDown(false)
	var clients []client
	for _, u := range users {
		clients = append(clients, client{Store: u.Store})
	}
	synced(f.t, clients...)
}

// Ten versions of an app take over one directory, one after the other, while clients of the first, fourth and sixth version go on: they
// are newer than the directory at first, and then older. Commits are pending over each upgrade, every other upgrade happens offline, and
// old clients change what they do not know. Nothing is lost, nobody halts, and at each version the state is that of a rebuild and that of
// a client that has just come.
func TestTenVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := &family{t: t, backend: providertest.NewBackend()}
		all.backend.SetLimits(provider.Limits{Events: 7, Bytes: 900_000}) // many pages
		laptop, phone, tablet, desk := all.user("laptop"), all.user("phone"), all.user("tablet"), all.user("desk")
		phone.open(1)
		tablet.open(4)
		desk.open(6)
		old := []*user{phone, tablet, desk}
		everybody := append([]*user{laptop}, old...)
		seen := 0 // facts that the laptop has when it is opened
		hashes := map[string]int{}
		for version := 1; version <= len(todoApps()); version++ {
			offline := version%2 == 0
			all.backend.SetDown(offline)
			laptop.open(version)
			if other, ok := hashes[laptop.app.schema.Hash()]; ok {
				t.Errorf("versions %d and %d have one hash", other, version)
			}
			hashes[laptop.app.schema.Hash()] = version
			if offline {
				laptop.has("upgraded offline", all.facts[:seen])
			}
			for _, u := range everybody {
				u.app.use(u)
			}
			all.sync(everybody...)
			for _, u := range everybody {
				u.agrees("synced")
			}
			all.latest = undone(all.facts, laptop.name)
			laptop.rebuilt()
			laptop.has("rebuilt", all.facts)

			// What is committed now is pending when the next version opens the directory: an even one while it is offline, and an odd one
			// with a backend to which the others have pushed more meanwhile.
			laptop.app.use(laptop)
			seen = len(all.facts)
			closed(t, laptop.Store)
			all.sync(old...)
			for _, u := range old {
				u.app.use(u)
			}
			all.sync(old...)
		}

		laptop.open(len(todoApps()))
		all.sync(everybody...)
		for _, u := range everybody {
			u.agrees("in the end")
		}
		for _, u := range old {
			for _, r := range u.receipts {
				confirm(t, r)
			}
			closed(t, u.Store)
			u.open(len(todoApps()))
			all.sync(u)
			u.agrees("in the end")
			equal(t, u.name+" against the laptop", stateOf(t, u.Store, u.app.schema, false), stateOf(t, laptop.Store, u.app.schema, false))
			u.rebuilt()
			all.sync(u)
		}

		var there []string
		for _, e := range all.backend.Events("test") {
			there = append(there, fmt.Sprintf("%s %s %s", e.ClientID, e.Name, e.Args))
		}
		slices.Sort(there)
		slices.Sort(all.committed)
		if diff := cmp.Diff(all.committed, there); diff != "" {
			t.Errorf("the backend does not have each commit once (-committed +there):\n%s", diff)
		}
		if n := len(slices.Compact(there)); n != len(all.committed) {
			t.Errorf("%d of %d events are not the only ones of their kind: the test can not tell them apart", len(all.committed)-n, n)
		}
	})
}
