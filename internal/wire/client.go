package wire

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
)

// ClientMessage is what a client sends: *[Pull], *[Push], *[HTTPPing], *[Ack], *[Interrupt], [Ping] or [Eof].
type ClientMessage interface{ clientMessage() }

// Pull asks for the events after a cursor, and with Live for all that follow. Chunks answer it, then an [Exit] unless it is live.
type Pull struct {
	ID      ID
	StoreID string
	Payload jsontext.Value // what the app authenticates with; nil when none
	Live    bool           // events that come later are sent too; never with HTTP
	HTTP    bool           // the request of the HTTP transport, which has no live
	Cursor  *Cursor        // nil: from the beginning
}

// Cursor is a place in the eventlog of one backend.
type Cursor struct {
	BackendID string
	After     int64 // sequence number of the last event the client has
}

// Push asks to append events. An [Exit] answers it.
type Push struct {
	ID        ID
	StoreID   string
	Payload   jsontext.Value // what the app authenticates with; nil when none
	HTTP      bool           // the request of the HTTP transport
	Batch     []event.Global
	BackendID string // backend the client means; empty when it does not know one yet
}

// HTTPPing asks whether the server is there. Only the HTTP transport has it; see [Ping] for the other.
type HTTPPing struct {
	ID      ID
	StoreID string
	Payload jsontext.Value // what the app authenticates with; nil when none
}

// Ack says that a chunk of the request was received, so the next may come.
type Ack struct{ ID ID }

// Interrupt says that the client no longer wants the answer to a request.
type Interrupt struct{ ID ID }

// Ping asks whether the connection lives. [Pong] answers it.
type Ping struct{}

// Eof says that no more requests follow. It wants no answer.
type Eof struct{}

func (*Pull) clientMessage()      {}
func (*Push) clientMessage()      {}
func (*HTTPPing) clientMessage()  {}
func (*Ack) clientMessage()       {}
func (*Interrupt) clientMessage() {}
func (Ping) clientMessage()       {}
func (Eof) clientMessage()        {}
