package sqlite

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
)

// Changes are rows as they were before they changed, in the order in which they did: what [Conn.Undo] needs. The zero
// value holds none. They are not changed by being undone.
type Changes struct {
	names   []tableName
	entries []entry
	data    []byte
	err     error // recording failed
}

// Err says why the changes are not complete, or can not be kept; nil when they can.
func (ch Changes) Err() error { return ch.err }

// Len returns how many changes of rows there are. Rows of shadow tables count.
func (ch Changes) Len() int { return len(ch.entries) }

// Tables returns the tables whose rows changed, sorted, each once. A full-text table stands for its shadow tables.
func (ch Changes) Tables() []string {
	var names []string
	last := int32(-1)
	for _, e := range ch.entries {
		if e.table == last {
			continue
		}
		last = e.table
		if owner := ch.names[e.table].owner; !slices.Contains(names, owner) {
			names = append(names, owner)
		}
	}
	slices.Sort(names)
	return names
}

// ChangesError says that bytes are no changes that [Changes.Append] wrote.
type ChangesError struct {
	Offset int    // where in the bytes
	Reason string // what is wrong there
}

func (e *ChangesError) Error() string {
	return fmt.Sprintf("sqlite: undo log, byte %d: %s; rebuild the state", e.Offset, e.Reason)
}

// The binary form: a byte for its version, the tables (name and owner, each a length and bytes), the entries (op, table,
// values), both preceded by their number, and a CRC-32C of all that, little endian. Numbers are varints.
const changesVersion = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Append appends the binary form of the changes to b.
func (ch Changes) Append(b []byte) []byte {
	start := len(b)
	b = append(b, changesVersion)
	order := make([]int32, len(ch.names)) // place of a table in the form, counted from 1
	var used []int32
	for _, e := range ch.entries {
		if order[e.table] == 0 {
			used = append(used, e.table)
			order[e.table] = int32(len(used))
		}
	}
	b = binary.AppendUvarint(b, uint64(len(used)))
	for _, id := range used {
		b = appendString(b, ch.names[id].name)
		b = appendString(b, ch.names[id].owner)
	}
	b = binary.AppendUvarint(b, uint64(len(ch.entries)))
	for _, e := range ch.entries {
		b = append(b, byte(e.op))
		b = binary.AppendUvarint(b, uint64(order[e.table]-1))
		b = append(b, ch.data[e.offset:e.offset+int(e.size)]...)
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// ParseChanges reads what [Changes.Append] wrote. The changes keep data: it is not to be changed afterwards. Anything
// else than the form gives a *[ChangesError].
func ParseChanges(data []byte) (Changes, error) {
	r := reader{data: data}
	if len(data) < 1+4 {
		return Changes{}, r.wrong("it is too short")
	}
	if data[0] != changesVersion {
		return Changes{}, r.wrong(fmt.Sprintf("version %d is not known, %d is", data[0], changesVersion))
	}
	body := len(data) - 4
	if crc32.Checksum(data[:body], castagnoli) != binary.LittleEndian.Uint32(data[body:]) {
		return Changes{}, &ChangesError{Offset: body, Reason: "the checksum does not match"}
	}
	r.data, r.offset = data[:body], 1
	return r.changes()
}

// reader reads values and remembers the first thing that is wrong.
type reader struct {
	data   []byte
	offset int
	err    *ChangesError
}

func (r *reader) wrong(reason string) error {
	if r.err == nil {
		r.err = &ChangesError{Offset: r.offset, Reason: reason}
	}
	r.offset = len(r.data)
	return r.err
}

func (r *reader) changes() (Changes, error) {
	var ch Changes
	// A name takes at least two bytes and an entry three: counts that can not be are refused before memory is given.
	n := r.count(2)
	ch.names = make([]tableName, 0, n)
	for range n {
		name, owner := string(r.bytes()), string(r.bytes())
		if r.err == nil && (name == "" || owner == "") {
			_ = r.wrong("a table has no name")
		}
		ch.names = append(ch.names, tableName{name, owner})
	}
	n = r.count(3)
	ch.entries = make([]entry, 0, n)
	ch.data = r.data
	for range n {
		o, table := op(r.byte()), r.uvarint()
		if r.err == nil && table >= uint64(len(ch.names)) {
			_ = r.wrong("a table is not among those named")
		}
		e := entry{offset: r.offset, table: int32(table), op: o}
		r.skip(o)
		if r.err != nil {
			return Changes{}, r.err
		}
		e.size = uint32(r.offset - e.offset)
		ch.entries = append(ch.entries, e)
	}
	if r.err == nil && r.offset != len(r.data) {
		_ = r.wrong("there is something after the last entry")
	}
	if r.err != nil {
		return Changes{}, r.err
	}
	return ch, nil
}

func (r *reader) skip(o op) {
	switch o {
	case opInsert:
		r.varint()
	case opDelete:
		r.varint()
		r.skipRow()
	case opUpdate:
		r.varint()
		r.varint()
		r.skipRow()
	case opKeyInsert, opKeyDelete:
		r.skipRow()
	case opKeyUpdate:
		r.skipRow()
		r.skipRow()
	default:
		_ = r.wrong("an entry is of no known kind")
	}
}

func (r *reader) skipRow() {
	for range r.count(1) {
		r.value()
	}
}

// count reads a number of things that take at least size bytes each.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.data)-r.offset)/uint64(size) {
		_ = r.wrong("a count is larger than what follows")
		return 0
	}
	return int(n)
}

func (r *reader) byte() byte {
	if r.offset >= len(r.data) {
		_ = r.wrong("it ends too early")
		return 0
	}
	r.offset++
	return r.data[r.offset-1]
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.data[r.offset:])
	if n <= 0 {
		_ = r.wrong("a number is cut off")
		return 0
	}
	r.offset += n
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.data[r.offset:])
	if n <= 0 {
		_ = r.wrong("a number is cut off")
		return 0
	}
	r.offset += n
	return v
}

func (r *reader) bytes() []byte {
	n := r.count(1)
	r.offset += n
	return r.data[r.offset-n : r.offset]
}

// value is one value: its kind, and what belongs to the kind.
type value struct {
	bytes []byte
	bits  uint64
	kind  Kind
}

func (r *reader) value() value {
	v := value{kind: Kind(r.byte())}
	switch v.kind {
	case Null:
	case Integer:
		v.bits = uint64(r.varint())
	case Float:
		if len(r.data)-r.offset < 8 {
			_ = r.wrong("a float is cut off")
			break
		}
		v.bits = binary.LittleEndian.Uint64(r.data[r.offset:])
		r.offset += 8
	case Text, Blob:
		v.bytes = r.bytes()
	default:
		_ = r.wrong("a value is of no known kind")
	}
	return v
}
