package leader

import (
	"context"

	"github.com/livestore-go/livestore/internal/link"
)

// Archive reads the archive: the events of others that a rebase onto another backend has taken out of the log.
func (m *Machine) Archive(r link.ArchiveRequest) (link.ArchiveReply, error) {
	var reply link.ArchiveReply
	events, err := m.log.ReadArchive(r.After, min(max(r.Limit, 1), maxEvents))
	for _, a := range events {
		reply.Events = append(reply.Events, link.Archived(a))
	}
	return reply, err
}

// Archive reads the archive. See [link.Leader].
func (l *Leader) Archive(ctx context.Context, r link.ArchiveRequest) (reply link.ArchiveReply, err error) {
	if derr := l.do(ctx, func() { reply, err = l.m.Archive(r) }); derr != nil {
		return reply, derr
	}
	return reply, err
}
