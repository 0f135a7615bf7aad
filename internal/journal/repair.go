package journal

import (
	"errors"
	"fmt"
)

// Reopen goes on with a journal: it cuts off a torn tail and returns a writer behind the last whole record, and what was in the file. A
// journal without records goes on with ordinal 1, unless [Writer.Skip] says otherwise. Its errors are those of [Read].
func Reopen(fsys FS, name string) (*Writer, Summary, error) {
	w, r, err := edit(fsys, name)
	if err != nil {
		return nil, Summary{}, fmt.Errorf("reopen journal %s: %w", name, err)
	}
	s, err := w.find(r)
	if err != nil {
		return nil, Summary{}, errors.Join(fmt.Errorf("reopen journal %s: %w", name, err), w.Close())
	}
	return w, s, nil
}

// find reads the journal to its end and cuts off a torn tail.
func (w *Writer) find(r *reader) (Summary, error) {
	s := Summary{Header: w.header}
	for rec, err := range r.records(0) {
		if err != nil {
			return Summary{}, err
		}
		if s.First == 0 {
			s.First, w.next = rec.Ordinal, rec.Ordinal
		}
		w.mark()
		s.Last, w.next = rec.Ordinal, r.at.ordinal
		w.size, w.sum = r.at.offset, r.at.sum
	}
	s.Tail = r.tail
	if s.Tail.Dropped > 0 {
		if err := w.f.Truncate(w.size); err != nil {
			return Summary{}, fmt.Errorf("cut the torn tail: %w", err)
		}
	}
	return s, nil
}

// Skip makes ordinal the one the next record must have. It may only grow, and only while the journal has no records: after [Reopen] of a
// journal that had been reset, with the eventlog's high-water ordinal plus one.
func (w *Writer) Skip(ordinal uint64) error {
	if w.size != w.start || ordinal < w.next {
		return fmt.Errorf("skip journal %s to ordinal %d: the next is %d", w.name, ordinal, w.next)
	}
	w.next = ordinal
	return nil
}

// Repair cuts off a torn tail and syncs the file. It returns what was cut.
func Repair(fsys FS, name string) (Tail, error) {
	w, s, err := Reopen(fsys, name)
	if err != nil {
		return Tail{}, err
	}
	if s.Tail.Dropped > 0 {
		err = w.Sync()
	}
	return s.Tail, errors.Join(err, w.Close())
}
