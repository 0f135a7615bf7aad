package server

import "sync"

// queue is what waits to be written to one connection: the room and the reader put in, the writer takes out. It does not block who
// puts in, since a room must not wait for a client; it stays bounded because a room gives a client only so much before it was taken, and
// because nothing more is read from a client while the queue is full.
type queue struct {
	limit int           // bytes from which on it is full
	wake  chan struct{} // one slot: there is something for the writer
	room  chan struct{} // one slot: it is not full any more

	mu     sync.Mutex
	frames []frame
	bytes  int
	ended  bool // nothing is taken in any more
}

// frame is one message to be written.
type frame struct {
	data    []byte
	counted bool // the room counts it until it is written
}

func newQueue(limit int) *queue {
	return &queue{limit: limit, wake: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// overhead is what an entry takes besides its bytes.
const overhead = 64

// put puts in a message, unless the queue has ended.
func (q *queue) put(f frame) {
	q.mu.Lock()
	if !q.ended {
		q.frames = append(q.frames, f)
		q.bytes += len(f.data) + overhead
	}
	q.mu.Unlock()
	signal(q.wake)
}

// take returns all that waits, and whether the queue has ended and nothing will follow. into is reused.
func (q *queue) take(into []frame) (frames []frame, ended bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	clear(into)
	frames, q.frames = q.frames, into[:0]
	return frames, q.ended
}

// took says that a message that was taken has been written.
func (q *queue) took(f frame) {
	q.mu.Lock()
	before := q.bytes
	q.bytes -= len(f.data) + overhead
	now := q.bytes
	q.mu.Unlock()
	if before >= q.limit && now < q.limit {
		signal(q.room)
	}
}

// end lets nothing more in.
func (q *queue) end() {
	q.mu.Lock()
	q.ended = true
	q.mu.Unlock()
	signal(q.wake)
}

// full says whether as much waits as may.
func (q *queue) full() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes >= q.limit
}

// signal fills a channel of one slot.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
