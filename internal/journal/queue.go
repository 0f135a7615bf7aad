package journal

import (
	"errors"

	"github.com/livestore-go/livestore/event"
)

// resetSize is the length from which a journal is emptied when everything in it has been taken, in bytes.
const resetSize = 1 << 20

// Queue is the journal of one session as its session uses it: a queue of commits to the leader.
type Queue struct {
	w     *Writer
	taken uint64
}

// NewQueue makes a journal for a session.
func NewQueue(fsys FS, h Header) (*Queue, error) {
	w, err := Create(fsys, h.Journal+Ext, h)
	if err != nil {
		return nil, err
	}
	return &Queue{w: w}, nil
}

// Next returns the identity that the next commit gets.
func (q *Queue) Next() event.CommitID {
	return event.CommitID{Journal: q.w.header.Journal, Ordinal: q.w.Next()}
}

// Append admits the commit with identity Next. See [Writer.Append].
func (q *Queue) Append(r Record) error { return q.w.Append(r) }

// Taken says that the eventlog holds every commit up to id. A long journal that is taken to its end is emptied. When that fails it
// goes on growing: what was taken is passed over at the next start.
func (q *Queue) Taken(id event.CommitID) {
	q.taken = max(q.taken, id.Ordinal)
	if q.taken+1 == q.w.Next() && q.w.Size() > resetSize {
		_ = q.w.Reset()
	}
}

// Close closes the journal, and deletes it when every commit has been taken.
func (q *Queue) Close() error {
	done := q.taken+1 == q.w.Next()
	if err := q.w.Close(); err != nil || !done {
		return err
	}
	return errors.Join(q.w.fs.Remove(q.w.name), q.w.fs.SyncDir())
}
