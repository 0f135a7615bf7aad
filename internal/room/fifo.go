package room

// fifo is a queue.
type fifo[T any] struct {
	all  []T
	from int // first one that is not taken
}

func (q *fifo[T]) len() int { return len(q.all) - q.from }

func (q *fifo[T]) push(v T) {
	if q.from > 0 && len(q.all) == cap(q.all) { // rather move what is there than grow
		n := copy(q.all, q.all[q.from:])
		clear(q.all[n:])
		q.all, q.from = q.all[:n], 0
	}
	q.all = append(q.all, v)
}

// pop takes the first one. The queue must not be empty.
func (q *fifo[T]) pop() T {
	var zero T
	v := q.all[q.from]
	q.all[q.from] = zero
	q.from++
	if q.from == len(q.all) {
		q.all, q.from = q.all[:0], 0
	}
	return v
}
