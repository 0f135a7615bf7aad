package sim

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
	"math"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/wire"
)

// history is what clients and readers have heard of the log of a store: pushes and pulls, as operations that began at one moment and
// ended at another. A moment is a count of messages. It has one part for each incarnation of the log: a log that is set back to an older
// copy, or made anew, is another log that begins with what is left.
type history struct {
	now  int64
	logs []*incarnation

	frames int   // with a push
	bad    error // what must never be, until somebody asks
}

// incarnation is the life of a log.
type incarnation struct {
	b      *backend
	base   int      // events that it began with
	log    []uint64 // what is in it, a mark for each event, when it was looked at last
	pushes map[int64][]*operation
	ops    []*operation
	over   int64 // when it ended; not yet when 0
	steps  int   // that its check took
}

// operation is one push, or one chunk of a pull.
type operation struct {
	who    int // the client or the reader
	pull   bool
	after  int64    // the parent of a push; what a chunk follows
	events []uint64 // marks of what was pushed, or pulled

	call, end int64 // when it was sent, when the answer came; an end of 0: none came, or one that leaves the outcome open
	refused   bool  // a push: the server was ahead
	head      int64 // where the server said it is: when it refused, or of a chunk; -1 when it did not say
}

func newHistory(b *backend) *history { return &history{logs: []*incarnation{newIncarnation(b)}} }

func newIncarnation(b *backend) *incarnation {
	i := &incarnation{b: b, base: len(b.events), pushes: map[int64][]*operation{}}
	for n := range b.events {
		i.log = append(i.log, mark(&b.events[n]))
	}
	return i
}

// current is the log that the server has now.
func (h *history) current() *incarnation { return h.logs[len(h.logs)-1] }

// mark tells an event from all others.
func mark(e *event.Global) uint64 {
	f := fnv.New64a()
	var n [16]byte
	binary.LittleEndian.PutUint64(n[:], uint64(e.SeqNum))
	binary.LittleEndian.PutUint64(n[8:], uint64(e.ParentSeqNum))
	_, _ = f.Write(n[:])
	for _, s := range [...]string{e.Name, e.ClientID, e.SessionID} {
		_, _ = io.WriteString(f, s)
		_, _ = f.Write([]byte{0})
	}
	_, _ = f.Write(e.Args)
	return f.Sum64()
}

// look compares the log of the server with what was in it, and with what was pushed (R1): it only grows, by whole pushes, and each event
// has the number and the parent that its place says. When it is another log now, a new part of the history begins.
func (h *history) look(b *backend) error {
	i := h.current()
	if i.b == b {
		return i.look(b.events)
	}
	if err := i.look(i.b.events); err != nil {
		return err
	}
	h.now++
	i.over = h.now
	h.logs = append(h.logs, newIncarnation(b))
	return nil
}

// look is that for a log that is still the same.
func (i *incarnation) look(log []event.Global) error {
	known := len(i.log)
	if len(log) < known {
		return failf("the log of the server had %d events, and has %d (R1)", known, len(log))
	}
	if known > 0 && mark(&log[known-1]) != i.log[known-1] {
		return failf("event e%d of the log of the server is another one than before (R1)", known)
	}
	for n := known; n < len(log); n++ {
		if e := &log[n]; e.SeqNum != int64(n)+1 || e.ParentSeqNum != int64(n) {
			return failf("the log of the server has e%d after e%d where e%d should be (R1)", e.SeqNum, e.ParentSeqNum, n+1)
		}
		i.log = append(i.log, mark(&log[n]))
	}
	if !i.whole(known) {
		return failf("the log of the server has e%d…e%d, and these are not whole pushes (R1)", known+1, len(i.log))
	}
	return nil
}

// lookAll is look for all that is in the logs, and not just what is new.
func (h *history) lookAll(b *backend) error {
	if err := h.look(b); err != nil {
		return err
	}
	for _, i := range h.logs {
		if err := i.unchanged(); err != nil {
			return err
		}
	}
	return nil
}

func (i *incarnation) unchanged() error {
	for n, m := range i.log {
		if mark(&i.b.events[n]) != m {
			return failf("event e%d of the log of the server is another one than before (R1)", n+1)
		}
	}
	return nil
}

// whole says whether what follows a place in the log are pushes, each of them whole.
func (i *incarnation) whole(from int) bool {
	ends := map[int]bool{from: true}
	for at := from; at < len(i.log); at++ {
		if !ends[at] {
			continue
		}
		for _, op := range i.pushes[int64(at)] {
			if op.in(i.log) {
				ends[at+len(op.events)] = true
			}
		}
	}
	return ends[len(i.log)]
}

// in says whether a log has the events of an operation, in their places.
func (op *operation) in(log []uint64) bool {
	if op.after < 0 || op.after+int64(len(op.events)) > int64(len(log)) {
		return false
	}
	for n, m := range op.events {
		if log[op.after+int64(n)] != m {
			return false
		}
	}
	return true
}

// witness sees what goes over one connection, at the end of a client or a reader.
type witness struct {
	h      *history
	of     *incarnation
	who    int
	pushes map[wire.ID]*operation
	pulls  map[wire.ID]*pulling
}

// pulling is a pull as who asked for it sees it.
type pulling struct {
	at     int64   // the last event that came
	asked  []int64 // when the pull was sent, and then each acknowledgement: a chunk of the first phase is made after the one it needs
	chunks int
	paging bool // it has not come to the head
}

// witness starts to listen to a connection. Clients have numbers from 0 on, readers -1.
func (h *history) witness(who int) *witness {
	return &witness{h: h, of: h.current(), who: who, pushes: map[wire.ID]*operation{}, pulls: map[wire.ID]*pulling{}}
}

func (v *witness) fail(err error) {
	if v.h.bad == nil {
		v.h.bad = err
	}
}

// moment is now, or the end of the log that the connection was for.
func (v *witness) moment() int64 {
	if v.of.over > 0 {
		return v.of.over
	}
	return v.h.now
}

// sent takes a message that is sent to the server.
func (v *witness) sent(m wire.ClientMessage) {
	if v == nil {
		return
	}
	v.h.now++
	switch m := m.(type) {
	case *wire.Push:
		if len(m.Batch) == 0 {
			return
		}
		v.h.frames++
		op := &operation{who: v.who, after: m.Batch[0].ParentSeqNum, call: v.moment(), head: -1}
		for n := range m.Batch {
			e := &m.Batch[n]
			if clientOnly[e.Name] {
				v.fail(failf("event e%d %s, which is client-only, is pushed to the server (R5)", e.SeqNum, e.Name))
			}
			op.events = append(op.events, mark(e))
		}
		v.pushes[m.ID] = op
		v.of.ops = append(v.of.ops, op)
		v.of.pushes[op.after] = append(v.of.pushes[op.after], op)
	case *wire.Pull:
		p := &pulling{asked: []int64{v.moment()}, paging: true}
		if m.Cursor != nil {
			p.at = m.Cursor.After
		}
		v.pulls[m.ID] = p
	case *wire.Ack:
		if p := v.pulls[m.ID]; p != nil {
			p.asked = append(p.asked, v.moment())
		}
	}
}

// got takes a message that has come from the server.
func (v *witness) got(m wire.ServerMessage) {
	if v == nil {
		return
	}
	v.h.now++
	switch m := m.(type) {
	case *wire.Chunk:
		if p := v.pulls[m.ID]; p != nil {
			v.chunk(p, m)
		}
	case *wire.Exit:
		delete(v.pulls, m.ID)
		op := v.pushes[m.ID]
		if op == nil {
			return
		}
		delete(v.pushes, m.ID)
		if len(m.Failure) == 0 {
			op.end = v.moment()
			return
		}
		if ahead, ok := errors.AsType[*wire.ServerAheadError](m.Failure[0].Err); ok {
			op.end, op.refused, op.head = v.moment(), true, ahead.MinimumExpectedNum
		}
	}
}

// chunk takes a chunk of a pull. One of the first phase says where the head is, and was made after the acknowledgement that it waited for.
func (v *witness) chunk(p *pulling, m *wire.Chunk) {
	if p.paging && p.chunks >= len(p.asked) {
		v.fail(failf("chunk %d of pull %s comes, and %d are acknowledged", p.chunks+1, m.ID, len(p.asked)-1))
		return
	}
	for _, item := range m.Items {
		op := &operation{who: v.who, pull: true, after: p.at, head: -1, call: v.moment(), end: v.moment()}
		for n := range item.Events {
			op.events = append(op.events, mark(&item.Events[n].Global))
		}
		p.at += int64(len(op.events))
		if p.paging && item.Page.Kind != wire.MoreUnknown {
			op.call, op.head = p.asked[p.chunks], p.at
			if item.Page.Kind == wire.MoreKnown {
				op.head += int64(item.Page.Remaining)
			}
			p.paging = op.head > p.at
		}
		v.of.ops = append(v.of.ops, op)
	}
	p.chunks++
}

// clientOnly are the names of events that never leave their client.
var clientOnly = func() map[string]bool {
	names := map[string]bool{}
	for _, s := range schemas {
		for d := range s.Definitions() {
			if d.Scope() == event.ScopeClientOnly {
				names[d.Name()] = true
			}
		}
	}
	return names
}()

// forever is the end of an operation that may take effect at any time.
const forever = math.MaxInt64
