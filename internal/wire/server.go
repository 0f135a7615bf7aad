package wire

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
)

// ServerMessage is what a server sends: *[Chunk], *[Exit], *[Defect] or [Pong].
type ServerMessage interface{ serverMessage() }

// Chunk is a piece of the answer to a pull.
type Chunk struct {
	ID    ID
	Items []Item // at least one; servers send exactly one
}

// Item is a run of events of one backend. The first of an answer may be empty, to tell the client the backend's id.
type Item struct {
	Events    []Event
	Page      Page
	BackendID string
}

// Event is an event as a backend hands it out.
type Event struct {
	event.Global

	CreatedAt string         // when the backend got it, RFC 3339 in UTC with milliseconds; empty when it does not say
	Metadata  jsontext.Value // metadata as it came, a JSON object, when it is more than CreatedAt; it is then what gets encoded
}

// PageKind says what is known of the events to come.
type PageKind uint8

const (
	// NoMore events follow now.
	NoMore PageKind = iota
	// MoreKnown says that events follow, and how many.
	MoreKnown
	// MoreUnknown says that events follow.
	MoreUnknown
)

// String returns the tag of the kind on the wire.
func (k PageKind) String() string {
	switch k {
	case MoreKnown:
		return "MoreKnown"
	case MoreUnknown:
		return "MoreUnknown"
	default:
		return "NoMore"
	}
}

// Page says what follows an item in the answer.
type Page struct {
	Kind      PageKind
	Remaining int // number of events that follow; only with MoreKnown
}

// Exit ends the answer to a request.
type Exit struct {
	ID      ID
	Value   jsontext.Value // result: {} for a push; nil for the end of a pull, and when it failed
	Failure []Reason       // why the request failed; empty when it did not
}

// ReasonKind says how a request failed.
type ReasonKind uint8

const (
	// Fail is an error of the protocol: Err says which.
	Fail ReasonKind = iota
	// Die is a defect of the request or of the server: Defect tells.
	Die
	// Interrupted means that the client or the end of the connection stopped the request.
	Interrupted
)

// String returns the tag of the kind on the wire.
func (k ReasonKind) String() string {
	switch k {
	case Die:
		return "Die"
	case Interrupted:
		return "Interrupt"
	default:
		return "Fail"
	}
}

// Reason is one reason for which a request failed.
type Reason struct {
	Kind   ReasonKind
	Err    error          // of Fail: *ServerAheadError, *BackendIDMismatchError or *UnknownError
	Defect jsontext.Value // of Die: a string, {"name","message"}, or any JSON
}

// Defect ends all requests of the connection: clients treat it as fatal.
type Defect struct {
	Defect jsontext.Value // a string, {"name","message"}, or any JSON
}

// Pong answers a [Ping].
type Pong struct{}

func (*Chunk) serverMessage()  {}
func (*Exit) serverMessage()   {}
func (*Defect) serverMessage() {}
func (Pong) serverMessage()    {}
