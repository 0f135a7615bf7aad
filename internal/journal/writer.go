package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"sync/atomic"
)

// keepBuffer is the size up to which the encoding buffer is kept for the next commit, in bytes.
const keepBuffer = 1 << 20

// Writer appends commits to one journal. It is not safe for use by several goroutines, but for Sync, which may run beside any other
// method but Close.
type Writer struct {
	fs     FS
	name   string
	header Header
	f      File
	start  int64  // where the records begin
	base   uint32 // checksum the first record goes on from
	size   int64  // end of the last whole record
	sum    uint32 // its checksum
	next   uint64 // ordinal the next record must have
	marks  []mark // places to begin reading at, about one every 64 KiB
	buf    []byte
	broken error
	synced atomic.Pointer[error] // first error of Sync
}

// mark is a place between two records.
type mark struct {
	ordinal uint64 // of the record that begins here
	offset  int64
	sum     uint32 // checksum that record goes on from
}

// Create makes the journal h.Journal in the file name, which must not exist. When it returns the file and its name survive a loss of
// power.
func Create(fsys FS, name string, h Header) (_ *Writer, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("create journal %s: %w", name, err)
		}
	}()
	start, err := appendHeader(nil, h)
	if err != nil {
		return nil, err
	}
	if f, err := fsys.Open(name); err == nil {
		return nil, errors.Join(fs.ErrExist, f.Close())
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := writeHeader(fsys, name+Unfinished, start); err != nil {
		return nil, err
	}
	if err := fsys.Rename(name+Unfinished, name); err != nil {
		return nil, errors.Join(err, fsys.Remove(name+Unfinished))
	}
	if err := fsys.SyncDir(); err != nil {
		return nil, errors.Join(err, fsys.Remove(name))
	}
	w, _, err := edit(fsys, name)
	return w, err
}

// writeHeader writes a file that holds b and nothing else, and syncs it. A file of a creation that was cut short is replaced.
func writeHeader(fsys FS, name string, b []byte) error {
	if err := fsys.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := fsys.Create(name)
	if err != nil {
		return err
	}
	n, err := f.WriteAt(b, 0)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err == nil {
		err = f.Sync()
	}
	// A file is renamed closed: not every system renames an open one.
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, fsys.Remove(name))
	}
	return nil
}

// edit opens a journal for writing, with its end not yet looked for.
func edit(fsys FS, name string) (*Writer, *reader, error) {
	f, err := fsys.Edit(name)
	if err != nil {
		return nil, nil, err
	}
	h, start, sum, err := readHeader(f, name)
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	size, err := f.Size()
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	w := &Writer{fs: fsys, name: name, header: h, f: f, start: start, base: sum, size: start, sum: sum, next: 1}
	return w, newReader(f, name, mark{offset: start, sum: sum}, size), nil
}

// Header returns the header of the journal.
func (w *Writer) Header() Header { return w.header }

// Next returns the ordinal the next record must have.
func (w *Writer) Next() uint64 { return w.next }

// Size returns the length of the file up to the end of the last record, in bytes.
func (w *Writer) Size() int64 { return w.size }

// Append writes a record with one write and no sync. Its ordinal must be [Writer.Next]. On an error, always an *[AppendError], the
// record is not in the journal and the writer can be used on; only when what a failed write left can not be taken back either, this and
// every later Append is an [ErrBroken].
func (w *Writer) Append(r Record) error {
	if err := w.append(&r); err != nil {
		return &AppendError{Name: w.name, Ordinal: r.Ordinal, Err: err}
	}
	return nil
}

func (w *Writer) append(r *Record) error {
	switch {
	case w.broken != nil:
		return w.broken
	case r.Ordinal != w.next:
		return fmt.Errorf("the next ordinal is %d", w.next)
	case len(r.Events) == 0:
		return errors.New("the commit has no events")
	}
	if n := encodedBound(r); n > MaxRecord {
		return fmt.Errorf("the commit takes about %d bytes, more than %d: commit less at once", n, MaxRecord)
	}
	b, sum := appendRecord(w.buf[:0], r, w.sum)
	if cap(b) <= keepBuffer {
		w.buf = b
	}
	n, err := w.f.WriteAt(b, w.size)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return w.takeBack(err)
	}
	w.mark()
	w.size += int64(len(b))
	w.sum = sum
	w.next++
	return nil
}

// takeBack removes what a failed write may have left behind the last whole record.
func (w *Writer) takeBack(cause error) error {
	err := w.f.Truncate(w.size)
	if err == nil {
		return cause
	}
	// Should all of the record be there, its commit would be found at the next start. A size of 0 ends the journal before it.
	_, zero := w.f.WriteAt(make([]byte, sizeLen), w.size)
	w.broken = fmt.Errorf("%w: %w", ErrBroken, errors.Join(cause, err, zero))
	return w.broken
}

// mark remembers the end of the journal as a place to begin reading at, if the last such place is far enough away.
func (w *Writer) mark() {
	last := w.start
	if n := len(w.marks); n > 0 {
		last = w.marks[n-1].offset
	}
	if len(w.marks) == 0 || w.size-last >= 64<<10 {
		w.marks = append(w.marks, mark{ordinal: w.next, offset: w.size, sum: w.sum})
	}
}

// Records reads the records after the given ordinal back, 0 for all, as far as they are written when the iteration begins. The journal
// may be appended to while it goes on.
func (w *Writer) Records(after uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if w.broken != nil && errors.Is(w.broken, ErrClosed) {
			yield(Record{}, fmt.Errorf("read journal %s: %w", w.name, w.broken))
			return
		}
		from := mark{offset: w.start, sum: w.base}
		for _, m := range w.marks {
			if m.ordinal > after+1 {
				break
			}
			from = m
		}
		r := newReader(w.f, w.name, from, w.size)
		for rec, err := range r.records(after) {
			if !yield(rec, err) || err != nil {
				return
			}
		}
		if r.tail.Dropped > 0 { // these were written whole
			yield(Record{}, &FormatError{Name: w.name, Offset: r.tail.Offset, Reason: r.tail.Reason})
		}
	}
}

// Reset removes all records and keeps the count of ordinals. To be called when the eventlog holds every commit of this journal, so
// that a long session does not grow its file for ever.
func (w *Writer) Reset() error {
	if w.broken != nil {
		return fmt.Errorf("reset journal %s: %w", w.name, w.broken)
	}
	if err := w.f.Truncate(w.start); err != nil {
		return fmt.Errorf("reset journal %s: %w", w.name, err)
	}
	w.size, w.sum, w.marks = w.start, w.base, nil
	return nil
}

// Sync returns when every record whose Append returned before Sync was called survives a loss of power. After it has failed once it
// fails for ever: the system may have dropped what it could not write, and a second sync would not know.
func (w *Writer) Sync() error {
	if first := w.synced.Load(); first != nil {
		return *first
	}
	if err := w.f.Sync(); err != nil {
		err = fmt.Errorf("sync journal %s: %w", w.name, err)
		w.synced.CompareAndSwap(nil, &err)
		return err
	}
	return nil
}

// Close closes the file without a sync. Every later call but Close is an [ErrClosed].
func (w *Writer) Close() error {
	if errors.Is(w.broken, ErrClosed) {
		return nil
	}
	w.broken = ErrClosed
	closed := fmt.Errorf("sync journal %s: %w", w.name, ErrClosed)
	w.synced.Store(&closed)
	if err := w.f.Close(); err != nil {
		return fmt.Errorf("close journal %s: %w", w.name, err)
	}
	return nil
}
