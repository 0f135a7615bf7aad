package state

import (
	"errors"

	"github.com/livestore-go/livestore/event"
)

// UnknownPolicy is what a store does about an event that is none of the schema's, as an older version of an app meets them:
// [Warn], [Ignore], [Fail] or [Callback]. The event stays in the log whatever is chosen, and is materialized after an update.
type UnknownPolicy interface{ policy() Unknown }

// UnknownMode is the plain part of an [UnknownPolicy].
type UnknownMode uint8

const (
	// Warn logs the event and goes on. It is the default.
	Warn UnknownMode = iota
	// Ignore goes on.
	Ignore
	// Fail stops the store with an *[UnknownEventError].
	Fail
	calls
)

func (m UnknownMode) policy() Unknown { return Unknown{Mode: m} }

// String returns "warn", "ignore", "fail" or "callback".
func (m UnknownMode) String() string {
	return [...]string{"warn", "ignore", "fail", "callback"}[min(m, calls)]
}

// Callback calls f with the event and goes on. f must return soon and not call the store.
func Callback(f func(event.Client)) UnknownPolicy { return callback(f) }

type callback func(event.Client)

func (c callback) policy() Unknown { return Unknown{Mode: calls, Callback: c} }

// Unknown is the policy of a schema as a store reads it.
type Unknown struct {
	Mode     UnknownMode
	Callback func(event.Client) // of [Callback], nil for the other modes
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
