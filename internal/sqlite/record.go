package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/ncruces/go-sqlite3"
)

// undoLog is what was recorded and not taken yet.
type undoLog struct {
	names   []tableName // each table that was ever recorded; only ever appended to, so changes share it
	ids     map[string]int32
	entries []entry
	data    []byte
	err     error // a row could not be recorded; what was recorded since is of no use
}

// tableName is a table as the database knows it, and as an app does.
type tableName struct{ name, owner string }

// entry is one row before it changed.
type entry struct {
	offset int    // where its values begin in the data
	size   uint32 // of its values; a row has at most a billion bytes
	table  int32
	op     op
}

// op says what was done to a row, and so what its entry holds.
type op uint8

const (
	opInsert    op = iota + 1 // rowid
	opDelete                  // rowid, row
	opUpdate                  // rowid before, rowid after, row before
	opKeyInsert               // key; for a table without rowid, as the next two
	opKeyDelete               // row
	opKeyUpdate               // key after, row before
)

// Mark is a position in the undo log of a connection.
type Mark struct{ entries, data int }

func (l *undoLog) mark() Mark { return Mark{len(l.entries), len(l.data)} }

func (l *undoLog) truncate(m Mark) {
	l.entries, l.data, l.err = l.entries[:min(m.entries, len(l.entries))], l.data[:min(m.data, len(l.data))], nil
}

// keepBuffers is the size up to which the buffers of the undo log are kept for what comes next, in bytes.
const keepBuffers = 1 << 20

// Record switches recording on or off. It is off at first. Every table is recorded, those named __livestore_* too.
func (c *Conn) Record(on bool) {
	c.flush()
	if on {
		if err := c.ensureCatalog(); err != nil {
			c.log.err = err
		}
	}
	c.recording = on
}

// Mark returns the position the undo log has reached.
func (c *Conn) Mark() Mark {
	if c.recording {
		c.flush()
	}
	return c.log.mark()
}

// Truncate forgets what was recorded after m: what a savepoint did that was rolled back.
func (c *Conn) Truncate(m Mark) {
	c.flush()
	c.log.truncate(m)
}

// Take returns what was recorded since m, and removes it from the log.
func (c *Conn) Take(m Mark) Changes {
	c.flush()
	l := &c.log
	ch := Changes{err: l.err}
	if m.entries < len(l.entries) {
		ch.names = slices.Clip(l.names)
		ch.entries = append([]entry(nil), l.entries[m.entries:]...)
		ch.data = append([]byte(nil), l.data[m.data:]...)
		for i := range ch.entries {
			ch.entries[i].offset -= m.data
		}
	}
	l.truncate(m)
	if m.entries == 0 && cap(l.data) > keepBuffers {
		l.entries, l.data = nil, nil
	}
	return ch
}

// flush makes full-text tables write what they hold back to their shadow tables, so that it is recorded where it belongs:
// setting a savepoint does.
func (c *Conn) flush() {
	if !c.ftsDirty {
		return
	}
	c.ftsDirty = false
	if c.raw.GetAutocommit() {
		return
	}
	err := c.run(&c.own.savepoint, "SAVEPOINT livestore")
	if err == nil {
		err = c.run(&c.own.release, "RELEASE livestore")
	}
	if err != nil && c.log.err == nil {
		c.log.err = fmt.Errorf("write full-text tables: %w", err)
	}
}

// errLastRowid refuses the one rowid after which SQLite chooses the next ones at random.
var errLastRowid = errors.New("the rowid 9223372036854775807 would make SQLite choose those of later rows at random: use a smaller number")

var errUnknownTable = errors.New("the table is not in the schema as it was when recording began")

// recordRow is SQLite's preupdate hook, called before each row changes.
func (c *Conn) recordRow(p sqlite3.PreUpdateData) {
	if p.Schema != "main" {
		return
	}
	var t *table
	if c.catalog != nil && (c.onRow != nil || c.recording || c.digesting) {
		t = c.catalog.find(p.Table)
	}
	if c.onRow != nil && t != nil && !t.reserved() {
		c.tell(t, &p)
	}
	if c.undoing {
		return
	}
	if c.digesting && t != nil && t.kind == kindTable && !t.reserved() {
		c.addDigest(t, &p)
	}
	if p.NewRowID == math.MaxInt64 && (p.Op == sqlite3.AUTH_INSERT || p.Op == sqlite3.AUTH_UPDATE) {
		c.log.fail(p.Table, errLastRowid)
	}
	if !c.recording {
		return
	}
	l := &c.log
	if t == nil {
		l.fail(p.Table, errUnknownTable)
		return
	}
	if t.logID < 0 {
		t.logID = l.id(t)
	}
	e := entry{offset: len(l.data), table: t.logID}
	var err error
	switch {
	case t.withoutRowid && p.Op == sqlite3.AUTH_INSERT:
		e.op = opKeyInsert
		err = l.key(&p, t)
	case t.withoutRowid && p.Op == sqlite3.AUTH_DELETE:
		e.op = opKeyDelete
		err = l.row(&p, t)
	case t.withoutRowid:
		e.op = opKeyUpdate
		if err = l.key(&p, t); err == nil {
			err = l.row(&p, t)
		}
	case p.Op == sqlite3.AUTH_INSERT:
		e.op = opInsert
		l.data = binary.AppendVarint(l.data, p.NewRowID)
	case p.Op == sqlite3.AUTH_DELETE && p.BlobWrite() >= 0:
		// A write into a blob, which is how FTS5 counts its settings up, says that it deletes and deletes nothing.
		e.op = opUpdate
		l.data = binary.AppendVarint(l.data, p.OldRowID)
		l.data = binary.AppendVarint(l.data, p.OldRowID)
		err = l.row(&p, t)
	case p.Op == sqlite3.AUTH_DELETE:
		e.op = opDelete
		l.data = binary.AppendVarint(l.data, p.OldRowID)
		err = l.row(&p, t)
	default:
		e.op = opUpdate
		l.data = binary.AppendVarint(l.data, p.OldRowID)
		l.data = binary.AppendVarint(l.data, p.NewRowID)
		err = l.row(&p, t)
	}
	if err != nil {
		l.data = l.data[:e.offset]
		l.fail(t.name, err)
		return
	}
	e.size = uint32(len(l.data) - e.offset)
	l.entries = append(l.entries, e)
}

func (l *undoLog) fail(table string, err error) {
	if l.err == nil {
		l.err = fmt.Errorf("record a change of table %s: %w", table, err)
	}
}

func (l *undoLog) id(t *table) int32 {
	if id, ok := l.ids[t.name]; ok && l.names[id].owner == t.owner {
		return id
	}
	if l.ids == nil {
		l.ids = map[string]int32{}
	}
	id := int32(len(l.names))
	l.names = append(l.names, tableName{t.name, t.owner})
	l.ids[t.name] = id
	return id
}

// row appends the values of a row before it changes.
func (l *undoLog) row(p *sqlite3.PreUpdateData, t *table) error {
	l.data = binary.AppendUvarint(l.data, uint64(len(t.columns)))
	for i := range t.columns {
		v, err := p.Old(t.columns[i].index)
		if err != nil {
			return err
		}
		l.data = appendValue(l.data, v)
	}
	return nil
}

// key appends the primary key of a row after it changed.
func (l *undoLog) key(p *sqlite3.PreUpdateData, t *table) error {
	l.data = binary.AppendUvarint(l.data, uint64(len(t.key)))
	for _, i := range t.key {
		v, err := p.New(t.columns[i].index)
		if err != nil {
			return err
		}
		l.data = appendValue(l.data, v)
	}
	return nil
}

// A value is a byte for its kind, and then: a varint, the eight bytes of a float, or a length and as many bytes.
func appendValue(b []byte, v sqlite3.Value) []byte {
	switch v.Type() {
	case sqlite3.INTEGER:
		return binary.AppendVarint(append(b, byte(Integer)), v.Int64())
	case sqlite3.FLOAT:
		return binary.LittleEndian.AppendUint64(append(b, byte(Float)), math.Float64bits(v.Float()))
	case sqlite3.TEXT:
		raw := v.RawText()
		return append(binary.AppendUvarint(append(b, byte(Text)), uint64(len(raw))), raw...)
	case sqlite3.BLOB:
		raw := v.RawBlob()
		return append(binary.AppendUvarint(append(b, byte(Blob)), uint64(len(raw))), raw...)
	default:
		return append(b, byte(Null))
	}
}
