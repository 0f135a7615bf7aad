package eventlog_test

import (
	"path/filepath"
	"testing"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
)

func waiting(t *testing.T, l *eventlog.Log) eventlog.Waiting {
	t.Helper()
	w, err := l.ReadWaiting()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWaiting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	l := open(t, path)
	set := func(w eventlog.Waiting) func() error { return func() error { return l.SetWaiting(w) } }
	first := eventlog.Waiting{BackendID: "a", Events: []event.Global{foreignEvent(1), foreignEvent(2), foreignEvent(3)}}
	if err := l.SetWaiting(first); err == nil {
		t.Error("set outside of a transaction")
	}
	update(t, l, set(first))
	if err := l.Update(set(eventlog.Waiting{Events: []event.Global{{SeqNum: 1}}})); err == nil {
		t.Error("an event without a name waits")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, path)
	equal(t, waiting(t, l), first)
	equal(t, len(all(t, l)), 0) // it is no part of the log
	second := eventlog.Waiting{BackendID: "b", Events: first.Events[1:2]}
	update(t, l, set(second))
	equal(t, waiting(t, l), second)
	update(t, l, l.Clear, func() error { return l.SetUpstream(event.SeqNum{}) })
	equal(t, waiting(t, l), eventlog.Waiting{})
	update(t, l, set(first))
	update(t, l, set(eventlog.Waiting{}))
	equal(t, waiting(t, l), eventlog.Waiting{})
}
