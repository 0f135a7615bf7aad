package wire

// AppendServer writes a message in the dialect its id asks for. [Defect] and [Pong] are the same in both.
func AppendServer(dst []byte, m ServerMessage) []byte { panic("soon") }
