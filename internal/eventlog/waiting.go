package eventlog

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/sqlite"
)

// Waiting are events that a sync backend has sent and that are no part of the log yet, because the first of them does not apply in this
// version of the app. They follow the upstream head.
type Waiting struct {
	BackendID string
	Events    []event.Global
}

// SetWaiting remembers what waits, in the place of what has waited before; nothing does after the zero Waiting.
func (l *Log) SetWaiting(w Waiting) error {
	if err := l.writable(); err != nil {
		return err
	}
	if err := l.exec("forget what waits in", l.st.deleteWaiting); err != nil {
		return err
	}
	for _, e := range w.Events {
		if e.Name == "" || len(e.Args) == 0 || e.SeqNum < 1 {
			return fmt.Errorf("eventlog: event e%d (%s) can not wait: it needs a number, a name and arguments", e.SeqNum, e.Name)
		}
		err := l.exec("let an event wait in", l.st.addWaiting,
			e.SeqNum, e.ParentSeqNum, e.Name, e.Args, e.ClientID, e.SessionID, w.BackendID)
		if err != nil {
			return err
		}
	}
	return nil
}

// ReadWaiting returns what waits.
func (l *Log) ReadWaiting() (w Waiting, err error) {
	if l.broken != nil {
		return w, l.broken
	}
	err = l.st.waiting.Each(nil, func(r *sqlite.Rows) {
		w.BackendID = r.Text(6)
		w.Events = append(w.Events, event.Global{
			SeqNum: r.Int64(0), ParentSeqNum: r.Int64(1), Name: r.Text(2), Args: jsontext.Value(r.Bytes(3)),
			ClientID: r.Text(4), SessionID: r.Text(5),
		})
	})
	return w, l.wrap("read what waits in", err)
}
