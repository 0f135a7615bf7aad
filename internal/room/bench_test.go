package room

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/wire"
)

// play carries out the effects of a room until it has nothing more to give: it writes each frame to a buffer that it reuses.
func play(ctx context.Context, r *Room, buf []byte) []byte {
	for more := true; more; {
		more = r.Pump(ctx)
		effects := r.Effects()
		for i := range effects {
			buf = effects[i].AppendFrame(buf[:0])
			r.Drained(effects[i].Conn, 1)
		}
		more = more || len(effects) > 0
	}
	return buf
}

// BenchmarkPush pushes 50 events at a time, which live pulls of as many connections follow, one of them the pusher's own.
func BenchmarkPush(b *testing.B) {
	for _, pulls := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("pulls=%d", pulls), func(b *testing.B) {
			ctx := context.Background()
			log := &memoryLog{}
			r := New(Config{StoreID: "shop", Log: log})
			for c := range pulls {
				r.Join(c)
				r.Receive(ctx, c, &wire.Pull{ID: wire.NumberID(0), StoreID: "shop", Live: true}, time.Time{})
			}
			buf := play(ctx, r, nil)
			batch := make([]event.Global, 50)
			head := int64(0)
			now := time.Unix(1e9, 0)
			b.ReportAllocs()
			for b.Loop() {
				for i := range batch {
					head++
					batch[i] = event.Global{
						Name: "v1.TodoCreated", Args: []byte(`{"id":"Dq1mJ0aXz0Q4Jr0pQ7c2N","text":"buy milk"}`),
						SeqNum: head, ParentSeqNum: head - 1, ClientID: "clientA", SessionID: "static",
					}
				}
				r.Receive(ctx, 0, &wire.Push{ID: wire.NumberID(uint64(head)), StoreID: "shop", Batch: batch}, now)
				buf = play(ctx, r, buf)
			}
			if int64(len(log.events)) != head {
				b.Fatalf("%d events of %d were stored", len(log.events), head)
			}
			b.ReportMetric(50*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkPull pulls 10,000 events, in pages that are acknowledged at once.
func BenchmarkPull(b *testing.B) {
	ctx := context.Background()
	log := &memoryLog{}
	log.grow(10_000, 60)
	r := New(Config{StoreID: "shop", Log: log, Limits: Limits{CacheBytes: 1}})
	r.Join("a")
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		id := wire.NumberID(1)
		r.Receive(ctx, "a", &wire.Pull{ID: id, StoreID: "shop"}, time.Time{})
		for range 100 {
			buf = play(ctx, r, buf)
			r.Receive(ctx, "a", &wire.Ack{ID: id}, time.Time{})
		}
		if n := len(r.conns["a"].pulls); n != 0 {
			b.Fatalf("%d pulls still run", n)
		}
	}
	b.ReportMetric(10_000*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
