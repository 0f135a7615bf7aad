// Package room is the room of one store in a sync backend: the place where its events get their order.
//
// A [Room] is a step machine. It has no goroutine, clock, randomness or channel; its driver gives it inputs and carries out the
// effects they have, in order. The inputs are [Room.Join], [Room.Leave], [Room.Receive], [Room.Malformed], [Room.Refuse],
// [Room.Drained] and [Room.Wake]; [Room.Pump] does a bounded piece of the reading that they left to do, and [Room.Effects] hands
// out what is to be sent. A driver is a loop around them:
//
//	for in := range inbox {
//		in.feed(ctx, room)
//		for more := true; more; {
//			more = room.Pump(ctx) // between two pieces, other inputs may be fed
//			for _, e := range room.Effects() {
//				queueOf(e.Conn).put(e)
//			}
//		}
//	}
//
// All calls come from one goroutine. The room calls its [Log] from within them, and waits for it.
//
// # Order
//
// A push is checked as a whole, appended as a whole, published to the pulls, and answered: in this order, before anything else
// happens. A pull is a position in the log: what it gets next are the events that follow its position, so it can miss none and get none
// twice, whatever is pushed meanwhile. In its first phase a pull reads up to the head in pages, each of which waits for the
// acknowledgement of the one before; then, if it is live, it follows the head without acknowledgements. Each chunk says how many
// events follow it in the log as it was when the chunk was made, also when a live pull has fallen behind. The answer to a push comes
// after its events on the live pulls of the same connection, and waits for them when the connection is not read.
//
// # Errors of the log
//
// A push whose append fails is answered with an UnknownError, and nothing of it is published; the room then asks for the head anew,
// and takes no push and no new pull until it knows it. A read that fails ends the pull it was for.
//
// # Flow
//
// The room counts what it has handed out for a connection and what of it the driver says is written, with [Room.Drained]. While
// [Limits].Window bytes of chunks or more are under way to a connection, its pulls get nothing: they keep their position, and what they
// miss is read from the log later. So at most Window bytes and one chunk more wait for a connection. Answers are not held back; they
// are bounded because a driver takes nothing more from a connection for which [Room.Full] is true. For one that does not stop and does
// not read either, the effect is to close it, with a [*SlowReaderError].
package room
