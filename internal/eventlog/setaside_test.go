package eventlog_test

import (
	"testing"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
)

func TestSetAside(t *testing.T) {
	l := memory(t)
	put := func(ordinal uint64) func() error {
		return func() error {
			return l.PutSetAside(eventlog.SetAside{ID: commitID(ordinal), Events: chain(event.SeqNum{}, 0, ordinal, "sc"), Err: "no"})
		}
	}
	update(t, l, put(7), put(3), put(5))
	order := func() (ordinals []uint64) {
		t.Helper()
		asides, err := l.ListSetAside()
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range asides {
			equal(t, a.Events, chain(event.SeqNum{}, 0, a.ID.Ordinal, "sc"))
			ordinals = append(ordinals, a.ID.Ordinal)
		}
		return ordinals
	}
	equal(t, order(), []uint64{7, 3, 5}) // in the order in which they were set aside
	update(t, l, func() error {
		found, err := l.DeleteSetAside(commitID(3))
		if !found {
			t.Error("it is not found")
		}
		return err
	})
	equal(t, order(), []uint64{7, 5})
	update(t, l, func() error {
		for _, id := range []event.CommitID{commitID(3), {Journal: "j9", Ordinal: 5}} {
			if found, err := l.DeleteSetAside(id); found || err != nil {
				t.Errorf("DeleteSetAside(%s) = %v, %v", id, found, err)
			}
		}
		return nil
	})
	if err := l.Update(put(5)); err == nil {
		t.Error("a commit was set aside twice")
	}
	for what, bad := range map[string]eventlog.SetAside{
		"no events":   {ID: commitID(8)},
		"no identity": {Events: chain(event.SeqNum{}, 0, 0, "s")},
		"of another":  {ID: commitID(8), Events: chain(event.SeqNum{}, 0, 9, "s")},
	} {
		if err := l.Update(func() error { return l.PutSetAside(bad) }); err == nil {
			t.Errorf("%s: it was set aside", what)
		}
	}
	equal(t, order(), []uint64{7, 5})
}
