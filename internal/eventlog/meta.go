package eventlog

import (
	"fmt"
	"math"
	"strconv"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/sqlite"
)

// Meta is what the log knows besides its events.
type Meta struct {
	ClientID   string
	StoreID    string
	Generation int64        // the highest rebase generation that was ever given; it never falls
	Upstream   event.SeqNum // the last event that the backend has confirmed; e0 when none
	BackendID  string       // backend the log was synced with, empty before the first time
	Carried    bool         // pending events got their places from an app that does not know all of them
}

// Meta returns what the log knows besides its events, with what the open transaction changed of it.
func (l *Log) Meta() Meta { return l.meta }

// load reads everything that is kept in memory.
func (l *Log) load() error {
	found := false
	err := l.st.meta.Each(nil, func(r *sqlite.Rows) {
		found = true
		l.meta = Meta{
			ClientID: r.Text(0), StoreID: r.Text(1), Generation: r.Int64(2),
			Upstream:  event.SeqNum{Global: r.Int64(3), Client: r.Int64(4), Generation: r.Int64(5)},
			BackendID: r.Text(6), Carried: r.Int64(7) != 0,
		}
	})
	if err != nil {
		return err
	}
	if !found {
		return &FormatError{Path: l.path, Reason: "its table meta is empty"}
	}
	if err := l.journals.load(l); err != nil {
		return err
	}
	return l.loadHead()
}

func (l *Log) loadHead() error {
	l.head, l.headID, l.count = event.SeqNum{}, event.ID{}, 0
	damaged := false
	err := l.st.last.Each(nil, func(r *sqlite.Rows) {
		e := l.scan(r)
		l.head, l.headID, l.count = e.Num, e.ID, r.Int64(position)
		damaged = l.count < 1 // or it would pass for an empty log
	})
	if err == nil && damaged {
		err = fmt.Errorf("its last event stands at position %d: the file is damaged: keep a copy of it, then restore an older copy", l.count)
	}
	return err
}

// SetGeneration remembers the rebase generation. It can not fall.
func (l *Log) SetGeneration(g int64) error {
	if err := l.writable(); err != nil {
		return err
	}
	if g < l.meta.Generation {
		return &HeadError{What: "the generation", Got: strconv.FormatInt(g, 10), Limit: fmt.Sprintf("the one before, %d", l.meta.Generation)}
	}
	if err := l.exec("set the generation of", l.st.setGeneration, g); err != nil {
		return err
	}
	l.meta.Generation = g
	return nil
}

// SetCarried remembers whether pending events got their places from an app that does not know all of them: whether they apply there nobody
// can say until one opens the log that does.
func (l *Log) SetCarried(is bool) error {
	if err := l.writable(); err != nil {
		return err
	}
	if err := l.exec("set what was carried in", l.st.setCarried, is); err != nil {
		return err
	}
	l.meta.Carried = is
	return nil
}

// SetUpstream remembers the last event that the backend has confirmed. At Commit it must not be past the head.
func (l *Log) SetUpstream(n event.SeqNum) error {
	if err := l.writable(); err != nil {
		return err
	}
	if err := l.exec("set the upstream head of", l.st.setUpstream, n.Global, n.Client, n.Generation); err != nil {
		return err
	}
	l.meta.Upstream = n
	return nil
}

// SetBackendID remembers which backend the log is synced with.
func (l *Log) SetBackendID(id string) error {
	if err := l.writable(); err != nil {
		return err
	}
	if err := l.exec("set the backend of", l.st.setBackend, id); err != nil {
		return err
	}
	l.meta.BackendID = id
	return nil
}

// SessionID returns the session id of a slot, which is the same each time the slot is used. A slot that has none gets the one newID
// makes, in a transaction of its own or in the open one.
func (l *Log) SessionID(slot int, newID func() string) (string, error) {
	if l.broken != nil {
		return "", l.broken
	}
	id := ""
	if err := l.st.slot.Each([]any{slot}, func(r *sqlite.Rows) { id = r.Text(0) }); err != nil {
		return "", l.wrap("read a slot of", err)
	}
	if id != "" {
		return id, nil
	}
	id = newID()
	if id == "" {
		return "", fmt.Errorf("eventlog: slot %d: the new session id is empty", slot)
	}
	set := func() error { return l.exec("fill a slot of", l.st.setSlot, slot, id) }
	if l.open == nil {
		return id, l.Update(set)
	}
	if err := l.writable(); err != nil {
		return "", err
	}
	return id, set()
}

// journals is the table of that name in memory.
type journals struct {
	rows  map[int64]string
	known map[string]*journalRow
}

type journalRow struct {
	id    int64
	taken uint64
	gone  bool
}

func (j *journals) load(l *Log) error {
	j.rows, j.known = map[int64]string{}, map[string]*journalRow{}
	return l.st.journals.Each(nil, func(r *sqlite.Rows) {
		j.add(r.Text(1), &journalRow{id: r.Int64(0), taken: uint64(r.Int64(2)), gone: r.Int64(3) != 0})
	})
}

func (j *journals) add(name string, row *journalRow) {
	j.rows[row.id], j.known[name] = name, row
}

func (j *journals) name(id int64) string { return j.rows[id] }

// intern returns the row of a journal, which it makes when there is none.
func (l *Log) intern(journal string) (int64, error) {
	if row, ok := l.journals.known[journal]; ok {
		return row.id, nil
	}
	id := int64(len(l.journals.rows) + 1) // rows are never deleted
	if err := l.st.addJournal.Exec([]any{id, journal}); err != nil {
		return 0, err
	}
	l.journals.add(journal, &journalRow{id: id})
	return id, nil
}

// SetTaken remembers that every commit of a journal up to an ordinal is in the log or was set aside. It can not fall.
func (l *Log) SetTaken(journal string, ordinal uint64) error {
	if err := l.writable(); err != nil {
		return err
	}
	if journal == "" || ordinal > math.MaxInt64 {
		return fmt.Errorf("eventlog: %s is no commit of a journal", event.CommitID{Journal: journal, Ordinal: ordinal})
	}
	if last := l.Taken(journal); ordinal < last {
		return &HeadError{
			What: "the high-water ordinal of journal " + journal, Got: strconv.FormatUint(ordinal, 10),
			Limit: fmt.Sprintf("the one before, %d", last),
		}
	}
	id, err := l.intern(journal)
	if err != nil {
		return l.fail("take a journal into", err)
	}
	if err := l.exec("take a journal into", l.st.setTaken, int64(ordinal), id); err != nil {
		return err
	}
	row := l.journals.known[journal]
	row.taken, row.gone = ordinal, false
	return nil
}

// Taken returns the highest ordinal of a journal that has been taken, 0 when none. It knows forgotten journals, too, so that one whose
// removal a loss of power has undone is not taken twice.
func (l *Log) Taken(journal string) uint64 {
	if row, ok := l.journals.known[journal]; ok {
		return row.taken
	}
	return 0
}

// AllTaken returns the highest ordinal taken of every journal that was not forgotten.
func (l *Log) AllTaken() map[string]uint64 {
	all := map[string]uint64{}
	for name, row := range l.journals.known {
		if !row.gone && row.taken > 0 {
			all[name] = row.taken
		}
	}
	return all
}

// ForgetJournal notes that the file of a journal has been removed.
func (l *Log) ForgetJournal(journal string) error {
	if err := l.writable(); err != nil {
		return err
	}
	row, ok := l.journals.known[journal]
	if !ok || row.gone {
		return nil
	}
	if err := l.exec("forget a journal in", l.st.forget, row.id); err != nil {
		return err
	}
	row.gone = true
	return nil
}
