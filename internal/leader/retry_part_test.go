package leader_test

import (
	"strings"
	"testing"

	"github.com/livestore-go/livestore/internal/leader"
	"github.com/livestore-go/livestore/internal/link"
)

func TestRetryOfAPart(t *testing.T) {
	w := newWorld(t, schema, func(c *leader.Config) { c.MaxPush, c.Limits.Events = 1, 1 })
	cut := w.commit("s", "a", "b")
	batch := w.push()
	w.stored(batch)
	w.m.BackendPushed(batch, nil)
	w.foreign("b")
	w.mustPull()
	w.confirmed()
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
