package wire_test

import (
	"fmt"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/wire"
)

func globals(n int) []event.Global {
	batch := make([]event.Global, n)
	for i := range batch {
		batch[i] = todo(int64(i + 1))
		batch[i].Args = jsontext.Value(fmt.Sprintf(`{"id":"todo-%06d","text":"Buy \"milk\", eggs and bread %d","done":false,"tags":["a","b"]}`, i, i))
	}
	return batch
}

func chunk(n int) *wire.Chunk {
	item := wire.Item{BackendID: "GwpwE6F2EI64ncQji794N"}
	for _, e := range globals(n) {
		item.Events = append(item.Events, wire.Event{Global: e, CreatedAt: "2026-11-23T01:01:01.245Z"})
	}
	return &wire.Chunk{ID: wire.StringID("0"), Items: []wire.Item{item}}
}

func push(n int) *wire.Push {
	return &wire.Push{ID: wire.StringID("1"), StoreID: "todos", Batch: globals(n), BackendID: "GwpwE6F2EI64ncQji794N"}
}

func BenchmarkAppendChunk100(b *testing.B) {
	c := chunk(100)
	buf := wire.AppendServer(nil, c)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = wire.AppendServer(buf[:0], c)
	}
}

func BenchmarkDecodeChunk100(b *testing.B) {
	frame := wire.AppendServer(nil, chunk(100))
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.DecodeServer(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendPush50(b *testing.B) {
	p := push(50)
	buf := wire.AppendClient(nil, wire.E3, p)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = wire.AppendClient(buf[:0], wire.E3, p)
	}
}

func BenchmarkDecodePush50(b *testing.B) {
	frame := wire.AppendClient(nil, wire.E3, push(50))
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.DecodeClient(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeAck(b *testing.B) {
	frame := []byte(`{"_tag":"Ack","requestId":"0"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.DecodeClient(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFit100(b *testing.B) {
	events := chunk(100).Items[0].Events
	b.ReportAllocs()
	for b.Loop() {
		if wire.Fit(events, "GwpwE6F2EI64ncQji794N") != 100 {
			b.Fatal("they do not fit")
		}
	}
}
