package room

import "github.com/livestore-go/livestore/internal/wire"

// item is the one element of a chunk, encoded once for all pulls that get it.
type item struct {
	after int64 // the events follow this one
	last  int64
	head  int64 // of the log when the item was made: what its page counts up to
	items []wire.Item
	json  []byte
}

// newItem makes the item with the events after a position. Empty ones end where they start.
func newItem(after, head int64, events []wire.Event, backendID string) *item {
	it := &item{after: after, last: after, head: head}
	if len(events) > 0 {
		it.last = events[len(events)-1].SeqNum
	}
	page := wire.Page{Kind: wire.NoMore}
	if it.last < head {
		page = wire.Page{Kind: wire.MoreKnown, Remaining: int(head - it.last)}
	}
	it.items = []wire.Item{{Events: events, Page: page, BackendID: backendID}}
	whole := make([]byte, 0, len(opening)+wire.ItemSize(it.items[0])+len(closing))
	whole = wire.AppendServer(whole, &wire.Chunk{ID: someID, Items: it.items})
	it.json = whole[len(opening) : len(whole)-len(closing)]
	return it
}

// A chunk without an element, in the two pieces that go around one.
const closing = `]}`

var (
	someID  = wire.NumberID(0)
	opening = openChunk(nil, someID)
)

// openChunk writes a chunk up to its element.
func openChunk(dst []byte, id wire.ID) []byte {
	dst = wire.AppendServer(dst, &wire.Chunk{ID: id})
	return dst[:len(dst)-len(closing)]
}

// toWire returns events as they go to clients.
func toWire(events []Event) []wire.Event {
	out := make([]wire.Event, len(events))
	for i := range events {
		out[i] = wire.Event{Global: events[i].Global, CreatedAt: events[i].CreatedAt}
	}
	return out
}

// cache keeps the newest items, so that pulls at the same position read and encode them once.
type cache struct {
	max   int // bytes
	bytes int
	order fifo[*item]
	after map[int64]*item
}

func newCache(maxBytes int) cache { return cache{max: maxBytes, after: map[int64]*item{}} }

func (c *cache) put(it *item) {
	c.after[it.after] = it
	c.order.push(it)
	c.bytes += len(it.json)
	for c.bytes > c.max {
		old := c.order.pop()
		c.bytes -= len(old.json)
		if c.after[old.after] == old { // and not one that was made later for the same position
			delete(c.after, old.after)
		}
	}
}

// get returns what follows a position, nil when it has to be read.
func (c *cache) get(after int64) *item { return c.after[after] }
