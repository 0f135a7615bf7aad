package livestore

import (
	"context"
	"iter"

	"github.com/livestore-go/livestore/event"
)

// EventsOptions says which events to read.
type EventsOptions struct {
	// After is the position after which to begin. The zero value, e0, is the beginning of the eventlog.
	After event.SeqNum
}

// Events iterates over the eventlog, in order and with the events that are still pending last, up to what there is when the
// iteration comes there. Nil options mean all events. An error ends the iteration. Events are read in pages: a rebase
// meanwhile may show a pending event at its old number and again at its new one; [event.Client.ID] tells.
func (s *Store) Events(ctx context.Context, opts *EventsOptions) iter.Seq2[event.Client, error] {
	var o EventsOptions
	if opts != nil {
		o = *opts
	}
	return func(yield func(event.Client, error) bool) {
		if s.isClosed() {
			yield(event.Client{}, s.errClosed())
			return
		}
		for e, err := range s.session.Events(ctx, o.After) {
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}
