package eventlog

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/sqlite"
)

// Options changes how [Open] opens an eventlog.
type Options struct {
	StoreID     string        // store the log is of; required
	VFS         string        // file system of package sqlite, empty for that of the operating system
	Memory      bool          // keep the log in memory only; path is then a name for messages
	NewClientID func() string // makes the client id of a new log; nil: 26 random letters and digits
}

// Log is an open eventlog. It is for one goroutine at a time.
type Log struct {
	path string
	conn *sqlite.Conn
	st   statements

	meta     Meta
	head     event.SeqNum
	headID   event.ID
	count    int64
	journals journals
	open     *transaction // nil outside of one
	broken   error        // why the log must be opened again
}

// Open opens the eventlog in the file path, and makes it when there is none. A file that is something else is a *[FormatError] and
// stays as it is; one that can not be used is a *[FileError].
func Open(path string, opts *Options) (_ *Log, err error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.StoreID == "" {
		return nil, errors.New("open eventlog: the store id is missing")
	}
	if o.NewClientID == nil {
		o.NewClientID = rand.Text
	}
	l := &Log{path: path}
	if !o.Memory && o.VFS == "" {
		if err := inspect(path); err != nil {
			return nil, l.wrap("open", err)
		}
	}
	file := path
	if o.Memory {
		file = ":memory:"
	}
	l.conn, err = sqlite.Open(file, &sqlite.Options{VFS: o.VFS, Sync: sqlite.Full})
	if err != nil {
		if sqlite.IsCorrupt(err) {
			return nil, &FormatError{Path: path, Reason: err.Error()}
		}
		return nil, l.wrap("open", err)
	}
	if err := l.begin(o); err != nil {
		return nil, errors.Join(l.wrap("open", err), l.conn.Close())
	}
	return l, nil
}

// begin checks whose file this is, makes the tables when it is new, and reads what is kept in memory.
func (l *Log) begin(o Options) error {
	app, err := l.conn.Integer("PRAGMA application_id")
	if err != nil {
		return err
	}
	version, err := l.conn.Integer("PRAGMA user_version")
	if err != nil {
		return err
	}
	switch {
	case app == 0 && version == 0:
		tables, err := l.conn.Integer("SELECT count(*) FROM sqlite_schema")
		if err != nil {
			return err
		}
		if tables > 0 {
			return &FormatError{Path: l.path, Reason: "it is an SQLite database of another application"}
		}
		if err := l.create(o); err != nil {
			return err
		}
	default:
		if err := checkIDs(l.path, app, version); err != nil {
			return err
		}
		if version < Version {
			if err := l.migrate(int(version), migrations); err != nil {
				return err
			}
		}
	}
	if err := l.st.prepare(l.conn); err != nil {
		return err
	}
	if err := l.load(); err != nil {
		return err
	}
	if l.meta.StoreID != o.StoreID {
		return &FormatError{Path: l.path, StoreID: l.meta.StoreID}
	}
	// A process that was killed may have left what is written and not synced. From here on others act on it: numbers are given after it
	// and journals deleted. So it must stay.
	return l.conn.Exec(sqlite.Internal, "PRAGMA wal_checkpoint(TRUNCATE)")
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

// inspect looks at the file before SQLite does, which would create files beside it.
func inspect(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &FormatError{Path: path, Reason: "it is no regular file"}
	}
	head := make([]byte, headLen)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	unsettled := false
	for _, suffix := range []string{"-wal", "-journal"} {
		beside, err := os.Stat(path + suffix)
		unsettled = unsettled || err == nil && beside.Size() > 0
	}
	return accept(path, head[:n], info.Size(), unsettled)
}

// headLen covers the header of the file and that of its first page.
const headLen = 112

// accept says what the first bytes of a file say: nil for an eventlog, and for whatever a creation that was cut short can leave. That is
// an empty file, or a database without tables; or, when the file is unsettled, which is to say that SQLite has yet to bring it in order
// from a file beside it, a first page that is half written.
func accept(path string, head []byte, size int64, unsettled bool) error {
	bad := func(reason string) error { return &FormatError{Path: path, Reason: reason} }
	if size == 0 {
		return nil
	}
	if len(head) < headLen || !strings.HasPrefix(string(head), "SQLite format 3\x00") {
		switch {
		case unsettled:
			return nil
		case len(head) < headLen:
			return bad(fmt.Sprintf("it has only %d bytes", len(head)))
		}
		return bad("it is no SQLite database")
	}
	app, version := int64(int32(binary.BigEndian.Uint32(head[68:]))), int64(int32(binary.BigEndian.Uint32(head[60:])))
	if app != 0 || version != 0 && !unsettled {
		return checkIDs(path, app, version)
	}
	pageSize := int64(binary.BigEndian.Uint16(head[16:]))
	if pageSize == 1 {
		pageSize = 65536
	}
	// The ids are written with the first table, and stand before it.
	leaf, cells := head[100] == 13, binary.BigEndian.Uint16(head[103:])
	if cells > 0 || !unsettled && (!leaf || size > pageSize) {
		return bad("it is an SQLite database of another application")
	}
	return nil
}

// create makes the tables of a new log.
func (l *Log) create(o Options) (err error) {
	if err := l.conn.Begin(); err != nil {
		return err
	}
	err = l.conn.Script(fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", ApplicationID, Version) + schema)
	if err == nil {
		err = l.conn.Exec(sqlite.Internal, "INSERT INTO meta (id, client_id, store_id) VALUES (1, ?, ?)", o.NewClientID(), o.StoreID)
	}
	if err != nil {
		return errors.Join(err, l.conn.Rollback())
	}
	if err := l.conn.Commit(); err != nil {
		return err
	}
	// From here on the head of the file itself says whose it is.
	return l.conn.Exec(sqlite.Internal, "PRAGMA wal_checkpoint(TRUNCATE)")
}

// migrate brings an older file to the version after the last of steps.
func (l *Log) migrate(from int, steps []string) error {
	if err := l.conn.Begin(); err != nil {
		return err
	}
	for i, sql := range steps[from-1:] {
		err := l.conn.Script(fmt.Sprintf("%s; PRAGMA user_version = %d", sql, from+i+1))
		if err != nil {
			return errors.Join(fmt.Errorf("migrate from version %d to %d: %w", from+i, from+i+1, err), l.conn.Rollback())
		}
	}
	if err := l.conn.Commit(); err != nil {
		return err
	}
	return l.conn.Exec(sqlite.Internal, "PRAGMA wal_checkpoint(TRUNCATE)")
}

// wrap makes an error of the file name the file and what was done with it. Errors of this package stay as they are.
func (l *Log) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*FormatError](err); ok {
		return err
	}
	return &FileError{Path: l.path, Op: op, Err: err}
}

// Close closes the file. An open transaction is rolled back.
func (l *Log) Close() error {
	if l.conn == nil {
		return nil
	}
	err := l.Rollback()
	err = errors.Join(err, l.wrap("close", l.conn.Close()))
	l.conn, l.broken = nil, ErrClosed
	return err
}

// Path returns the file of the log.
func (l *Log) Path() string { return l.path }

// Check reads the whole file and returns a *[FileError] when it is damaged.
func (l *Log) Check() error {
	if l.broken != nil {
		return l.broken
	}
	return l.wrap("check", l.conn.IntegrityCheck())
}
