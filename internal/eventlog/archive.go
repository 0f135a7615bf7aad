package eventlog

import (
	"cmp"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/sqlite"
)

// Archived is an event of another client that was in the log and is no more: the sync backend that the log was brought onto lacks it, and
// only its author pushes it there again.
type Archived struct {
	ID        int64        // place in the archive, counted from 1
	Event     event.Global // as it was in the log
	BackendID string       // the backend that had it
	At        time.Time    // when it was archived, by the caller's clock; zero when not known
}

// Archive keeps an event of another client that is about to leave the log. It does not take it out of there: [Log.DeleteAfter] does.
func (l *Log) Archive(e event.Global, backendID string, at time.Time) error {
	if err := l.writable(); err != nil {
		return err
	}
	if e.Name == "" || len(e.Args) == 0 || e.SeqNum < 1 {
		return fmt.Errorf("eventlog: event e%d (%s) can not be archived: it needs a number, a name and arguments", e.SeqNum, e.Name)
	}
	return l.exec("archive in", l.st.archive, e.SeqNum, e.ParentSeqNum, e.Name, e.Args, e.ClientID, e.SessionID, backendID, stamp(at))
}

// ReadArchive returns up to limit archived events after a place, all when limit is 0, in the order in which they were archived. The place
// before the first is 0.
func (l *Log) ReadArchive(after int64, limit int) ([]Archived, error) {
	if l.broken != nil {
		return nil, l.broken
	}
	var events []Archived
	var bad error
	err := l.st.archived.Each([]any{after, cmp.Or(limit, -1)}, func(r *sqlite.Rows) {
		a := Archived{ID: r.Int64(0), BackendID: r.Text(7), Event: event.Global{
			SeqNum: r.Int64(1), ParentSeqNum: r.Int64(2), Name: r.Text(3), Args: jsontext.Value(r.Bytes(4)),
			ClientID: r.Text(5), SessionID: r.Text(6),
		}}
		var err error
		if a.At, err = stamped(r, 8); err != nil {
			bad = fmt.Errorf("the time of archived event %d: %w", a.ID, err)
		}
		events = append(events, a)
	})
	if err == nil {
		err = bad
	}
	return events, l.wrap("read the archive of", err)
}

// Clear removes every event, also those that wait, and every set-aside commit, whoever else has them: the app has said so. What is
// archived stays, and so does how far each journal has been taken. The upstream head must be set, too.
func (l *Log) Clear() error {
	if err := l.writable(); err != nil {
		return err
	}
	if err := l.exec("clear", l.st.deleteFrom, int64(0)); err != nil {
		return err
	}
	if err := l.exec("clear", l.st.deleteAsides); err != nil {
		return err
	}
	if err := l.exec("clear", l.st.deleteWaiting); err != nil {
		return err
	}
	l.open.deleted = nil
	return l.fail("clear", l.loadHead())
}
