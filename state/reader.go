package state

import (
	"errors"
	"sync/atomic"
)

// State is what [Read] reads: a *[Tx] inside a materializer, or a *[Reader]. It is sealed.
type State interface {
	// reading returns what queries run on and the session that reads.
	reading() (queries, string, error)
}

// queries is the part of a [DB] that reads.
type queries interface {
	Query(Statement, func(Rows) error) error
}

// Reader reads the state of a store as it is at one moment: every [Read] of it sees the same. It is good until the function it was made for
// returns, and for one goroutine.
type Reader struct {
	db      queries
	session string
	done    atomic.Bool
}

// ErrReaderDone is what a [Reader] says that was kept: the state goes on, and it could see half of a change.
var ErrReaderDone = errors.New("the view is over: its reader can not be used any more")

// NewReader makes a reader of db for a session, and what ends it.
func NewReader(db queries, sessionID string) (r *Reader, end func()) {
	r = &Reader{db: db, session: sessionID}
	return r, func() { r.done.Store(true) }
}

func (r *Reader) reading() (queries, string, error) {
	if r.done.Load() {
		return nil, "", ErrReaderDone
	}
	return r.db, r.session, nil
}

func (tx *Tx) reading() (queries, string, error) { return tx.db, tx.event.SessionID, tx.check() }

// Read runs a query inside a materializer, or on one state of a store. [SessionID] in it is the session that committed the event, or whose
// store it is.
func Read[T any](s State, q Query[T]) (v T, err error) {
	db, session, err := s.reading()
	if err != nil {
		return v, err
	}
	st, err := q.Statement(session)
	if err != nil {
		return v, err
	}
	err = db.Query(st, func(r Rows) (err error) {
		v, err = q.Decode(r)
		return err
	})
	return v, err
}
