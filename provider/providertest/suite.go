package providertest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/provider"
)

// Target is a provider and the backend behind it, for [Run]. Scenarios that need a hook that is nil are skipped.
type Target struct {
	// Provider is what is tested. Credentials it asks for must be given by Payload.
	Provider provider.Provider
	// Payload is the payload of each client. Nil for none.
	Payload []byte
	// StoreID returns the id of a store without events, another one with each call. Nil makes ids of the name of the scenario.
	StoreID func() string
	// Drop cuts all connections, in a way that lets clients connect again. (CloseClientConnections of httptest.Server leaves WebSockets
	// alone: close the connections themselves.)
	Drop func()
	// Refuse lets the backend refuse all credentials, or accept them again. Connections that are open may stay.
	Refuse func(on bool)
	// Reset throws the log of a store away: the backend then has another identity for it.
	Reset func(storeID string)
	// Skip names scenarios that do not hold for the target, each with the reason: "pull/paging", or "push" for
	// all of a group. A name that there is not fails the suite.
	Skip map[string]string
}

// limit is how long a scenario may take before it counts as stuck.
const limit = time.Minute

type scenario struct {
	name string
	run  func(s *suite)
}

// Run runs the scenarios that every provider passes, as subtests. It is for real and virtual time alike: nothing is timed.
func Run(t *testing.T, target Target) {
	t.Helper()
	groups := []struct {
		name      string
		scenarios []scenario
	}{{"connection", connectionScenarios}, {"pull", pullScenarios}, {"push", pushScenarios}}
	known := map[string]bool{}
	for _, g := range groups {
		known[g.name] = true
		for _, sc := range g.scenarios {
			known[g.name+"/"+sc.name] = true
		}
	}
	for name := range target.Skip {
		if !known[name] {
			t.Errorf("Skip names %q, and there is no such scenario or group", name)
		}
	}
	stores := 0
	for _, g := range groups {
		for _, sc := range g.scenarios {
			name := g.name + "/" + sc.name
			stores++
			id := fmt.Sprintf("%s-%d", strings.ReplaceAll(sc.name, " ", "-"), stores)
			t.Run(name, func(t *testing.T) {
				for _, key := range []string{name, g.name} {
					if why, ok := target.Skip[key]; ok {
						t.Skip(why)
					}
				}
				if target.StoreID != nil {
					id = target.StoreID()
				}
				ctx, cancel := context.WithTimeoutCause(t.Context(), limit, errors.New("the scenario is stuck"))
				defer cancel()
				sc.run(&suite{T: t, target: target, ctx: ctx, storeID: id})
			})
		}
	}
}

// suite is one scenario under way.
type suite struct {
	*testing.T

	target  Target
	ctx     context.Context
	storeID string
}

// client makes a client of the scenario's store. It is closed with the scenario.
func (s *suite) client(id string) *tester {
	s.Helper()
	c, err := s.target.Provider.Client(provider.Config{
		StoreID: s.storeID, ClientID: id, Payload: s.target.Payload, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		s.Fatalf("make client %s: %v", id, err)
	}
	s.Cleanup(func() {
		if err := c.Close(); err != nil {
			s.Errorf("close client %s: %v", id, err)
		}
	})
	return &tester{s: s, Client: c, id: id}
}

// tester is a client with what scenarios do with it.
type tester struct {
	provider.Client

	s    *suite
	id   string
	made int
}

// events makes n events that follow a head.
func (c *tester) events(head int64, n int) []event.Global {
	batch := make([]event.Global, n)
	for i := range batch {
		batch[i] = c.event(head+int64(i), "")
	}
	return batch
}

// event makes one event that follows a head, with a filling.
func (c *tester) event(head int64, filling string) event.Global {
	c.made++
	return event.Global{
		Name: "v1.Counted", Args: jsontext.Value(fmt.Sprintf(`{"by":%q,"n":%d,"filling":%q}`, c.id, c.made, filling)),
		SeqNum: head + 1, ParentSeqNum: head, ClientID: c.id, SessionID: "static",
	}
}

// mustPush pushes and expects that the events are stored.
func (c *tester) mustPush(batch ...event.Global) []event.Global {
	c.s.Helper()
	if err := c.Push(c.s.ctx, "", batch); err != nil {
		c.s.Fatalf("push of %d events by %s: %v", len(batch), c.id, err)
	}
	return batch
}

// fill pushes n events on an empty store.
func (c *tester) fill(n int) []event.Global {
	c.s.Helper()
	all := make([]event.Global, 0, n)
	step := min(c.Limits().Events, 50)
	for len(all) < n {
		all = append(all, c.mustPush(c.events(int64(len(all)), min(step, n-len(all)))...)...)
	}
	return all
}

// all pulls everything after a cursor.
func (c *tester) all(from provider.Cursor) ([]event.Global, provider.Cursor) {
	c.s.Helper()
	r := c.pull(from, false)
	defer r.stop()
	for r.next() {
	}
	if r.err != nil {
		c.s.Fatalf("pull after e%d by %s: %v", from.After, c.id, r.err)
	}
	return r.events, r.at
}

// reader reads one pull, and checks each page.
type reader struct {
	s      *suite
	pull   func() (provider.Page, error, bool)
	cancel func()
	at     provider.Cursor
	page   provider.Page
	pages  int
	events []event.Global
	err    error
}

func (c *tester) pull(from provider.Cursor, live bool) *reader {
	return c.pullWith(c.s.ctx, from, live)
}

func (c *tester) pullWith(ctx context.Context, from provider.Cursor, live bool) *reader {
	next, stop := iter.Pull2(c.Pull(ctx, from, live))
	return &reader{s: c.s, pull: next, cancel: stop, at: from}
}

func (r *reader) stop() { r.cancel() }

// next takes one page. It returns false at the end of the pull, which leaves its error in err.
func (r *reader) next() bool {
	r.s.Helper()
	page, err, ok := r.pull()
	if !ok {
		return false
	}
	if err != nil {
		r.err = err
		if _, _, more := r.pull(); more {
			r.s.Errorf("a pull goes on after its error: %v", err)
		}
		return false
	}
	if page.BackendID == "" {
		r.s.Errorf("page after e%d has no identity", r.at.After)
	}
	for _, e := range page.Events {
		if e.SeqNum != r.at.After+1 || e.ParentSeqNum != r.at.After {
			r.s.Fatalf("a pull at e%d gives e%d after e%d", r.at.After, e.SeqNum, e.ParentSeqNum)
		}
		r.at.After = e.SeqNum
	}
	r.at.BackendID = page.BackendID
	r.page = page
	r.pages++
	r.events = append(r.events, page.Events...)
	return true
}

// until takes pages up to a head.
func (r *reader) until(head int64) {
	r.s.Helper()
	for r.at.After < head {
		if !r.next() {
			r.s.Fatalf("a pull ends at e%d, before e%d: %v", r.at.After, head, r.err)
		}
	}
	if r.at.After != head {
		r.s.Fatalf("a pull goes to e%d, and the head is e%d", r.at.After, head)
	}
}

// same compares events byte for byte.
func (s *suite) same(got, want []event.Global) {
	s.Helper()
	if len(got) != len(want) {
		s.Fatalf("%d events, want %d", len(got), len(want))
	}
	for i := range want {
		g, w := got[i], want[i]
		if string(g.Args) != string(w.Args) {
			s.Fatalf("arguments of e%d: %s, want %s", w.SeqNum, short(g.Args), short(w.Args))
		}
		if !g.Equal(w) {
			s.Fatalf("event e%d is %+v, want %+v", w.SeqNum, g, w)
		}
	}
}

func short(v jsontext.Value) string {
	if len(v) > 200 {
		return string(v[:200]) + "…"
	}
	return string(v)
}

// need skips a scenario whose hook is missing.
func (s *suite) need(has bool, hook string) {
	s.Helper()
	if !has {
		s.Skipf("Target.%s is nil", hook)
	}
}

// wants fails the scenario unless an error is an E.
func wants[E error](s *suite, act string, err error) {
	s.Helper()
	if _, ok := errors.AsType[E](err); !ok {
		var e E
		s.Fatalf("%s: %v (%T), want a %T", act, err, err, e)
	}
}

// want is wants, and returns the error.
func want[E error](s *suite, act string, err error) E {
	s.Helper()
	wants[E](s, act, err)
	e, _ := errors.AsType[E](err)
	return e
}

func (s *suite) wantIs(act string, err, target error) {
	s.Helper()
	if !errors.Is(err, target) {
		s.Fatalf("%s: %v, want %v", act, err, target)
	}
}
