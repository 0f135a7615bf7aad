package state

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
)

// olds makes the materializers of the older events that def upcasts, each with what run makes for it.
func olds(def *event.Definition, noState bool, run func(old *event.Definition) func(*Tx, jsontext.Value) error) []*materializer {
	var all []*materializer
	for old, by := range def.Upcasts() {
		all = append(all, &materializer{def: old, by: by, noState: noState, run: run(old)})
	}
	return all
}

// upcasts adds the older events that the definitions of the schema upcast. It runs when all parts are there: an older event has one way
// into the state.
func (b *builder) upcasts() {
	all := b.schema.materializers
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, old := range all[name].olds {
			have, dup := all[old.def.Name()]
			nameErr := errors.Join(checkEventName(old.def.Name()), old.def.Err())
			switch {
			case nameErr != nil:
				b.fail(nameErr)
			case !dup:
				all[old.def.Name()] = old
			default:
				b.fail(&event.UpcastError{Event: old.by.Name(), Old: old.def.Name(), Err: have.clash(old)})
			}
		}
	}
}

// clash says why an upcast event can not be materialized both ways.
func (m *materializer) clash(old *materializer) error {
	switch {
	case m.def != old.def:
		return fmt.Errorf("event %s is defined twice: two events can not have the same name", m.def.Name())
	case m.by != nil:
		return fmt.Errorf("%s upcasts it too, so there are two ways to materialize it: leave one", m.by.Name())
	case m.noState:
		return fmt.Errorf("it is named by NoState too: take it from there, or leave the Upcast out")
	}
	return fmt.Errorf("it has a materializer of its own too, so there are two ways to materialize it: "+
		"remove On of %s, and its events are materialized as %s; or leave the Upcast out", m.def.Name(), old.by.Name())
}
