// Package storagetest is the conformance suite of a [server.Storage]: what every storage of a sync backend must do, so that a server
// on top of it keeps the promises of the protocol.
package storagetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/server"
)

// Options says what the storage can besides the least. Nil means the defaults.
type Options struct {
	// Reopen closes a storage and opens what it kept: the same directory, the same database. Nil, the default, says that nothing
	// outlives the storage, and leaves those tests out.
	Reopen func(t *testing.T, s server.Storage) server.Storage

	// Exclusive says that a store can not be opened again while it is open, which a server never does. It leaves out the tests in which
	// several logs of one store are open.
	Exclusive bool
}

// Run runs the suite. Each test gets a storage of its own from open, without any log, and closes it.
func Run(t *testing.T, open func(t *testing.T) server.Storage, opts *Options) {
	if opts == nil {
		opts = &Options{}
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			switch {
			case test.needs == reopening && opts.Reopen == nil:
				t.Skip("the storage keeps nothing")
			case test.needs == sharing && opts.Exclusive:
				t.Skip("the storage opens a store once only")
			}
			w := &world{T: t, storage: open(t), reopen: opts.Reopen}
			defer func() {
				if err := w.storage.Close(); err != nil {
					t.Errorf("close the storage: %v", err)
				}
			}()
			test.run(w)
		})
	}
}

type test struct {
	name  string
	run   func(*world)
	needs need
}

// need is what a test needs besides the least.
type need uint8

const (
	nothing need = iota
	sharing
	reopening
)

var tests = []test{
	{"a new log is empty", isEmpty, nothing},
	{"logs are apart", areApart, nothing},
	{"events come back as they went in", roundTrip, nothing},
	{"arguments come back byte for byte", rawArguments, nothing},
	{"an append is conditional on the head", isConditional, nothing},
	{"an empty append changes nothing", emptyAppend, nothing},
	{"an append is whole or not at all", isWhole, nothing},
	{"of concurrent appends one wins", oneWins, sharing},
	{"concurrent opens give one log", concurrentOpens, sharing},
	{"reads are paged by number", pagesByNumber, nothing},
	{"reads are paged by size", pagesBySize, nothing},
	{"readers see a prefix while it grows", readersSeeAPrefix, sharing},
	{"an event of 900 kB", largeEvent, nothing},
	{"10,000 events", manyEvents, nothing},
	{"a context that is over", contexts, nothing},
	{"what is closed stays closed", closing, nothing},
	{"a log can be opened again", openAgain, sharing},
	{"store ids that are none are refused", storeIDs, nothing},
	{"a storage keeps events, head and backend id", keeps, reopening},
	{"a storage keeps an empty log", keepsEmpty, reopening},
	{"a storage goes on where it was", goesOn, reopening},
}

// world is one test with its storage.
type world struct {
	*testing.T

	storage server.Storage
	reopen  func(*testing.T, server.Storage) server.Storage
}

func (w *world) open(storeID string) server.Log {
	w.Helper()
	l, err := w.storage.Open(w.Context(), storeID)
	if err != nil {
		w.Fatalf("open the log of %s: %v", storeID, err)
	}
	w.Cleanup(func() { _ = l.Close() })
	return l
}

func (w *world) append(l server.Log, parent int64, batch ...server.Event) {
	w.Helper()
	if err := l.Append(w.Context(), parent, batch); err != nil {
		w.Fatalf("append %d events after e%d: %v", len(batch), parent, err)
	}
}

func (w *world) head(l server.Log, want int64) {
	w.Helper()
	if head, err := l.Head(w.Context()); err != nil || head != want {
		w.Errorf("the head is e%d (%v), want e%d", head, err, want)
	}
}

// all reads a log from a position to its end.
func (w *world) all(l server.Log, after int64) []server.Event {
	w.Helper()
	var all []server.Event
	for {
		page, err := l.Read(w.Context(), after, 1000, 1<<20)
		if err != nil {
			w.Fatalf("read after e%d: %v", after, err)
		}
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
		after = page[len(page)-1].SeqNum
	}
}

func (w *world) same(what string, got, want []server.Event) {
	w.Helper()
	if len(got) != len(want) {
		w.Errorf("%s: %d events, want %d", what, len(got), len(want))
		return
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			w.Errorf("%s: the event at %d is\n%.200s, want\n%.200s", what, i, fmt.Sprintf("%+v", got[i]), fmt.Sprintf("%+v", want[i]))
			return
		}
	}
}

// at is the event n with some arguments.
func at(n int64, args string) server.Event {
	return server.Event{
		Global: event.Global{
			SeqNum: n, ParentSeqNum: n - 1, Name: "v1.TodoCreated", Args: jsontext.Value(args), ClientID: "client", SessionID: "static",
		},
		CreatedAt: "2026-11-23T01:01:01.245Z",
	}
}

// chain is the events from to to.
func chain(from, to int64) []server.Event {
	var batch []server.Event
	for n := from; n <= to; n++ {
		batch = append(batch, at(n, fmt.Sprintf(`{"id":"%d"}`, n)))
	}
	return batch
}

func isEmpty(w *world) {
	l := w.open("s")
	w.head(l, 0)
	if events := w.all(l, 0); len(events) > 0 {
		w.Errorf("it has %d events", len(events))
	}
	if id := l.BackendID(); len(id) != 21 || strings.Trim(id, alphabet) != "" {
		w.Errorf("its backend id is %q, want 21 letters, digits, _ and -", id)
	}
}

const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

func areApart(w *world) {
	ids := []string{
		"todos", "Todos", "TODOS", "to-dos", "to_dos", "con", "nul", "1", "-", "_", strings.Repeat("x", 128), strings.Repeat("X", 128),
	}
	backends := map[string]string{}
	for _, id := range ids {
		l := w.open(id)
		if other, twice := backends[l.BackendID()]; twice {
			w.Errorf("%s and %s have one backend id", id, other)
		}
		backends[l.BackendID()] = id
		w.head(l, 0)
		w.append(l, 0, at(1, `"`+id+`"`))
		if err := l.Close(); err != nil {
			w.Errorf("close: %v", err)
		}
	}
	for _, id := range ids {
		w.same(id, w.all(w.open(id), 0), []server.Event{at(1, `"`+id+`"`)})
	}
}

func roundTrip(w *world) {
	l := w.open("s")
	batch := chain(1, 30) // not a multiple of whatever is written together
	for i := range batch {
		batch[i].ClientID, batch[i].SessionID = fmt.Sprintf("c%d", i), fmt.Sprintf("s%d", i)
	}
	batch[3].Name = "v1.Größe – 寸法 🙂 'quoted' \"twice\""
	batch[4].ClientID, batch[4].SessionID = "клиент", "\u2028"
	w.append(l, 0, batch...)
	more := chain(31, 31)
	more[0].CreatedAt = "2027-01-01T00:00:00.000Z"
	w.append(l, 30, more...)
	w.head(l, 31)
	w.same("all", w.all(l, 0), append(batch, more...))
	w.same("from the middle", w.all(l, 29), append(batch[29:30:30], more...))
	w.same("from the end", w.all(l, 31), nil)
	w.same("from behind the end", w.all(l, 1<<53-1), nil)
}

func rawArguments(w *world) {
	l := w.open("s")
	raw := []string{
		`null`, `{}`, `[]`, `""`, `0`, `-0`, `1.0`, `1e2`, `12345678901234567890`, `true`,
		`{ "a" : 1 }`, "{\n\t\"a\":1\r\n}", `{"b":1,"a":2}`, `"\u00e9"`, `"é"`, `"\ud83d\ude42"`, `"🙂"`, `"\u0000"`, `"\/"`, `"\u2028"`,
		`[[[[[[[[[[]]]]]]]]]]`, `"it's; DROP TABLE events; --"`,
	}
	var batch []server.Event
	for i, args := range raw {
		batch = append(batch, at(int64(i+1), args))
	}
	w.append(l, 0, batch...)
	for i, e := range w.all(l, 0) {
		if string(e.Args) != raw[i] {
			w.Errorf("%s came back as %s", raw[i], e.Args)
		}
	}
}

func isConditional(w *world) {
	l := w.open("s")
	w.append(l, 0, chain(1, 3)...)
	for _, parent := range []int64{0, 1, 2, 4, 100} {
		err := l.Append(w.Context(), parent, chain(parent+1, parent+2))
		head, ok := errors.AsType[*server.HeadError](err)
		if !ok {
			w.Errorf("an append after e%d to a log at e3: %v, want a *HeadError", parent, err)
			continue
		}
		if head.Head != 3 {
			w.Errorf("the error says that the head is e%d, want e3", head.Head)
		}
	}
	w.head(l, 3)
	w.append(l, 3, chain(4, 4)...)
	w.same("all", w.all(l, 0), chain(1, 4))
}

func emptyAppend(w *world) {
	l := w.open("s")
	w.append(l, 0)
	w.append(l, 0, chain(1, 2)...)
	w.append(l, 2)
	if _, ok := errors.AsType[*server.HeadError](l.Append(w.Context(), 1, nil)); !ok {
		w.Error("an empty append is not conditional")
	}
	w.head(l, 2)
}

// isWhole appends a batch whose last event can not be stored, or is, but never without the rest.
func isWhole(w *world) {
	l := w.open("s")
	w.append(l, 0, chain(1, 5)...)
	batch := chain(6, 40)
	batch[len(batch)-1].SeqNum = 7 // twice in the batch
	if err := l.Append(w.Context(), 5, batch); err == nil {
		w.Skip("the storage leaves it to the server to check numbers")
	}
	w.head(l, 5)
	w.same("all", w.all(l, 0), chain(1, 5))
	w.append(l, 5, chain(6, 6)...)
	w.head(l, 6)
}

// oneWins lets several writers append after each head, through logs of their own.
func oneWins(w *world) {
	const writers, rounds = 4, 25
	type result struct {
		writer int
		err    error
	}
	logs := make([]server.Log, writers)
	for i := range logs {
		logs[i] = w.open("s")
	}
	results := make(chan result, writers)
	var winners []string
	for round := range int64(rounds) {
		for i, l := range logs {
			go func() {
				batch := []server.Event{at(2*round+1, fmt.Sprint(i)), at(2*round+2, fmt.Sprint(i))}
				results <- result{i, l.Append(context.WithoutCancel(w.Context()), 2*round, batch)}
			}()
		}
		won := 0
		for range logs {
			r := <-results
			head, lost := errors.AsType[*server.HeadError](r.err)
			switch {
			case r.err == nil:
				won++
				winners = append(winners, fmt.Sprint(r.writer))
			case !lost:
				w.Errorf("round %d: %v, want a *HeadError", round, r.err)
			case head.Head != 2*round+2:
				w.Errorf("round %d: the error says that the head is e%d, want e%d", round, head.Head, 2*round+2)
			}
		}
		if won != 1 {
			w.Fatalf("round %d: %d writers won", round, won)
		}
	}
	w.head(logs[0], 2*rounds)
	for i, e := range w.all(logs[1], 0) {
		if string(e.Args) != winners[i/2] {
			w.Errorf("event e%d is of writer %s, and %s won", e.SeqNum, e.Args, winners[i/2])
		}
	}
}

func concurrentOpens(w *world) {
	const n = 8
	type result struct {
		log server.Log
		err error
	}
	results := make(chan result, 2*n)
	for i := range 2 * n {
		go func() {
			l, err := w.storage.Open(context.WithoutCancel(w.Context()), fmt.Sprintf("s%d", i%2))
			results <- result{l, err}
		}()
	}
	ids := map[string]int{}
	for range 2 * n {
		r := <-results
		if r.err != nil {
			w.Errorf("open: %v", r.err)
			continue
		}
		ids[r.log.BackendID()]++
		w.Cleanup(func() { _ = r.log.Close() })
	}
	if len(ids) != 2 {
		w.Errorf("two stores have %d backend ids", len(ids))
	}
}
