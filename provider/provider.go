// Package provider says what a sync provider is: the client side of a sync backend.
//
// An app makes a [Provider] with one of the packages below, provider/wsprovider for instance, and gives it to its adapter. The
// leader of each store asks it for a [Client], pulls through it what the backend has, and pushes what the backend lacks.
//
// A client keeps the connection by itself. It reconnects for as long as it is open; what is under way when a connection ends fails with
// an *[OfflineError], and a pull or push that begins while there is none waits for the next one.
package provider

import (
	"context"
	"encoding/json"
	"iter"
	"log/slog"

	"github.com/livestore-go/livestore/event"
)

// Provider makes clients of a sync backend.
type Provider interface {
	// Client returns a client for a store. It does not wait for the network; an error says that the config or the provider's own options
	// can not be used.
	Client(cfg Config) (Client, error)
}

// Config says for whom a client is.
type Config struct {
	StoreID  string
	ClientID string
	// Payload goes to the backend with every connection, for it to decide who may read and write. Nil means none.
	Payload json.RawMessage
	// Logger gets what nobody can be told by an error. Never nil.
	Logger *slog.Logger
}

// Client is the connection of one store to its sync backend. All methods may be called from any goroutine. After Close they return
// [ErrClosed].
type Client interface {
	// Connect waits until the backend has answered. It returns at once when it has on this connection. Its errors are a
	// *[RefusedError], and that of ctx.
	Connect(ctx context.Context) error

	// Pull iterates over what the backend has after a position, in its order, without gap or repetition, page by page: at least one
	// page, which may be empty. A live pull goes on with what the backend gets later; another ends after the page that says
	// Remaining 0. It waits for a connection. The iteration ends with its first error: *[OfflineError], *[IdentityError], *[RefusedError],
	// *[BackendError], *[ProtocolError], or that of ctx.
	Pull(ctx context.Context, from Cursor, live bool) iter.Seq2[Page, error]

	// Push hands events over, to be stored as a whole or not at all. backendID is the identity the client knows, empty when it knows
	// none. Nil means that they are stored. A *[ServerAheadError], an *[IdentityError], a *[RefusedError] or a *[RejectedError] says
	// that none is. After any other error it is not known. One push at a time.
	//
	// It goes over the connection that the last live pull began on, and is an *[OfflineError] when that has ended: behind a new connection
	// there may be another backend, or one that was set back, and only a new pull finds that out. Without a live pull before it,
	// it waits for a connection.
	Push(ctx context.Context, backendID string, batch []event.Global) error

	// Ping waits for a sign of life. It returns an *[OfflineError] at once when there is no connection.
	Ping(ctx context.Context) error

	// Status returns how the connection is, and a channel that is closed when that has changed.
	Status() (Status, <-chan struct{})

	// Limits says what a push may hold.
	Limits() Limits

	// Reconnect ends a wait between two attempts to connect: the app knows that the network is back, or has new credentials.
	Reconnect()

	// Close ends the client and what is under way, and waits for its goroutines.
	Close() error
}

// Cursor is a position in the log of a backend: everything up to After is known. BackendID is empty before the first pull.
type Cursor struct {
	BackendID string
	After     int64
}

// Page is a part of a pull.
type Page struct {
	BackendID string // identity of the backend
	Events    []event.Global
	// Remaining is how many events are still to come that the backend had when the pull began: 0 says that this page reaches the head of
	// then. A backend that does not know how many says -1. Pages of the live part say 0,
	// but for those of which the client knows that more follow, because it had to ask for them again.
	Remaining int
}

// Limits says what one push may hold. A push of one event is allowed for any event up to Bytes.
type Limits struct {
	Events int // how many events
	Bytes  int // size of the events as JSON
}

// Status says how a connection is.
type Status struct {
	Connected bool
	// Err is why the last attempt to connect or the last connection ended; nil while connected and before the first attempt.
	Err error
}
