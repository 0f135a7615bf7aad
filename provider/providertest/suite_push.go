package providertest

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/wire"
	"github.com/livestore-go/livestore/provider"
)

var pushScenarios = []scenario{
	{"empty batch", testPushNothing},
	{"batches", testBatches},
	{"two thousand events", testTwoThousand},
	{"large events", testLarge},
	{"an event that is too large", testTooLarge},
	{"stale parent", testStale},
	{"broken chain", testBrokenChain},
	{"wrong identity", testPushIdentity},
	{"concurrent pushers", testConcurrent},
}

func testPushNothing(s *suite) {
	c := s.client("a")
	c.mustPush()
	if got, _ := c.all(provider.Cursor{}); len(got) != 0 {
		s.Fatalf("%d events after an empty push", len(got))
	}
}

func testBatches(s *suite) {
	c := s.client("a")
	_, at := c.all(provider.Cursor{})
	var log []event.Global
	for _, n := range []int{1, 2, 50, c.Limits().Events, 1} {
		batch := c.events(int64(len(log)), n)
		if err := c.Push(s.ctx, at.BackendID, batch); err != nil {
			s.Fatalf("push of %d events: %v", n, err)
		}
		log = append(log, batch...)
	}
	got, _ := c.all(at)
	s.same(got, log)
}

func testTwoThousand(s *suite) {
	a, b := s.client("a"), s.client("b")
	live := b.pull(provider.Cursor{}, true)
	defer live.stop()
	if !live.next() {
		s.Fatalf("pull: %v", live.err)
	}
	n := a.Limits().Events
	var log []event.Global
	for len(log) < 2000 {
		log = append(log, a.mustPush(a.events(int64(len(log)), min(n, 2000-len(log)))...)...)
	}
	live.until(2000)
	s.same(live.events, log)
	got, _ := a.all(provider.Cursor{})
	s.same(got, log)
}

// sized makes an event whose JSON has a number of bytes.
func (c *tester) sized(head int64, bytes int) event.Global {
	e := c.event(head, "")
	c.made--
	return c.event(head, strings.Repeat("x", bytes-wire.GlobalSize(e)))
}

func testLarge(s *suite) {
	c := s.client("a")
	l := c.Limits()
	live := c.pull(provider.Cursor{}, true)
	defer live.stop()
	log := c.mustPush(c.sized(0, l.Bytes))
	for range 6 {
		log = append(log, c.mustPush(c.sized(int64(len(log)), l.Bytes/3))...)
	}
	head := int64(len(log))
	log = append(log, c.mustPush(c.sized(head, l.Bytes/3-1), c.sized(head+1, l.Bytes/3-1), c.sized(head+2, l.Bytes/3-1))...)
	live.until(int64(len(log)))
	s.same(live.events, log)
	got, _ := c.all(provider.Cursor{})
	s.same(got, log)
}

func testTooLarge(s *suite) {
	c := s.client("a")
	first := c.mustPush(c.events(0, 1)...)
	e := want[*provider.RejectedError](s, "push of an event that is too large",
		c.Push(s.ctx, "", []event.Global{c.event(1, ""), c.sized(2, c.Limits().Bytes+1)}))
	if e.Why == "" {
		s.Fatalf("rejection without reason: %+v", e)
	}
	got, at := c.all(provider.Cursor{})
	s.same(got, first)
	c.mustPush(c.events(at.After, 2)...)
}

func testStale(s *suite) {
	a, b := s.client("a"), s.client("b")
	log := a.fill(5)
	for _, parent := range []int64{0, 4, 6, 100} {
		e := want[*provider.ServerAheadError](s, fmt.Sprintf("push after e%d", parent), b.Push(s.ctx, "", b.events(parent, 2)))
		if e.Head != 5 || e.Provided != parent {
			s.Fatalf("push after e%d: %+v", parent, e)
		}
	}
	got, _ := b.all(provider.Cursor{})
	s.same(got, log)
	b.mustPush(b.events(5, 1)...)
}

func testBrokenChain(s *suite) {
	c := s.client("a")
	log := c.fill(2)
	gap := append(c.events(2, 1), c.events(4, 1)...)
	double := append(c.events(2, 1), c.events(2, 1)...)
	leap := c.events(2, 1)
	leap[0].SeqNum = 7
	for name, batch := range map[string][]event.Global{"gap": gap, "double": double, "leap": leap} {
		wants[*provider.RejectedError](s, "push of a "+name, c.Push(s.ctx, "", batch))
	}
	got, _ := c.all(provider.Cursor{})
	s.same(got, log)
}

func testPushIdentity(s *suite) {
	c := s.client("a")
	log := c.fill(3)
	_, at := c.all(provider.Cursor{})
	for _, parent := range []int64{0, 3} { // identity comes before order
		e := want[*provider.IdentityError](s, "push to another backend", c.Push(s.ctx, "other-backend-0000000", c.events(parent, 1)))
		if e.Backend != at.BackendID || e.Received != "other-backend-0000000" {
			s.Fatalf("push to another backend: %+v", e)
		}
	}
	got, _ := c.all(provider.Cursor{})
	s.same(got, log)
}

// testConcurrent lets clients race for the head: each event is stored once, each client's in its order, and all see the same log.
func testConcurrent(s *suite) {
	const clients, each = 4, 20
	var wg sync.WaitGroup
	errs := make([]error, clients)
	watcher := s.client("watcher")
	live := watcher.pull(provider.Cursor{}, true)
	defer live.stop()
	for i := range clients {
		c := s.client(string(rune('a' + i)))
		wg.Go(func() { errs[i] = c.race(each) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		s.Fatal(err)
	}
	live.until(clients * each)
	got, _ := watcher.all(provider.Cursor{})
	s.same(live.events, got)
	next := map[string]int{}
	for _, e := range got {
		next[e.ClientID]++
		if wantArgs := fmt.Sprintf(`{"by":%q,"n":%d,"filling":""}`, e.ClientID, next[e.ClientID]); string(e.Args) != wantArgs {
			s.Fatalf("e%d of %s has %s, want %s", e.SeqNum, e.ClientID, e.Args, wantArgs)
		}
	}
}

// race pushes n events, one at a time, after whatever head there is.
func (c *tester) race(n int) error {
	var head int64
	for i := range n {
		e := c.event(head, "")
		for {
			e.ParentSeqNum, e.SeqNum = head, head+1
			err := c.Push(c.s.ctx, "", []event.Global{e})
			if err == nil {
				head++
				break
			}
			ahead, ok := errors.AsType[*provider.ServerAheadError](err)
			if !ok {
				return fmt.Errorf("push %d of %s: %w", i, c.id, err)
			}
			head = ahead.Head
		}
	}
	return nil
}
