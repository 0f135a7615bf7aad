package eventlog

import (
	"fmt"
	"slices"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/sqlite"
)

// SetAside is a commit that no longer applied: kept, out of the way, until the app retries or drops it.
type SetAside struct {
	ID     event.CommitID
	Events []event.Client // all of the commit that is not in the log, at least one; their numbers mean nothing any more
	Err    string         // why it did not apply
	At     time.Time      // when that was, by the caller's clock; zero when not known
}

// has says whether an event is one of those set aside.
func (s *SetAside) has(e event.Client) bool {
	return slices.ContainsFunc(s.Events, func(a event.Client) bool { return a.ID == e.ID })
}

// PutSetAside keeps a commit that no longer applies. Its events must not be in the log, unless the sync backend had some of them when
// the rest did not apply any more: then that rest is what is set aside.
func (l *Log) PutSetAside(s SetAside) error {
	if err := l.writable(); err != nil {
		return err
	}
	if s.ID.IsZero() || len(s.Events) == 0 {
		return fmt.Errorf("eventlog: commit %s can not be set aside: it needs an identity and events", s.ID)
	}
	for i := range s.Events {
		e := &s.Events[i]
		if e.ID.Commit != s.ID || e.Name == "" || len(e.Args) == 0 {
			return fmt.Errorf("eventlog: commit %s can not be set aside: event %d (%s) is %s", s.ID, i, e.Name, e.ID)
		}
		if err := checkID(e.ID); err != nil {
			return err
		}
	}
	if in, err := l.Committed(s.ID); err != nil {
		return err
	} else if i := slices.IndexFunc(in, s.has); i >= 0 {
		return &IdentityError{ID: in[i].ID, At: in[i].Num}
	}
	journal, err := l.intern(s.ID.Journal)
	if err != nil {
		return l.fail("set aside in", err)
	}
	if err := l.exec("set aside in", l.st.addAside, journal, int64(s.ID.Ordinal), s.Err, stamp(s.At)); err != nil {
		return err
	}
	for i := range s.Events {
		args, err := l.bind(nil, &s.Events[i])
		if err == nil {
			err = l.st.addAsideEvent.Exec(args)
		}
		if err != nil {
			return l.fail("set aside in", err)
		}
		delete(l.open.deleted, s.Events[i].ID)
	}
	return nil
}

// DeleteSetAside forgets a commit that was set aside: it was retried, or the app dropped it. It returns whether there was one.
func (l *Log) DeleteSetAside(id event.CommitID) (bool, error) {
	events, err := l.TakeSetAside(id)
	return len(events) > 0, err
}

// TakeSetAside forgets a commit that was set aside, and returns its events: none when it was not.
func (l *Log) TakeSetAside(id event.CommitID) ([]event.Client, error) {
	if err := l.writable(); err != nil {
		return nil, err
	}
	row, ok := l.journals.known[id.Journal]
	if !ok {
		return nil, nil
	}
	key := []any{row.id, int64(id.Ordinal)}
	var events []event.Client
	err := l.st.asideEvents.Each(key, func(r *sqlite.Rows) { events = append(events, l.scan(r)) })
	if err != nil || len(events) == 0 {
		return nil, l.fail("read", err)
	}
	return events, l.exec("drop a set-aside commit from", l.st.deleteAside, key...)
}

// stamp is how a time is kept: NULL when it is not known.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// stamped reads a time that stamp wrote.
func stamped(r *sqlite.Rows, column int) (time.Time, error) {
	if r.IsNull(column) {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339Nano, r.Text(column))
}

// ListSetAside returns all commits that are set aside, in the order they were.
func (l *Log) ListSetAside() ([]SetAside, error) {
	if l.broken != nil {
		return nil, l.broken
	}
	var all []SetAside
	var rows []int64
	var bad error
	err := l.st.asides.Each(nil, func(r *sqlite.Rows) {
		s := SetAside{ID: event.CommitID{Journal: l.journals.name(r.Int64(0)), Ordinal: uint64(r.Int64(1))}, Err: r.Text(2)}
		var err error
		if s.At, err = stamped(r, 3); err != nil {
			bad = fmt.Errorf("the time of set-aside commit %s: %w", s.ID, err)
		}
		rows = append(rows, r.Int64(0))
		all = append(all, s)
	})
	for i := 0; i < len(all) && err == nil; i++ {
		err = l.st.asideEvents.Each([]any{rows[i], int64(all[i].ID.Ordinal)}, func(r *sqlite.Rows) {
			all[i].Events = append(all[i].Events, l.scan(r))
		})
	}
	if err == nil {
		err = bad
	}
	return all, l.wrap("read", err)
}
