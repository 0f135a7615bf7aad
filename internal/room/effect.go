package room

import "github.com/livestore-go/livestore/internal/wire"

// Effect is one thing for the driver to do: to send Message to Conn, or to close Conn when Close is not nil. The effects of one connection
// are carried out in their order.
type Effect struct {
	Conn    Conn
	Message wire.ServerMessage // not to be changed: chunks share their items
	Close   error              // why Conn is to be closed; it has left the room already

	item *item // the one of a chunk
}

// AppendFrame writes the message as it goes over the wire. What chunks have in common is copied, not encoded again. It may be called
// from any goroutine.
func (e *Effect) AppendFrame(dst []byte) []byte {
	if e.item == nil {
		return wire.AppendServer(dst, e.Message)
	}
	dst = openChunk(dst, e.Message.(*wire.Chunk).ID)
	dst = append(dst, e.item.json...)
	return append(dst, closing...)
}

// Effects returns what is to be done, in order. The slice is good until the next call.
func (r *Room) Effects() []Effect {
	clear(r.spare)
	r.spare, r.effects = r.effects, r.spare[:0]
	return r.spare
}
