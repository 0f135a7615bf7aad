package session

import (
	"context"
	"fmt"
	"iter"

	"github.com/livestore-go/livestore/internal/link"
)

// Archived is an event of another client that is in the log no more.
type Archived = link.Archived

// Archive iterates the events of others that a Rebase has taken out of the log, in the order in which it did.
func (s *Session) Archive(ctx context.Context) iter.Seq2[Archived, error] {
	const page = 1000
	return func(yield func(Archived, error) bool) {
		for after := int64(0); ; {
			reply, err := s.cfg.Leader.Archive(ctx, link.ArchiveRequest{After: after, Limit: page})
			if err != nil {
				yield(Archived{}, fmt.Errorf("read the archive of store %s: %w", s.cfg.StoreID, err))
				return
			}
			for _, a := range reply.Events {
				if after = a.ID; !yield(a, nil) {
					return
				}
			}
			if len(reply.Events) < page {
				return
			}
		}
	}
}
