package sim

func (w *world) sessionCrash() (bool, error) {
	s := w.pick()
	if w.disk.full {
		w.space() // or no session could be opened
	}
	if err := w.end(s, true); err != nil {
		return true, err
	}
	return true, w.open(s.slot)
}

func (w *world) sessionClose() (bool, error) {
	s := w.pick()
	if w.disk.full {
		w.space()
	}
	idle := s.m.Idle()
	if idle {
		w.count("session: closed idle")
	} else {
		w.count("session: closed with commits")
	}
	if err := w.end(s, false); err != nil {
		return true, err
	}
	return true, w.open(s.slot)
}

func (w *world) kill() (bool, error)  { return true, w.crash(false) }
func (w *world) power() (bool, error) { return true, w.crash(true) }

// arm lets the disk fail in the middle of something soon.
func (w *world) arm() (bool, error) {
	if w.disk.off > 0 || w.inMemory() {
		return false, nil
	}
	n := 1 + w.rng.IntN(40)
	w.tracef("  the disk fails in %d operations", n)
	w.disk.arm(n)
	return true, nil
}

// crash ends the process without a word, and starts it again, until it is there.
func (w *world) crash(power bool) error {
	for {
		w.powerless = w.powerless || power
		full := w.disk.full && w.rng.IntN(2) == 0
		w.fell()
		w.abandon()
		w.disk = w.disk.crash(w.rng, power)
		w.found()
		if full {
			w.disk.full = true
			w.disk.SetFree(w.rng.Int64N(6000))
		}
		if w.rng.IntN(6) == 0 {
			w.disk.arm(1 + w.rng.IntN(60))
		}
		err := w.again()
		if w.spaceless(err) {
			w.count("full disk: boot refused")
			w.space()
			power = false
			continue
		}
		if err == nil || !w.disk.failed() {
			return err
		}
		w.count("crash: while booting")
		w.tracef("  crash while booting")
		power = w.rng.IntN(2) == 0
	}
}

// abandon lets go of the machines as they stand. What they do to their files nobody sees.
func (w *world) abandon() {
	w.disk.PowerOffAt(1)
	for _, s := range w.sessions {
		if s != nil && !s.gone {
			_ = w.end(s, true)
		}
	}
	if w.leader != nil {
		_ = w.leader.Close()
		w.leader = nil
	}
}

// restart ends the process in order.
func (w *world) restart() (bool, error) {
	if w.disk.full {
		w.space()
	}
	for _, s := range w.sessions {
		if err := w.end(s, false); err != nil {
			return true, err
		}
	}
	if err := w.leader.Close(); err != nil {
		return true, err
	}
	w.leader = nil
	return true, w.again()
}

// again starts the process, at times with another version of the app.
func (w *world) again() error {
	w.requests = nil
	if w.app != nil {
		if err := w.start(); err != nil {
			return err
		}
	} else {
		if w.rng.IntN(4) == 0 {
			w.schema = 1 - w.schema
			w.count("boot: schema changed")
			w.tracef("  schema %d", w.schema)
		}
		if err := w.boot(); err != nil {
			return err
		}
	}
	w.powerless = false
	w.tracef("  booted at %s", w.leader.Heads())
	return nil
}
