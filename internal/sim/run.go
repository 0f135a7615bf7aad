package sim

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/livestore-go/livestore/internal/journal"
)

// Options changes a run.
type Options struct {
	Steps   int            // actions before everything comes to rest; 0 means 80
	Weights map[string]int // how often what is drawn in a fleet, in place of the usual: 0 means never
}

// Result is what became of a schedule.
type Result struct {
	Seed   uint64
	Hash   uint64         // of all that happened
	Counts map[string]int // how often what happened
	Trace  []string       // what happened, a line each
	Err    error          // what must not be, nil when all is well
	Script Script         // of a fleet: what happened, to be run again without what does not matter
}

// Run runs the schedule of a seed.
func Run(seed uint64, opts *Options) (res Result) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Steps == 0 {
		o.Steps = 80
	}
	res.Seed = seed
	w, err := newWorld(seed)
	if w == nil {
		res.Err = err
		return res
	}
	defer w.close()
	if err == nil {
		err = w.run(o.Steps)
	}
	res.Hash, res.Counts, res.Trace, res.Err = w.hash(), w.counts, w.trace, err
	return res
}

func (w *world) run(steps int) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	total := 0
	for _, a := range actions {
		total += a.weight
	}
	for n := 0; n < steps; {
		at := w.rng.IntN(total)
		i := 0
		for at >= actions[i].weight {
			at -= actions[i].weight
			i++
		}
		a := actions[i]
		mark := len(w.trace)
		w.tracef("%d %s", n, a.name)
		done, err := a.do(w)
		if w.disk.failed() {
			if _, bad := errors.AsType[*failure](err); bad {
				return fmt.Errorf("action %d, %s, as the disk fails: %w", n, a.name, err)
			}
			w.count("crash: in " + a.name)
			w.tracef("  the disk has failed: %t", err != nil)
			done, err = true, w.crash(w.rng.IntN(2) == 0)
		}
		if err != nil {
			return fmt.Errorf("action %d, %s: %w", n, a.name, err)
		}
		if !done {
			w.trace = w.trace[:mark]
			continue
		}
		w.count("action: " + a.name)
		n++
	}
	w.tracef("settle")
	w.disk.disarm()
	if err := w.settle(); err != nil {
		return fmt.Errorf("settle: %w", err)
	}
	return nil
}

// settle delivers until nothing moves, and compares everything. Then the process ends in order and starts again, when there are
// journals left to be taken and else in every third schedule, and everything is compared once more.
func (w *world) settle() error {
	if err := w.rest(); err != nil {
		return err
	}
	if err := w.converged(); err != nil {
		return err
	}
	journals, err := journal.List(w.disk)
	if err != nil {
		return err
	}
	if len(journals) == len(w.sessions) && w.rng.IntN(3) > 0 {
		return nil
	}
	if _, err := w.restart(); err != nil {
		return err
	}
	if err := w.rest(); err != nil {
		return err
	}
	return w.converged()
}

const maxRounds = 400

// rest delivers everything, without faults, until nothing moves.
func (w *world) rest() error {
	w.up.late = nil
	for range maxRounds {
		moved, err := w.round()
		if err != nil {
			return err
		}
		if !moved {
			return nil
		}
	}
	return failf("after %d rounds without faults something still moves: leader %s, backend at e%d, doubt %t", maxRounds, w.leader.Heads(),
		w.backend.head(), w.leader.Doubt())
}

func (w *world) round() (moved bool, err error) {
	if moved, err = w.roundHere(); err != nil || !w.synced {
		return moved, err
	}
	up, err := w.roundUp()
	return moved || up, err
}

// roundHere brings sessions and leader together.
func (w *world) roundHere() (moved bool, err error) {
	for len(w.requests) > 0 {
		if err := w.finish(); err != nil {
			return true, err
		}
		moved = true
	}
	for _, s := range w.sessions {
		ask, err := w.roundOf(s)
		if err != nil {
			return true, err
		}
		moved = moved || ask
	}
	return moved, nil
}

// finish brings the oldest request to its end.
func (w *world) finish() error {
	r := w.requests[0]
	w.remove(r)
	if r.answer == nil && r.kind == "push" {
		if err := w.servePushes([]*request{r}); err != nil {
			return err
		}
	} else if r.answer == nil {
		w.serve(r)
	}
	if r.err != nil || r.done {
		return r.err
	}
	return w.answer(r)
}

// roundOf applies what a session has pulled, and asks for what it needs.
func (w *world) roundOf(s *sess) (moved bool, err error) {
	for len(s.inbox) > 0 {
		if err := w.apply(s); err != nil {
			return true, err
		}
		moved = true
	}
	if (s.lost || s.m.Lost() != nil) && s.booting == nil {
		if s.booting, err = send(w, "boot", s, s.m.BootRequest()); err != nil {
			return true, err
		}
		moved = true
	}
	if reply := w.leader.Published(s.m.PullRequest()); s.pulling == nil && !s.lost && (len(reply.Published) > 0 || reply.Lost) {
		if s.pulling, err = send(w, "pull", s, s.m.PullRequest()); err != nil {
			return true, err
		}
		moved = true
	}
	if s.pushing == nil {
		ok, err := w.nextPush(s)
		return moved || ok, err
	}
	return moved, nil
}

// roundUp does the same towards the backend.
func (w *world) roundUp() (moved bool, err error) {
	if w.up.batch == nil {
		if _, err := w.pushUp(); err != nil {
			return false, err
		}
	}
	if w.up.batch != nil {
		if err := w.answerUp(0); err != nil {
			return true, err
		}
		w.up.open = false
		moved = true
	}
	if !w.up.open || w.up.began != w.backend.answers {
		w.connect()
		w.fetch(1 << 20)
		moved = true
	} else if w.up.at < w.backend.head() || w.leader.Doubt() { // a pull gives a page also when there is nothing new
		w.fetch(1 << 20)
	}
	for len(w.up.pages) > 0 {
		p := w.up.pages[0]
		w.up.pages = w.up.pages[1:]
		if err := w.take(p); err != nil {
			return true, err
		}
		moved = true
	}
	return moved, w.stands()
}

func (w *world) close() {
	for _, s := range w.sessions {
		if s != nil && !s.gone {
			_ = w.end(s, true)
		}
	}
	if w.leader != nil {
		_ = w.leader.Close()
	}
	w.disk.Close()
	if w.backend != nil {
		_ = w.backend.state.Conn().Close()
	}
}

// String is the trace and the error.
func (r Result) String() string {
	if r.Err == nil {
		return fmt.Sprintf("seed %d: %d lines, hash %016x", r.Seed, len(r.Trace), r.Hash)
	}
	return fmt.Sprintf("%s\nseed %d: %v", strings.Join(r.Trace, "\n"), r.Seed, r.Err)
}

// Schedule runs the schedule of a seed: of an even one that of one client with a backend that misbehaves ([Run]), of an odd one that of a
// fleet ([RunFleet]).
func Schedule(seed uint64, opts *Options) Result {
	if seed%2 == 0 {
		return Run(seed, opts)
	}
	return RunFleet(seed, opts)
}
