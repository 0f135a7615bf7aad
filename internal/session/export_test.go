package session

// BreakState makes every later write to the state fail, as a database without memory would.
func (m *Machine) BreakState() {
	if err := m.engine.Conn().Script("PRAGMA query_only = ON"); err != nil {
		panic(err)
	}
}

// Machine returns the machine of a session, for a test that holds its lock.
func (s *Session) Machine() *Machine { return s.m }

// Locked says whether somebody holds the session's lock.
func (s *Session) Locked() bool {
	if !s.mu.TryLock() {
		return true
	}
	s.mu.Unlock()
	return false
}

// Confirming returns how many commits wait for the sync backend, and how many of those somebody holds a receipt of.
func (m *Machine) Confirming() (waiting, held int) {
	for _, w := range m.confirming {
		if w.c.Value() != nil {
			held++
		}
	}
	return len(m.confirming), held
}
