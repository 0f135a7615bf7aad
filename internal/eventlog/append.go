package eventlog

import (
	"fmt"
	"math"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/sqlite"
)

// Append adds events behind the head. Their numbers go on from it without a gap, or it is an *[OrderError]; an identity is in the
// log once, or it is an *[IdentityError]. Without an error of the file the transaction is as it was before the call.
func (l *Log) Append(events []event.Client) error {
	if err := l.writable(); err != nil {
		return err
	}
	head := l.head
	for i := range events {
		if err := check(head, &events[i]); err != nil {
			return err
		}
		head = events[i].Num
	}
	for len(events) > 0 {
		n, insert := 1, l.st.insert
		if len(events) >= together {
			n, insert = together, l.st.insertMany
		}
		if err := l.append(insert, events[:n]); err != nil {
			return err
		}
		events = events[n:]
	}
	return nil
}

// together is how many events one statement appends when there are that many: it saves a fifth of the time.
const together = 8

// check says whether an event can follow a head.
func check(head event.SeqNum, e *event.Client) error {
	n := e.Num
	synced := n.Client == 0 && n.Global == head.Global+1
	clientOnly := n.Client == head.Client+1 && n.Global == head.Global
	switch {
	case !synced && !clientOnly || n.Generation < 0:
		return &OrderError{Head: head, Got: n}
	case e.Name == "":
		return fmt.Errorf("eventlog: event %s has no name", n)
	case len(e.Args) == 0:
		return fmt.Errorf("eventlog: event %s (%s) has no arguments: write JSON null for none", n, e.Name)
	}
	return checkID(e.ID)
}

func checkID(id event.ID) error {
	c := id.Commit
	if !id.IsZero() && (c.Journal == "" || c.Ordinal == 0 || c.Ordinal > math.MaxInt64 || id.Index < 0) {
		return fmt.Errorf("eventlog: %s is no identity: it needs a journal, and an ordinal from 1 on", id)
	}
	return nil
}

func (l *Log) append(insert *sqlite.Stmt, events []event.Client) error {
	args := l.st.args[:0]
	for i := range events {
		var err error
		args = append(args, l.count+int64(i)+1)
		if args, err = l.bind(args, &events[i]); err != nil {
			return l.fail("append", err)
		}
	}
	l.st.args = args
	if err := insert.Exec(args); err != nil {
		_ = l.fail("append", err) // it is what the transaction ends with
		if sqlite.IsConstraint(err) {
			l.explain(events)
		}
		return l.open.failed
	}
	for i := range events {
		delete(l.open.deleted, events[i].ID)
	}
	last := &events[len(events)-1]
	l.head, l.headID = last.Num, last.ID
	l.count += int64(len(events))
	return nil
}

// explain finds the event whose identity is in the log, or twice among events.
func (l *Log) explain(events []event.Client) {
	seen := map[event.ID]event.SeqNum{}
	for i := range events {
		e := &events[i]
		if e.ID.IsZero() {
			continue
		}
		at, twice := seen[e.ID]
		seen[e.ID] = e.Num
		if old, ok, err := l.Find(e.ID); err == nil && ok {
			at, twice = old.Num, true
		}
		if twice {
			l.open.failed = &IdentityError{ID: e.ID, Got: e.Num, At: at}
			return
		}
	}
}

// bind appends the values of an event in the order of eventColumns.
func (l *Log) bind(a []any, e *event.Client) ([]any, error) {
	a = append(a,
		e.Num.Global, e.Num.Client, e.Num.Generation, e.Parent.Global, e.Parent.Client, e.Parent.Generation,
		e.Name, e.Args, e.ClientID, e.SessionID)
	if e.ID.IsZero() {
		a = append(a, nil, nil, nil)
	} else {
		journal, err := l.intern(e.ID.Commit.Journal)
		if err != nil {
			return a, err
		}
		a = append(a, journal, int64(e.ID.Commit.Ordinal), e.ID.Index)
	}
	a = append(a, e.Cause, e.SchemaHash)
	if e.SyncMeta == nil {
		return append(a, nil), nil
	}
	return append(a, e.SyncMeta), nil
}

// DeleteAfter removes every event after a position, for a rebase. Events that have an identity must be appended again, or their commit
// be set aside, before Commit: it refuses to lose one with a *[LostError]. The upstream head must be set, too, when it lay there.
func (l *Log) DeleteAfter(after event.SeqNum) error {
	if err := l.writable(); err != nil {
		return err
	}
	if l.open.deleted == nil {
		l.open.deleted = map[event.ID]struct{}{}
	}
	first, err := l.position(after)
	if err != nil {
		return l.fail("delete from", err)
	}
	err = l.st.identities.Each([]any{first}, func(r *sqlite.Rows) {
		id := event.ID{Commit: event.CommitID{Journal: l.journals.name(r.Int64(0)), Ordinal: uint64(r.Int64(1))}, Index: int(r.Int64(2))}
		l.open.deleted[id] = struct{}{}
	})
	if err != nil {
		return l.fail("delete from", err)
	}
	if err := l.exec("delete from", l.st.deleteFrom, first); err != nil {
		return err
	}
	return l.fail("delete from", l.loadHead())
}
