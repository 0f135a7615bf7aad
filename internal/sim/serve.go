package sim

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/livestore-go/livestore/internal/room"
	"github.com/livestore-go/livestore/internal/wire"
)

// server is the process that the clients sync with, as far as one store goes: a room on a log that outlives it. It does what the real
// driver of a room does, one thing at a time.
type server struct {
	*book
	store   string // its id
	shelf   *shelf
	limits  room.Limits
	room    *room.Room      // nil while the server is down
	more    bool            // the room has more to give
	clock   int             // seconds that have passed
	skew    time.Duration   // of its clock
	pipes   []*pipe         // that it has not noticed the end of
	changed bool            // its log was set back, or made anew
	paging  map[pageOf]bool // pulls that have not been given the head yet
	doom    string          // where the server is to die next, empty for nowhere; see dooms
	pumping bool            // the room gives pulls what they can be given
	stored  bool            // it has just stored a push
}

// pageOf is a pull on a connection.
type pageOf struct {
	p  *pipe
	id wire.ID
}

// start starts the server. It stays down when its disk does not let it start.
func (s *server) start() error {
	s.shelf.dead, s.shelf.fails, s.shelf.dies = false, 0, false
	if ok, err := s.shelf.start(s.store); err != nil || !ok {
		return err
	}
	s.paging = map[pageOf]bool{}
	s.room = room.New(room.Config{StoreID: s.store, Log: s.shelf, Limits: s.limits})
	s.more, s.doom = false, ""
	return nil
}

// crash ends the server without a word. Of what it has written the last frames may be lost.
func (s *server) crash() {
	s.gone()
	s.shelf.crash()
}

// stop ends it in order.
func (s *server) stop() error {
	s.gone()
	if d := s.shelf.drawer; d != nil {
		if err := d.close(); err != nil && !s.troubled() {
			return failf("the log of the server does not close: %v", err)
		}
		if d.disk.failed() {
			s.shelf.crash()
		}
	}
	return nil
}

// gone is what the end of the server comes to for its connections.
func (s *server) gone() {
	s.room = nil
	for _, p := range s.pipes {
		s.end(p)
		if len(p.down) > 0 {
			p.down = p.down[:s.rng.IntN(len(p.down)+1)]
		}
	}
	s.pipes = nil
}

// end ends a connection from the side of the server.
func (*server) end(p *pipe) { p.shut, p.up, p.out = true, nil, nil }

// connect takes a connection in.
func (s *server) connect(p *pipe) {
	p.log = s.shelf.b
	s.pipes = append(s.pipes, p)
	s.room.Join(p)
}

// part lets go of a connection.
func (s *server) part(p *pipe) {
	s.end(p)
	s.room.Leave(p)
	s.pipes = slices.DeleteFunc(s.pipes, func(o *pipe) bool { return o == p })
}

// readable says whether there is a frame of a connection that the server may read.
func (s *server) readable(p *pipe) bool { return len(p.up) > 0 && !s.room.Full(p) }

// read takes the next frame of a connection. With all it does at once all that comes of it, else it leaves that for later.
func (s *server) read(p *pipe, all bool) error {
	frame := p.up[0]
	p.up = p.up[1:]
	messages, err := wire.DecodeClient(frame)
	if err != nil {
		return failf("the server does not understand a frame of a client: %v\n%s", err, frame)
	}
	if len(messages) > 1 {
		s.count("wire: frame of several messages")
	}
	s.clock++
	for _, m := range messages {
		s.tracef("  from pipe %d: %s", p.no, describeClient(m))
		if pull, ok := m.(*wire.Pull); ok {
			s.paging[pageOf{p, pull.ID}] = true
		}
		head := s.shelf.b.head()
		s.room.Receive(context.Background(), p, m, epoch.Add(time.Duration(s.clock)*time.Second+s.skew))
		s.more = true
		s.stored = s.shelf.b.head() > head
		err := s.effects()
		s.stored = false
		if err != nil || s.room == nil {
			return err
		}
	}
	if all {
		return s.pump(1 << 20)
	}
	return nil
}

// pump does up to n pieces of what the room has still to do.
func (s *server) pump(n int) error {
	s.pumping = true
	defer func() { s.pumping = false }()
	for ; n > 0 && s.more && s.room != nil; n-- {
		s.more = s.room.Pump(context.Background())
		if err := s.effects(); err != nil {
			return err
		}
	}
	return nil
}

// wake lets the room find out where its log is.
func (s *server) wake() error {
	s.room.Wake(context.Background())
	s.more = true
	return s.effects()
}

// effects does what the room wants, unless its process has died meanwhile.
func (s *server) effects() error {
	if s.shelf.bad != nil {
		return s.shelf.bad
	}
	if d := s.shelf.drawer; s.shelf.dead || d != nil && d.disk.failed() {
		s.tracef("  the server dies of its disk")
		s.count("server: died at work")
		s.crash()
		return nil
	}
	effects := s.room.Effects()
	for i, e := range effects {
		if s.doomed(effects, i) {
			return nil
		}
		p, ok := e.Conn.(*pipe)
		if !ok || !slices.Contains(s.pipes, p) {
			return failf("the room sends to a connection that has left it: %s", describeServer(e.Message))
		}
		if e.Close != nil {
			if _, slow := errors.AsType[*room.SlowReaderError](e.Close); !slow {
				return failf("the room closes pipe %d: %v", p.no, e.Close)
			}
			s.count("server: closes a slow reader")
			s.end(p)
			s.pipes = slices.DeleteFunc(s.pipes, func(o *pipe) bool { return o == p })
			continue
		}
		s.tracef("  to pipe %d: %s", p.no, describeServer(e.Message))
		if err := s.page(p, e.Message); err != nil {
			return err
		}
		frame := e.AppendFrame(nil)
		if want := wire.AppendServer(nil, e.Message); !bytes.Equal(frame, want) {
			return failf("the room makes another frame of a message than wire does: %s\n%s", frame, want)
		}
		p.out = append(p.out, frame)
	}
	return nil
}

// page checks that a pull is told rightly how many events follow, until it has been given all there are.
func (s *server) page(p *pipe, m wire.ServerMessage) error {
	c, ok := m.(*wire.Chunk)
	if !ok || !s.paging[pageOf{p, c.ID}] {
		return nil
	}
	item := c.Items[len(c.Items)-1]
	left := int64(item.Page.Remaining)
	if n := len(item.Events); n > 0 && item.Events[n-1].SeqNum+left != s.room.Head() {
		return failf("pull %s of pipe %d is at e%d and told that %d events follow, and the head is e%d", c.ID, p.no,
			item.Events[n-1].SeqNum, left, s.room.Head())
	}
	if left == 0 {
		delete(s.paging, pageOf{p, c.ID})
	}
	return nil
}

// write lets a connection write a frame, if the network takes one.
func (s *server) write(p *pipe) (bool, error) {
	if !p.write() {
		return false, nil
	}
	s.room.Drained(p, 1)
	s.more = true
	return true, s.effects()
}
