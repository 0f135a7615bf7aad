package state

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/livestore-go/livestore/event"
)

// Tx is what a materializer works with: the state as the events before this one left it, and the event. It is good
// until the materializer returns, and for one goroutine.
type Tx struct {
	db    DB
	event event.Client
	seen  bool // event is as materializers see it
	done  atomic.Bool
}

// ErrTxDone is wrapped by what a [Tx] says that was kept after its materializer returned. What it wrote then would
// belong to no event.
var ErrTxDone = errors.New("the materializer has returned: its transaction can not be used any more")

// NewTx makes the transaction in which e is materialized on db.
func NewTx(db DB, e event.Client) *Tx { return &Tx{db: db, event: e} }

// Exec runs a write. [SessionID] among its values is the session that committed the event. After an error the materializer should
// return it: the whole commit is undone.
func (tx *Tx) Exec(w Write) error {
	if err := tx.check(); err != nil {
		return err
	}
	s, err := w.Statement()
	if err != nil {
		return err
	}
	if hasSession(s.Args) {
		s.Args = bindSession(s.Args, tx.event.SessionID)
	}
	return tx.db.Exec(s)
}

// check refuses a transaction whose materializer has returned.
func (tx *Tx) check() error {
	if tx.done.Load() {
		return fmt.Errorf("event %s %s: %w", tx.event.Name, tx.event.Num, ErrTxDone)
	}
	return nil
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
