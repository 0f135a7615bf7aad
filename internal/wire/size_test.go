package wire_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/wire"
)

// itemBytes is an item as it stands in a chunk.
func itemBytes(i wire.Item) int {
	frame := wire.AppendServer(nil, &wire.Chunk{ID: wire.NumberID(0), Items: []wire.Item{i}})
	return len(frame) - len(`{"_tag":"Chunk","requestId":0,"values":[]}`)
}

func TestSizesAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		item := drawItem(t)
		if rapid.Bool().Draw(t, "metadata") && len(item.Events) > 0 {
			item.Events[0].Metadata = jsontext.Value(`{"x":"y"}`)
		}
		if rapid.Bool().Draw(t, "broken") {
			item.BackendID += "\xff\xfe" // written as U+FFFD
		}
		if got, want := wire.ItemSize(item), itemBytes(item); got != want {
			t.Fatalf("size of item: %d, is %d", got, want)
		}
		p := &wire.Push{ID: wire.NumberID(0), StoreID: "S"}
		none := len(wire.AppendClient(nil, wire.E3, p))
		p.Batch = []event.Global{drawGlobal(t)}
		p.Batch[0].SeqNum = rapid.Int64().Draw(t, "any number")
		if got, want := wire.GlobalSize(p.Batch[0]), len(wire.AppendClient(nil, wire.E3, p))-none; got != want {
			t.Fatalf("size of event: %d, is %d", got, want)
		}
	})
}

func sized(n int64, bytes int) wire.Event {
	e := wire.Event{Global: todo(n), CreatedAt: "2026-11-23T01:01:01.245Z"}
	e.Args = jsontext.Value(`"` + strings.Repeat("x", bytes) + `"`)
	return e
}

// 350 events are cut as the official backend does, up to its pages of 256: the limits are the same.
func TestSplitKeepsWithinTheLimits(t *testing.T) {
	for _, c := range []struct {
		name  string
		sizes []int
		want  []int
	}{
		{"none", nil, nil},
		{"many", slices.Repeat([]int{10}, 350), []int{100, 100, 100, 50}},
		{"four of 300 kB", slices.Repeat([]int{300_000}, 4), []int{2, 2}},
		{"one too large, between others", []int{10, 950_000, 10, 10}, []int{1, 1, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var events []wire.Event
			for i, size := range c.sizes {
				events = append(events, sized(int64(i+1), size))
			}
			var got []int
			var all []wire.Event
			for run := range wire.Split(events, "B") {
				item := wire.Item{Events: run, Page: wire.Page{Kind: wire.MoreKnown, Remaining: wire.MaxNumber}, BackendID: "B"}
				if size := itemBytes(item); size > wire.MaxBytes && len(run) > 1 {
					t.Errorf("a run of %d events takes %d bytes", len(run), size)
				}
				got = append(got, len(run))
				all = append(all, run...)
			}
			if !slices.Equal(got, c.want) || len(all) != len(events) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	for range wire.Split([]wire.Event{sized(1, 1), sized(2, 950_000)}, "B") {
		break // may stop early
	}
	if n := wire.Fit([]wire.Event{sized(1, 950_000)}, "B"); n != 0 {
		t.Errorf("an event too large fits: %d", n)
	}
}

// The limit itself still fits, one byte more does not.
func TestFitIsTight(t *testing.T) {
	for _, n := range []int{1, 2, 7} { // of n events one takes up the room
		base := wire.Item{Page: wire.Page{Kind: wire.MoreKnown, Remaining: wire.MaxNumber}, BackendID: "B"}
		for i := range n {
			base.Events = append(base.Events, sized(int64(i+1), 0))
		}
		room := wire.MaxBytes - wire.ItemSize(base)
		for extra, want := range []int{n, n - 1} {
			events := slices.Clone(base.Events)
			events[n-1] = sized(int64(n), room+extra)
			if got := wire.Fit(events, "B"); got != want {
				t.Errorf("of %d events, %d bytes too large, %d fit", n, extra, got)
			}
		}
	}

	p := &wire.Push{ID: wire.NumberID(0), StoreID: "S", BackendID: "B", Batch: []event.Global{sized(1, 0).Global}}
	payload := func() int {
		b := wire.AppendClient(nil, wire.E4, p)
		b = b[bytes.Index(b, []byte(`"payload":`))+len(`"payload":`):]
		return len(b) - len(`,"headers":[]}`)
	}
	room := wire.MaxBytes - payload()
	p.Batch[0] = sized(1, room).Global
	if n := payload(); n != wire.MaxBytes || wire.FitPush(p) != 1 {
		t.Errorf("a push of %d bytes: %d fit", n, wire.FitPush(p))
	}
	p.Batch[0] = sized(1, room+1).Global
	if wire.FitPush(p) != 0 {
		t.Error("a push one byte too large fits")
	}
	p.Batch = slices.Repeat([]event.Global{todo(1)}, 101)
	if wire.FitPush(p) != 100 {
		t.Errorf("of 101 events %d fit", wire.FitPush(p))
	}
}
