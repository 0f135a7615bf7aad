package journal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"strings"
)

// Tail says what follows the last whole record of a journal.
type Tail struct {
	Offset  int64  // end of the last whole record, in bytes
	Dropped int64  // how many bytes follow it, 0 for a journal that ends well
	Reason  string // why they are no record, empty for a journal that ends well
}

// Read reads a journal. The header is read at once, the file is opened again each time the records are ranged over. The records come in
// order, each written whole; a torn tail ends them without an error ([Inspect] tells of it). An error ends them: a *[FormatError] for a
// record that is whole and yet none of this format, or one of the file.
func Read(fsys FS, name string) (Header, iter.Seq2[Record, error], error) {
	f, h, _, err := open(fsys, name)
	if err != nil {
		return Header{}, nil, err
	}
	if err := f.Close(); err != nil {
		return Header{}, nil, fmt.Errorf("read journal %s: %w", name, err)
	}
	return h, func(yield func(Record, error) bool) {
		f, _, r, err := open(fsys, name)
		if err != nil {
			yield(Record{}, err)
			return
		}
		defer f.Close()
		r.records(0)(yield)
	}, nil
}

// Summary says what is in a journal.
type Summary struct {
	Header      Header
	First, Last uint64 // ordinals of the first and the last whole record, 0 when there is none
	Tail        Tail
}

// Inspect reads a whole journal and says what is in it. Its errors are those of [Read].
func Inspect(fsys FS, name string) (Summary, error) {
	f, h, r, err := open(fsys, name)
	if err != nil {
		return Summary{}, err
	}
	defer f.Close()
	return r.summary(h)
}

func (r *reader) summary(h Header) (Summary, error) {
	s := Summary{Header: h}
	for rec, err := range r.records(0) {
		if err != nil {
			return Summary{}, err
		}
		if s.First == 0 {
			s.First = rec.Ordinal
		}
		s.Last = rec.Ordinal
	}
	s.Tail = r.tail
	return s, nil
}

// List returns the names of all journals in a directory, sorted.
func List(fsys FS) ([]string, error) {
	all, err := fsys.List()
	if err != nil {
		return nil, fmt.Errorf("list journals: %w", err)
	}
	var names []string
	for _, n := range all {
		if strings.HasSuffix(n, Ext) {
			names = append(names, n)
		}
	}
	return names, nil
}

func open(fsys FS, name string) (File, Header, *reader, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, Header{}, nil, fmt.Errorf("read journal %s: %w", name, err)
	}
	h, start, sum, err := readHeader(f, name)
	if err != nil {
		return nil, Header{}, nil, errors.Join(fmt.Errorf("read journal %s: %w", name, err), f.Close())
	}
	size, err := f.Size()
	if err != nil {
		return nil, Header{}, nil, errors.Join(fmt.Errorf("read journal %s: %w", name, err), f.Close())
	}
	return f, h, newReader(f, name, mark{offset: start, sum: sum}, size), nil
}

// reader reads records one after the other, up to a given end of the file.
type reader struct {
	name string
	in   *bufio.Reader
	at   mark // place the next record begins at; ordinal 0 when any may come
	end  int64
	tail Tail
}

func newReader(f io.ReaderAt, name string, at mark, end int64) *reader {
	in := bufio.NewReaderSize(io.NewSectionReader(f, at.offset, max(0, end-at.offset)), 64<<10)
	return &reader{name: name, in: in, at: at, end: end}
}

// next returns the next record, or io.EOF when there is no whole one: then tail is set.
func (r *reader) next() (Record, error) {
	rest := r.end - r.at.offset
	if rest <= 0 {
		return r.torn("")
	}
	var frame [sizeLen]byte
	if rest < sizeLen {
		return r.torn("the last record is cut short")
	}
	if err := r.fill(frame[:]); err != nil {
		return Record{}, err
	}
	size := binary.LittleEndian.Uint32(frame[:])
	switch {
	case size == 0:
		return r.torn("there is no record of size 0")
	case size > MaxRecord:
		return r.torn("a record is larger than any can be")
	case int64(size)+sizeLen+sumLen > rest:
		return r.torn("the last record is cut short")
	}
	body := make([]byte, size+sumLen)
	if err := r.fill(body); err != nil {
		return Record{}, err
	}
	want := binary.LittleEndian.Uint32(body[size:])
	body = body[:size]
	sum := crc32.Update(crc32.Update(r.at.sum, castagnoli, frame[:]), castagnoli, body)
	if sum != want {
		return r.torn("the checksum of a record does not match")
	}
	rec, err := decodeRecord(body)
	if err != nil {
		return Record{}, r.malformed(err.Error())
	}
	if rec.Ordinal == 0 || r.at.ordinal != 0 && rec.Ordinal != r.at.ordinal {
		return Record{}, r.malformed(fmt.Sprintf("the record has ordinal %d where %d is due", rec.Ordinal, max(1, r.at.ordinal)))
	}
	r.at = mark{ordinal: rec.Ordinal + 1, offset: r.at.offset + int64(size) + sizeLen + sumLen, sum: sum}
	return rec, nil
}

func (r *reader) fill(b []byte) error {
	_, err := io.ReadFull(r.in, b)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF): // shorter than it was a moment ago
		_, err := r.torn("the file was cut while it was read")
		return err
	}
	return fmt.Errorf("read journal %s at byte %d: %w", r.name, r.at.offset, err)
}

func (r *reader) torn(reason string) (Record, error) {
	r.tail = Tail{Offset: r.at.offset, Dropped: max(0, r.end-r.at.offset), Reason: reason}
	return Record{}, io.EOF
}

func (r *reader) malformed(reason string) error {
	return &FormatError{Name: r.name, Offset: r.at.offset, Reason: reason}
}

// records hands out all records after the given ordinal.
func (r *reader) records(after uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for {
			rec, err := r.next()
			switch {
			case errors.Is(err, io.EOF):
				return
			case err != nil:
				yield(Record{}, err)
				return
			case rec.Ordinal > after && !yield(rec, nil):
				return
			}
		}
	}
}
