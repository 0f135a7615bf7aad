// Package event holds the vocabulary of the eventlog: event definitions, sequence numbers and the shapes an event has
// on its way.
//
// An app defines its events once, as a versioned name and the Go type of the arguments:
//
//	var todoCreated = event.Synced[TodoCreated]("v1.TodoCreated")
//
// and makes a [Draft] of one for each fact it commits. The session that admits the draft encodes its arguments,
// gives it a sequence number and an identity, and from there on it is a [Client] event: raw JSON that nothing
// encodes again. What the sync backend and other clients see of it is a [Global] event.
//
// There are only these three shapes, one number ([SeqNum]) and one identity ([ID]).
//
// # Evolution
//
// An event that was committed is in the log for good, as it was: no later version of the app changes its name or its arguments, here, at
// the sync backend or at other clients. What changes is how it is read.
//
// Members may be removed from the type of the arguments: what old events have of them is ignored, and stays in the log. A name that was
// removed must not come back with another type.
//
// Members may be added: an old event, which lacks them, has zero there. Where zero is not what the old events meant, a method says what is:
//
//	func (e *TodoCreated) SetDefaults() { e.Priority = 3 }
//
// It is called before arguments are decoded. What the event has replaces a default as a whole, null by zero; only the members of the
// arguments themselves have defaults, not those of structs inside them. Nothing is added to an event that is committed: what is
// given is what is encoded. A member that omitzero or omitempty leaves out can have no default, as a zero would come back as that; a schema
// refuses it. Clients with an older version of the app have no such default: a member that they have to know needs an event of
// another name.
//
// Every other change of the arguments is a new event, with a new name, that says how the old one is read as the new one: see [Upcast].
// The old definition stays in the app, most often with [Deprecated], and loses its materializer. A client that has the older version of the
// app does not know the new event; what it does about that says state.UnknownEvents. It then lacks the rows of that event, and gets
// later ones that it does know and that speak of those rows: a materializer should find nothing to change there, and not fail.
//
// Like materializers, upcasts and defaults are code that the hash of a schema can not see: after changing one, give the schema another
// state.Version, and state is derived anew. livestoretest.CheckEvolution makes a test of an app notice a change that old events do
// not fit.
package event

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// Scope says who gets an event.
type Scope uint8

const (
	// ScopeSynced events go to every client of the store.
	ScopeSynced Scope = iota
	// ScopeClientOnly events stay with the committing client and reach all its sessions.
	ScopeClientOnly
)

// String returns "synced" or "client-only".
func (s Scope) String() string {
	if s == ScopeClientOnly {
		return "client-only"
	}
	return "synced"
}

// CommitID is the identity of a commit: the journal it was admitted to and its place there, counted from 1. It is
// given once and never changes, whatever numbers its events get. The zero value means that the commit is not
// known here: it came from another client.
type CommitID struct {
	Journal string `json:"journal"`
	Ordinal uint64 `json:"ordinal"`
}

// IsZero says whether the commit is not known here.
func (c CommitID) IsZero() bool { return c == CommitID{} }

// String returns "journal/ordinal", or "-" for the zero value.
func (c CommitID) String() string {
	if c.IsZero() {
		return "-"
	}
	return fmt.Sprintf("%s/%d", c.Journal, c.Ordinal)
}

// ID is the identity of an event: its commit and its index in it, counted from 0.
type ID struct {
	Commit CommitID `json:"commit"`
	Index  int      `json:"index"`
}

// IsZero says whether the event came from another client.
func (id ID) IsZero() bool { return id.Commit.IsZero() }

// String returns "journal/ordinal#index", or "-" for the zero value.
func (id ID) String() string {
	if id.IsZero() {
		return "-"
	}
	return fmt.Sprintf("%s#%d", id.Commit, id.Index)
}

// Client is an event as the sessions and the leader of one client know it, with composite numbers.
type Client struct {
	Num    SeqNum         `json:"num"`
	Parent SeqNum         `json:"parent"`
	Name   string         `json:"name"`
	Args   jsontext.Value `json:"args"` // raw JSON as it came; never encoded again

	ClientID  string `json:"clientId"`  // client that committed it
	SessionID string `json:"sessionId"` // session that committed it

	ID         ID             `json:"id,omitzero"`         // zero for an event of another client
	Cause      string         `json:"cause,omitzero"`      // what produced it: empty for a commit, else "retry …" and so on
	SchemaHash string         `json:"schemaHash,omitzero"` // hash of the schema it was committed under; empty when not known
	SyncMeta   jsontext.Value `json:"syncMeta,omitzero"`   // metadata the sync backend attached; nil when none
}

// Global returns what the sync backend sees of a synced event.
func (e Client) Global() Global {
	return Global{
		Name: e.Name, Args: e.Args, SeqNum: e.Num.Global, ParentSeqNum: e.Parent.Global,
		ClientID: e.ClientID, SessionID: e.SessionID,
	}
}

// Global is a synced event on the wire, with plain global numbers.
type Global struct {
	Name         string         `json:"name"`
	Args         jsontext.Value `json:"args"`
	SeqNum       int64          `json:"seqNum"`
	ParentSeqNum int64          `json:"parentSeqNum"`
	ClientID     string         `json:"clientId"`
	SessionID    string         `json:"sessionId"`
}

// Client returns the event as a client that pulled it keeps it: confirmed, so of generation 0, and without identity.
func (e Global) Client() Client {
	return Client{
		Num: SeqNum{Global: e.SeqNum}, Parent: SeqNum{Global: e.ParentSeqNum},
		Name: e.Name, Args: e.Args, ClientID: e.ClientID, SessionID: e.SessionID,
	}
}

// Equal says whether two events are the same on the wire: number, parent, client, session, name, and arguments
// compared in RFC 8785 form.
func (e Global) Equal(o Global) bool {
	return e.SeqNum == o.SeqNum && e.ParentSeqNum == o.ParentSeqNum && e.Name == o.Name &&
		e.ClientID == o.ClientID && e.SessionID == o.SessionID && equalArgs(e.Args, o.Args)
}

func equalArgs(a, b jsontext.Value) bool {
	if string(a) == string(b) {
		return true
	}
	a, b = a.Clone(), b.Clone() // canonicalising works in place
	return a.Canonicalize() == nil && b.Canonicalize() == nil && string(a) == string(b)
}
