package sqlitestore

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/server"
)

// log is one user's handle of a file.
type log struct {
	store   *Storage
	storeID string
	file    *file
	closed  atomic.Bool
}

// statements are those of a log, compiled once a connection.
type statements struct {
	meta, setHead, insert, insertMany, read *sqlite.Stmt
}

// together is how many events one statement appends when there are that many.
const together = 8

const columns = 7

func (st *statements) prepare(c *sqlite.Conn) error {
	one := "(?" + strings.Repeat(", ?", columns-1) + ")"
	insert := "INSERT INTO events (seq, parent, name, args, client_id, session_id, created_at) VALUES " + one
	var errs []error
	for stmt, sql := range map[**sqlite.Stmt]string{
		&st.meta:       "SELECT store_id, backend_id, head FROM meta WHERE id = 1",
		&st.setHead:    "UPDATE meta SET head = ? WHERE id = 1",
		&st.insert:     insert,
		&st.insertMany: insert + strings.Repeat(", "+one, together-1),
		&st.read: "SELECT seq, parent, name, args, client_id, session_id, created_at FROM events " +
			"WHERE seq > ? ORDER BY seq LIMIT ?",
	} {
		var err error
		*stmt, err = c.Prepare(sqlite.Internal, sql)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// BackendID implements [server.Log].
func (l *log) BackendID() string { return l.file.backendID }

// use waits for the file.
func (l *log) use(ctx context.Context) error {
	if l.closed.Load() {
		return ErrClosed
	}
	return l.file.use(ctx)
}

// Head implements [server.Log].
func (l *log) Head(ctx context.Context) (int64, error) {
	if err := l.use(ctx); err != nil {
		return 0, err
	}
	defer l.file.done()
	head, err := l.file.head()
	return head, l.file.wrap("read the head of", err)
}

func (f *file) head() (head int64, err error) {
	err = f.st.meta.Each(nil, func(r *sqlite.Rows) { head = r.Int64(2) })
	return head, err
}

// Append implements [server.Log].
func (l *log) Append(ctx context.Context, parent int64, batch []server.Event) error {
	if err := l.use(ctx); err != nil {
		return err
	}
	defer l.file.done()
	return l.file.append(parent, batch)
}

func (f *file) append(parent int64, batch []server.Event) error {
	if err := f.conn.Begin(); err != nil {
		f.suspect = true
		return f.wrap("append to", err)
	}
	head, err := f.head()
	switch {
	case err != nil:
		return f.undo(err)
	case head != parent:
		return errors.Join(&server.HeadError{Head: head}, f.conn.Rollback())
	case len(batch) == 0:
		return f.wrap("append to", f.conn.Rollback())
	}
	if err := f.insert(batch); err != nil {
		return f.undo(err)
	}
	f.args = append(f.args[:0], batch[len(batch)-1].SeqNum)
	if err := f.st.setHead.Exec(f.args); err != nil {
		return f.undo(err)
	}
	if err := f.conn.Commit(); err != nil {
		f.suspect = true
		return f.undo(err)
	}
	return nil
}

// undo ends a transaction that failed.
func (f *file) undo(err error) error {
	if rollback := f.conn.Rollback(); rollback != nil {
		f.suspect = true
		err = errors.Join(err, rollback)
	}
	return f.wrap("append to", err)
}

func (f *file) insert(batch []server.Event) error {
	defer func() { clear(f.args[:cap(f.args)]) }() // they would keep the batch in memory
	for len(batch) > 0 {
		n, insert := 1, f.st.insert
		if len(batch) >= together {
			n, insert = together, f.st.insertMany
		}
		f.args = f.args[:0]
		for i := range batch[:n] {
			e := &batch[i]
			f.args = append(f.args, e.SeqNum, e.ParentSeqNum, e.Name, e.Args, e.ClientID, e.SessionID, e.CreatedAt)
		}
		if err := insert.Exec(f.args); err != nil {
			return err
		}
		batch = batch[n:]
	}
	return nil
}

// Read implements [server.Log].
func (l *log) Read(ctx context.Context, after int64, limit, maxBytes int) ([]server.Event, error) {
	if err := l.use(ctx); err != nil {
		return nil, err
	}
	defer l.file.done()
	events, err := l.file.read(after, limit, maxBytes)
	return events, l.file.wrap("read", err)
}

func (f *file) read(after int64, limit, maxBytes int) (events []server.Event, err error) {
	rows, err := f.st.read.Query([]any{after, max(limit, 1)})
	if err != nil {
		return nil, err
	}
	bytes := 0
	for rows.Next() {
		e := server.Event{
			Global: event.Global{
				SeqNum: rows.Int64(0), ParentSeqNum: rows.Int64(1), Name: rows.Text(2), Args: rows.Bytes(3),
				ClientID: rows.Text(4), SessionID: rows.Text(5),
			},
			CreatedAt: rows.Text(6),
		}
		bytes += server.EventSize(e)
		if len(events) > 0 && bytes > maxBytes {
			break
		}
		events = append(events, e)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	return events, nil
}

// Close implements [server.Log].
func (l *log) Close() error {
	if l.closed.Swap(true) {
		return nil
	}
	return l.store.release(l.storeID, l.file)
}
