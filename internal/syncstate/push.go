package syncstate

import (
	"fmt"

	"github.com/livestore-go/livestore/event"
)

// RejectError says that a pushed batch does not chain on the local head. Nothing of it was taken: its author pulls,
// rebases and pushes again.
type RejectError struct {
	Head       event.SeqNum // what the event had to follow: the local head, or the event before it in the batch
	Generation int64        // the earliest generation it could be of
	Got        event.SeqNum // the event
	Parent     event.SeqNum // its parent
}

func (e *RejectError) Error() string {
	if e.Got.Generation < e.Generation {
		return fmt.Sprintf("syncstate: event %s is numbered in a generation before r%d: pull, rebase and push again", e.Got, e.Generation)
	}
	return fmt.Sprintf("syncstate: event %s (parent %s) does not follow %s: pull, rebase and push again", e.Got, e.Parent, e.Head)
}

// Push takes a batch of new events at the end of the log: a session what it commits, a leader what a session hands over.
// It is taken as a whole or not at all (*[RejectError]).
//
// Each event must follow the one before it, number and parent, and its generation must not be below that of the one
// before it nor, for the first, below the counter. The latter keeps a number that was withdrawn here from coming
// back. Only the number of the head is compared: a synced event does not name the client-only events before it. A caller that
// takes batches from others compares the base they stand on as well, by number and identity.
//
// The cost does not depend on how many events are pending. An empty batch changes nothing.
func Push(h Heads, batch []event.Client) (Heads, error) {
	if err := verify(h, nil); err != nil {
		return h, err
	}
	head, generation := h.Local, h.Generation
	for i := range batch {
		e := &batch[i]
		if e.Num.Generation < generation || badNumber(e.Num) != "" || !follows(head, e) {
			return h, &RejectError{Head: head, Generation: generation, Got: e.Num, Parent: e.Parent}
		}
		head, generation = e.Num, e.Num.Generation
	}
	return Heads{Local: head, Upstream: h.Upstream, Generation: generation}, nil
}
