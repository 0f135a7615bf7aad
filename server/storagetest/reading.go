package storagetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/livestore-go/livestore/server"
)

func (w *world) read(l server.Log, after int64, limit, maxBytes int) []server.Event {
	w.Helper()
	events, err := l.Read(w.Context(), after, limit, maxBytes)
	if err != nil {
		w.Fatalf("read %d events and %d bytes after e%d: %v", limit, maxBytes, after, err)
	}
	return events
}

func pagesByNumber(w *world) {
	l := w.open("s")
	w.append(l, 0, chain(1, 250)...)
	for _, c := range []struct {
		after    int64
		limit    int
		from, to int64
	}{
		{0, 1, 1, 1}, {0, 100, 1, 100}, {100, 100, 101, 200}, {200, 100, 201, 250}, {249, 1, 250, 250}, {0, 1000, 1, 250},
	} {
		w.same(fmt.Sprintf("%d after e%d", c.limit, c.after), w.read(l, c.after, c.limit, 1<<20), chain(c.from, c.to))
	}
	if events := w.read(l, 250, 100, 1<<20); len(events) > 0 {
		w.Errorf("after the head there are %d events", len(events))
	}
}

func pagesBySize(w *world) {
	l := w.open("s")
	args := func(n int) string { return `"` + strings.Repeat("x", n) + `"` }
	batch := []server.Event{at(1, args(10)), at(2, args(1000)), at(3, args(1000)), at(4, args(50_000)), at(5, args(1000)), at(6, args(10))}
	w.append(l, 0, batch...)
	for _, c := range []struct {
		after    int64
		maxBytes int
		from, to int64
	}{
		{0, 10_000, 1, 3}, // the fourth would go past it
		{3, 10_000, 4, 4}, // at least one, however large
		{3, 1, 4, 4},
		{3, 0, 4, 4},
		{4, 10_000, 5, 6},
		{0, 1, 1, 1},
		{0, 1 << 20, 1, 6},
	} {
		w.same(fmt.Sprintf("%d bytes after e%d", c.maxBytes, c.after), w.read(l, c.after, 100, c.maxBytes), batch[c.from-1:c.to])
	}
	// How a storage measures is its own affair, but not by more than what surrounds an event.
	events, bytes := w.read(l, 1, 100, 2500), 0
	for _, e := range events {
		bytes += len(e.Args)
	}
	if bytes > 2500 {
		w.Errorf("2,500 bytes were asked for, and the arguments alone have %d", bytes)
	}
}

func readersSeeAPrefix(w *world) {
	l := w.open("s")
	const total, step = 600, 20
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.Context()))
	defer cancel()
	var readers sync.WaitGroup
	for range 3 {
		reader := w.open("s")
		readers.Go(func() {
			for after := int64(0); after < total && ctx.Err() == nil; {
				events, err := reader.Read(ctx, after, 33, 1<<20)
				if err != nil {
					if ctx.Err() == nil {
						w.Errorf("read after e%d: %v", after, err)
					}
					return
				}
				for _, e := range events {
					if e.SeqNum != after+1 {
						w.Errorf("after e%d comes e%d", after, e.SeqNum)
						return
					}
					after++
				}
			}
		})
	}
	for n := int64(0); n < total; n += step {
		w.append(l, n, chain(n+1, n+step)...)
	}
	readers.Wait()
}

func largeEvent(w *world) {
	l := w.open("s")
	large := at(2, `{"text":"`+strings.Repeat("ä€🙂", 100_000)+`"}`)
	w.append(l, 0, at(1, `1`), large, at(3, `3`))
	got := w.all(l, 0)
	if len(got) != 3 || string(got[1].Args) != string(large.Args) {
		w.Errorf("%d events came back, or the large one is another", len(got))
	}
}

func manyEvents(w *world) {
	l := w.open("s")
	const total, batch = 10_000, 100
	for n := int64(0); n < total; n += batch {
		w.append(l, n, chain(n+1, n+batch)...)
	}
	w.head(l, total)
	got := w.all(l, 0)
	if len(got) != total {
		w.Fatalf("%d events came back", len(got))
	}
	for i, e := range got {
		if want := fmt.Sprintf(`{"id":"%d"}`, i+1); e.SeqNum != int64(i+1) || string(e.Args) != want {
			w.Fatalf("the event at %d is e%d %s", i+1, e.SeqNum, e.Args)
		}
	}
}

func contexts(w *world) {
	l := w.open("s")
	w.append(l, 0, chain(1, 2)...)
	ctx, cancel := context.WithCancel(w.Context())
	cancel()
	if _, err := w.storage.Open(ctx, "other"); !errors.Is(err, context.Canceled) {
		w.Errorf("open: %v, want the error of the context", err)
	}
	if err := l.Append(ctx, 2, chain(3, 3)); !errors.Is(err, context.Canceled) {
		w.Errorf("append: %v, want the error of the context", err)
	}
	if _, err := l.Read(ctx, 0, 1, 1); !errors.Is(err, context.Canceled) {
		w.Errorf("read: %v, want the error of the context", err)
	}
	if _, err := l.Head(ctx); !errors.Is(err, context.Canceled) {
		w.Errorf("head: %v, want the error of the context", err)
	}
	w.head(l, 2)
	w.append(l, 2, chain(3, 3)...)
}

func closing(w *world) {
	closed, l := w.open("s"), w.open("other")
	w.append(closed, 0, chain(1, 2)...)
	use := func(what string, l server.Log) {
		w.Helper()
		if err := l.Append(w.Context(), 2, chain(3, 3)); err == nil {
			w.Errorf("append to %s worked", what)
		}
		if _, err := l.Read(w.Context(), 0, 1, 1); err == nil {
			w.Errorf("read of %s worked", what)
		}
		if _, err := l.Head(w.Context()); err == nil {
			w.Errorf("head of %s worked", what)
		}
	}
	for range 2 {
		if err := closed.Close(); err != nil {
			w.Errorf("close: %v", err)
		}
	}
	use("a closed log", closed)
	w.append(l, 0, chain(1, 1)...)
	for range 2 {
		if err := w.storage.Close(); err != nil {
			w.Errorf("close the storage: %v", err)
		}
	}
	use("a log of a closed storage", l)
	if _, err := w.storage.Open(w.Context(), "s"); err == nil {
		w.Error("a closed storage opened a log")
	}
	if err := l.Close(); err != nil {
		w.Errorf("close a log of a closed storage: %v", err)
	}
}

func openAgain(w *world) {
	first, second := w.open("s"), w.open("s")
	id := first.BackendID()
	if second.BackendID() != id {
		w.Errorf("two logs of one store have backend ids %s and %s", id, second.BackendID())
	}
	w.append(first, 0, chain(1, 2)...)
	w.head(second, 2)
	if err := first.Close(); err != nil {
		w.Errorf("close: %v", err)
	}
	w.append(second, 2, chain(3, 3)...) // the other one goes on
	if err := second.Close(); err != nil {
		w.Errorf("close: %v", err)
	}
	third := w.open("s")
	if third.BackendID() != id {
		w.Errorf("the backend id was %s and is %s", id, third.BackendID())
	}
	w.same("all", w.all(third, 0), chain(1, 3))
}

func storeIDs(w *world) {
	for _, id := range []string{"", ".", "..", "a/b", `a\b`, "a b", "ä", "a\x00", "../s", strings.Repeat("x", 129)} {
		l, err := w.storage.Open(w.Context(), id)
		if _, ok := errors.AsType[*server.StoreIDError](err); !ok {
			w.Errorf("%q: %v, want a *StoreIDError", id, err)
		}
		if err == nil {
			l.Close()
		}
	}
}

// again closes the storage and opens what it kept.
func (w *world) again() {
	w.Helper()
	w.storage = w.reopen(w.T, w.storage)
}

func keeps(w *world) {
	ids := map[string]string{}
	for i, store := range []string{"a", "A", strings.Repeat("A", 128)} {
		l := w.open(store)
		w.append(l, 0, chain(1, int64(10+i))...)
		ids[store] = l.BackendID()
	}
	for range 3 {
		w.again()
		for i, store := range []string{"a", "A", strings.Repeat("A", 128)} {
			l := w.open(store)
			if l.BackendID() != ids[store] {
				w.Errorf("%s: the backend id was %s and is %s", store, ids[store], l.BackendID())
			}
			w.head(l, int64(10+i))
			w.same(store, w.all(l, 0), chain(1, int64(10+i)))
		}
	}
}

func keepsEmpty(w *world) {
	id := w.open("s").BackendID()
	w.again()
	l := w.open("s")
	if l.BackendID() != id {
		w.Errorf("the backend id was %s and is %s", id, l.BackendID())
	}
	w.head(l, 0)
}

func goesOn(w *world) {
	for n := range int64(5) {
		l := w.open("s")
		w.head(l, n)
		if _, ok := errors.AsType[*server.HeadError](l.Append(w.Context(), n+1, chain(n+2, n+2))); !ok {
			w.Error("an append after a reopen is not conditional")
		}
		w.append(l, n, chain(n+1, n+1)...)
		w.again()
	}
	w.same("all", w.all(w.open("s"), 0), chain(1, 5))
}
