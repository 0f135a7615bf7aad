package wire

// DecodeClient reads a frame of a client: one message, or in dialect [E4] an array of messages.
//
// The messages returned are good even when there is an error. The error is a *[FrameError] when something is wrong that no
// request can be blamed for: what follows it in the frame is lost. It is a *[RequestError] when a request is wrong, and the
// other messages of the frame are all there. An array may have several errors, joined: [Faults] takes them apart.
func DecodeClient(frame []byte) ([]ClientMessage, error) { panic("soon") }
