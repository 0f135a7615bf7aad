package wire

import (
	"iter"
	"unicode/utf8"

	"github.com/livestore-go/livestore/event"
)

const (
	// MaxEvents is the largest number of events in one item or push.
	MaxEvents = 100
	// MaxBytes is the largest size of one item or of the payload of one push, as JSON and without the envelope around it.
	MaxBytes = 900_000
)

// ItemSize returns the size in bytes of an item as JSON.
func ItemSize(item Item) int {
	size := itemFrame(item.BackendID) - len(largestPage) + len(`{"_tag":""}`) + len(item.Page.Kind.String())
	if item.Page.Kind == MoreKnown {
		size += len(`,"remaining":`) + digits(int64(item.Page.Remaining))
	}
	for i, e := range item.Events {
		if i > 0 {
			size++
		}
		size += EventSize(e)
	}
	return size
}

const largestPage = `{"_tag":"MoreKnown","remaining":9007199254740991}`

// itemFrame returns the size of an item without events, and with the largest page.
func itemFrame(backendID string) int {
	return len(`{"batch":[],"pageInfo":,"backendId":}`) + len(largestPage) + quotedSize(backendID)
}

// EventSize returns the size in bytes of an event of an item as JSON.
func EventSize(e Event) int {
	size := len(`{"eventEncoded":,"metadata":{"_tag":"Some","value":}}`) + GlobalSize(e.Global)
	switch {
	case len(e.Metadata) > 0:
		return size + len(e.Metadata)
	case e.CreatedAt != "":
		return size + len(`{"_tag":"`+syncMetadata+`","createdAt":}`) + quotedSize(e.CreatedAt)
	default:
		return size - len(`,"value":`)
	}
}

// GlobalSize returns the size in bytes of an event of a push as JSON.
func GlobalSize(e event.Global) int {
	size := len(`{"name":,"args":,"seqNum":,"parentSeqNum":,"clientId":,"sessionId":}`)
	size += quotedSize(e.Name) + valueSize(e.Args) + digits(e.SeqNum) + digits(e.ParentSeqNum)
	return size + quotedSize(e.ClientID) + quotedSize(e.SessionID)
}

// Fit returns how many of the events, from the first on, go into one item of a backend within [MaxEvents] and [MaxBytes],
// whatever its page says. It is 0 when there is no event, or when the first is too large for any item.
func Fit(events []Event, backendID string) int {
	return fit(itemFrame(backendID), len(events), func(i int) int { return EventSize(events[i]) })
}

// fit counts the elements that go into an array, in a frame of some size.
func fit(frame, n int, size func(int) int) int {
	for i := range min(n, MaxEvents) {
		if i > 0 {
			frame++ // the comma
		}
		if frame += size(i); frame > MaxBytes {
			return i
		}
	}
	return min(n, MaxEvents)
}

// Split cuts events into runs that each go into one item. A single event that is too large for any comes as a run of its own.
func Split(events []Event, backendID string) iter.Seq[[]Event] {
	return func(yield func([]Event) bool) {
		for rest := events; len(rest) > 0; {
			n := max(1, Fit(rest, backendID))
			if !yield(rest[:n:n]) {
				return
			}
			rest = rest[n:]
		}
	}
}

// FitPush returns how many events of a push, from the first on, go into one request within [MaxEvents] and [MaxBytes]. It is 0
// when there is no event, or when the first is too large for any.
func FitPush(p *Push) int {
	frame := len(`{"storeId":,"payload":,"batch":[],"backendId":{"_tag":"Some","value":}}`)
	frame += quotedSize(p.StoreID) + valueSize(p.Payload) + quotedSize(p.BackendID)
	return fit(frame, len(p.Batch), func(i int) int { return GlobalSize(p.Batch[i]) })
}

// valueSize returns the size of raw JSON; none is null.
func valueSize(v []byte) int {
	if len(v) == 0 {
		return len("null")
	}
	return len(v)
}

// digits returns the size of a number.
func digits(n int64) int {
	size := 1
	if n < 0 {
		size++
	}
	for n /= 10; n != 0; n /= 10 {
		size++
	}
	return size
}

// quotedSize returns the size of a string as JSON.
func quotedSize(s string) int {
	ascii := true
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c == '"' || c == '\\':
			return len(appendString(nil, s))
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	if !ascii && !utf8.ValidString(s) {
		return len(appendString(nil, s))
	}
	return len(s) + 2
}
