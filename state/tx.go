package state

import (
	"github.com/livestore-go/livestore/event"
)

// Tx is what a materializer works with: the state as the events before this one left it, and the event. It is good
// until the materializer returns, and for one goroutine.
type Tx struct {
	db    DB
	event event.Client
	seen  bool // event is as materializers see it
}

// NewTx makes the transaction in which e is materialized on db.
func NewTx(db DB, e event.Client) *Tx { return &Tx{db: db, event: e} }

// Exec runs a write. After an error the materializer should return it: the whole commit is undone.
func (tx *Tx) Exec(w Write) error {
	s, err := w.Statement()
	if err != nil {
		return err
	}
	return tx.db.Exec(s)
}

// Event returns the event that is materialized.
//
// Of a synced event only what is the same on every client is there: name, global number, arguments (in RFC 8785 form), client and
// session. Parent, generation, identity, cause, schema hash and sync metadata are zero; they differ between clients or change with a
// rebase, and state must not. A client-only event has everything. There is no time: an event that needs one carries it.
func (tx *Tx) Event() event.Client {
	if !tx.seen {
		tx.event, tx.seen = visible(tx.event), true
	}
	return tx.event
}

func visible(e event.Client) event.Client {
	if e.Num.IsClientOnly() {
		return e
	}
	args := e.Args.Clone()
	if err := args.Canonicalize(); err != nil {
		args = e.Args // not reached: the arguments were decoded before
	}
	return event.Client{
		Num: event.SeqNum{Global: e.Num.Global}, Name: e.Name, Args: args, ClientID: e.ClientID, SessionID: e.SessionID,
	}
}

// Read runs a query inside a materializer. [SessionID] in it is the session that committed the event.
func Read[T any](tx *Tx, q Query[T]) (T, error) {
	var v T
	s, err := q.Statement(tx.event.SessionID)
	if err != nil {
		return v, err
	}
	var derr error
	err = tx.db.Query(s, func(r Rows) error {
		v, derr = q.Decode(r)
		return derr
	})
	return v, err
}
