package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/livestore-go/livestore/internal/room"
	"github.com/livestore-go/livestore/internal/wire"
)

// fleet is one store: some clients, and the room of the server between them.
type fleet struct {
	*system
	store   string // its id
	peers   []*peer
	server  *server
	readers []*reader
	history *history   // what clients and readers have heard of the log
	logs    []*backend // that the server has had, in turn: a restore and a reset make another one of it
	sets    bool       // the log may be set back
	skew    bool       // its clients run different versions of the app
	asleep  *peer      // a client whose connection stands still while the others settle
}

// newFleet makes a store with clients of these ids.
func (s *system) newFleet(store string, clients []string) (*fleet, error) {
	f := &fleet{system: s, store: store}
	f.skew = rand.New(rand.NewPCG(f.seed, drawApp)).IntN(2) == 0
	b, err := newBackend(newest)
	if err != nil {
		return nil, err
	}
	f.server = &server{book: f.book, store: store, shelf: &shelf{book: f.book, b: b}, limits: room.Limits{
		Window: []int{1, 500, 5000, 0}[f.rng.IntN(4)], CacheBytes: []int{1, 600, 0}[f.rng.IntN(3)], Replies: []int{1, 3, 0}[f.rng.IntN(3)],
	}}
	f.logs = []*backend{b}
	if err := f.drawServer(); err != nil {
		return f, err
	}
	if err := f.server.start(); err != nil {
		return f, err
	}
	f.history = newHistory(f.server.shelf.b)
	for _, id := range clients {
		w := &world{
			book: f.book, store: store, client: id, synced: true, sessions: make([]*sess, f.one(1, 1, 1, 2, 2, 2, 2, 3, 4)), ledger: newLedger(),
			maxEvents: f.one(1, 1, 2, 3, 5, 100), schema: f.rng.IntN(2), backend: b, logs: &f.logs,
		}
		w.maxPush = w.maxEvents
		p := &peer{world: w, fleet: f, buffer: f.one(1, 2, 4, 16)}
		f.peers = append(f.peers, p)
		f.giveApp(w, f.nth("app"))
		files, err := empty(store, w.client, w.schema, len(w.sessions))
		if err != nil {
			return f, err
		}
		w.disk = newDisk(files.Kill())
		f.tracef("%s: %d sessions of store %s, schema %d, %d events a push, %d chunks wait", w.client, len(w.sessions), store, w.schema,
			w.maxEvents, p.buffer)
		if err := w.boot(); err != nil {
			return f, err
		}
		p.reset()
	}
	return f, nil
}

// one draws one of several numbers.
func (b *book) one(of ...int) int { return of[b.rng.IntN(len(of))] }

// reset makes the peer that of the leader of now. What was under way with the one before nobody waits for.
func (p *peer) reset() {
	if p.pipe != nil {
		p.lost()
	}
	p.of, p.round, p.push, p.doubt, p.ahead, p.paused, p.used = p.leader, nil, nil, false, 0, false, map[wire.ID]int{}
	if p.inMemory() {
		p.high = 0
	}
	p.other, p.alien, p.whole, p.stuck, p.bad = nil, false, nil, nil, p.relate()
}

// dial makes a connection.
func (f *fleet) dial(p *peer) bool {
	if p.pipe != nil || p.cut || f.server.room == nil {
		return false
	}
	p.pipe = &pipe{log: f.server.shelf.b, no: f.nth("pipe"), dialect: []wire.Dialect{wire.E3, wire.E4}[f.rng.IntN(2)]}
	p.pipe.seen = f.history.witness(slices.Index(f.peers, p))
	p.eager = f.rng.IntN(2) == 0
	f.tracef("  %s has pipe %d, %s", p.client, p.pipe.no, p.pipe.dialect)
	f.server.connect(p.pipe)
	p.send(wire.Ping{})
	return true
}

// deed is one thing that may happen in a fleet. do returns false when it can not happen now.
type deed struct {
	name   string
	weight int
	fault  bool
	do     func(*fleet, *peer) (bool, error)
}

// fleetDeeds are what happens between a client and the server. What happens within a client are the actions of a world.
var fleetDeeds = []deed{
	{"dial", 60, false, func(f *fleet, p *peer) (bool, error) { return f.dial(p), nil }},
	{"begin", 60, false, func(_ *fleet, p *peer) (bool, error) { return p.begin(), nil }},
	{"receive", 120, false, (*fleet).receive},
	{"take", 120, false, (*fleet).take},
	{"hand", 120, false, func(_ *fleet, p *peer) (bool, error) { return p.hand() }},
	{"answer", 120, false, (*fleet).answer},
	{"serve", 200, false, (*fleet).serve},
	{"write", 200, false, (*fleet).write},
	{"pump", 40, false, (*fleet).pump},
	{"wake", 6, false, (*fleet).wake},
	{"talk", 3, false, (*fleet).talk},
	{"ping", 1, false, (*fleet).ping},
	{"extra ack", 3, true, (*fleet).extraAck},
	{"drop", 3, true, (*fleet).drop},
	{"half open", 3, true, (*fleet).halfOpen},
	{"partition", 2, true, (*fleet).partition},
	{"partition heals", 8, false, (*fleet).rejoin},
	{"give up", 8, false, (*fleet).giveUpPipe},
	{"server notices", 20, false, (*fleet).notice},
	{"server gives up", 3, false, (*fleet).serverGivesUp},
	{"server crash", 2, true, (*fleet).serverCrash},
	{"server start", 20, false, (*fleet).serverStart},
	{"server disk fails", 3, true, (*fleet).serverDisk},
	{"behind", 60, true, (*fleet).behind},
	{"stalled", 6, true, (*fleet).stalled},
	{"burst", 2, false, (*fleet).burst},
	{"pause", 2, true, (*fleet).pause},
	{"visit", 4, false, (*fleet).visit},
	{"read", 40, false, (*fleet).read},
	{"leave", 1, true, (*fleet).leave},
	{"resume", 10, false, (*fleet).resume},
}

func (f *fleet) receive(p *peer) (bool, error) {
	if p.pipe == nil {
		return false, nil
	}
	if p.pipe.ended() {
		f.count("peer: connection ended")
		p.lost()
		return true, nil
	}
	if len(p.pipe.down) == 0 {
		return false, nil
	}
	return true, p.receive()
}

func (f *fleet) take(p *peer) (bool, error) {
	if !p.round.takes() || len(p.round.chunks) == 0 && p.round.over == nil && !p.round.connected(p) {
		return false, nil
	}
	return true, p.take()
}

func (f *fleet) answer(p *peer) (bool, error) {
	if p.push == nil || !p.push.answered {
		return false, nil
	}
	return true, p.answer()
}

// someone returns a connection that the server has.
func (f *fleet) someone() *pipe {
	if f.server.room == nil || len(f.server.pipes) == 0 {
		return nil
	}
	return f.server.pipes[f.rng.IntN(len(f.server.pipes))]
}

func (f *fleet) serve(*peer) (bool, error) {
	p := f.someone()
	if p == nil || len(p.up) == 0 {
		return false, nil
	}
	if !f.server.readable(p) {
		f.count("server: full")
		return false, nil
	}
	return true, f.server.read(p, f.rng.IntN(4) > 0)
}

func (f *fleet) write(*peer) (bool, error) {
	p := f.someone()
	if p == nil {
		return false, nil
	}
	return f.server.write(p)
}

func (f *fleet) pump(*peer) (bool, error) {
	if f.server.room == nil || !f.server.more {
		return false, nil
	}
	return true, f.server.pump(1 + f.rng.IntN(3))
}

func (f *fleet) wake(*peer) (bool, error) {
	if f.server.room == nil {
		return false, nil
	}
	if f.server.room.Stale() {
		f.count("server: stale")
	} else if f.rng.IntN(4) > 0 {
		return false, nil
	}
	return true, f.server.wake()
}

// talk brings a client and the server as far as they come without a fault.
func (f *fleet) talk(p *peer) (bool, error) {
	did := false
	for range 8 {
		moved, err := f.exchange(p)
		if err != nil || !moved {
			return did, err
		}
		did = true
	}
	return did, nil
}

func (f *fleet) ping(p *peer) (bool, error) {
	if p.pipe == nil {
		return false, nil
	}
	p.send(wire.Ping{})
	return true, nil
}

// extraAck acknowledges a chunk that has not come yet, or an answer that is over.
func (f *fleet) extraAck(p *peer) (bool, error) {
	if p.pipe == nil || p.number == 0 {
		return false, nil
	}
	n := p.number - 1 - min(p.number-1, f.rng.Uint64N(3))
	id := wire.NumberID(n)
	if p.pipe.dialect == wire.E3 {
		id = wire.StringID(fmt.Sprint(n))
	}
	p.send(&wire.Ack{ID: id})
	return true, nil
}

// drop ends a connection at one end or both. What was on its way may arrive yet, up to somewhere.
func (f *fleet) drop(p *peer) (bool, error) {
	c := p.pipe
	if c == nil || c.shut {
		return false, nil
	}
	f.count("fault: connection dropped")
	c.up = c.up[:f.rng.IntN(len(c.up)+1)]
	how := f.rng.IntN(3)
	if how != 0 && f.server.room != nil {
		c.down = c.down[:f.rng.IntN(len(c.down)+1)]
		f.server.part(c)
		f.server.more = true
	}
	if how != 1 {
		p.lost()
	}
	return true, nil
}

// halfOpen lets nothing through any more, in one direction or both. Nobody is told.
func (f *fleet) halfOpen(p *peer) (bool, error) {
	c := p.pipe
	if c == nil || c.deafUp || c.deafDown {
		return false, nil
	}
	how := 1 + f.rng.IntN(3)
	if how&1 != 0 {
		f.count("fault: half open up")
		c.deafUp, c.up = true, c.up[:f.rng.IntN(len(c.up)+1)]
	}
	if how&2 != 0 {
		f.count("fault: half open down")
		n := f.rng.IntN(len(c.down) + 1)
		c.swallowed = len(c.down) - n
		c.deafDown, c.down = true, c.down[:n]
	}
	return true, nil
}

// partition parts some clients from the server: what is on its way vanishes, nobody is told, and there is no new connection.
func (f *fleet) partition(*peer) (bool, error) {
	before := f.parted()
	subset := 1 + f.rng.IntN(1<<len(f.peers)-1)
	for i, p := range f.peers {
		if subset&(1<<i) == 0 || p.cut {
			continue
		}
		p.cut = true
		if c := p.pipe; c != nil && !c.shut {
			c.up, c.down, c.swallowed = nil, nil, c.swallowed+len(c.down)
			c.deafUp, c.deafDown = true, true
		}
	}
	now := f.parted()
	switch {
	case now == before:
		return false, nil
	case now == len(f.peers):
		f.count("fault: all clients parted from the server")
	default:
		f.count("fault: some clients parted from the server")
	}
	f.tracef("  %d of %d are parted", now, len(f.peers))
	return true, nil
}

func (f *fleet) parted() (n int) {
	for _, p := range f.peers {
		if p.cut {
			n++
		}
	}
	return n
}

// rejoin lets all reach the server again.
func (f *fleet) rejoin(*peer) (bool, error) {
	if f.parted() == 0 {
		return false, nil
	}
	for _, p := range f.peers {
		p.cut = false
	}
	return true, nil
}

// giveUpPipe lets a client find out that nothing comes any more, most often rightly.
func (f *fleet) giveUpPipe(p *peer) (bool, error) {
	if p.pipe == nil || p.pipe.healthy() && f.rng.IntN(20) > 0 {
		return false, nil
	}
	p.lost()
	return true, nil
}

// notice lets the server read to the end of a connection.
func (f *fleet) notice(*peer) (bool, error) {
	c := f.someone()
	if c == nil || !c.over() {
		return false, nil
	}
	f.server.part(c)
	f.server.more = true
	return true, f.server.effects()
}

// serverGivesUp lets the server end a connection over which nothing comes.
func (f *fleet) serverGivesUp(*peer) (bool, error) {
	c := f.someone()
	if c == nil || c.healthy() {
		return false, nil
	}
	f.count("server: gives up a connection")
	f.server.part(c)
	f.server.more = true
	return true, f.server.effects()
}

func (f *fleet) serverCrash(*peer) (bool, error) {
	if f.server.room == nil {
		return false, nil
	}
	f.count("fault: server crashed")
	f.crashServer()
	return true, nil
}

func (f *fleet) serverStart(*peer) (bool, error) {
	if f.server.room != nil {
		return false, nil
	}
	return true, f.startServer()
}

func (f *fleet) serverDisk(*peer) (bool, error) {
	s := f.server
	if s.room == nil || s.shelf.armed() {
		return false, nil
	}
	s.shelf.arm(1+f.rng.IntN(6), f.rng.IntN(2) == 0)
	return true, nil
}

// behind ends a round because a timer has run out: events that the server has do not come.
func (f *fleet) behind(p *peer) (bool, error) {
	if !p.behind() || p.push != nil {
		return false, nil
	}
	p.leader.Turn()
	return true, p.end()
}

// stalled ends one whose pull does not go on.
func (f *fleet) stalled(p *peer) (bool, error) {
	if p.round == nil || p.round.caughtUp {
		return false, nil
	}
	return true, p.end()
}

// burst makes a few commits in a row.
func (f *fleet) burst(p *peer) (bool, error) {
	for range 3 + f.rng.IntN(8) {
		if _, err := p.commit(); err != nil || p.disk.failed() {
			return true, err
		}
	}
	return true, nil
}

func (f *fleet) pause(p *peer) (bool, error) {
	if p.paused {
		return false, nil
	}
	p.paused = true
	if p.round == nil {
		return true, nil
	}
	return true, p.end()
}

func (f *fleet) resume(p *peer) (bool, error) {
	if !p.paused && p.other == nil {
		return false, nil
	}
	p.paused, p.other = false, nil
	return true, p.resume()
}
