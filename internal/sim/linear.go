package sim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"
)

// The model is a log to which whole batches are appended, each behind its parent, and which can be read from anywhere. A history is
// linearizable when there is a moment for each operation, between its call and its return, such that one after the other at these moments
// they are what the model does.
//
// Of what is equivalent only the simplest is left to be searched, so that the search is short:
//   - The content of the log in the end is an operation as well: one that reads it all. So a push without an answer whose events are not
//     there never took effect, and is left out.
//   - One whose events are there took effect, or the same push did once more, before anybody was shown what comes after its parent: it
//     returns then at the latest.
//   - A chunk that does not say where the head is stays true for ever: it is looked at when it came.

// step is an operation in the form in which it is searched.
type step struct {
	*operation
	unknown bool // whether it took effect: it did if its parent was the head
	exact   bool // the head was where it says
}

// nothing says whether it is a chunk that only says that nothing follows. Of a log that was set back that is said beyond its end, too.
func (s *step) nothing() bool { return s.exact && len(s.events) == 0 && s.head == s.after }

// searches is how many steps the search for an order may take. None of ten thousand schedules has come near it.
const searches = 1 << 20

// verdict is what the check of a history comes to.
type verdict int

const (
	linearizable verdict = iota
	unclear              // the search took too long
	notLinearizable
)

// logModel is the model as porcupine wants it: a state is the marks of what is in the log.
func logModel(base []uint64, budget *int) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return base },
		Step: func(state, input, _ any) (bool, any) {
			if *budget--; *budget < 0 {
				return false, state
			}
			log, s := state.([]uint64), input.(*step)
			head := int64(len(log))
			switch {
			case s.nothing():
				return head <= s.after, log
			case s.pull && s.exact, s.refused:
				return s.head == head && (!s.pull || s.in(log)), log
			case s.pull:
				return s.in(log), log
			case head == s.after:
				return true, append(log[:head:head], s.events...)
			default:
				return s.unknown && head > s.after, log
			}
		},
		Equal: func(a, b any) bool { return slices.Equal(a.([]uint64), b.([]uint64)) },
		Hash: func(state any) uint64 {
			log := state.([]uint64)
			if len(log) == 0 {
				return 0
			}
			return log[len(log)-1] ^ uint64(len(log))
		},
	}
}

// check says whether what was seen of a log is linearizable, and if not what is in the way.
func (i *incarnation) check() (verdict, string) {
	ops := i.operations()
	budget := searches
	ok := porcupine.CheckOperations(logModel(i.log[:i.base:i.base], &budget), ops)
	i.steps = searches - budget
	if ok {
		return linearizable, ""
	}
	if budget < 0 {
		return unclear, ""
	}
	return notLinearizable, i.explain(ops)
}

// operations is the history in the form in which it is searched.
func (i *incarnation) operations() []porcupine.Operation {
	last := int64(0)
	for _, op := range i.ops {
		last = max(last, op.call, op.end)
	}
	whole := &step{operation: &operation{pull: true, events: i.log, head: int64(len(i.log)), who: -1}, exact: true}
	ops := []porcupine.Operation{{Input: whole, Call: last + 1, Return: last + 2}}
	shown := i.shown()
	for _, op := range i.ops {
		s := &step{operation: op, exact: op.pull && op.head >= 0}
		call, end := op.call, op.end
		switch {
		case op.pull && !s.exact:
			call = end
		case end == 0 && !op.in(i.log):
			continue
		case end == 0:
			s.unknown = true
			end = min(last+3, max(call, shown(op.after+1)))
		}
		ops = append(ops, porcupine.Operation{ClientId: op.who + 1, Input: s, Call: call, Return: end})
	}
	return ops
}

// shown returns when somebody had been told for certain that the log has an event.
func (i *incarnation) shown() func(num int64) int64 {
	first := make([]int64, len(i.log)+1) // for the events up to each head that somebody was told of
	for n := range first {
		first[n] = forever
	}
	for _, op := range i.ops {
		head := max(op.head, op.after+int64(len(op.events)))
		if op.refused {
			head = op.head
		}
		if op.end > 0 && head < int64(len(first)) && (op.refused || len(op.events) > 0) {
			first[head] = min(first[head], op.end)
		}
	}
	for n := len(first) - 2; n >= 0; n-- {
		first[n] = min(first[n], first[n+1])
	}
	return func(num int64) int64 {
		if num < int64(len(first)) {
			return first[num]
		}
		return forever
	}
}

// explain shows where a history that is not linearizable stops to be one.
func (i *incarnation) explain(ops []porcupine.Operation) string {
	budget := searches
	_, info := porcupine.CheckOperationsVerbose(logModel(i.log[:i.base:i.base], &budget), ops, 0)
	var best []int
	for _, p := range info.PartialLinearizations()[0] {
		if len(p) > len(best) {
			best = p
		}
	}
	var rest []porcupine.Operation
	for n, op := range ops {
		if !slices.Contains(best, n) {
			rest = append(rest, op)
		}
	}
	slices.SortFunc(rest, func(a, b porcupine.Operation) int { return cmp.Compare(a.Return, b.Return) })
	var b strings.Builder
	fmt.Fprintf(&b, "of %d operations %d have an order, and then the log is at", len(ops), len(best))
	head := int64(i.base)
	for _, n := range best {
		if s := ops[n].Input.(*step); !s.pull && !s.refused && s.after == head {
			head += int64(len(s.events))
		}
	}
	fmt.Fprintf(&b, " e%d. None of these can be next:", head)
	for _, op := range rest[:min(len(rest), 8)] {
		fmt.Fprintf(&b, "\n  moments %d to %d, client %d: %s", op.Call, op.Return, op.ClientId-1, op.Input.(*step))
	}
	return b.String()
}

func (s *step) String() string {
	span := fmt.Sprintf("e%d…e%d", s.after+1, s.after+int64(len(s.events)))
	switch {
	case s.pull && s.exact:
		return fmt.Sprintf("pull %s, with the head at e%d", span, s.head)
	case s.pull:
		return "pull " + span
	case s.refused:
		return fmt.Sprintf("push %s, refused with the head at e%d", span, s.head)
	case s.unknown:
		return fmt.Sprintf("push %s, without an answer", span)
	}
	return fmt.Sprintf("push %s, stored", span)
}

// judge checks the histories of all stores when all is over.
func (s *system) judge() error {
	for _, f := range s.fleets {
		if err := f.judge(); err != nil {
			return err
		}
	}
	return nil
}

func (f *fleet) judge() error {
	f.counts["check: R5, frames"] += f.history.frames
	if err := f.history.lookAll(f.server.shelf.b); err != nil {
		return err
	}
	for n, i := range f.history.logs {
		switch v, why := i.check(); v {
		case linearizable:
			f.count("check: linearizable")
			if i.steps > searches/64 {
				f.count("check: linearizable, with effort")
			}
		case unclear:
			f.count("check: linearizable, unclear")
		case notLinearizable:
			return failf("what was pushed to and pulled from store %s (log %d of the server) is not linearizable: %s", f.store, n+1, why)
		}
	}
	return nil
}
