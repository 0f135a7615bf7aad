package wire

// DecodeServer reads a frame of a server, in either dialect: one message or an array of messages. Keys it does not know are
// ignored. The error is a *[FrameError]; the messages before it in the frame are returned with it.
func DecodeServer(frame []byte) ([]ServerMessage, error) { panic("soon") }
