package state

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
)

// On is the materializer of an event: f derives from it what changes in the state. It is a pure function of the event and of what it
// reads through tx. When it returns an error nothing of the commit the event belongs to remains.
//
// It is the materializer of every older event that the definition upcasts ([event.Upcast]) as well: f gets their arguments as they come out
// of the chain. [Tx.Event] shows such an event as it is in the log, with its old name and arguments.
func On[T any](def event.Def[T], f func(tx *Tx, args T) error) Part {
	m := &materializer{def: def.Definition()}
	switch {
	case m.def == nil:
		m.err = errors.New("On: the event definition is empty: make it with event.Synced or event.ClientOnly")
	case f == nil:
		m.err = fmt.Errorf("event %s: the materializer is nil: for an event that changes no state use NoState", m.def.Name())
	default:
		run := func(d *event.Definition) func(*Tx, jsontext.Value) error {
			read := def.Decoder(d.Name())
			return func(tx *Tx, raw jsontext.Value) error {
				args, err := read(raw)
				if err != nil {
					return err
				}
				return f(tx, args)
			}
		}
		m.run, m.olds = run(m.def), olds(m.def, false, run)
	}
	return m
}

// EventDef is any [event.Def].
type EventDef interface{ Definition() *event.Definition }

// NoState says that these events change no state, nor do those they upcast. Their arguments are checked all the same.
func NoState(defs ...EventDef) Part { return eventList{defs, true} }

// Events says that these events exist: the schema is refused unless each has a materializer or is named by [NoState]. It is the
// check that a package that declares many events has left none out.
func Events(defs ...EventDef) Part { return eventList{defs, false} }

type eventList struct {
	defs    []EventDef
	noState bool
}

func (l eventList) part(b *builder) {
	name := "Events"
	if l.noState {
		name = "NoState"
	}
	for i, d := range l.defs {
		if d == nil || d.Definition() == nil {
			b.fail(fmt.Errorf("%s: event definition %d is empty: make it with event.Synced or event.ClientOnly", name, i+1))
			continue
		}
		if !l.noState {
			b.expected = append(b.expected, d.Definition())
			continue
		}
		check := func(d *event.Definition) func(*Tx, jsontext.Value) error { // the arguments of an old event by its own definition
			return func(_ *Tx, raw jsontext.Value) error { return d.Check(raw) }
		}
		def := d.Definition()
		b.materializer(&materializer{def: def, run: check(def), noState: true, olds: olds(def, true, check)})
	}
}

// materializer is what becomes of one event.
type materializer struct {
	def     *event.Definition
	run     func(*Tx, jsontext.Value) error
	noState bool
	olds    []*materializer   // of the events that def upcasts
	by      *event.Definition // the definition that upcasts def, nil for one with a materializer of its own
	err     error
}

func (m *materializer) part(b *builder) {
	if m.err != nil {
		b.fail(m.err)
		return
	}
	b.materializer(m)
}

// PanicError is the error of a materializer that panicked. A panic costs the commit, not the process: an event in the log that panics
// would otherwise end every start of the app.
type PanicError struct {
	Value any
	Stack []byte // where it came from, as debug.Stack writes it
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns the value when it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// UnknownEventError says that an event is none of the schema's. What a store does about it says [Schema.UnknownEvents].
type UnknownEventError struct {
	StoreID string // store that is not opened because the event is in its log; empty otherwise
	Event   string // name of the event
	Num     event.SeqNum
}

func (e *UnknownEventError) Error() string {
	if e.StoreID != "" {
		return fmt.Sprintf("the log of store %s has event %s %s, which is none of this schema's, and UnknownEvents is Fail: it comes from "+
			"another version of the app; update this one, add its definition, or use another policy. The log is as it was",
			e.StoreID, e.Event, e.Num)
	}
	return fmt.Sprintf("event %s %s is none of this schema's: it comes from another version of the app; update this one, "+
		"or add its definition", e.Event, e.Num)
}

// Materialize derives from e what it changes, on db. It is neither atomic nor undone here: the caller keeps a savepoint, and names
// the event in the error. For an event that is none of the schema's nothing is done and the error is an *[UnknownEventError];
// arguments that are not what the definition says are an *[event.ArgsError]; a panic is a *[PanicError]. The [Tx] it made is of no
// use afterwards.
func (s *Schema) Materialize(db DB, e event.Client) (err error) {
	m, ok := s.materializers[e.Name]
	if !ok {
		return &UnknownEventError{Event: e.Name, Num: e.Num}
	}
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{Value: p, Stack: debug.Stack()}
		}
	}()
	tx := NewTx(db, e)
	defer tx.done.Store(true)
	return m.run(tx, e.Args)
}
