package eventlog_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
)

func foreignEvent(n int64) event.Global {
	return event.Global{
		SeqNum: n, ParentSeqNum: n - 1, Name: "v1.Added", Args: jsontext.Value(fmt.Sprintf(`{ "n" : %d}`, n)), ClientID: "other", SessionID: "o",
	}
}

func archive(t *testing.T, l *eventlog.Log, after int64, limit int) (events []event.Global, last eventlog.Archived) {
	t.Helper()
	all, err := l.ReadArchive(after, limit)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		events, last = append(events, a.Event), a
	}
	return events, last
}

func TestArchive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	l := open(t, path)
	at := time.Date(2026, 11, 24, 13, 0, 0, 5, time.UTC)
	var want []event.Global
	update(t, l, func() error {
		for n := range int64(1200) {
			want = append(want, foreignEvent(n%7+1))
			if err := l.Archive(want[n], "b1", at); err != nil {
				return err
			}
		}
		return nil
	})
	if err := l.Archive(want[0], "b1", at); err == nil {
		t.Error("archived outside of a transaction")
	}
	update(t, l, func() error { return l.Archive(foreignEvent(9), "b2", time.Time{}) })
	if err := l.Update(func() error { return l.Archive(event.Global{SeqNum: 1}, "b", at) }); err == nil {
		t.Error("an event without a name was archived")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, path)
	all, last := archive(t, l, 0, 0)
	equal(t, all, append(want, foreignEvent(9)))
	equal(t, last, eventlog.Archived{ID: 1201, Event: foreignEvent(9), BackendID: "b2"})
	some, last := archive(t, l, 3, 600)
	equal(t, some, want[3:603])
	equal(t, last, eventlog.Archived{ID: 603, Event: want[602], BackendID: "b1", At: at})
}

// Clear is the one way in which events leave the log without a trace. It is undone like anything else that is not committed.
func TestClear(t *testing.T) {
	l := memory(t)
	update(t, l, appending(l, chain(event.SeqNum{}, 0, 1, "ssc")),
		func() error { return l.SetTaken("j1", 4) },
		func() error { return l.SetGeneration(2) },
		func() error { return l.SetUpstream(event.SeqNum{Global: 1}) },
		func() error {
			return l.PutSetAside(eventlog.SetAside{ID: commitID(3), Events: chain(event.SeqNum{}, 0, 3, "s"), Err: "no"})
		},
		func() error { return l.Archive(foreignEvent(1), "b", time.Time{}) })
	if err := l.Clear(); err == nil {
		t.Error("cleared outside of a transaction")
	}
	if err := l.Update(l.Clear); err == nil {
		t.Error("the upstream head lies past an empty log")
	}
	equal(t, notation(all(t, l)), "e1 e2 e2.1")
	update(t, l, func() error { return l.DeleteAfter(event.SeqNum{Global: 1}) }, // what that would have lost is lost on purpose
		l.Clear, func() error { return l.SetUpstream(event.SeqNum{}) })
	if asides, err := l.ListSetAside(); len(asides) > 0 || err != nil {
		t.Errorf("set aside: %v, %v", asides, err)
	}
	events, _ := archive(t, l, 0, 0)
	equal(t, events, []event.Global{foreignEvent(1)})
	equal(t, l.Meta().Generation, 2)
	equal(t, l.Taken("j1"), 4)
	equal(t, l.Count(), 0)
	commit(t, l, 5, "s")
	equal(t, notation(all(t, l)), "e1r2")
}

// Of a commit that was cut, the backend may have any part when the rest is set aside.
func TestTheRestOfACommitIsSetAside(t *testing.T) {
	l := memory(t)
	whole := chain(event.SeqNum{}, 0, 1, "ss")
	last := whole[1]
	last.Num, last.Parent = whole[0].Num, whole[0].Parent
	update(t, l, appending(l, []event.Client{last}),
		func() error { return l.PutSetAside(eventlog.SetAside{ID: commitID(1), Events: whole[:1], Err: "no"}) })
	err := l.Update(func() error { return l.PutSetAside(eventlog.SetAside{ID: commitID(1), Events: whole, Err: "no"}) })
	if e, ok := errors.AsType[*eventlog.IdentityError](err); !ok || e.ID != last.ID {
		t.Errorf("set aside what is in the log: %v", err)
	}
}
