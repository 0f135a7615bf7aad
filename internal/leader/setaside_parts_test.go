package leader_test

import (
	"strings"
	"testing"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/leader"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/provider"
)

// cutInTwo is a commit of which the backend has one part, and the other is set aside.
func cutInTwo(t *testing.T) (*world, event.CommitID) {
	w := newWorld(t, schema, func(c *leader.Config) { c.MaxPush, c.Limits.Events = 1, 1 })
	cut := w.commit("s", "a", "b")
	batch := w.push()
	w.stored(batch)
	w.m.BackendPushed(batch, nil)
	w.foreign("b")
	w.mustPull()
	w.confirmed()
	equal(t, "set aside", w.aside(), cut.String()+"#1=b")
	return w, cut
}

// cutAndBack is a commit of which one part is set aside, and the other pending again on a new backend.
func cutAndBack(t *testing.T) (*world, event.CommitID) {
	w, cut := cutInTwo(t)
	w.mustOnto("b2", chained("z")...)
	w.expect("e1=z e2r2=a", "a z", 1)
	equal(t, "set aside", w.aside(), cut.String()+"#1=b")
	return w, cut
}

func TestTheOtherPartOfACommitIsSetAside(t *testing.T) {
	w, cut := cutAndBack(t)
	w.foreign("a")
	if err := w.pulled(); err != nil {
		t.Fatal(err)
	}
	w.expect("e1=z e2=a", "a z", 2)
	equal(t, "set aside", w.aside(), cut.String()+"#0=a "+cut.String()+"#1=b")
}

func TestTheOtherPartOfACommitIsRejected(t *testing.T) {
	w, cut := cutAndBack(t)
	w.m.BackendPushed(w.push(), &provider.RejectedError{})
	if w.m.Rejected() == nil {
		t.Fatal("not rejected")
	}
	if found, err := w.m.SetAsideRejected(); !found || err != nil {
		t.Error(found, err)
	}
	equal(t, "set aside", w.aside(), cut.String()+"#0=a "+cut.String()+"#1=b")
}

func TestRetryOfAPart(t *testing.T) {
	w, cut := cutInTwo(t)
	w.mustOnto("b2", chained("a", "z")...) // now both are set aside
	equal(t, "set aside", w.aside(), cut.String()+"#0=a "+cut.String()+"#1=b")
	r := w.request("s", "b") // the session tried it again before it heard of that
	r.Commits[0].Retry = cut
	if res := w.m.Push([]link.PushRequest{r})[0]; res.Err != nil || !res.Reply.Taken {
		t.Fatal(res)
	}
	if !strings.Contains(w.aside(), "=a") {
		t.Errorf("lost: log %s, aside %q", w.logged(), w.aside())
	}
}
