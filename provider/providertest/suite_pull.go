package providertest

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/provider"
)

var pullScenarios = []scenario{
	{"empty store", testEmpty},
	{"paging", testPaging},
	{"live", testLive},
	{"pushes during the first pages", testPushWhilePaging},
	{"left iteration", testLeft},
	{"slow consumer", testSlow},
	{"pushes inside the iteration", testPushInside},
	{"many pulls", testManyPulls},
	{"wrong identity", testPullIdentity},
	{"arguments", testArguments},
}

func testEmpty(s *suite) {
	c := s.client("a")
	for _, live := range []bool{false, true} {
		r := c.pull(provider.Cursor{}, live)
		if !r.next() {
			s.Fatalf("pull of an empty store (live: %v): %v", live, r.err)
		}
		if len(r.page.Events) != 0 || r.page.Remaining != 0 {
			s.Fatalf("page of an empty store (live: %v): %+v", live, r.page)
		}
		if !live && r.next() {
			s.Fatalf("another page of an empty store: %+v", r.page)
		}
		r.stop()
	}
}

func testPaging(s *suite) {
	c := s.client("a")
	log := c.fill(350)
	_, end := c.all(provider.Cursor{})
	for _, after := range []int64{0, 1, 99, 100, 349, 350} {
		r := c.pull(provider.Cursor{BackendID: end.BackendID, After: after}, false)
		for r.next() {
			if left := int(350 - r.at.After); r.page.Remaining != left && r.page.Remaining != -1 {
				s.Fatalf("page that ends at e%d of 350 says that %d remain", r.at.After, r.page.Remaining)
			}
			if len(r.page.Events) == 0 && after < 350 {
				s.Fatalf("empty page at e%d of 350", r.at.After)
			}
		}
		if r.err != nil {
			s.Fatalf("pull after e%d: %v", after, r.err)
		}
		if r.pages == 0 || r.page.Remaining != 0 {
			s.Fatalf("the last of %d pages after e%d says that %d remain", r.pages, after, r.page.Remaining)
		}
		s.same(r.events, log[after:])
		r.stop()
	}
}

func testLive(s *suite) {
	a, b := s.client("a"), s.client("b")
	log := a.fill(10)
	live := a.pull(provider.Cursor{}, true)
	defer live.stop()
	live.until(10)
	for i := range 10 {
		by := b
		if i%3 == 0 {
			by = a // its own come back to it
		}
		log = append(log, by.mustPush(by.events(int64(len(log)), 1+i)...)...)
		live.until(int64(len(log)))
		if live.page.Remaining != 0 {
			s.Fatalf("page of the live part says that %d remain", live.page.Remaining)
		}
	}
	s.same(live.events, log)
}

func testPushWhilePaging(s *suite) {
	a, b := s.client("a"), s.client("b")
	log := a.fill(500)
	for _, live := range []bool{true, false} {
		r := a.pull(provider.Cursor{}, live)
		goal := int64(len(log))
		if !r.next() {
			s.Fatalf("pull: %v", r.err)
		}
		for range 5 {
			log = append(log, b.mustPush(b.events(int64(len(log)), 1)...)...)
			log = append(log, a.mustPush(a.events(int64(len(log)), 2)...)...)
		}
		if live {
			r.until(int64(len(log)))
			s.same(r.events, log)
		} else {
			for r.next() {
			}
			if r.err != nil || r.at.After < goal {
				s.Fatalf("a pull that began at head e%d ends at e%d: %v", goal, r.at.After, r.err)
			}
			s.same(r.events, log[:r.at.After])
		}
		r.stop()
	}
}

func testLeft(s *suite) {
	c := s.client("a")
	log := c.fill(250)
	for i := range 30 {
		n := 0
		for _, err := range c.Pull(s.ctx, provider.Cursor{}, true) {
			if err != nil {
				s.Fatalf("pull: %v", err)
			}
			if n++; n > i%3 {
				break
			}
		}
	}
	log = append(log, c.mustPush(c.events(250, 1)...)...)
	got, _ := c.all(provider.Cursor{})
	s.same(got, log)
}

// testSlow is about a live pull that takes nothing for a while: it holds up nobody, and loses nothing.
func testSlow(s *suite) {
	a, b := s.client("a"), s.client("b")
	slow := a.pull(provider.Cursor{}, true)
	defer slow.stop()
	if !slow.next() {
		s.Fatalf("pull: %v", slow.err)
	}
	quick := b.pull(provider.Cursor{}, true)
	defer quick.stop()
	var log []event.Global
	for i := range 120 {
		by := a
		if i%2 == 0 {
			by = b
		}
		log = append(log, by.mustPush(by.events(int64(len(log)), 3)...)...)
		quick.until(int64(len(log)))
	}
	slow.until(int64(len(log)))
	s.same(slow.events, log)
	log = append(log, b.mustPush(b.events(int64(len(log)), 1)...)...)
	slow.until(int64(len(log)))
}

func testPushInside(s *suite) {
	c := s.client("a")
	var log, got []event.Global
	for page, err := range c.Pull(s.ctx, provider.Cursor{}, true) {
		if err != nil {
			s.Fatalf("pull: %v", err)
		}
		got = append(got, page.Events...)
		if len(log) == 40 && len(got) == len(log) {
			break
		}
		for range min(2, (40-len(log))/2) {
			log = append(log, c.mustPush(c.events(int64(len(log)), 2)...)...)
		}
	}
	s.same(got, log)
}

func testManyPulls(s *suite) {
	c := s.client("a")
	log := c.fill(150)
	readers := make([]*reader, 12)
	for i := range readers {
		readers[i] = c.pull(provider.Cursor{}, i%3 != 0)
		s.Cleanup(readers[i].stop)
		if !readers[i].next() {
			s.Fatalf("pull: %v", readers[i].err)
		}
	}
	for i, r := range readers {
		if i%3 == 0 {
			for r.next() {
			}
			s.same(r.events, log)
		}
	}
	log = append(log, c.mustPush(c.events(150, 5)...)...)
	for i, r := range slices.Backward(readers) {
		if i%3 != 0 {
			r.until(155)
			s.same(r.events, log)
		}
	}
}

func testPullIdentity(s *suite) {
	c := s.client("a")
	c.fill(3)
	_, at := c.all(provider.Cursor{})
	for _, live := range []bool{false, true} {
		r := c.pull(provider.Cursor{BackendID: "other-backend-0000000", After: 2}, live)
		r.next()
		e := want[*provider.IdentityError](s, "pull from another backend", r.err)
		if e.Backend != at.BackendID || e.Received != "other-backend-0000000" {
			s.Fatalf("pull from another backend: %+v", e)
		}
		r.stop()
	}
}

// testArguments is about arguments that come back byte for byte: clients know their own events again by them.
func testArguments(s *suite) {
	c := s.client("a")
	texts := []string{
		`null`, `true`, `0`, `-0`, `1.0`, `1e2`, `1E+2`, `0.1`, `123456789012345678901234567890`, `""`, `[]`, `{}`,
		`"\u00e9 é \" \\ \/ \n < > & \u2028"`, `"𝄞 \ud834\udd1e"`, `{"b":1,"a":[2,{"c":null}]}`, `{ "spaced" : [ 1 , 2 ] }`,
		`{"":"empty name","__proto__":{"x":1}}`, `[[[[[[[[1]]]]]]]]`,
	}
	batch := make([]event.Global, len(texts))
	for i, text := range texts {
		batch[i] = c.event(int64(i), "")
		batch[i].Args = jsontext.Value(text)
		batch[i].ClientID, batch[i].SessionID = `a "quoted" é`, "s/1"
	}
	live := c.pull(provider.Cursor{}, true)
	defer live.stop()
	c.mustPush(batch...)
	live.until(int64(len(batch)))
	s.same(live.events, batch)
	got, _ := c.all(provider.Cursor{})
	s.same(got, batch)
}
