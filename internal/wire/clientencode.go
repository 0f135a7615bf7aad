package wire

// AppendClient writes a message as the official client of a dialect does, without the keys for tracing.
func AppendClient(dst []byte, d Dialect, m ClientMessage) []byte { panic("soon") }
