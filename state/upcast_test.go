package state_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/state"
)

type AddedV2 struct {
	ID    string   `json:"id"`
	Title string   `json:"title"`
	Done  []string `json:"done"`
}

func (a AddedV2) Validate() error {
	if strings.HasPrefix(a.Title, "refused") {
		return errors.New("a title is not refused")
	}
	return nil
}

type AddedV3 struct {
	ID    string `json:"id"`
	List  string `json:"list"`
	Title string `json:"title"`
}

var (
	addedV2 = event.Synced[AddedV2]("v2.Added", event.Upcast(added, func(o Added) AddedV2 { return AddedV2{ID: o.ID, Title: o.Text} }))
	addedV3 = event.Synced[AddedV3]("v3.Added", event.Upcast(addedV2, func(o AddedV2) AddedV3 {
		if o.Title == "panic" {
			panic("the upcast does not like it")
		}
		return AddedV3{o.ID, "inbox", strings.ToUpper(o.Title)}
	}))
)

// addV3 also notes under which name the event is in the log.
func addV3(tx *state.Tx, e AddedV3) error {
	return tx.Exec(todos.Insert(Todo{ID: e.ID, List: e.List, Text: e.Title + " " + tx.Event().Name + " " + string(tx.Event().Args)}))
}

// plainTodos are the tables that addV3 needs.
var plainTodos = []state.Part{todos, lists}

func TestUpcast(t *testing.T) {
	e := open(t, append(plainTodos, state.On(addedV3, addV3), state.Events(added, addedV2, addedV3))...)
	e.do(lists.Insert(List{"inbox", "Inbox"}))
	e.commit(added.New(Added{"1", "one"}))
	e.commit(addedV2.New(AddedV2{ID: "2", Title: "two"}))
	e.commit(addedV3.New(AddedV3{"3", "inbox", "three"}))
	var got []string
	for _, r := range get(e, todos.OrderBy(state.Asc(&todos.Row.ID))) {
		got = append(got, r.ID+" "+r.List+" "+r.Text)
	}
	if diff := cmp.Diff([]string{
		`1 inbox ONE v1.Added {"id":"1","text":"one"}`,
		`2 inbox TWO v2.Added {"done":[],"id":"2","title":"two"}`,
		`3 inbox three v3.Added {"id":"3","list":"inbox","title":"three"}`,
	}, got); diff != "" {
		t.Error(diff)
	}
	for name, def := range map[string]*event.Definition{
		"v1.Added": added.Definition(), "v2.Added": addedV2.Definition(), "v3.Added": addedV3.Definition(),
	} {
		if have, ok := e.schema.Definition(name); !ok || have != def {
			t.Errorf("%s is %v, %t in the schema", name, have, ok)
		}
	}
	var defs []string
	for d := range e.schema.Definitions() {
		defs = append(defs, d.Name())
	}
	if diff := cmp.Diff([]string{"v1.Added", "v2.Added", "v3.Added"}, defs); diff != "" {
		t.Error(diff)
	}

	err := e.tryCommit(added.New(Added{"4", "refused by v2"}))
	if a, ok := errors.AsType[*event.ArgsError](err); !ok || a.Event != "v1.Added" ||
		!strings.Contains(err.Error(), "upcast to v2.Added: a title is not refused") {
		t.Errorf("got %v", err)
	}
	err = e.tryCommit(added.New(Added{"4", "panic"}))
	if _, ok := errors.AsType[*state.PanicError](err); !ok {
		t.Errorf("got %v, want a PanicError", err)
	}
}

// An event that changes no state takes the old ones with it.
func TestUpcastWithoutState(t *testing.T) {
	e := open(t, state.NoState(addedV3))
	e.commit(added.New(Added{"1", "panic"})) // nobody upcasts it
	if err := e.tryCommit(event.Raw(added.Definition(), []byte(`{"id":""}`))); err == nil {
		t.Error("the old arguments are not checked")
	}
}

// How an event is materialized is part of the hash; what the functions do is not.
func TestUpcastInHash(t *testing.T) {
	schema := func(parts ...state.Part) *state.Schema { return state.MustSchema(append(parts, plainTodos...)...) }
	s := schema(state.On(addedV3, addV3))
	lines := strings.Split(s.Canonical(), "\n")
	if diff := cmp.Diff([]string{
		`event "v1.Added" synced upcast to "v2.Added"`, `event "v2.Added" synced upcast to "v3.Added"`, `event "v3.Added" synced`, ``,
	}, lines[len(lines)-4:]); diff != "" {
		t.Error(diff)
	}
	direct := event.Synced[AddedV3]("v3.Added", event.Upcast(addedV2, func(AddedV2) (v AddedV3) { return v }))
	if schema(state.On(direct, addV3)).Hash() != s.Hash() {
		t.Error("the hash depends on a function")
	}
	v3 := event.Synced[AddedV3]("v3.Added")
	none := func(*state.Tx, AddedV2) error { return nil }
	apart := schema(state.On(v3, addV3), state.On(event.Synced[AddedV2]("v2.Added"), none), state.On(added, add))
	if apart.Hash() == s.Hash() || schema(state.NoState(addedV3)).Hash() == s.Hash() {
		t.Error("the hash does not depend on the chain")
	}
}

// There is one way for each event into the state.
func TestUpcastsThatAreAmbiguous(t *testing.T) {
	again := event.Synced[Added]("v1.Added")
	also := event.Synced[AddedV2]("v2.Also", event.Upcast(added, func(o Added) AddedV2 { return AddedV2{ID: o.ID} }))
	unnamed := event.Synced[AddedV2]("v2.Unnamed", event.Upcast(event.Synced[Added](""), func(o Added) AddedV2 { return AddedV2{ID: o.ID} }))
	none := func(*state.Tx, AddedV2) error { return nil }
	for want, c := range map[string]struct {
		event, old string
		parts      []state.Part
	}{
		"it has a materializer of its own too": {"v2.Added", "v1.Added", []state.Part{state.On(addedV3, addV3), state.On(added, add)}},
		"remove On of v2.Added, and its events are materialized as v3.Added": {"v3.Added", "v2.Added", []state.Part{
			state.On(addedV2, none), state.On(addedV3, addV3),
		}},
		"it is named by NoState too":             {"v2.Added", "v1.Added", []state.Part{state.NoState(added), state.On(addedV3, addV3)}},
		"event v1.Added is defined twice":        {"v2.Added", "v1.Added", []state.Part{state.On(again, add), state.On(addedV3, addV3)}},
		"upcasts it too, so there are two ways":  {"v2.Added", "v1.Added", []state.Part{state.On(also, none), state.On(addedV3, addV3)}},
		"the old definition is empty":            {"v2.A", "", []state.Part{state.NoState(event.Synced[AddedV2]("v2.A", event.Upcast(event.Def[Added]{}, func(Added) (v AddedV2) { return v })))}},
		"Upcast of v1.Added: the function is ni": {"v2.A", "v1.Added", []state.Part{state.On(event.Synced[AddedV2]("v2.A", event.Upcast[Added, AddedV2](added, nil)), none)}},
	} {
		_, err := state.NewSchema(append(c.parts, plainTodos...)...)
		e, ok := errors.AsType[*event.UpcastError](err)
		if !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an UpcastError: %s", err, want)
			continue
		}
		if (e.Event != c.event && e.Event != "v2.Also") || e.Old != c.old {
			t.Errorf("it names %s and %s: %v", e.Event, e.Old, err)
		}
	}
	if _, err := state.NewSchema(state.On(unnamed, none)); err == nil || !strings.Contains(err.Error(), "no name") {
		t.Errorf("an old event without a name: %v", err)
	}
}

func TestDocumentsOfSchema(t *testing.T) {
	var got []string
	for _, d := range state.MustSchema(filter).Documents() {
		got = append(got, fmt.Sprint(d.Name, " ", d.Value, " ", d.Set.Name(), " ", d.Patched.Name()))
	}
	if diff := cmp.Diff([]string{"filter state_test.Filter filterSet filterPatched"}, got); diff != "" {
		t.Error(diff)
	}
}
