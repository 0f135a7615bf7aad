package server_test

import (
	"testing"

	"github.com/livestore-go/livestore/internal/wire"
)

// storages are what the benchmarks run on.
var storages = map[string]func(b *testing.B) *world{
	"memory": func(b *testing.B) *world { return inMemory(b, nil) },
	"sqlite": func(b *testing.B) *world { return onDisk(b, b.TempDir(), nil) },
}

// BenchmarkPush50 pushes 50 events and waits for the answer, over a real socket.
func BenchmarkPush50(b *testing.B) {
	for name, open := range storages {
		b.Run(name, func(b *testing.B) {
			p := open(b).dial(wire.E3, "s")
			head := int64(0)
			for b.Loop() {
				p.stored(p.push(span(head+1, head+50)...))
				head += 50
			}
			b.ReportMetric(float64(b.N)*50/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkPull10000 pulls 10,000 events in pages, each acknowledged, over a real socket.
func BenchmarkPull10000(b *testing.B) {
	const events = 10_000
	for name, open := range storages {
		b.Run(name, func(b *testing.B) {
			w := open(b)
			w.fill("s", 1, events)
			p := w.dial(wire.E3, "s")
			for b.Loop() {
				id := p.pull(0, false)
				for got := 0; got < events; {
					page, _ := p.chunk(id)
					got += len(page)
					p.send(&wire.Ack{ID: id})
				}
				p.exit(id)
			}
			b.ReportMetric(float64(b.N)*events/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkLive takes one event from one client to another: from the push to the chunk.
func BenchmarkLive(b *testing.B) {
	for name, open := range storages {
		b.Run(name, func(b *testing.B) {
			w := open(b)
			from, to := w.dial(wire.E3, "s"), w.dial(wire.E3, "s")
			id := to.pull(0, true)
			to.events(id, 1, 0)
			head := int64(0)
			for b.Loop() {
				head++
				push := from.push(at(head))
				to.chunk(id)
				from.stored(push)
			}
		})
	}
}

// BenchmarkFanOut takes a push of 50 events to 200 live pulls.
func BenchmarkFanOut(b *testing.B) {
	const readers = 200
	w := inMemory(b, nil)
	pusher := w.dial(wire.E3, "s")
	seen := make(chan int64, readers)
	for range readers {
		p := w.dial(wire.E3, "s")
		id := p.pull(0, true)
		p.chunk(id)
		go func() {
			for {
				_, data, err := p.ws.Read(p.ctx)
				if err != nil {
					return
				}
				seen <- int64(len(data))
			}
		}()
	}
	head := int64(0)
	for b.Loop() {
		push := pusher.push(span(head+1, head+50)...)
		head += 50
		for range readers {
			<-seen
		}
		pusher.stored(push)
	}
	b.ReportMetric(float64(b.N)*50*readers/b.Elapsed().Seconds(), "events/s")
}
