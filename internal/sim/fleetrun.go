package sim

import (
	"fmt"
	"slices"

	"github.com/livestore-go/livestore/event"
)

// settle lets faults end and everything be delivered, and compares everything. In every third schedule all start anew then, and
// everything is compared once more.
func (f *fleet) settle() error {
	f.tracef("settle store %s", f.store)
	if err := f.heal(); err != nil {
		return fmt.Errorf("settle: %w", err)
	}
	if f.rng.IntN(2) == 0 {
		f.asleep = f.peers[f.rng.IntN(len(f.peers))]
		f.tracef("%s sleeps", f.asleep.client)
		if err := f.rest(); err != nil {
			return fmt.Errorf("settle, all but %s: %w", f.asleep.client, err)
		}
		f.asleep = nil
	}
	if err := f.finish("settle"); err != nil {
		return err
	}
	if f.skew {
		if err := f.modern(); err != nil {
			return err
		}
		if err := f.finish("all have the newest version"); err != nil {
			return err
		}
	}
	for range f.rng.IntN(3) {
		if err := f.quiet(); err != nil {
			return err
		}
	}
	return nil
}

// finish delivers and compares everything.
func (f *fleet) finish(when string) error {
	err := f.rest()
	if err == nil {
		err = f.converged()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", when, err)
	}
	return nil
}

// quiet lets a single commit come to all when nothing else goes on, and the disk of the server fail once meanwhile. Nothing that comes
// later can make up for what this leaves undone.
func (f *fleet) quiet() error {
	f.tracef("a last commit")
	p := f.peers[f.rng.IntN(len(f.peers))]
	if f.rng.IntN(2) == 0 {
		f.server.shelf.arm(1+f.rng.IntN(3), f.rng.IntN(2) == 0)
	}
	if _, err := p.commit(); err != nil {
		return fmt.Errorf("a last commit: %w", err)
	}
	if err := f.rest(); err != nil {
		return fmt.Errorf("a last commit: %w", err)
	}
	f.server.shelf.disarm()
	f.light(true) // the commit is what is of interest, and not all that has been looked at a moment ago
	defer f.light(false)
	return f.finish("a last commit")
}

func (f *fleet) light(on bool) {
	for _, p := range f.peers {
		p.world.light = on
	}
}

// heal ends all faults. Both ends learn of each connection that does not work any more.
func (f *fleet) heal() error {
	s := f.server
	s.shelf.disarm()
	s.doom = ""
	if s.room == nil {
		if err := s.start(); err != nil {
			return err
		}
	}
	for _, p := range f.peers {
		p.cut = false
		p.disk.disarm()
		if p.disk.full {
			p.space()
		}
		p.paused = false
		if err := p.resume(); err != nil {
			return err
		}
		if p.pipe != nil && !p.pipe.healthy() {
			p.lost()
		}
	}
	for _, r := range slices.Clone(f.readers) {
		if !r.pipe.healthy() {
			f.gone(r)
		}
	}
	for _, c := range slices.Clone(s.pipes) {
		if c.deafUp || c.deafDown {
			s.part(c)
		}
	}
	return s.wake()
}

// rest delivers everything until nothing moves.
func (f *fleet) rest() error {
	for range 4 * maxRounds {
		moved := false
		for _, p := range f.peers {
			here, err := p.roundHere()
			if err != nil {
				return fmt.Errorf("%s: %w", p.client, err)
			}
			up, err := f.exchange(p)
			if err != nil {
				return err
			}
			moved = moved || here || up
		}
		read, err := f.readAll()
		if err != nil {
			return err
		}
		if moved || read {
			continue
		}
		late, err := f.late()
		if err != nil || !late {
			return err
		}
	}
	return failf("after %d rounds without faults something still moves, server at e%d: %s", 4*maxRounds, f.server.shelf.b.head(), f.where())
}

// late does what only timers do, when nothing else moves any more. Without a fault nothing should have to wait for one.
func (f *fleet) late() (bool, error) {
	if f.server.room == nil {
		return true, f.server.start()
	}
	if f.server.room.Stale() {
		return true, f.server.wake()
	}
	for _, p := range f.peers {
		switch {
		case p == f.asleep:
		case p.round != nil && !p.round.caughtUp:
			return true, failf("%s pulls, and the server does not answer", p.client)
		case p.push != nil:
			return true, failf("%s pushes, and the server does not answer", p.client)
		case p.leader.Rejected() != nil:
			return true, p.putAside()
		case p.behind():
			f.count("settle: behind")
			f.tracef("  %s waits for events that do not come", p.client)
			p.leader.Turn()
			return true, p.end()
		}
	}
	return false, nil
}

func (f *fleet) where() (s string) {
	for _, p := range f.peers {
		s += fmt.Sprintf("%s %s, pushing %t, doubt %t; ", p.client, p.leader.Heads(), p.push != nil, p.leader.Doubt())
	}
	return s
}

// exchange does once all that can be done between a client and the server.
func (f *fleet) exchange(p *peer) (moved bool, err error) {
	if p == f.asleep || p.disk.failed() {
		return false, nil
	}
	if (p.other != nil || p.whole != nil) && p.stuck == nil && f.server.room != nil { // an app that wants to go on
		return true, p.rebaseNow()
	}
	if f.dial(p) {
		moved = true
	}
	for _, step := range []func(*fleet, *peer) (bool, error){
		func(_ *fleet, p *peer) (bool, error) { return p.begin(), nil },
		func(_ *fleet, p *peer) (bool, error) { return p.hand() },
		func(f *fleet, _ *peer) (bool, error) { return f.exchangeServer() },
		(*fleet).receive, (*fleet).take, (*fleet).answer,
	} {
		for range 64 {
			did, err := step(f, p)
			if err != nil {
				return true, err
			}
			if !did {
				break
			}
			moved = true
			if p.disk.failed() {
				return true, nil
			}
		}
	}
	return moved, nil
}

// exchangeServer does the same for the server and all its connections.
func (f *fleet) exchangeServer() (moved bool, err error) {
	s := f.server
	for i := 0; s.room != nil && i < len(s.pipes); i++ {
		c := s.pipes[i]
		switch {
		case c.over():
			s.part(c)
			s.more = true
			moved, err = true, s.effects()
		case len(c.up) > 0 && s.readable(c):
			moved, err = true, s.read(c, true)
		}
		if err != nil {
			return moved, err
		}
	}
	if s.room != nil && s.more {
		if err := s.pump(1 << 20); err != nil {
			return true, err
		}
		moved = true
	}
	for i := 0; s.room != nil && i < len(s.pipes); i++ {
		did, err := s.write(s.pipes[i])
		if err != nil {
			return moved, err
		}
		moved = moved || did
	}
	return moved, nil
}

// converged compares everything when nothing is under way any more.
func (f *fleet) converged() error {
	b := f.server.shelf.b
	for _, p := range f.peers {
		if p.stuck != nil { // until it has a newer version
			if err := p.alone(true); err != nil {
				return fmt.Errorf("%s: %w", p.client, err)
			}
			continue
		}
		if num, stopped := p.stoppedAt(); stopped {
			if err := p.standsBefore(num); err != nil {
				return err
			}
			if err := p.alone(true); err != nil {
				return fmt.Errorf("%s: %w", p.client, err)
			}
			continue
		}
		if h := p.leader.Heads(); h.Upstream.Global != b.head() || h.Local.Global != b.head() {
			return failf("%s stands at %s, and the server at e%d", p.client, h, b.head())
		}
		if err := p.converged(); err != nil {
			return fmt.Errorf("%s: %w", p.client, err)
		}
		for _, s := range p.sessions {
			if err := p.receipts(s); err != nil {
				return err
			}
		}
	}
	if err := f.readersDone(); err != nil {
		return err
	}
	return unique(b.events)
}

// unique checks that nothing is in a log twice: what each event says tells in which commit it was made, and where in it.
func unique(events []event.Global) error {
	type key struct{ client, session, name, args string }
	seen := map[key]int64{}
	for _, e := range events {
		k := key{e.ClientID, e.SessionID, e.Name, string(e.Args)}
		if n := seen[k]; n > 0 {
			return failf("event e%d %s %s is in the log of the server before, as e%d", e.SeqNum, e.Name, e.Args, n)
		}
		seen[k] = e.SeqNum
	}
	return nil
}

func (f *fleet) close() {
	for _, p := range f.peers {
		if p.disk != nil {
			p.backend = nil
			p.close()
		}
	}
	_ = f.server.shelf.b.state.Conn().Close()
	if d := f.server.shelf.drawer; d != nil {
		_ = d.close()
		d.disk.Close()
	}
}
