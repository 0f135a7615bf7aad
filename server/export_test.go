package server

// Queued returns how many messages wait to be written to the connection that has most of them, and how many bytes to the one that has most.
func (s *Server) Queued() (frames, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.queue.mu.Lock()
		frames, bytes = max(frames, len(c.queue.frames)), max(bytes, c.queue.bytes)
		c.queue.mu.Unlock()
	}
	return frames, bytes
}
