package event

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Def is an event definition: a name, the Go type T of the arguments, and a scope. Make one with [Synced] or
// [ClientOnly]; the zero value defines nothing and is refused by a schema.
type Def[T any] struct{ d *Definition }

// Definition is the part of a [Def] that does not depend on the type of its arguments.
type Definition struct {
	name       string
	scope      Scope
	args       reflect.Type
	pointer    bool // Validate of the arguments has a pointer receiver
	defaults   bool // the arguments have a method SetDefaults
	check      func(jsontext.Value) error
	deprecated string
	upcasts    []upcast
	err        error // what is wrong with it
}

// Option changes an event definition.
type Option func(*Definition)

// Deprecated marks an event that is still materialized and should no longer be committed. The reason is shown to
// developers: once in the log of a store that commits one.
func Deprecated(why string) Option { return func(d *Definition) { d.deprecated = why } }

// Synced defines an event that goes to every client of the store. The name is versioned and in past tense, such as
// "v1.TodoCreated". T is any type that encoding/json can round-trip; when it has a method Validate() error, that
// is called at commit and when an event comes in from outside. When *T has a method SetDefaults(), that is called before arguments are
// decoded: see the section on evolution in the package's overview.
func Synced[T any](name string, opts ...Option) Def[T] { return define[T](name, ScopeSynced, opts) }

// ClientOnly defines an event that stays with the committing client and reaches all its sessions.
func ClientOnly[T any](name string, opts ...Option) Def[T] {
	return define[T](name, ScopeClientOnly, opts)
}

func define[T any](name string, scope Scope, opts []Option) Def[T] {
	d := &Definition{name: name, scope: scope, args: reflect.TypeFor[T]()}
	_, value := any(*new(T)).(validator)
	_, pointer := any(new(T)).(validator)
	d.pointer = pointer && !value
	d.check = func(args jsontext.Value) error { _, err := Def[T]{d}.Decode(args); return err }
	var err error
	if d.defaults, err = hasDefaults(d.args); err != nil {
		d.err = fmt.Errorf("event %s: %w", name, err)
	}
	for _, o := range opts {
		if o == nil {
			d.err = errors.Join(d.err, fmt.Errorf("event %s: an option is nil", name))
			continue
		}
		o(d)
	}
	return Def[T]{d}
}

// Name returns the name of the event, such as "v1.TodoCreated"; empty for the zero value.
func (d Def[T]) Name() string {
	if d.d == nil {
		return ""
	}
	return d.d.name
}

// Definition returns the untyped part of d, nil for the zero value.
func (d Def[T]) Definition() *Definition { return d.d }

// New makes a draft of one event. It never fails: arguments that are wrong are refused when the draft is committed.
func (d Def[T]) New(args T) Draft {
	return Draft{def: d.d, encode: func(string) (jsontext.Value, error) { return Encode(d.d, args) }}
}

// Decode reads the arguments of an event of this definition and validates them. Members that T does not have are ignored; a member that
// is not there is zero, or what SetDefaults says. The error is an *[ArgsError].
func (d Def[T]) Decode(args jsontext.Value) (T, error) {
	var v T
	opts := asV1
	if d.d.defaults {
		setDefaults(d.d, &v)
		opts = asV1Defaults
	}
	if err := json.Unmarshal(args, &v, opts); err != nil {
		return v, argsError(d.d, err)
	}
	return v, validate(d.d, v)
}

// Name returns the name of the event.
func (d *Definition) Name() string { return d.name }

// Scope says who gets the event.
func (d *Definition) Scope() Scope { return d.scope }

// ArgsType returns the Go type of the arguments.
func (d *Definition) ArgsType() reflect.Type { return d.args }

// Deprecated returns why the event should no longer be committed, empty when it may.
func (d *Definition) Deprecated() string { return d.deprecated }

// Err returns what is wrong with the definition itself: an option that can not be, or defaults that would not hold. A schema refuses it.
func (d *Definition) Err() error { return errors.Join(d.err, d.checkDefaults()) }

// Check says what is wrong with the arguments of an event that came in: that they are not JSON of the type of the arguments, or
// what their Validate says. The error is an *[ArgsError].
func (d *Definition) Check(args jsontext.Value) error {
	if d.check == nil {
		return &ArgsError{Err: errors.New("the event definition is empty: make it with Synced or ClientOnly")}
	}
	return d.check(args)
}

// Draft is an event that has no number yet: a definition with arguments, ready to be committed.
type Draft struct {
	def    *Definition
	encode func(sessionID string) (jsontext.Value, error)
}

// NewDraft makes a draft whose arguments depend on the session that commits it, as those of client documents do.
func NewDraft(d *Definition, encode func(sessionID string) (jsontext.Value, error)) Draft {
	return Draft{def: d, encode: encode}
}

// Raw makes a draft of arguments that are encoded already: a set-aside event tried again, or an event read from a
// file. They are checked as those of any other draft.
func Raw(d *Definition, args jsontext.Value) Draft {
	return Draft{def: d, encode: func(string) (jsontext.Value, error) {
		if err := checkArgs(d, args); err != nil {
			return nil, err
		}
		return args, d.Check(args)
	}}
}

// Definition returns the definition of the event, nil for the zero value.
func (d Draft) Definition() *Definition { return d.def }

// Args encodes the arguments as the given session commits them. The error is an *[ArgsError].
func (d Draft) Args(sessionID string) (jsontext.Value, error) {
	if d.def == nil {
		return nil, &ArgsError{Err: errors.New("the draft is empty: make one with New of an event definition")}
	}
	return d.encode(sessionID)
}

// ArgsError says that the arguments of an event are wrong. Nothing was committed.
type ArgsError struct {
	Event string           // name of the event, empty for an empty draft
	Field jsontext.Pointer // the field in JSON pointer notation (RFC 6901), empty when the whole is meant
	Err   error            // what is wrong with it
}

func (e *ArgsError) Error() string {
	switch {
	case e.Event == "":
		return fmt.Sprintf("event: %v", e.Err)
	case e.Field == "":
		return fmt.Sprintf("event %s: arguments: %v", e.Event, e.Err)
	default:
		return fmt.Sprintf("event %s: argument %s: %v", e.Event, e.Field, e.Err)
	}
}

func (e *ArgsError) Unwrap() error { return e.Err }
