package sqlitestore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/internal/storedir"
	"github.com/livestore-go/livestore/server"
)

// ApplicationID is the application_id of a file: "LSSB".
const ApplicationID = 0x4C535342

// Version is the version of the format that this package writes, and the newest it reads.
const Version = 1

const schema = `
CREATE TABLE meta (
	id         INTEGER PRIMARY KEY CHECK (id = 1),
	store_id   TEXT    NOT NULL,
	backend_id TEXT    NOT NULL,
	head       INTEGER NOT NULL
);
CREATE TABLE events (
	seq        INTEGER PRIMARY KEY,
	parent     INTEGER NOT NULL,
	name       TEXT    NOT NULL,
	args       TEXT    NOT NULL,
	client_id  TEXT    NOT NULL,
	session_id TEXT    NOT NULL,
	created_at TEXT    NOT NULL
);
`

// file is the open file of one store, shared by the logs of it.
type file struct {
	path   string
	place  *storedir.Dir // nil: a directory of the operating system
	users  int           // guarded by Store.mu
	opened chan struct{} // closed when open has returned
	err    error         // of open; to be read after opened
	gone   chan struct{} // closed when the last user has closed it

	turn      chan struct{} // holds a token for whoever uses what is below
	conn      *sqlite.Conn  // nil when closed, or when it could not be opened anew
	closed    bool
	st        statements
	backendID string
	storeID   string
	suspect   bool // a commit failed in a way that leaves the connection in doubt: it is opened anew before the next use
	args      []any
}

func newFile(path string, place *storedir.Dir) *file {
	f := &file{path: path, place: place, opened: make(chan struct{}), gone: make(chan struct{}), turn: make(chan struct{}, 1)}
	f.turn <- struct{}{}
	return f
}

// open opens the file, and makes it when there is none.
func (f *file) open(storeID string) (err error) {
	f.storeID = storeID
	isNew, err := f.inspect()
	if err == nil && isNew {
		err = f.make()
	}
	if err != nil {
		return f.wrap("open", err)
	}
	if err := f.connect(); err != nil {
		return errors.Join(err, f.close())
	}
	return nil
}

// connect opens the connection and reads what is kept in memory.
func (f *file) connect() (err error) {
	o := &sqlite.Options{Sync: sqlite.Full}
	if f.place != nil {
		o.VFS = f.place.VFS
	}
	f.conn, err = sqlite.Open(f.path, o)
	if err != nil {
		if sqlite.IsCorrupt(err) {
			return &FormatError{Path: f.path, Reason: err.Error()}
		}
		return f.wrap("open", err)
	}
	f.suspect = false
	return f.wrap("open", f.begin())
}

// begin checks whose file this is and makes the tables when it is new.
func (f *file) begin() error {
	app, err := f.conn.Integer("PRAGMA application_id")
	if err != nil {
		return err
	}
	version, err := f.conn.Integer("PRAGMA user_version")
	if err != nil {
		return err
	}
	if app == 0 && version == 0 {
		tables, err := f.conn.Integer("SELECT count(*) FROM sqlite_schema")
		if err != nil {
			return err
		}
		if tables > 0 {
			return &FormatError{Path: f.path, Reason: "it is an SQLite database of another application"}
		}
		if err := f.create(); err != nil {
			return err
		}
	} else if err := checkIDs(f.path, app, version); err != nil {
		return err
	}
	if err := f.st.prepare(f.conn); err != nil {
		return err
	}
	return f.load()
}

// create makes the tables of a new file.
func (f *file) create() (err error) {
	if err := f.conn.Begin(); err != nil {
		return err
	}
	err = f.conn.Script(fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", ApplicationID, Version) + schema)
	if err == nil {
		err = f.conn.Exec(sqlite.Internal, "INSERT INTO meta (id, store_id, backend_id, head) VALUES (1, ?, ?, 0)",
			f.storeID, f.newID())
	}
	if err != nil {
		return errors.Join(err, f.conn.Rollback())
	}
	if err := f.conn.Commit(); err != nil {
		return errors.Join(err, f.conn.Rollback())
	}
	// From here on the head of the file itself says whose it is.
	return f.conn.Exec(sqlite.Internal, "PRAGMA wal_checkpoint(TRUNCATE)")
}

func (f *file) newID() string {
	if f.place != nil {
		return f.place.NewBackendID()
	}
	return server.NewBackendID()
}

// load reads whose file this is and compares the head with the events.
func (f *file) load() error {
	storeID, found, head := "", false, int64(0)
	err := f.st.meta.Each(nil, func(r *sqlite.Rows) {
		found = true
		storeID, f.backendID, head = r.Text(0), r.Text(1), r.Int64(2)
	})
	if err != nil {
		return err
	}
	switch last, err := f.conn.Integer("SELECT coalesce(max(seq), 0) FROM events"); {
	case err != nil:
		return err
	case !found || f.backendID == "":
		return &FormatError{Path: f.path, Reason: "its table meta is empty"}
	case storeID != f.storeID:
		return &FormatError{Path: f.path, StoreID: storeID}
	case last != head:
		return &FormatError{Path: f.path, Reason: fmt.Sprintf("its head is e%d and its last event is e%d", head, last)}
	}
	// A process that was killed may have left what is written and not synced. From here on clients see it, so it must stay.
	return f.conn.Exec(sqlite.Internal, "PRAGMA wal_checkpoint(TRUNCATE)")
}

func checkIDs(path string, app, version int64) error {
	switch {
	case app != ApplicationID:
		return &FormatError{Path: path, Reason: fmt.Sprintf("its application id is %#x", uint32(app))}
	case version > Version:
		return &FormatError{Path: path, Version: int(version)}
	case version < 1:
		return &FormatError{Path: path, Reason: fmt.Sprintf("there is no format version %d", version)}
	}
	return nil
}

// accept says what the first bytes of a file say: nil for a log, and for whatever a creation that was cut short can leave. That is an
// empty file, a database without tables, or anything at all of which the true content still lies in the file beside it.
func accept(path string, head []byte, size int64, unsettled bool) error {
	bad := func(reason string) error { return &FormatError{Path: path, Reason: reason} }
	if size == 0 || unsettled {
		return nil
	}
	switch {
	case len(head) < headLen:
		return bad(fmt.Sprintf("it has only %d bytes", len(head)))
	case !strings.HasPrefix(string(head), "SQLite format 3\x00"):
		return bad("it is no SQLite database")
	}
	app, version := int64(int32(binary.BigEndian.Uint32(head[68:]))), int64(int32(binary.BigEndian.Uint32(head[60:])))
	if app != 0 || version != 0 {
		return checkIDs(path, app, version)
	}
	if leaf, cells := head[100] == 13, binary.BigEndian.Uint16(head[103:]); !leaf || cells > 0 {
		return bad("it is an SQLite database of another application")
	}
	return nil
}

// close closes the connection.
func (f *file) close() error {
	<-f.turn
	defer f.done()
	f.closed = true
	if f.conn == nil {
		return nil
	}
	err := f.wrap("close", f.conn.Close())
	f.conn = nil
	return err
}

// use waits for the turn of the caller and for a connection that can be trusted. The caller gives the turn back with done.
func (f *file) use(ctx context.Context) error {
	select {
	case <-f.turn:
	default:
		select {
		case <-f.turn:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err := ctx.Err()
	if err == nil && f.closed {
		err = ErrClosed
	}
	if err == nil && f.suspect {
		err = f.again()
	}
	if err != nil {
		f.done()
	}
	return err
}

func (f *file) done() { f.turn <- struct{}{} }

// again opens the connection anew: what the file holds is then what counts.
func (f *file) again() error {
	if f.conn != nil {
		_ = f.conn.Close() // it is in doubt anyway; what matters is whether the file opens
		f.conn = nil
	}
	if _, err := f.inspect(); err != nil {
		return f.wrap("open", err)
	}
	err := f.connect()
	f.suspect = err != nil
	return err
}

// wrap makes an error of the file name the file and what was done with it. Errors of this package stay as they are.
func (f *file) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*FormatError](err); ok {
		return err
	}
	if _, ok := errors.AsType[*FileError](err); ok {
		return err
	}
	return &FileError{Path: f.path, Op: op, Err: err}
}
