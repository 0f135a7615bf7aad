package state

import (
	"errors"
	"runtime/debug"

	"github.com/livestore-go/livestore/event"
)

// UnknownPolicy is what a store does about an event that is none of the schema's, as an older version of an app meets them:
// [Warn], [Ignore], [Fail] or [Callback]. Whatever is chosen, the event is not lost, and is materialized in its place when a schema that
// knows it opens the store. With Fail it waits beside the log of the client, with the others it is in that log. A commit of this
// client that is unknown to the schema, after a downgrade of the app, is not pushed until a schema that knows it opens the store.
type UnknownPolicy interface{ policy() Unknown }

// UnknownMode is the plain part of an [UnknownPolicy].
type UnknownMode uint8

const (
	// Warn logs the event and goes on. It is the default.
	Warn UnknownMode = iota
	// Ignore goes on.
	Ignore
	// Fail applies no such event: one that comes from the sync backend halts sync there, and is kept with what has come after it for a
	// version of the app that knows it, which has it at once, also offline. A store whose log or journals have one already, by another
	// policy or another version of the app, is not opened. The error is an *[UnknownEventError]. Opening a store reads the names of its
	// whole log.
	Fail
	calls
)

func (m UnknownMode) policy() Unknown { return Unknown{Mode: m} }

// String returns "warn", "ignore", "fail" or "callback".
func (m UnknownMode) String() string {
	return [...]string{"warn", "ignore", "fail", "callback"}[min(m, calls)]
}

// Callback calls f with the event and goes on.
//
// f is called once for each event, after it has entered the log of the client; not again when a rebase gives it another number. An app that
// is killed at that moment may miss the call. When a store opens and derives its state anew, as it does after an update of the app, f is
// called once more for each event of the log that is still unknown. The calls come one at a time and without locks, yet the store does
// nothing else with its log meanwhile: f must return soon and not call the store. A panic of f is logged, and the store goes on.
func Callback(f func(event.Client)) UnknownPolicy { return callback(f) }

type callback func(event.Client)

func (c callback) policy() Unknown { return Unknown{Mode: calls, Callback: c} }

// Unknown is the policy of a schema as a store reads it.
type Unknown struct {
	Mode     UnknownMode
	Callback func(event.Client) // of [Callback], nil for the other modes
}

// Tell calls the callback, where there is one. The error is a *[PanicError] when it panics.
func (u Unknown) Tell(e event.Client) (err error) {
	if u.Callback == nil {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{Value: p, Stack: debug.Stack()}
		}
	}()
	u.Callback(e)
	return nil
}

// UnknownEvents sets the policy of the schema.
func UnknownEvents(p UnknownPolicy) Part { return unknownPart{p} }

type unknownPart struct{ p UnknownPolicy }

func (u unknownPart) part(b *builder) {
	if u.p == nil {
		b.fail(errors.New("UnknownEvents: the policy is nil: use Warn, Ignore, Fail or Callback"))
		return
	}
	p := u.p.policy()
	switch {
	case p.Mode > calls || (p.Mode == calls && p.Callback == nil):
		b.fail(errors.New("UnknownEvents: the policy is none of Warn, Ignore, Fail and Callback(f)"))
	case b.unknownSet:
		b.fail(errors.New("UnknownEvents is given twice"))
	}
	b.schema.unknown, b.unknownSet = p, true
}

// UnknownEvents returns what a store does about events that are none of the schema's.
func (s *Schema) UnknownEvents() Unknown { return s.unknown }
