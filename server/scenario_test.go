package server_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/wire"
)

// An empty store answers a pull with one empty element, so that the client learns the backend id.
func TestFirstPull(t *testing.T) {
	inBoth(t, func(t *testing.T, d wire.Dialect) {
		p := inMemory(t, nil).dial(d, "s")
		p.send(wire.Ping{})
		if _, ok := p.receive().(wire.Pong); !ok {
			t.Errorf("a ping was answered by %s", p.raw)
		}
		id := p.pull(0, true)
		if remaining := p.events(id, 1, 0); remaining != 0 {
			t.Errorf("%d remain", remaining)
		}
		once := p.pull(0, false)
		p.events(once, 1, 0)
		if e := p.exit(once); len(e.Failure) > 0 {
			t.Errorf("it ended with %s", p.raw)
		}
		// Clients of the later dialect insist on the value.
		if !strings.Contains(string(p.raw), `{"_tag":"Success","value":null}`) {
			t.Errorf("a pull ends with %s", p.raw)
		}
	})
}

// The events of a push come to all live pulls, those of the pusher first of all, and only then is it answered.
func TestPushReachesEverybodyInOrder(t *testing.T) {
	inBoth(t, func(t *testing.T, d wire.Dialect) {
		w := inMemory(t, nil)
		a, b, elsewhere := w.dial(d, "s"), w.dial(wire.E3+wire.E4-d, "s"), w.dial(d, "other")
		pullA, pullB, pullE := a.pull(0, true), b.pull(0, true), elsewhere.pull(0, true)
		a.events(pullA, 1, 0)
		b.events(pullB, 1, 0)
		elsewhere.events(pullE, 1, 0)
		for n := int64(1); n <= 40; n += 4 {
			push := a.push(span(n, n+2)...)
			a.events(pullA, n, n+2)
			a.stored(push)
			b.events(pullB, n, n+2)
			push = b.push(at(n + 3))
			b.events(pullB, n+3, n+3)
			b.stored(push)
			a.events(pullA, n+3, n+3)
		}
		elsewhere.nothing()
		if a.backend != b.backend || a.backend == elsewhere.backend {
			t.Errorf("backend ids %s, %s, and of the other store %s", a.backend, b.backend, elsewhere.backend)
		}
	})
}

// What is asked in one dialect is answered in it, on one connection.
func TestEachRequestChoosesItsDialect(t *testing.T) {
	w := inMemory(t, nil)
	w.fill("s", 1, 3)
	p := w.dial(wire.E3, "s")
	for _, c := range []struct{ id, answered, cause string }{
		{`"5"`, `"5"`, `"cause":{`},
		{`"007"`, `"7"`, `"cause":{`},
		{`"123456789012345678901234567890"`, `"123456789012345678901234567890"`, `"cause":{`},
		{`6`, `6`, `"cause":[`},
		{`"abc"`, `"abc"`, `"cause":[`},
	} {
		p.sendRaw([]byte(`{"_tag":"Request","id":` + c.id + `,"tag":"SyncWsRpc.Push","payload":{"storeId":"s","batch":[{"name":"n","args":1,` +
			`"seqNum":2,"parentSeqNum":1,"clientId":"c","sessionId":"s"}],"backendId":{"_tag":"None"}}}`))
		p.receive()
		if text := string(p.raw); !strings.Contains(text, `"requestId":`+c.answered+`,`) || !strings.Contains(text, c.cause) ||
			!strings.Contains(text, `"_tag":"ServerAheadError"`) || !strings.Contains(text, `"minimumExpectedNum":3`) {
			t.Errorf("request %s was answered by %s", c.id, text)
		}
	}
}

// The pages of a pull wait for the acknowledgement of the one before; nothing else does.
func TestPagesWaitForAcknowledgements(t *testing.T) {
	inBoth(t, func(t *testing.T, d wire.Dialect) {
		w := inMemory(t, nil)
		w.fill("s", 1, 350)
		p := w.dial(d, "s")
		id := p.pull(0, false)
		for from, rest := int64(1), int64(350); rest > 0; {
			got, remaining := p.chunk(id)
			n := int64(len(got))
			p.are(got, from, from+n-1)
			from, rest = from+n, rest-n
			if int64(remaining) != rest || n > 100 {
				t.Errorf("%d events came, %d remain and the page says %d", n, rest, remaining)
			}
			if rest > 0 {
				p.nothing()
			}
			p.send(&wire.Ack{ID: id})
		}
		if e := p.exit(id); len(e.Failure) > 0 {
			t.Errorf("it ended with %s", p.raw)
		}
		// A finished pull gets nothing any more.
		push := p.push(at(351))
		p.stored(push)
		p.nothing()
	})
}

// A client that never acknowledges stalls this one pull; its other requests and the other clients go on.
func TestAcknowledgementsThatNeverCome(t *testing.T) {
	inBoth(t, func(t *testing.T, d wire.Dialect) {
		w := inMemory(t, nil)
		w.fill("s", 1, 300)
		p, other := w.dial(d, "s"), w.dial(d, "s")
		stalled := p.pull(0, true)
		p.events(stalled, 1, 100)
		second := p.pull(300, true)
		p.events(second, 1, 0)
		push := p.push(at(301))
		p.events(second, 301, 301)
		p.stored(push)
		id := other.pull(0, true)
		other.upTo(id, 0, 301)
		push = other.push(at(302))
		other.events(id, 302, 302)
		other.stored(push)
		p.events(second, 302, 302)
		p.nothing()
		p.send(&wire.Ack{ID: stalled})
		p.events(stalled, 101, 200)
		p.nothing()
		p.send(&wire.Ack{ID: stalled})
		p.upTo(stalled, 200, 302)
	})
}

// Acknowledgements that come early count for the pages to come.
func TestEarlyAcknowledgements(t *testing.T) {
	inBoth(t, func(t *testing.T, d wire.Dialect) {
		w := inMemory(t, nil)
		w.fill("s", 1, 600)
		p := w.dial(d, "s")
		id := p.pull(0, true)
		for range 3 {
			p.send(&wire.Ack{ID: id})
		}
		for n := int64(1); n <= 301; n += 100 {
			p.events(id, n, n+99)
		}
		p.nothing()
		p.upTo(id, 300, 300)
		p.send(&wire.Ack{ID: id})
		p.events(id, 401, 500)
	})
}

// What is pushed while the pages of a pull are under way comes after them: in order, without gap or repetition.
func TestPushDuringThePages(t *testing.T) {
	inBoth(t, func(t *testing.T, d wire.Dialect) {
		w := inMemory(t, nil)
		w.fill("s", 1, 500)
		head := int64(500)
		for _, live := range []bool{true, false} {
			p, pusher := w.dial(d, "s"), w.dial(d, "s")
			id := p.pull(0, live)
			began, after := head, int64(0)
			for range 4 {
				got, _ := p.chunk(id)
				p.are(got, after+1, after+int64(len(got)))
				after += int64(len(got))
				head++
				pusher.stored(pusher.push(at(head)))
				p.nothing()
				p.send(&wire.Ack{ID: id})
			}
			if !live {
				p.upTo(id, after, began) // at least what was there when it began
				continue
			}
			p.upTo(id, after, head)
			head++
			push := p.push(at(head))
			p.events(id, head, head)
			p.stored(push)
		}
	})
}

// An interrupted pull says so and ends; an interrupt for what is not there has no answer.
func TestInterrupt(t *testing.T) {
	inBoth(t, func(t *testing.T, d wire.Dialect) {
		w := inMemory(t, nil)
		w.fill("s", 1, 150)
		p := w.dial(d, "s")
		p.send(&wire.Interrupt{ID: wire.NumberID(99)})
		p.send(&wire.Ack{ID: wire.NumberID(99)})
		p.send(wire.Eof{})
		paging, live := p.pull(0, true), p.pull(0, false)
		p.events(paging, 1, 100)
		p.events(live, 1, 100)
		p.send(&wire.Interrupt{ID: paging})
		if e := p.exit(paging); len(e.Failure) == 0 || e.Failure[0].Kind != wire.Interrupted {
			t.Errorf("it ended with %s", p.raw)
		}
		p.send(&wire.Interrupt{ID: paging})
		p.send(&wire.Ack{ID: paging})
		p.send(&wire.Ack{ID: live})
		p.events(live, 101, 150)
		p.exit(live)
		push := p.push(at(151))
		p.stored(push)
		p.send(&wire.Interrupt{ID: push})
		p.nothing()
	})
}

// A push is accepted iff it chains on the head, from the backend the client means.
func TestArbitration(t *testing.T) {
	inBoth(t, func(t *testing.T, d wire.Dialect) {
		w := inMemory(t, nil)
		p := w.dial(d, "s")
		live := p.pull(0, true)
		p.events(live, 1, 0)
		push := p.push(span(1, 5)...)
		p.events(live, 1, 5)
		p.stored(push)
		for _, from := range []int64{1, 5, 7, 100} {
			e := failed[*wire.ServerAheadError](p, p.push(span(from, from+1)...))
			if e.MinimumExpectedNum != 5 || e.ProvidedNum != from-1 {
				t.Errorf("a push from e%d on: %+v", from, e)
			}
		}
		own := p.backend
		p.backend = "another"
		for _, id := range []wire.ID{p.push(at(6)), p.pull(3, true)} {
			if e := failed[*wire.BackendIDMismatchError](p, id); e.Expected != own || e.Received != "another" {
				t.Errorf("another backend: %+v", e)
			}
		}
		p.backend = "" // None is accepted
		push = p.push(at(6))
		p.events(live, 6, 6)
		p.stored(push)
		beyond := p.pull(0, false)
		p.upTo(beyond, 0, 6)
		p.exit(beyond)
		// A cursor past the head is no error.
		p.send(&wire.Pull{ID: p.id(), StoreID: "s", Cursor: &wire.Cursor{BackendID: own, After: 1000}})
		p.chunk(p.last())
		p.exit(p.last())
	})
}

// last is the id of the last request.
func (p *peer) last() wire.ID {
	p.next--
	return p.id()
}

// A push is stored as a whole or not at all: one wrong event refuses the rest, and nothing of it is ever seen.
func TestWrongPushes(t *testing.T) {
	inBoth(t, func(t *testing.T, d wire.Dialect) {
		w := inMemory(t, nil)
		p, other := w.dial(d, "s"), w.dial(d, "s")
		seen := other.pull(0, true)
		other.events(seen, 1, 0)
		first := p.push(span(1, 2)...)
		p.stored(first)
		other.events(seen, 1, 2)
		change := func(i int, f func(e *event.Global)) []event.Global {
			batch := span(3, 7)
			f(&batch[i])
			return batch
		}
		for name, c := range map[string]struct {
			batch []event.Global
			cause string
		}{
			"a gap":                   {change(2, func(e *event.Global) { e.SeqNum, e.ParentSeqNum = 9, 8 }), "InvalidBatchError"},
			"a number twice":          {change(2, func(e *event.Global) { e.SeqNum, e.ParentSeqNum = 4, 3 }), "InvalidBatchError"},
			"backwards":               {change(4, func(e *event.Global) { e.SeqNum, e.ParentSeqNum = 1, 0 }), "InvalidBatchError"},
			"a wrong parent":          {change(1, func(e *event.Global) { e.ParentSeqNum = 2 }), "InvalidBatchError"},
			"a number not after":      {change(0, func(e *event.Global) { e.SeqNum = 5 }), "InvalidBatchError"},
			"its own parent":          {change(4, func(e *event.Global) { e.ParentSeqNum = 7 }), "InvalidBatchError"},
			"no name":                 {change(3, func(e *event.Global) { e.Name = "" }), "InvalidBatchError"},
			"no client":               {change(3, func(e *event.Global) { e.ClientID = "" }), "InvalidBatchError"},
			"no session":              {change(3, func(e *event.Global) { e.SessionID = "" }), "InvalidBatchError"},
			"an endless name":         {change(3, func(e *event.Global) { e.Name = strings.Repeat("n", 100_000) }), "InvalidBatchError"},
			"an endless client":       {change(3, func(e *event.Global) { e.ClientID = strings.Repeat("n", 100_000) }), "InvalidBatchError"},
			"an event too large":      {change(4, func(e *event.Global) { e.Args = []byte(`"` + strings.Repeat("x", wire.MaxBytes) + `"`) }), "EventTooLargeError"},
			"too large in characters": {change(4, func(e *event.Global) { e.Args = []byte(`"` + strings.Repeat("🙂", wire.MaxBytes/4) + `"`) }), "EventTooLargeError"},
		} {
			id := p.push(c.batch...)
			e := p.exit(id)
			if len(e.Failure) != 1 {
				t.Errorf("%s: it ended with %s", name, p.raw)
				continue
			}
			unknown, ok := e.Failure[0].Err.(*wire.UnknownError)
			if !ok {
				t.Errorf("%s: it ended with %s", name, p.raw)
				continue
			}
			var cause struct{ Name, Message string }
			if err := json.Unmarshal(unknown.Cause, &cause); err != nil || cause.Name != c.cause || cause.Message == "" {
				t.Errorf("%s: the cause is %s, want a %s", name, unknown.Cause, c.cause)
			}
		}
		push := p.push(at(3))
		p.stored(push)
		other.events(seen, 3, 3)
	})
}

// The largest event that is allowed gets through, in both directions.
func TestLargestEvent(t *testing.T) {
	w := inMemory(t, nil)
	p := w.dial(wire.E3, "s")
	live := p.pull(0, true)
	p.events(live, 1, 0)
	e := at(1)
	e.Args = []byte(`"` + strings.Repeat("x", wire.MaxBytes-1000) + `"`)
	push := p.push(e)
	got, _ := p.chunk(live)
	if len(got) != 1 || string(got[0].Args) != string(e.Args) {
		t.Errorf("%d events came, or another one", len(got))
	}
	p.stored(push)
}
