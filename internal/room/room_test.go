package room

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/wire"
)

// TestReaderThatNeverReads pushes many events past a connection that reads nothing, acknowledges nothing, and pulls all it may.
func TestReaderThatNeverReads(t *testing.T) {
	ctx := context.Background()
	log := &memoryLog{}
	log.grow(3000, 500)
	r := New(Config{StoreID: "shop", Log: log})
	r.Join("dead")
	r.Join("good")
	for id := range uint64(200) {
		if r.Full("dead") {
			break
		}
		cursor := &wire.Cursor{BackendID: testBackend, After: 3000 * int64(id%2)}
		r.Receive(ctx, "dead", &wire.Pull{ID: wire.NumberID(id), StoreID: "shop", Live: true, Cursor: cursor}, time.Time{})
		for range 20 {
			r.Receive(ctx, "dead", &wire.Ack{ID: wire.NumberID(id)}, time.Time{})
		}
	}
	r.Receive(ctx, "good", &wire.Pull{ID: wire.NumberID(0), StoreID: "shop", Live: true, Cursor: &wire.Cursor{BackendID: testBackend, After: 3000}}, time.Time{})
	sent := map[Conn]int{}
	good := int64(3000)
	effects := func() {
		for more := true; more; {
			more = r.Pump(ctx)
			for _, e := range r.Effects() {
				if e.Close != nil {
					t.Fatalf("%v was closed: %v", e.Conn, e.Close)
				}
				sent[e.Conn] += len(e.AppendFrame(nil))
				if e.Conn != "good" {
					continue
				}
				r.Drained("good", 1)
				more = true
				if chunk, ok := e.Message.(*wire.Chunk); ok {
					for _, ev := range chunk.Items[0].Events {
						if good++; ev.SeqNum != good {
							t.Fatalf("the good reader got event %d for %d", ev.SeqNum, good)
						}
					}
				}
			}
		}
	}
	effects()
	for i := range int64(500) {
		batch := make([]event.Global, 50)
		for j := range batch {
			batch[j] = numbered(3000+50*i+int64(j)+1, 500)
		}
		r.Receive(ctx, "good", &wire.Push{ID: wire.NumberID(uint64(i) + 1), StoreID: "shop", Batch: batch}, time.Time{})
		effects()
	}
	if want := int64(3000 + 500*50); good != want || r.Head() != want {
		t.Errorf("the good reader is at %d and the head is %d, want %d", good, r.Head(), want)
	}
	if c := r.conns["dead"]; c.bytes > 1<<20+wire.MaxBytes || sent["dead"] > 2<<20 || len(c.pulls) != 64 {
		t.Errorf("%d bytes are under way to the dead reader with %d pulls, and %d were sent", c.bytes, len(c.pulls), sent["dead"])
	}
	if r.cache.bytes > 4<<20 {
		t.Errorf("the cache has %d bytes", r.cache.bytes)
	}
	r.Leave("dead")
	r.Leave("good")
	if r.Conns() != 0 || r.Pump(ctx) || len(r.Effects()) != 0 {
		t.Error("something is left to do in an empty room")
	}
}

// TestFramesAreNotKept pushes an event that is a small part of its frame: the log must not keep the rest of it in memory.
func TestFramesAreNotKept(t *testing.T) {
	frame := bytes.Repeat([]byte(`1`), 1000)
	e := numbered(1, 0)
	e.Args = frame[500:501]
	log := &memoryLog{}
	r := New(Config{StoreID: "shop", Log: log})
	r.Join("a")
	r.Receive(t.Context(), "a", &wire.Push{ID: wire.NumberID(1), StoreID: "shop", Batch: []event.Global{e}}, time.Time{})
	if got := log.events[0].Args; &got[0] == &frame[500] || cap(got) > 16 {
		t.Errorf("the log has a piece of the frame: %d bytes", cap(got))
	}
}

// TestCreatedAt gives all events of a push the time of the push, in UTC and milliseconds.
func TestCreatedAt(t *testing.T) {
	log := &memoryLog{}
	r := New(Config{StoreID: "shop", Log: log})
	r.Join("a")
	at := time.Date(2026, 11, 23, 2, 1, 1, 245_999_999, time.FixedZone("", 3600))
	batch := []event.Global{numbered(1, 0), numbered(2, 0)}
	r.Receive(t.Context(), "a", &wire.Push{ID: wire.NumberID(1), StoreID: "shop", Batch: batch}, at)
	for _, e := range log.events {
		if e.CreatedAt != "2026-11-23T01:01:01.245Z" {
			t.Errorf("event %d was created at %q", e.SeqNum, e.CreatedAt)
		}
	}
}

// TestClosesForReasons tells the driver why a connection is to be closed by a type.
func TestClosesForReasons(t *testing.T) {
	r := New(Config{StoreID: "shop", Log: &memoryLog{}, Limits: Limits{Replies: 1}})
	r.Join("slow")
	r.Join("twice")
	for range 3 {
		r.Receive(t.Context(), "slow", wire.Ping{}, time.Time{})
	}
	id := wire.StringID("1")
	r.Receive(t.Context(), "twice", &wire.Pull{ID: id, StoreID: "shop", Live: true}, time.Time{})
	r.Receive(t.Context(), "twice", &wire.HTTPPing{ID: id, StoreID: "shop"}, time.Time{})
	why := map[Conn]error{}
	for _, e := range r.Effects() {
		if e.Close != nil {
			why[e.Conn] = e.Close
		}
	}
	if e, ok := errors.AsType[*SlowReaderError](why["slow"]); !ok || e.Replies != 3 {
		t.Errorf("the slow one is closed with %v", why["slow"])
	}
	if e, ok := errors.AsType[*DuplicateIDError](why["twice"]); !ok || e.ID != id {
		t.Errorf("the one that uses an id twice is closed with %v", why["twice"])
	}
}

// TestAnswersAreShort asks with long texts for answers that repeat them.
func TestAnswersAreShort(t *testing.T) {
	r := New(Config{StoreID: "shop", Log: &memoryLog{}})
	r.Join("a")
	long := strings.Repeat("ü", 100_000)
	id := wire.StringID("1")
	r.Receive(t.Context(), "a", &wire.Pull{ID: id, StoreID: long}, time.Time{})
	r.Receive(t.Context(), "a", &wire.Pull{ID: id, StoreID: "shop", Cursor: &wire.Cursor{BackendID: long}}, time.Time{})
	r.Receive(t.Context(), "a", &wire.Push{ID: id, StoreID: "shop", BackendID: long, Batch: []event.Global{numbered(1, 0)}}, time.Time{})
	effects := r.Effects()
	if len(effects) != 3 {
		t.Fatalf("%d answers, want 3", len(effects))
	}
	for _, e := range effects {
		if frame := e.AppendFrame(nil); len(frame) > 1000 || !utf8.Valid(frame) {
			t.Errorf("an answer of %d bytes: %.80s", len(frame), frame)
		}
	}
}
