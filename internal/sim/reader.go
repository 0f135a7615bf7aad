package sim

import (
	"slices"

	"github.com/livestore-go/livestore/internal/wire"
)

// reader is somebody who only pulls: from anywhere, live or not, and acknowledges late or never. It has no store.
type reader struct {
	pipe  *pipe
	id    wire.ID
	live  bool
	at    int64  // last event that came
	owed  int    // chunks that it has not acknowledged
	done  bool   // the pull has ended
	means string // another backend that it means, empty when it means this one
}

// mostReaders is how many there are at a time.
const mostReaders = 2

// visit lets a reader come.
func (f *fleet) visit(*peer) (bool, error) {
	if len(f.readers) == mostReaders || f.server.room == nil {
		return false, nil
	}
	r := &reader{pipe: &pipe{no: f.nth("pipe"), dialect: wire.E3}, id: wire.StringID("0"), live: f.rng.IntN(2) == 0}
	m := &wire.Pull{StoreID: f.store, Live: r.live}
	if f.rng.IntN(2) == 0 {
		r.pipe.dialect, r.id = wire.E4, wire.NumberID(0)
	}
	if f.rng.IntN(2) == 0 {
		r.at = f.rng.Int64N(f.server.shelf.b.head() + 1)
		m.Cursor = &wire.Cursor{BackendID: f.server.shelf.b.id, After: r.at}
	}
	m.ID = r.id
	f.tracef("  a reader has pipe %d, from e%d, live %t", r.pipe.no, r.at, r.live)
	r.pipe.seen = f.history.witness(-1)
	f.readers = append(f.readers, r)
	f.server.connect(r.pipe)
	r.pipe.send(m, false)
	return true, nil
}

// read lets a reader read a frame, or acknowledge one.
func (f *fleet) read(*peer) (bool, error) {
	if len(f.readers) == 0 {
		return false, nil
	}
	r := f.readers[f.rng.IntN(len(f.readers))]
	if r.owed > 0 && f.rng.IntN(2) == 0 {
		r.acknowledge()
		return true, nil
	}
	return f.readOf(r)
}

func (r *reader) acknowledge() {
	r.owed--
	r.pipe.send(&wire.Ack{ID: r.id}, false)
}

// leave lets a reader go away in the middle of what it gets.
func (f *fleet) leave(*peer) (bool, error) {
	if len(f.readers) == 0 {
		return false, nil
	}
	f.gone(f.readers[f.rng.IntN(len(f.readers))])
	return true, nil
}

func (f *fleet) gone(r *reader) {
	r.pipe.left, r.pipe.down = true, nil
	f.readers = slices.DeleteFunc(f.readers, func(o *reader) bool { return o == r })
}

func (f *fleet) readOf(r *reader) (bool, error) {
	if r.pipe.ended() {
		f.gone(r)
		return true, nil
	}
	if len(r.pipe.down) == 0 {
		return false, nil
	}
	frame := r.pipe.down[0]
	r.pipe.down = r.pipe.down[1:]
	messages, err := wire.DecodeServer(frame)
	if err != nil {
		return true, failf("a reader does not understand a frame of the server: %v\n%s", err, frame)
	}
	for _, m := range messages {
		r.pipe.seen.got(m)
		if err := f.readMessage(r, m); err != nil {
			return true, err
		}
	}
	return true, nil
}

func (f *fleet) readMessage(r *reader, m wire.ServerMessage) error {
	log := r.pipe.log
	head := log.head()
	if r.means != "" {
		return r.refused(f, m)
	}
	switch m := m.(type) {
	case *wire.Chunk:
		if m.ID != r.id || r.done {
			return failf("a reader gets %s, and its pull %s has ended: %t", describeServer(m), r.id, r.done)
		}
		for _, item := range m.Items {
			for _, e := range item.Events {
				if err := delivered(log, r.at, e); err != nil {
					return err
				}
				r.at = e.SeqNum
			}
			if left := int64(item.Page.Remaining); r.at+left > head {
				return failf("a reader is at e%d and told that %d events follow, and the server is at e%d", r.at, left, head)
			}
		}
		r.owed++
		f.count("reader: chunk")
		return nil
	case *wire.Exit:
		if r.done = true; len(m.Failure) > 0 {
			if !f.troubled() {
				return failf("the pull of a reader fails: %s", describeServer(m))
			}
			f.count("reader: pull failed")
			f.gone(r)
			return nil
		}
		if r.live {
			return failf("the server ends the live pull of a reader")
		}
		f.count("reader: pull ended")
		return nil
	}
	return failf("a reader gets %s", describeServer(m))
}

// delivered checks that an event is the one that follows a position, byte for byte as it was pushed.
func delivered(b *backend, after int64, e wire.Event) error {
	switch {
	case e.SeqNum != after+1 || e.ParentSeqNum != after:
		return failf("a pull is at e%d, and e%d after e%d comes", after, e.SeqNum, e.ParentSeqNum)
	case e.SeqNum > b.head():
		return failf("a pull is given e%d, and the log of the server ends at e%d", e.SeqNum, b.head())
	case e.CreatedAt == "":
		return failf("event e%d comes without its time", e.SeqNum)
	}
	if was := b.events[after]; string(was.Args) != string(e.Args) || !was.Equal(e.Global) {
		return failf("event e%d comes as %s %s, and is %s %s", e.SeqNum, e.Name, e.Args, was.Name, was.Args)
	}
	return nil
}

// readAll lets all readers read and acknowledge whatever there is.
func (f *fleet) readAll() (moved bool, err error) {
	for _, r := range slices.Clone(f.readers) {
		for {
			did, err := f.readOf(r)
			if err != nil {
				return true, err
			}
			if !did || !slices.Contains(f.readers, r) {
				break
			}
			moved = true
		}
		for ; r.owed > 0; moved = true {
			r.acknowledge()
		}
	}
	return moved, nil
}

// readersDone checks that readers have got everything, when nothing moves any more.
func (f *fleet) readersDone() error {
	for _, r := range f.readers {
		if head := f.server.shelf.b.head(); r.live && r.at != head {
			return failf("a reader is at e%d, and the server at e%d", r.at, head)
		}
		if !r.live && !r.done || r.means != "" {
			return failf("the pull of a reader does not end")
		}
	}
	return nil
}
