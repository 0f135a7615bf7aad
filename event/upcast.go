package event

import (
	"errors"
	"fmt"
	"iter"
	"reflect"

	"github.com/go-json-experiment/json/jsontext"
)

// upcast is one step of a chain: events of old are read as arguments of the definition that has it.
type upcast struct {
	old  *Definition
	read func(name string) any // a func(jsontext.Value) (T, error) for an event of that name, nil when it is none of old's
}

// Upcast says that events of an older definition are materialized as events of the definition it is given to, from arguments that
// f makes of theirs:
//
//	var todoCreated = event.Synced[TodoCreatedV2]("v2.TodoCreated", event.Upcast(todoCreatedV1, func(o TodoCreatedV1) TodoCreatedV2 {
//		return TodoCreatedV2{ID: o.ID, Title: o.Text}
//	}))
//
// The log keeps the old events as they are, in name and arguments, here, at the sync backend and at every other client. A schema with
// a materializer for the new definition knows the old one too; the old one needs none of its own and may have none. Chains are followed:
// when the older definition upcasts a still older one, events of that go through both functions. One definition may upcast several.
//
// What goes into f was decoded and validated by the old definition, what comes out of it is validated by the new one. f is part of the
// materializer: a pure function, and after changing it the schema needs another version (state.Version).
//
// New is the type of the arguments of the definition the option is given to; that, the same scope on both sides and different names are
// checked when a schema is made. The error is an *[UpcastError].
func Upcast[Old, New any](old Def[Old], f func(Old) New) Option {
	return func(d *Definition) {
		refuse := func(format string, args ...any) {
			d.err = errors.Join(d.err, &UpcastError{Event: d.name, Old: old.Name(), Err: fmt.Errorf(format, args...)})
		}
		switch t := reflect.TypeFor[New](); {
		case old.d == nil:
			refuse("the old definition is empty: make it with Synced or ClientOnly, before this one")
			return
		case f == nil:
			refuse("the function is nil: it makes the new arguments of the old ones")
			return
		case t != d.args:
			refuse("the function returns %s and the arguments are %s: return those", t, d.args)
			return
		case old.d.scope != d.scope:
			refuse("the old one is %s and this one %s: an event keeps its scope", old.d.scope, d.scope)
			return
		}
		for o := range old.d.lineage() {
			if o.name == d.name {
				refuse("both have the name %s: give the new one another, such as one with the next version", d.name)
				return
			}
			for have := range d.lineage() {
				if have.name == o.name {
					refuse("events %s are upcast twice: once is enough, chains are followed", o.name)
					return
				}
			}
		}
		d.upcasts = append(d.upcasts, upcast{old: old.d, read: func(name string) any {
			read := old.Decoder(name)
			if read == nil {
				return nil
			}
			return func(args jsontext.Value) (New, error) {
				o, err := read(args)
				if err != nil {
					var none New
					return none, err
				}
				v := f(o)
				if err := validate(d, v); err != nil {
					if a, ok := errors.AsType[*ArgsError](err); ok {
						err = a.Err
					}
					return v, &ArgsError{Event: name, Err: fmt.Errorf("upcast to %s: %w", d.name, err)}
				}
				return v, nil
			}
		}})
	}
}

// Decoder returns what reads the arguments of events of that name as T: [Def.Decode] for those of d, and for those that it upcasts
// the way through the chain. It is nil for any other name.
func (d Def[T]) Decoder(name string) func(args jsontext.Value) (T, error) {
	if d.d == nil {
		return nil
	}
	if name == d.d.name {
		return d.Decode
	}
	for _, u := range d.d.upcasts {
		if read, ok := u.read(name).(func(jsontext.Value) (T, error)); ok {
			return read
		}
	}
	return nil
}

// Upcasts yields every older definition whose events are materialized as d's, and the definition that upcasts it: d, or a later one
// of its chain. The newest come first.
func (d *Definition) Upcasts() iter.Seq2[*Definition, *Definition] {
	return func(yield func(old, by *Definition) bool) { d.walk(yield) }
}

func (d *Definition) walk(yield func(old, by *Definition) bool) bool {
	for _, u := range d.upcasts {
		if !yield(u.old, d) || !u.old.walk(yield) {
			return false
		}
	}
	return true
}

// lineage yields d and every definition it upcasts.
func (d *Definition) lineage() iter.Seq[*Definition] {
	return func(yield func(*Definition) bool) {
		if yield(d) {
			d.walk(func(old, _ *Definition) bool { return yield(old) })
		}
	}
}

// UpcastError says that an [Upcast] can not be. A schema with the definition is refused.
type UpcastError struct {
	Event string // name of the definition that upcasts
	Old   string // name of the one whose events it upcasts, empty for an empty one
	Err   error  // what is wrong
}

func (e *UpcastError) Error() string {
	if e.Old == "" {
		return fmt.Sprintf("event %s: Upcast: %v", e.Event, e.Err)
	}
	return fmt.Sprintf("event %s: Upcast of %s: %v", e.Event, e.Old, e.Err)
}

func (e *UpcastError) Unwrap() error { return e.Err }
