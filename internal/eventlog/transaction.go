package eventlog

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/sqlite"
)

// transaction is what is known of the open one.
type transaction struct {
	meta    Meta // as it was before
	head    event.SeqNum
	headID  event.ID
	count   int64
	deleted map[event.ID]struct{} // with an identity, and not appended or set aside again
	failed  error                 // why it can only be rolled back
}

// Begin starts a transaction. Everything that changes the log happens in one.
func (l *Log) Begin() error {
	switch {
	case l.broken != nil:
		return l.broken
	case l.open != nil:
		return ErrInTransaction
	}
	if err := l.conn.Begin(); err != nil {
		return l.wrap("begin", err)
	}
	l.open = &transaction{meta: l.meta, head: l.head, headID: l.headID, count: l.count}
	return nil
}

// Commit makes all changes since Begin durable; when it returns they survive a loss of power. On an error the transaction is over and
// nothing of it is kept.
//
// When it was the disk that failed in the middle of Commit, only a new [Open] tells whether the transaction is in the file: until then
// every call returns that error. A full disk is no such case.
func (l *Log) Commit() error {
	if err := l.writable(); err != nil {
		if l.open != nil {
			err = errors.Join(err, l.Rollback())
		}
		return err
	}
	if err := l.consistent(); err != nil {
		return errors.Join(err, l.Rollback())
	}
	if err := l.conn.Commit(); err != nil {
		err = l.wrap("commit", err)
		if !sqlite.IsFull(err) {
			l.broken = err
		}
		return errors.Join(err, l.Rollback())
	}
	l.open = nil
	return nil
}

// consistent checks what must hold between transactions.
func (l *Log) consistent() error {
	if l.meta.Upstream.ComparePosition(l.head) > 0 {
		return &HeadError{What: "the upstream head", Got: l.meta.Upstream.String(), Limit: "the local head " + l.head.String()}
	}
	if len(l.open.deleted) > 0 {
		return &LostError{Events: slices.SortedFunc(maps.Keys(l.open.deleted), compareID)}
	}
	return nil
}

func compareID(a, b event.ID) int {
	return cmp.Or(
		cmp.Compare(a.Commit.Journal, b.Commit.Journal),
		cmp.Compare(a.Commit.Ordinal, b.Commit.Ordinal),
		cmp.Compare(a.Index, b.Index))
}

// Rollback forgets all changes since Begin. Without a transaction it does nothing.
func (l *Log) Rollback() error {
	if l.open == nil {
		return nil
	}
	t := l.open
	l.open = nil
	l.meta, l.head, l.headID, l.count = t.meta, t.head, t.headID, t.count
	if err := l.conn.Rollback(); err != nil {
		l.broken = l.wrap("roll back", err)
		return l.broken
	}
	if l.broken != nil {
		return nil //nolint:nilerr // the roll back succeeded; every other call says what broke the log
	}
	if err := l.journals.load(l); err != nil { // they may hold rows of the transaction
		l.broken = l.wrap("roll back", err)
		return l.broken
	}
	return nil
}

// Update runs change in a transaction: committed when it returns nil, rolled back when it returns an error, which is then the result.
func (l *Log) Update(change func() error) error {
	if err := l.Begin(); err != nil {
		return err
	}
	if err := change(); err != nil {
		return errors.Join(err, l.Rollback())
	}
	return l.Commit()
}

// writable says why nothing can be changed now, nil when it can.
func (l *Log) writable() error {
	switch {
	case l.broken != nil:
		return l.broken
	case l.open == nil:
		return ErrNoTransaction
	}
	return l.open.failed
}

// fail marks the transaction as one that can only be rolled back, since a statement of it failed half-way.
func (l *Log) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	l.open.failed = l.wrap(op, err)
	return l.open.failed
}

// exec runs one statement of the transaction.
func (l *Log) exec(op string, s *sqlite.Stmt, args ...any) error {
	return l.fail(op, s.Exec(args))
}
