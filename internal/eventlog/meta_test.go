package eventlog_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livestore-go/livestore/internal/eventlog"
)

func TestHeadsStayInBounds(t *testing.T) {
	l := memory(t)
	commit(t, l, 5, "ss")
	update(t, l, func() error { return l.SetGeneration(2) }, func() error { return l.SetUpstream(num(t, "e2")) })
	for want, change := range map[string]func() error{
		"generation":         func() error { return l.SetGeneration(1) },
		"high-water ordinal": func() error { return l.SetTaken("j1", 4) },
		"the upstream head":  func() error { return l.SetUpstream(num(t, "e3")) },
	} {
		err := l.Update(change)
		if he, ok := errors.AsType[*eventlog.HeadError](err); !ok || !strings.Contains(he.What, want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	// What is deleted takes the upstream head with it, or the transaction is refused.
	update(t, l, appending(l, chain(num(t, "e2"), 0, 0, "s")), func() error { return l.SetUpstream(num(t, "e3")) })
	err := l.Update(func() error { return l.DeleteAfter(num(t, "e2")) })
	if _, ok := errors.AsType[*eventlog.HeadError](err); !ok {
		t.Error(err)
	}
	update(t, l, func() error { return l.DeleteAfter(num(t, "e2")) }, func() error { return l.SetUpstream(num(t, "e2")) })
	equal(t, l.Meta().Generation, 2)
}

func TestForgottenJournalIsStillKnown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	l := open(t, path)
	commit(t, l, 4, "s")
	update(t, l, func() error {
		return errors.Join(l.ForgetJournal("j1"), l.ForgetJournal("j1"), l.ForgetJournal("never seen"))
	})
	equal(t, l.AllTaken(), map[string]uint64{})
	l.Close()
	l = open(t, path)
	equal(t, l.AllTaken(), map[string]uint64{})
	equal(t, l.Taken("j1"), 4) // the power went, and its file came back
	equal(t, l.Taken("never seen"), 0)
	update(t, l, func() error { return l.SetTaken("j1", 5) })
	equal(t, l.AllTaken(), map[string]uint64{"j1": 5})
}
