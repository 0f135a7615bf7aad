package eventlog_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
)

// events makes n synced events of one commit with arguments of 200 bytes behind a head.
func events(head event.SeqNum, ordinal uint64, n int) []event.Client {
	all := make([]event.Client, n)
	args := jsontext.Value(`{"id":"0123456789","text":"` + strings.Repeat("x", 200-29) + `"}`)
	for i := range all {
		all[i] = event.Client{
			Name: "v1.TodoCreated", Args: args, ClientID: "CLIENT7890123456789012", SessionID: "SESSION8901",
			SchemaHash: "0123456789abcdef", ID: event.ID{Commit: commitID(ordinal), Index: i},
		}
		all[i].Num, all[i].Parent = head.Next(event.ScopeSynced, 0)
		head = all[i].Num
	}
	return all
}

// BenchmarkAppend appends commits of some events, one a transaction.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("events=%d", n), func(b *testing.B) {
			l := open(b, filepath.Join(b.TempDir(), "log.db"))
			o := uint64(0)
			for b.Loop() {
				o++
				head, _ := l.Head()
				batch := events(head, o, n)
				update(b, l, appending(l, batch), func() error { return l.SetTaken("j1", o) })
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/event")
		})
	}
}

func filled(b *testing.B) *eventlog.Log {
	l := open(b, filepath.Join(b.TempDir(), "log.db"))
	update(b, l, appending(l, events(event.SeqNum{}, 1, 50_000)))
	return l
}

// BenchmarkRead reads 50,000 events.
func BenchmarkRead(b *testing.B) {
	l := filled(b)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, err := range l.Read(event.SeqNum{}, 0) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 50_000 {
			b.Fatal(n)
		}
	}
}

// BenchmarkOpen opens a log of 50,000 events.
func BenchmarkOpen(b *testing.B) {
	l := filled(b)
	path := l.Path()
	l.Close()
	for b.Loop() {
		l, err := eventlog.Open(path, options())
		if err != nil {
			b.Fatal(err)
		}
		l.Close()
	}
}

// BenchmarkFind finds an event by its identity among 50,000.
func BenchmarkFind(b *testing.B) {
	l := filled(b)
	for b.Loop() {
		if _, ok, err := l.Find(event.ID{Commit: commitID(1), Index: 31_234}); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
