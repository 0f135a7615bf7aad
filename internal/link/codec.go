package link

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Message is any request or answer of the link.
type Message interface {
	BootRequest | Snapshot | PushRequest | PushReply | PullRequest | PullReply | EventsRequest | EventsReply | DropRequest | DropReply |
		SyncRequest | SyncReply | ArchiveRequest | ArchiveReply
}

// Encode returns a message as JSON. The arguments of events stay as they are, byte for byte but for insignificant space.
func Encode[M Message](m M) ([]byte, error) {
	b, err := json.Marshal(m, jsontext.PreserveRawStrings(true))
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", m, err)
	}
	return b, nil
}

// Decode reads what [Encode] wrote. What is no such message is an error.
func Decode[M Message](b []byte) (M, error) {
	var m M
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("decode %T: %w", m, err)
	}
	return m, nil
}

// Coded returns a leader to which every request, and from which every answer, goes through the codec, as it does between
// processes.
func Coded(l Leader) Leader { return coded{l} }

type coded struct{ l Leader }

func call[Q, A Message](ctx context.Context, f func(context.Context, Q) (A, error), q Q) (a A, err error) {
	b, err := Encode(q)
	if err != nil {
		return a, err
	}
	if q, err = Decode[Q](b); err != nil {
		return a, err
	}
	if a, err = f(ctx, q); err != nil {
		return a, err
	}
	if b, err = Encode(a); err != nil {
		return a, err
	}
	return Decode[A](b)
}

func (c coded) Boot(ctx context.Context, r BootRequest) (Snapshot, error) {
	return call(ctx, c.l.Boot, r)
}

func (c coded) Push(ctx context.Context, r PushRequest) (PushReply, error) {
	return call(ctx, c.l.Push, r)
}

func (c coded) Pull(ctx context.Context, r PullRequest) (PullReply, error) {
	return call(ctx, c.l.Pull, r)
}

func (c coded) Events(ctx context.Context, r EventsRequest) (EventsReply, error) {
	return call(ctx, c.l.Events, r)
}

func (c coded) Drop(ctx context.Context, r DropRequest) (DropReply, error) {
	return call(ctx, c.l.Drop, r)
}

func (c coded) Archive(ctx context.Context, r ArchiveRequest) (ArchiveReply, error) {
	return call(ctx, c.l.Archive, r)
}

func (c coded) Sync(ctx context.Context, r SyncRequest) (SyncReply, error) {
	return call(ctx, c.l.Sync, r)
}
