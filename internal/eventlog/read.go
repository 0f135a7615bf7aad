package eventlog

import (
	"fmt"
	"iter"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/sqlite"
)

// How many events one statement reads: few at first, for whoever looks at the next ones only, and then more and more.
const (
	firstPage = 64
	page      = 512
)

// position is the column after those of an event.
const position = 16

// Head returns the number and the identity of the last event, e0 and the zero identity of an empty log.
func (l *Log) Head() (event.SeqNum, event.ID) { return l.head, l.headID }

// Count returns how many events are in the log.
func (l *Log) Count() int64 { return l.count }

// Read reads up to limit events after a position, all when limit is 0, in the order of the log. The position need not be that of an
// event; its generation does not count. The log may be changed while it goes on.
func (l *Log) Read(after event.SeqNum, limit int) iter.Seq2[event.Client, error] {
	return func(yield func(event.Client, error) bool) {
		if l.broken != nil {
			yield(event.Client{}, l.broken)
			return
		}
		next, err := l.position(after)
		var events []event.Client
		for left, size := limit, firstPage; err == nil; size = min(2*size, page) {
			n := size
			if limit > 0 {
				n = min(n, left)
			}
			events = events[:0]
			err = l.st.page.Each([]any{next, n}, func(r *sqlite.Rows) {
				events = append(events, l.scan(r))
				next = r.Int64(position) + 1
			})
			if err != nil {
				break
			}
			for _, e := range events {
				if !yield(e, nil) {
					return
				}
			}
			left -= len(events)
			if len(events) < n || limit > 0 && left == 0 {
				return
			}
			if l.broken != nil { // closed by now
				yield(event.Client{}, l.broken)
				return
			}
		}
		yield(event.Client{}, l.wrap("read", err))
	}
}

// Collect reads what an iteration gives into a slice.
func Collect(events iter.Seq2[event.Client, error]) ([]event.Client, error) {
	var all []event.Client
	for e, err := range events {
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// position returns the place in the log of the first event after a number.
func (l *Log) position(after event.SeqNum) (int64, error) {
	if after.ComparePosition(l.head) >= 0 {
		return l.count + 1, nil
	}
	if after.ComparePosition(event.SeqNum{}) <= 0 {
		return 1, nil
	}
	at := l.count + 1
	err := l.st.position.Each([]any{after.Global, after.Client}, func(r *sqlite.Rows) { at = r.Int64(0) })
	return at, err
}

// At returns the event at a position, whatever its generation; false when there is none.
func (l *Log) At(n event.SeqNum) (event.Client, bool, error) {
	return l.one(l.st.at, n.Global, n.Client)
}

// Find returns the event with an identity; false when it is not in the log.
func (l *Log) Find(id event.ID) (event.Client, bool, error) {
	row, ok := l.journals.known[id.Commit.Journal]
	if !ok || id.IsZero() {
		return event.Client{}, false, l.broken
	}
	return l.one(l.st.find, row.id, int64(id.Commit.Ordinal), id.Index)
}

func (l *Log) one(s *sqlite.Stmt, args ...any) (e event.Client, ok bool, err error) {
	if l.broken != nil {
		return event.Client{}, false, l.broken
	}
	err = s.Each(args, func(r *sqlite.Rows) { e, ok = l.scan(r), true })
	return e, ok, l.wrap("read", err)
}

// Committed returns the events of a commit that are in the log, in the order of their index; none when it is not.
func (l *Log) Committed(id event.CommitID) ([]event.Client, error) {
	row, ok := l.journals.known[id.Journal]
	if l.broken != nil || !ok || id.IsZero() {
		return nil, l.broken
	}
	var events []event.Client
	err := l.st.committed.Each([]any{row.id, int64(id.Ordinal)}, func(r *sqlite.Rows) { events = append(events, l.scan(r)) })
	return events, l.wrap("read", err)
}

// scan reads the columns of eventColumns.
func (l *Log) scan(r *sqlite.Rows) event.Client {
	e := event.Client{
		Num:    event.SeqNum{Global: r.Int64(0), Client: r.Int64(1), Generation: r.Int64(2)},
		Parent: event.SeqNum{Global: r.Int64(3), Client: r.Int64(4), Generation: r.Int64(5)},
		Name:   r.Text(6), Args: jsontext.Value(r.Bytes(7)), ClientID: r.Text(8), SessionID: r.Text(9),
		Cause: r.Text(13), SchemaHash: r.Text(14),
	}
	if !r.IsNull(10) {
		e.ID = event.ID{
			Commit: event.CommitID{Journal: l.journals.name(r.Int64(10)), Ordinal: uint64(r.Int64(11))},
			Index:  int(r.Int64(12)),
		}
	}
	if !r.IsNull(15) {
		e.SyncMeta = jsontext.Value(r.Bytes(15))
	}
	return e
}

// statements are those of an open log.
type statements struct {
	insert, insertMany                                                      *sqlite.Stmt
	deleteFrom, identities, last, page, position, at, find, committed       *sqlite.Stmt
	meta, setGeneration, setUpstream, setBackend, setCarried, slot, setSlot *sqlite.Stmt
	journals, addJournal, setTaken, forget                                  *sqlite.Stmt
	asides, asideEvents, addAside, addAsideEvent, deleteAside               *sqlite.Stmt
	archive, archived, deleteAsides                                         *sqlite.Stmt
	waiting, addWaiting, deleteWaiting                                      *sqlite.Stmt

	args []any // of the last append, to be used again
}

func (s *statements) prepare(conn *sqlite.Conn) error {
	const (
		values = "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"
		events = "SELECT " + eventColumns + ", position FROM events "
		insert = "INSERT INTO events (position, " + eventColumns + ") VALUES (?, " + values + ")"
	)
	for _, p := range []struct {
		to  **sqlite.Stmt
		sql string
	}{
		{&s.insert, insert},
		{&s.insertMany, insert + strings.Repeat(", (?, "+values+")", together-1)},
		{&s.deleteFrom, "DELETE FROM events WHERE position >= ?"},
		{&s.identities, "SELECT journal, ordinal, idx FROM events WHERE position >= ? AND journal IS NOT NULL"},
		{&s.last, events + "ORDER BY position DESC LIMIT 1"},
		{&s.page, events + "WHERE position >= ? ORDER BY position LIMIT ?"},
		{&s.position, "SELECT position FROM events WHERE (global, client) > (?, ?) ORDER BY global, client LIMIT 1"},
		{&s.at, events + "WHERE global = ? AND client = ?"},
		{&s.find, events + "WHERE journal = ? AND ordinal = ? AND idx = ?"},
		{&s.committed, events + "WHERE journal = ? AND ordinal = ? ORDER BY idx"},

		{&s.meta, `SELECT client_id, store_id, generation, upstream_global, upstream_client, upstream_generation, backend_id, carried FROM meta`},
		{&s.setGeneration, "UPDATE meta SET generation = ?"},
		{&s.setCarried, "UPDATE meta SET carried = ?"},
		{&s.setUpstream, "UPDATE meta SET upstream_global = ?, upstream_client = ?, upstream_generation = ?"},
		{&s.setBackend, "UPDATE meta SET backend_id = ?"},
		{&s.slot, "SELECT session_id FROM slots WHERE slot = ?"},
		{&s.setSlot, "INSERT INTO slots (slot, session_id) VALUES (?, ?)"},

		{&s.journals, "SELECT id, journal, taken, gone FROM journals"},
		{&s.addJournal, "INSERT INTO journals (id, journal) VALUES (?, ?)"},
		{&s.setTaken, "UPDATE journals SET taken = ?, gone = 0 WHERE id = ?"},
		{&s.forget, "UPDATE journals SET gone = 1 WHERE id = ?"},

		{&s.asides, "SELECT journal, ordinal, error, at FROM set_aside ORDER BY rowid"},
		{&s.asideEvents, "SELECT " + eventColumns + " FROM set_aside_events WHERE journal = ? AND ordinal = ? ORDER BY idx"},
		{&s.addAside, "INSERT INTO set_aside (journal, ordinal, error, at) VALUES (?, ?, ?, ?)"},
		{&s.addAsideEvent, "INSERT INTO set_aside_events (" + eventColumns + ") VALUES (" + values + ")"},
		{&s.deleteAside, "DELETE FROM set_aside WHERE journal = ? AND ordinal = ?"},
		{&s.deleteAsides, "DELETE FROM set_aside"},

		{&s.archive, `INSERT INTO archive (global, parent_global, name, args, client_id, session_id, backend_id, at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`},
		{&s.archived, `SELECT id, global, parent_global, name, args, client_id, session_id, backend_id, at FROM archive
			WHERE id > ? ORDER BY id LIMIT ?`},

		{&s.waiting, "SELECT global, parent_global, name, args, client_id, session_id, backend_id FROM waiting ORDER BY global"},
		{&s.addWaiting, `INSERT INTO waiting (global, parent_global, name, args, client_id, session_id, backend_id)
			VALUES (?, ?, ?, ?, ?, ?, ?)`},
		{&s.deleteWaiting, "DELETE FROM waiting"},
	} {
		var err error
		if *p.to, err = conn.Prepare(sqlite.Internal, p.sql); err != nil {
			return fmt.Errorf("prepare %q: %w", p.sql, err)
		}
	}
	return nil
}
