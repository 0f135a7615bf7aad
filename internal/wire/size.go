package wire

import (
	"iter"

	"github.com/livestore-go/livestore/event"
)

const (
	// MaxEvents is the largest number of events in one item or push.
	MaxEvents = 100
	// MaxBytes is the largest size of one item or of the payload of one push, as JSON and without the envelope around it.
	MaxBytes = 900_000
)

// ItemSize returns the size in bytes of an item as JSON.
func ItemSize(item Item) int { panic("soon") }

// EventSize returns the size in bytes of an event of an item as JSON.
func EventSize(e Event) int { panic("soon") }

// GlobalSize returns the size in bytes of an event of a push as JSON.
func GlobalSize(e event.Global) int { panic("soon") }

// Fit returns how many of the events, from the first on, go into one item of a backend: all sizes keep within [MaxEvents] and
// [MaxBytes], whatever the page says. It is 0 when there is no event, or when the first is too large for any item.
func Fit(events []Event, backendID string) int { panic("soon") }

// Split cuts events into runs that each go into one item. A single event that is too large for any comes as a run of its own.
func Split(events []Event, backendID string) iter.Seq[[]Event] { panic("soon") }

// FitPush returns how many events of a push, from the first on, go into one request. It is 0 when there is no event, or when
// the first is too large for any.
func FitPush(p *Push) int { panic("soon") }
