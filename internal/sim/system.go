package sim

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
)

// system is all there is in a schedule of fleets: one store or two, each with its clients, and the server they sync with.
type system struct {
	*book
	fleets []*fleet
	all    []*peer // of all stores
	storm  int     // of eight faults that are drawn, how many come true
	table  []deed  // what may happen
	total  int     // of its weights
	done   []Step  // what has happened
}

// What is drawn apart from everything else.
const (
	drawWorld  = 1 << 60 // of what a schedule consists
	drawSettle = 1<<60 + 1
	drawChoice = 1 << 59 // what is next; a step draws with its number alone
)

func newSystem(seed uint64, o *Options) (*system, error) {
	s := &system{book: newBook(seed)}
	s.draw(drawWorld)
	s.storm = s.one(0, 1, 1, 2, 3, 5)
	for _, d := range deeds {
		if w, ok := o.Weights[d.name]; ok {
			d.weight = w
		}
		s.table = append(s.table, d)
		s.total += d.weight
	}
	ids := []string{"c1", "c2", "c3", "c4", "c5", "c6"}[:s.one(1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 6)]
	stores := [][]string{ids}
	if n := len(ids); n > 1 && s.rng.IntN(6) == 0 {
		stores = [][]string{ids[:n/2], ids[n/2:]}
	}
	for i, clients := range stores {
		f, err := s.newFleet([]string{storeID, "other"}[i], clients)
		if f != nil {
			s.fleets = append(s.fleets, f)
			s.all = append(s.all, f.peers...)
		}
		if err != nil {
			return s, err
		}
	}
	return s, nil
}

// deeds is all that may happen: the actions of a world that have to do with a client alone, and what happens between it and the server.
var deeds = func() (all []deed) {
	for _, a := range actions {
		if n := fleetActions[a.name] + fleetFaults[a.name]; n > 0 {
			all = append(all, deed{"client: " + a.name, n, fleetFaults[a.name] > 0, func(_ *fleet, p *peer) (bool, error) { return a.do(p.world) }})
		}
	}
	return slices.Concat(all, fleetDeeds, serverDeeds, workDeeds)
}()

// fleetActions are the actions of a world that have to do with the client alone, and how often they come; fleetFaults those of them that
// are faults.
var (
	fleetActions = map[string]int{
		"commit": 12, "push": 60, "serve push": 60, "deliver": 45, "pull": 15, "serve": 45, "apply": 90, "catch up": 40, "retry": 15, "drop": 1,
		"audit": 1, "session close": 1,
	}
	fleetFaults = map[string]int{
		"lose request": 3, "lose answer": 3, "reboot": 2, "undo gone": 1, "session crash": 1, "kill": 1, "power": 1, "restart": 1,
		"disk fails": 2, "full disk": 1,
	}
)

// RunFleet runs the schedule of a seed on one store or two, with up to six clients and a server. Options.Steps is 300 when it is 0.
func RunFleet(seed uint64, opts *Options) Result {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Steps == 0 {
		o.Steps = 300
	}
	return runSystem(seed, &o, func(s *system) error { return s.random(o.Steps) })
}

// runSystem makes a system, lets steps happen in it, and then lets it settle.
func runSystem(seed uint64, o *Options, steps func(*system) error) (res Result) {
	res.Seed = seed
	s, err := newSystem(seed, o)
	defer s.close()
	if err == nil {
		err = s.guard(func() error {
			if err := steps(s); err != nil {
				return err
			}
			if err := s.settle(); err != nil {
				return err
			}
			return s.judge()
		})
	}
	res.Hash, res.Counts, res.Trace, res.Err = s.hash(), s.counts, s.trace, err
	res.Script = Script{Seed: seed, Steps: s.done}
	return res
}

// guard makes an error of a panic.
func (s *system) guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

// random does so many steps, as they are drawn.
func (s *system) random(steps int) error {
	for at := uint64(0); len(s.done) < steps; at++ {
		s.draw(drawChoice + at)
		n, i := s.rng.IntN(s.total), 0
		for n >= s.table[i].weight {
			n -= s.table[i].weight
			i++
		}
		p := s.all[s.rng.IntN(len(s.all))]
		if s.table[i].fault && s.rng.IntN(8) >= s.storm {
			continue
		}
		if err := s.step(at, s.table[i], p); err != nil {
			return err
		}
	}
	return nil
}

// step does one thing, if it can be done now.
func (s *system) step(at uint64, d deed, p *peer) error {
	mark := len(s.trace)
	s.tracef("%d %s %s", at, p.client, d.name)
	s.draw(at)
	s.ticks++
	s.done = append(s.done, Step{At: at, Client: p.client, Deed: d.name})
	done, err := p.fleet.do(d, p)
	if err != nil {
		return fmt.Errorf("step %d, %s of %s: %w", at, d.name, p.client, err)
	}
	if !done {
		s.trace, s.done = s.trace[:mark], s.done[:len(s.done)-1]
		return nil
	}
	s.count("action: " + d.name)
	return nil
}

// do does one thing, and what follows when the disk fails in it.
func (f *fleet) do(d deed, p *peer) (done bool, err error) {
	commits := len(p.commits)
	done, err = d.do(f, p)
	if p.disk.failed() {
		if _, bad := errors.AsType[*failure](err); bad {
			return done, fmt.Errorf("as the disk fails: %w", err)
		}
		f.count("crash: in " + d.name)
		f.tracef("  the disk has failed: %t", err != nil)
		done, err = true, p.crash(f.rng.IntN(2) == 0)
	}
	if p.spaceless(err) {
		f.count("full disk: " + d.name)
		done, err = true, nil
	}
	if err != nil || !done {
		return done, err
	}
	if p.of != p.leader {
		f.count("fault: client ended")
		p.reset()
	}
	if err := p.stands(); err != nil {
		return true, err
	}
	if len(p.commits) > commits {
		f.local(p)
	}
	return true, f.obey(p)
}

// settle lets all stores settle, and in every third schedule start anew.
func (s *system) settle() error {
	s.draw(drawSettle)
	for _, f := range s.fleets {
		if err := f.settle(); err != nil {
			return fmt.Errorf("store %s: %w", f.store, err)
		}
	}
	if s.rng.IntN(3) > 0 {
		return nil
	}
	s.tracef("all start anew")
	s.crashServer()
	for _, p := range s.all {
		if _, err := p.restart(); err != nil {
			return fmt.Errorf("start anew: %w", err)
		}
		p.reset()
	}
	if err := s.startServer(); err != nil {
		return err
	}
	for _, f := range s.fleets {
		if err := f.finish("started anew"); err != nil {
			return fmt.Errorf("store %s: %w", f.store, err)
		}
	}
	return nil
}

// crashServer ends the process of the server, with the rooms of all stores.
func (s *system) crashServer() {
	for _, f := range s.fleets {
		if f.server.room != nil {
			f.server.crash()
		}
	}
}

func (s *system) startServer() error {
	for _, f := range s.fleets {
		if f.server.room == nil {
			if err := f.server.start(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *system) close() {
	for _, f := range slices.Backward(s.fleets) {
		f.close()
	}
}

// Deeds returns the names of all that may happen in a fleet: the keys of Options.Weights.
func Deeds() (names []string) {
	for _, d := range deeds {
		names = append(names, d.name)
	}
	return names
}
