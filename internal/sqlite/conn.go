package sqlite

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/ext/fts5"
)

// Mode says on whose behalf a statement is prepared, and so what it may do.
type Mode uint8

const (
	// Internal statements are our own: everything is allowed.
	Internal Mode = iota
	// Read statements are reads of an app: one SELECT. Writes, PRAGMA and its table functions, ATTACH and transaction control
	// are refused.
	Read
	// Materialize statements run inside a materializer: SELECT, INSERT, UPDATE and DELETE on the app's tables. DDL, PRAGMA,
	// ATTACH, transactions, tables of SQLite's and of ours (__livestore_*), and each function whose result is not the same
	// everywhere are refused.
	Materialize
	// Define statements are the DDL of a schema; see [Conn.Define].
	Define
)

// String returns the words an error message uses.
func (m Mode) String() string {
	switch m {
	case Internal:
		return "a statement of the library"
	case Read:
		return "a read"
	case Materialize:
		return "a materializer"
	default:
		return "a schema"
	}
}

// Sync says when a file is forced to the disk.
type Sync uint8

const (
	// Normal syncs at checkpoints: a commit survives the end of the process, and a loss of power may cost the last commits
	// but never damages the file. It is the default.
	Normal Sync = iota
	// Full syncs at each commit: a commit that returned survives a loss of power.
	Full
	// Off never syncs: a loss of power may damage the file.
	Off
)

// Memory one connection may have, as address space: pages of a database in memory count, those of a file hardly do. The
// space is reserved at once and used as needed. Where an int has 32 bits the library's own default of 32 MB holds.
const (
	memoryDatabase = 1 << 30
	memoryFile     = 256 << 20
	memoryOther    = 64 << 20 // of memoryDatabase, what statements, sorting and the page cache keep for themselves
	pageSize       = 4096
)

// Options changes how [Open] opens a database. Nil means the defaults: the operating system's files, read and write, Normal,
// with a write-ahead log.
type Options struct {
	VFS      string // name of a registered file system; empty: the operating system's
	ReadOnly bool   // open an existing file and change nothing, not even beside it
	Sync     Sync   // when the file is forced to the disk
	NoWAL    bool   // keep the rollback journal in memory: for a file that is built and thrown away if the process ends
}

// Conn is a connection to one database. It is for one goroutine at a time.
type Conn struct {
	raw  *sqlite3.Conn
	path string

	mode      Mode       // of the statement that is being prepared
	preparing *gathering // what the authorizer saw of it; nil at all other times
	sawDDL    bool       // the authorizer saw a change of the schema since this was last looked at
	ddlOpen   bool       // the open transaction changed the schema
	ddlDepth  int        // of the savepoint in which it did so last; 0 outside of all

	catalog    *catalog // nil when it must be read again
	generation uint64   // grows with each change of the schema; a statement of an older one is prepared anew
	cache      [Define + 1]cache
	own        ownStatements

	onRow func(*Row) // told of each row that changes; may be nil
	row   Row        // the one it is being told of

	log       undoLog
	recording bool
	digesting bool
	digest    uint64
	undoing   bool
	ftsDirty  bool // a full-text table may hold changes that it has not written to its shadow tables yet
	begun     bool // Begin without Commit or Rollback
	depth     int  // open savepoints
}

// Open opens the database at path, and creates it when there is none. ":memory:" is a private database in memory, of up to
// 960 MB. A file belongs to one connection at a time, in this process and all others: a second one gets an error that
// [IsBusy] recognises. A file that is no database, or a damaged one, gives a *[CorruptError].
func Open(path string, opts *Options) (*Conn, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	c, err := open(path, o)
	if err != nil {
		if IsCorrupt(err) {
			err = &CorruptError{Path: path, Err: err}
		}
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	return c, nil
}

func open(path string, o Options) (_ *Conn, err error) {
	defer rescue(&err)
	c := &Conn{path: path}
	for i := range c.cache {
		c.cache[i].init()
	}
	name, flags := fileName(path, o)
	memory := int64(memoryFile)
	if path == memoryPath {
		memory = memoryDatabase
	}
	ctx := context.Background()
	if strconv.IntSize == 64 {
		ctx = sqlite3.WithMaxMemory(ctx, memory)
	}
	c.raw, err = openRaw(ctx, name, flags)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.raw.Close()
		}
	}()
	// Before any statement is prepared: a statement prepared without the hook may delete a whole table without reporting
	// rows, and setting an authorizer later expires every statement.
	if err := c.raw.SetAuthorizer(c.authorize); err != nil {
		return nil, err
	}
	c.raw.PreUpdateHook(c.recordRow)
	if err := c.configure(o); err != nil {
		return nil, err
	}
	return c, nil
}

const memoryPath = ":memory:"

func openRaw(ctx context.Context, name string, flags sqlite3.OpenFlag) (*sqlite3.Conn, error) {
	if flags&sqlite3.OPEN_READONLY == 0 {
		return sqlite3.OpenContext(ctx, name)
	}
	// The library takes a context only without flags, so a connection that only reads has the default memory.
	return sqlite3.OpenFlags(name, flags)
}

// fileName returns the URI of a database, since a path that begins with "file:" would be taken for one.
func fileName(path string, o Options) (string, sqlite3.OpenFlag) {
	flags := sqlite3.OPEN_READWRITE | sqlite3.OPEN_CREATE | sqlite3.OPEN_URI
	if path == memoryPath {
		return path, flags
	}
	query := url.Values{}
	if o.VFS != "" {
		query.Set("vfs", o.VFS)
	}
	if o.ReadOnly {
		flags = sqlite3.OPEN_READONLY | sqlite3.OPEN_URI
		// Without a log beside it the file is complete, and can be read where nothing may be written.
		if st, err := os.Stat(path + "-wal"); o.VFS == "" && (err != nil || st.Size() == 0) {
			query.Set("immutable", "1")
		}
	}
	name := "file:" + (&url.URL{Path: path}).EscapedPath()
	if len(query) > 0 {
		name += "?" + query.Encode()
	}
	return name, flags
}

func (c *Conn) configure(o Options) error {
	file := c.path != memoryPath && !o.ReadOnly
	first := "PRAGMA temp_store=MEMORY;"
	if file {
		// Before the file is read, and so before its log is used: the log is then indexed in memory and no file is shared.
		first += "PRAGMA locking_mode=EXCLUSIVE;"
	}
	if err := c.raw.Exec(first); err != nil {
		return err
	}
	if err := fts5.Register(c.raw); err != nil { // reads the file
		return err
	}
	if c.path == memoryPath {
		return c.raw.Exec("PRAGMA max_page_count=" + strconv.Itoa((memoryDatabase-memoryOther)/pageSize))
	}
	settings := ""
	if file {
		want := "wal"
		if o.NoWAL {
			want = "memory"
		}
		got := ""
		err := c.each("PRAGMA journal_mode="+want, func(s *sqlite3.Stmt) { got = s.ColumnText(0) })
		if err == nil && got != want {
			err = fmt.Errorf("its journal can only be kept as %q", got)
		}
		if err != nil {
			return err
		}
		settings += "PRAGMA synchronous=" + [...]string{Normal: "NORMAL", Full: "FULL", Off: "OFF"}[o.Sync] + ";"
		// Taking the right to write takes the lock, so that it is this call that fails when somebody else has the file.
		settings += "BEGIN IMMEDIATE; COMMIT;"
	}
	return c.raw.Exec(settings + "SELECT count(*) FROM sqlite_schema")
}

// Close closes the database. Statements and rows of the connection are not usable any more. Closing twice is allowed.
func (c *Conn) Close() error {
	if c.raw == nil {
		return nil
	}
	c.recording = false
	c.invalidate()
	c.own.close()
	for _, s := range openStatements(c.raw) {
		s.Close()
	}
	err := c.raw.Close()
	c.raw = nil
	if err != nil {
		return fmt.Errorf("close database %s: %w", c.path, err)
	}
	return nil
}

func openStatements(raw *sqlite3.Conn) []*sqlite3.Stmt {
	var all []*sqlite3.Stmt
	for s := range raw.Stmts() {
		all = append(all, s)
	}
	return all
}

// Script runs several statements of our own, separated by semicolons, without arguments and without results. It stops at
// the first that fails.
func (c *Conn) Script(sql string) (err error) {
	defer rescue(&err)
	c.flush()
	err = c.raw.Exec(sql)
	// Which tables it wrote is not known.
	c.ftsDirty = true
	c.settle()
	if err != nil {
		return fmt.Errorf("run script %q: %w", shorten(sql), err)
	}
	return nil
}

// settle brings what the connection knows in line with what was executed.
func (c *Conn) settle() {
	auto := c.raw.GetAutocommit()
	if auto {
		c.ftsDirty = false
		if c.begun || c.depth > 0 {
			c.sawDDL = c.sawDDL || c.ddlOpen // the transaction is gone, and its changes of the schema with it
		}
	}
	if c.sawDDL {
		c.ddlOpen, c.ddlDepth = !auto, max(c.ddlDepth, c.depth)
		c.invalidate()
	}
}

// invalidate forgets what was derived from the schema, and learns anew what recording needs.
func (c *Conn) invalidate() {
	defer func() {
		if c.recording {
			if err := c.ensureCatalog(); err != nil && c.log.err == nil {
				c.log.err = err
			}
		}
	}()
	c.sawDDL = false
	c.generation++
	if c.catalog != nil {
		c.catalog.close()
		c.catalog = nil
	}
	for i := range c.cache {
		c.cache[i].clear()
	}
}

// IntegrityCheck reads the whole database, full-text tables included, and returns a *[CorruptError] when it is damaged.
func (c *Conn) IntegrityCheck() (err error) {
	defer rescue(&err)
	c.flush()
	s, err := c.Prepare(Internal, "PRAGMA integrity_check(10)")
	if err != nil {
		return err
	}
	rows, err := s.Query(nil)
	if err != nil {
		return err
	}
	defer rows.Close()
	var found []error
	for rows.Next() {
		if text := rows.Text(0); text != "ok" {
			found = append(found, errors.New(text))
		}
	}
	if err := errors.Join(append(found, rows.Err())...); err != nil {
		path := c.path
		if path == memoryPath {
			path = ""
		}
		return &CorruptError{Path: path, Err: err}
	}
	return nil
}
