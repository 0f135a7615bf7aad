package providertest

import (
	"context"
	"errors"
	"sync"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/provider"
)

var connectionScenarios = []scenario{
	{"connect", testConnect},
	{"close", testClose},
	{"ended context", testEndedContext},
	{"drop and resume", testDrop},
	{"pushes across drops", testPushAcrossDrops},
	{"a push goes where the live pull was", testPushWithPull},
	{"refused credentials", testRefused},
	{"reset backend", testReset},
}

func testConnect(s *suite) {
	c := s.client("a")
	for range 2 {
		if err := c.Connect(s.ctx); err != nil {
			s.Fatalf("connect: %v", err)
		}
	}
	if status, changed := c.Status(); !status.Connected || status.Err != nil || changed == nil {
		s.Fatalf("status after Connect is %+v", status)
	}
	if err := c.Ping(s.ctx); err != nil {
		s.Fatalf("ping: %v", err)
	}
	if l := c.Limits(); l.Events < 1 || l.Bytes < 1000 {
		s.Fatalf("limits are %+v", l)
	}
	c.Reconnect() // does nothing to a connection
	if err := c.Ping(s.ctx); err != nil {
		s.Fatalf("ping after Reconnect: %v", err)
	}
}

func testClose(s *suite) {
	c := s.client("a")
	live := c.pull(provider.Cursor{}, true)
	defer live.stop()
	if !live.next() {
		s.Fatalf("pull: %v", live.err)
	}
	ended := make(chan error, 1)
	go func() {
		live.next()
		ended <- live.err
	}()
	if err := c.Close(); err != nil {
		s.Fatalf("close: %v", err)
	}
	s.wantIs("live pull of a client that is closed", <-ended, provider.ErrClosed)
	if err := c.Close(); err != nil {
		s.Fatalf("close again: %v", err)
	}
	s.wantIs("Connect after Close", c.Connect(s.ctx), provider.ErrClosed)
	s.wantIs("Ping after Close", c.Ping(s.ctx), provider.ErrClosed)
	s.wantIs("Push after Close", c.Push(s.ctx, "", c.events(0, 1)), provider.ErrClosed)
	again := c.pull(provider.Cursor{}, false)
	defer again.stop()
	again.next()
	s.wantIs("Pull after Close", again.err, provider.ErrClosed)
	c.Reconnect()
	if status, _ := c.Status(); status.Connected {
		s.Fatal("a closed client says that it is connected")
	}
}

func testEndedContext(s *suite) {
	c := s.client("a")
	if err := c.Connect(s.ctx); err != nil {
		s.Fatalf("connect: %v", err)
	}
	ended, cancel := context.WithCancel(s.ctx)
	cancel()
	s.wantIs("Connect", c.Connect(ended), context.Canceled)
	s.wantIs("Ping", c.Ping(ended), context.Canceled)
	s.wantIs("Push", c.Push(ended, "", c.events(0, 1)), context.Canceled)
	r := c.pullWith(ended, provider.Cursor{}, true)
	defer r.stop()
	r.next()
	s.wantIs("Pull", r.err, context.Canceled)

	ctx, cancel := context.WithCancel(s.ctx)
	live := c.pullWith(ctx, provider.Cursor{}, true)
	defer live.stop()
	if !live.next() {
		s.Fatalf("pull: %v", live.err)
	}
	idle := make(chan error, 1)
	go func() {
		live.next()
		idle <- live.err
	}()
	cancel()
	s.wantIs("idle live pull", <-idle, context.Canceled)

	_, at := c.all(provider.Cursor{})
	c.mustPush(c.events(at.After, 1)...)
}

func testDrop(s *suite) {
	s.need(s.target.Drop != nil, "Drop")
	a, b := s.client("a"), s.client("b")
	log := a.fill(120)
	for round := range 3 {
		live := a.pull(provider.Cursor{}, true)
		live.until(int64(len(log)))
		s.target.Drop()
		if live.next() {
			s.Fatal("a dropped pull goes on")
		}
		wants[*provider.OfflineError](s, "dropped pull", live.err)
		live.stop()

		log = append(log, b.pushOn(log, 3)...)
		resumed := a.pull(live.at, true)
		resumed.until(int64(len(log)))
		s.same(resumed.events, log[len(log)-3:])
		resumed.stop()
		log = append(log, a.pushOn(log, 2)...)
		if err := a.Connect(s.ctx); err != nil {
			s.Fatalf("connect after drop %d: %v", round, err)
		}
	}
	got, _ := b.all(provider.Cursor{})
	s.same(got, log)
}

// pushOn pushes n events on a log that nobody else writes to, and comes through a connection that ends meanwhile.
func (c *tester) pushOn(log []event.Global, n int) []event.Global {
	c.s.Helper()
	batch := c.events(int64(len(log)), n)
	for {
		err := c.Push(c.s.ctx, "", batch)
		if err == nil {
			return batch
		}
		if _, ok := errors.AsType[*provider.ServerAheadError](err); ok { // the answer was lost, or somebody else was quicker
			got := c.safeAll()
			if len(got) == len(log)+n && got[len(log)].Equal(batch[0]) {
				return batch
			}
		}
		if _, ok := errors.AsType[*provider.OfflineError](err); !ok {
			c.s.Fatalf("push of %d events by %s: %v", n, c.id, err)
		}
	}
}

// safeAll pulls everything, again when the connection ends meanwhile.
func (c *tester) safeAll() []event.Global {
	c.s.Helper()
	for {
		r := c.pull(provider.Cursor{}, false)
		for r.next() {
		}
		r.stop()
		if r.err == nil {
			return r.events
		}
		wants[*provider.OfflineError](c.s, "pull", r.err)
	}
}

// testPushWithPull is about a push after the connection of the live pull has ended. What is behind the next one is not known before
// the next pull, so nothing is pushed there.
func testPushWithPull(s *suite) {
	s.need(s.target.Drop != nil, "Drop")
	c := s.client("a")
	live := c.pull(provider.Cursor{}, true)
	if !live.next() {
		s.Fatalf("pull: %v", live.err)
	}
	log := c.mustPush(c.events(0, 2)...)
	live.until(2)
	s.target.Drop()
	for live.next() {
		s.Logf("a page after the drop")
	}
	wants[*provider.OfflineError](s, "pull", live.err)
	live.stop()
	for range 3 {
		wants[*provider.OfflineError](s, "push", c.Push(s.ctx, "", c.events(2, 1)))
		if err := c.Connect(s.ctx); err != nil {
			s.Fatalf("connect: %v", err)
		}
	}
	next := c.pull(provider.Cursor{}, true)
	defer next.stop()
	next.until(2)
	log = append(log, c.mustPush(c.events(2, 1)...)...)
	next.until(3)
	got, _ := c.all(provider.Cursor{})
	s.same(got, log)
}

// testPushAcrossDrops is about a push whose connection ends: it is stored as a whole or not at all, and a client that looks finds out.
func testPushAcrossDrops(s *suite) {
	s.need(s.target.Drop != nil, "Drop")
	c := s.client("a")
	var log []event.Global
	for range 5 {
		if err := c.Connect(s.ctx); err != nil {
			s.Fatalf("connect: %v", err)
		}
		var wg sync.WaitGroup
		wg.Go(s.target.Drop)
		log = append(log, c.pushOn(log, 7)...)
		wg.Wait()
	}
	got := c.safeAll()
	s.same(got, log)
}

func testRefused(s *suite) {
	s.need(s.target.Drop != nil, "Drop")
	s.need(s.target.Refuse != nil, "Refuse")
	s.target.Refuse(true)
	defer s.target.Refuse(false)
	c := s.client("a")
	wants[*provider.RefusedError](s, "Connect", c.Connect(s.ctx))
	wants[*provider.RefusedError](s, "Push", c.Push(s.ctx, "", c.events(0, 1)))
	r := c.pull(provider.Cursor{}, true)
	defer r.stop()
	r.next()
	wants[*provider.RefusedError](s, "Pull", r.err)
	wants[*provider.OfflineError](s, "Ping", c.Ping(s.ctx))
	status, changed := c.Status()
	if status.Connected {
		s.Fatal("a refused client says that it is connected")
	}
	wants[*provider.RefusedError](s, "Status", status.Err)

	s.target.Refuse(false)
	c.Reconnect()
	select {
	case <-changed:
	case <-s.ctx.Done():
		s.Fatal("nobody is told that the client is let in")
	}
	if err := c.Connect(s.ctx); err != nil {
		s.Fatalf("connect with credentials that are accepted again: %v", err)
	}
	c.mustPush(c.events(0, 1)...)
	if status, _ := c.Status(); status.Err != nil {
		s.Fatalf("status of a connected client: %v", status.Err)
	}
}

func testReset(s *suite) {
	s.need(s.target.Reset != nil, "Reset")
	c := s.client("a")
	c.fill(5)
	_, known := c.all(provider.Cursor{})
	s.target.Reset(s.storeID)
	for {
		err := c.Push(s.ctx, known.BackendID, c.events(5, 1))
		if _, ok := errors.AsType[*provider.OfflineError](err); ok {
			continue // the connection broke when the backend did
		}
		e := want[*provider.IdentityError](s, "push to another backend", err)
		if e.Received != known.BackendID || e.Backend == known.BackendID {
			s.Fatalf("push to another backend: %+v", e)
		}
		break
	}
	r := c.pull(known, true)
	defer r.stop()
	r.next()
	wants[*provider.IdentityError](s, "pull from another backend", r.err)
	got, now := c.all(provider.Cursor{})
	if len(got) != 0 || now.BackendID == known.BackendID {
		s.Fatalf("the new backend %s has %d events", now.BackendID, len(got))
	}
}
