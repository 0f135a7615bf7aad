package sim

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/leader"
	"github.com/livestore-go/livestore/internal/wire"
	"github.com/livestore-go/livestore/provider"
)

// peer is what keeps a leader and the server together: the sync provider and the driver of the leader's backend steps, one thing
// at a time. Its rounds are those of the driver: a live pull from the cursor on, and one push at a time once the pull has caught up. What
// ends the pull, or leaves the outcome of a push open, ends the round.
type peer struct {
	*world
	fleet  *fleet
	of     *leader.Machine // whose peer it is; another one after a restart
	buffer int             // chunks that wait for the leader before the pull is asked for anew

	cut    bool  // it does not reach the server
	pipe   *pipe // nil when there is no connection
	eager  bool  // it acknowledges chunks when they come, and not when they are taken
	round  *round
	push   *pushing
	paused bool
	other  error           // why it has stopped: the backend is another one
	alien  bool            // it was, and has not shown since then that it is the one it was
	whole  *whole          // what it has pulled to be rebased onto that
	stuck  error           // why it can not be
	bad    error           // what must never be
	number uint64          // of the next request
	used   map[wire.ID]int // ids, and the number of the pipe they were used on

	doubt bool  // the outcome of a push is not known, and no pull that began after it has caught up
	ahead int64 // where the server said it is when it refused a push
	said  int64 // last event of a push in this round that the server said it has stored
	high  int64 // upstream head that was confirmed once
}

// round is a live pull, and the pushes on its connection.
type round struct {
	pipe     *pipe
	id       wire.ID       // of the pull under way; zero when it has to be asked for anew
	at       int64         // event up to which the pull has given to the leader
	backend  string        // identity of the backend, as far as the pull knows it
	chunks   []*wire.Chunk // not given yet
	caughtUp bool
	began    bool  // after the doubt, if there is one
	listens  bool  // an event does not apply: it only follows the head of the backend
	over     error // why nothing more comes
}

// pushing is a push under way.
type pushing struct {
	id       wire.ID
	batch    []event.Global
	answered bool
	err      error // the answer
}

// Errors of a connection, as the provider says them.
var (
	errOffline = &provider.OfflineError{StoreID: storeID, Err: errLost}
	errEnded   = errors.New("the round has ended")
)

func (p *peer) id() wire.ID {
	n := p.number
	p.number++
	id := wire.NumberID(n)
	if p.pipe.dialect == wire.E3 {
		id = wire.StringID(strconv.FormatUint(n, 10))
	}
	p.used[id] = p.pipe.no
	return id
}

// begin starts a round when it can.
func (p *peer) begin() bool {
	if p.pipe == nil || p.round != nil || p.paused || p.other != nil || p.whole != nil {
		return false
	}
	if p.pipe.log != p.backend {
		p.ahead = 0 // it was said of another log
	}
	_ = p.leader.Retry()
	c := p.leader.Cursor()
	p.said = 0
	p.round = &round{pipe: p.pipe, at: c.After, backend: c.BackendID, began: true}
	p.ask()
	return true
}

// ask sends the pull of a round.
func (p *peer) ask() {
	r := p.round
	r.id = p.id()
	m := &wire.Pull{ID: r.id, StoreID: p.store, Live: true}
	if r.backend != "" {
		m.Cursor = &wire.Cursor{BackendID: r.backend, After: r.at}
	}
	p.tracef("  %s pulls %s from e%d", p.client, r.id, r.at)
	p.send(m)
}

func (p *peer) send(m wire.ClientMessage) { p.pipe.send(m, p.rng.IntN(4) == 0) }

// connected says whether the connection of the round is still there.
func (r *round) connected(p *peer) bool { return p.pipe == r.pipe && p.pipe != nil }

// end ends the round: what is under way is given up, and a push whose answer is not there has an outcome that is not known.
func (p *peer) end() error {
	r := p.round
	p.round = nil
	if p.push != nil {
		if !p.push.answered {
			if r.connected(p) {
				p.send(&wire.Interrupt{ID: p.push.id})
				p.count("peer: interrupt a push")
			}
			p.push.answered, p.push.err = true, errEnded
		}
		p.pushed()
	}
	if r.connected(p) && !r.id.IsZero() {
		p.send(&wire.Interrupt{ID: r.id})
		p.count("peer: interrupt a pull")
	}
	return p.stands()
}

// lost is what happens when the client learns that its connection has ended, or ends it.
func (p *peer) lost() {
	if len(p.pipe.up) > 0 {
		p.count("fault: frames arrive after their connection has ended")
	}
	p.pipe.left = true
	p.pipe.down = nil
	p.pipe = nil
	if p.round != nil && p.round.over == nil {
		p.round.over = errOffline
	}
	if p.push != nil && !p.push.answered {
		p.push.answered, p.push.err = true, errOffline
	}
}

// receive takes the next frame that has come.
func (p *peer) receive() error {
	frame := p.pipe.down[0]
	p.pipe.down = p.pipe.down[1:]
	messages, err := wire.DecodeServer(frame)
	if err != nil {
		return failf("%s does not understand a frame of the server: %v\n%s", p.client, err, frame)
	}
	for _, m := range messages {
		p.tracef("  %s gets %s", p.client, describeServer(m))
		p.pipe.seen.got(m)
		if err := p.message(m); err != nil {
			return err
		}
	}
	return nil
}

func (p *peer) message(m wire.ServerMessage) error {
	var id wire.ID
	switch m := m.(type) {
	case *wire.Chunk:
		id = m.ID
	case *wire.Exit:
		id = m.ID
	case *wire.Defect:
		return failf("the server says a defect to %s: %s", p.client, m.Defect)
	default:
		p.count("peer: pong")
		return nil
	}
	if no, ok := p.used[id]; !ok || no != p.pipe.no {
		return failf("the server answers request %s of %s on a connection where it never was: %s", id, p.client, describeServer(m))
	}
	switch {
	case p.round != nil && p.round.id == id && p.round.connected(p):
		return p.pulled(m)
	case p.push != nil && p.push.id == id && !p.push.answered:
		exit, ok := m.(*wire.Exit)
		if !ok {
			return failf("the server answers push %s with %s", id, describeServer(m))
		}
		err, bad := p.failure(exit)
		if bad != nil {
			return bad
		}
		p.push.answered, p.push.err = true, err
		return nil
	}
	p.count("peer: late answer")
	return nil
}

// pulled takes an answer to the pull of the round.
func (p *peer) pulled(m wire.ServerMessage) error {
	r := p.round
	switch m := m.(type) {
	case *wire.Chunk:
		if len(r.chunks) >= p.buffer { // the provider throws them away, and asks again from where the leader is
			p.count("peer: lapse")
			p.send(&wire.Interrupt{ID: r.id})
			r.id = wire.ID{}
			return nil
		}
		if p.eager {
			p.send(&wire.Ack{ID: r.id})
		}
		r.chunks = append(r.chunks, m)
	case *wire.Exit:
		err, bad := p.failure(m)
		if bad != nil {
			return bad
		}
		if err == nil {
			return failf("the server ends live pull %s of %s", r.id, p.client)
		}
		p.count("peer: pull failed")
		r.id, r.over = wire.ID{}, err
	}
	return nil
}

// failure reads an answer as the provider does. Only what a disk that fails may lead to is allowed.
func (p *peer) failure(m *wire.Exit) (err, bad error) {
	if len(m.Failure) == 0 {
		return nil, nil
	}
	reason := m.Failure[0]
	if ahead, ok := errors.AsType[*wire.ServerAheadError](reason.Err); ok {
		return &provider.ServerAheadError{StoreID: p.store, Head: ahead.MinimumExpectedNum, Provided: ahead.ProvidedNum}, nil
	}
	if other, ok := errors.AsType[*wire.BackendIDMismatchError](reason.Err); ok {
		return p.identity(other)
	}
	if unknown, ok := errors.AsType[*wire.UnknownError](reason.Err); ok && p.troubled() {
		return &provider.BackendError{StoreID: p.store, Why: unknown.Error()}, nil
	}
	return nil, failf("the server answers %s: %s", p.client, describeServer(m))
}

// takes says whether there is something that the leader can be given now.
func (r *round) takes() bool {
	return r != nil && (len(r.chunks) > 0 || r.id.IsZero() || r.over != nil)
}

// take gives the leader the next chunk, or finds that nothing more comes.
func (p *peer) take() error {
	r := p.round
	switch {
	case len(r.chunks) > 0:
	case r.over != nil:
		p.tracef("  the round of %s ends: %v", p.client, r.over)
		if isOther(r.over) {
			return p.stop(r.over)
		}
		return p.end()
	default: // it was lost for lack of room
		p.count("peer: pull again")
		p.ask()
		return nil
	}
	c := r.chunks[0]
	r.chunks = r.chunks[1:]
	if !p.eager && r.connected(p) && !r.id.IsZero() {
		p.send(&wire.Ack{ID: r.id})
	}
	for _, item := range c.Items {
		if err := p.item(item); err != nil {
			return err
		}
		if p.round != r || len(r.chunks) == 0 && r.listens {
			break // it has ended, or begun to listen
		}
	}
	return p.stands()
}

// item gives the leader a page.
func (p *peer) item(item wire.Item) error {
	r := p.round
	log := r.pipe.log
	if item.BackendID != log.id {
		return failf("the server says it is %q", item.BackendID)
	}
	events := make([]event.Global, len(item.Events))
	at := r.at
	for i, e := range item.Events {
		if err := delivered(log, at, e); err != nil {
			return fmt.Errorf("%s: %w", p.client, err)
		}
		at = e.SeqNum
		events[i] = e.Global
	}
	if r.listens {
		return p.heard(item, at)
	}
	remaining := 0
	switch item.Page.Kind {
	case wire.MoreKnown:
		remaining = item.Page.Remaining
	case wire.MoreUnknown:
		remaining = -1
	}
	if r.caughtUp {
		remaining = 0
	}
	reached := !r.caughtUp && remaining == 0
	p.tracef("  %s takes %s, caught up %t", p.client, spanGlobal(events), reached)
	p.classifyPage(page{after: r.at, events: events})
	p.leader.BackendAt(r.at + int64(len(events)) + int64(max(0, remaining)))
	before, inside := p.leader.Heads(), p.inside()
	fits := log == p.backend || p.fits(log, at+int64(max(0, remaining)))
	if !fits && p.alikeAt(log, before.Upstream.Global) {
		p.phase = ""
		p.count("restore: only somebody who knows of it notices")
		p.leader.Changed(errRestored)
		return p.stop(p.leader.Halted())
	}
	if fits {
		p.backend = log
	}
	err := p.leader.BackendPulled(item.BackendID, r.at, events, reached)
	if !p.disk.failed() {
		p.phase = ""
	}
	switch changed := isOther(err); {
	case changed && fits:
		return failf("%s stops to sync, and the backend has all that it had: %v", p.client, err)
	case changed:
		return p.stop(err)
	case !fits && !p.spaceless(err) && !p.disk.failed() && (len(events) > 0 || reached):
		return failf("%s takes %s with %d events for the backend that it knows, and only %d events are the same, of %d that were confirmed",
			p.client, log.id, log.head(), shared(p.backend.events, log.events), before.Upstream.Global)
	}
	p.alien = p.alien && !(err == nil && reached)
	if err != nil {
		if can, err := p.unpulled(item.BackendID, before.Upstream, err); can {
			return err
		}
		return fmt.Errorf("pull of %s: %w", p.client, err)
	}
	if err := p.callbacks(before.Upstream); err != nil {
		return err
	}
	if inside && p.leader.Heads().Generation != before.Generation {
		p.count("leader: rebase of the rest of a commit")
	}
	r.at, r.backend = at, item.BackendID
	if reached {
		p.app.haltedAt = 0
		p.hear()
		r.caughtUp = true
		p.doubt = p.doubt && !r.began
	}
	return nil
}

// inside says whether the upstream head is in the middle of a commit, because that was cut.
func (p *peer) inside() bool {
	for e, err := range p.log.Read(p.leader.Heads().Upstream, 1) {
		return err == nil && e.ID.Index > 0
	}
	return false
}

// hand pushes the next batch.
func (p *peer) hand() (bool, error) {
	r := p.round
	if r == nil || !r.caughtUp || r.listens || p.push != nil || !r.connected(p) {
		return false, nil
	}
	if h := p.leader.Heads(); h.Local.Global == h.Upstream.Global {
		return false, nil
	}
	if wait, _ := p.leader.PushWait(); wait > 0 { // the next time it has passed
		p.count("peer: push waits")
		return true, nil
	}
	id, batch, err := p.leader.NextBackendPush()
	if err != nil || len(batch) == 0 {
		return false, err
	}
	p.count("check: R3, fences")
	switch head := p.leader.Heads().Upstream.Global; {
	case p.doubt:
		return true, failf("%s pushes e%d, and has not pulled since a push whose answer was lost (R3)", p.client, batch[0].SeqNum)
	case head < p.ahead:
		return true, failf("%s pushes e%d, and has not pulled up to e%d, where the server said it is (R3)", p.client, batch[0].SeqNum, p.ahead)
	case batch[0].SeqNum <= p.said:
		return true, failf("%s pushes e%d, and the server has said that it has stored up to e%d", p.client, batch[0].SeqNum, p.said)
	case batch[0].ParentSeqNum > p.backend.head():
		return true, failf("%s pushes e%d, and the server never had e%d", p.client, batch[0].SeqNum, batch[0].ParentSeqNum)
	case p.maxEvents > 0 && len(batch) > p.maxEvents:
		return true, failf("%s pushes %d events at once", p.client, len(batch))
	}
	p.push = &pushing{id: p.id(), batch: batch}
	p.tracef("  %s pushes %s: %s", p.client, p.push.id, spanGlobal(batch))
	p.send(&wire.Push{ID: p.push.id, StoreID: p.store, Batch: batch, BackendID: id})
	return true, nil
}

// pushed tells the leader the answer to its push.
func (p *peer) pushed() {
	b := p.push
	p.push = nil
	err := b.err
	p.tracef("  %s is told of push %s: %v", p.client, b.id, err)
	ahead, isAhead := errors.AsType[*provider.ServerAheadError](err)
	switch {
	case err == nil:
		p.count("peer: push stored")
		p.said = b.batch[len(b.batch)-1].SeqNum
	case isAhead:
		p.count("peer: push refused")
		p.ahead = max(p.ahead, ahead.Head)
	default:
		p.count("peer: push in doubt")
		if n := p.backend.head(); n >= b.batch[0].SeqNum && p.backend.events[b.batch[0].SeqNum-1].Equal(b.batch[0]) {
			p.count("fault: answer to a push that was stored is lost")
		}
		p.doubt = true
		if p.round != nil {
			p.round.began = false
		}
	}
	p.leader.BackendPushed(b.batch, err)
}

// answer tells the leader the answer to its push, when there is one, and ends the round when that leaves a doubt.
func (p *peer) answer() error {
	p.pushed()
	if err := p.leader.Halted(); isOther(err) && p.other == nil {
		return p.stop(err)
	}
	if p.leader.Doubt() && p.round != nil {
		return p.end()
	}
	return p.stands()
}

// behind says whether the leader waits for events that the server has: if they do not come, the driver pulls anew after a time.
func (p *peer) behind() bool {
	return p.round != nil && p.round.caughtUp && !p.round.listens && p.leader.BackendHead() > p.leader.Heads().Upstream.Global
}

// stands checks a client after a step of its leader.
func (p *peer) stands() error {
	if p.bad != nil {
		return p.bad
	}
	if err := p.world.stands(); err != nil {
		return fmt.Errorf("%s: %w", p.client, err)
	}
	if p.emptied {
		p.high, p.emptied = 0, false
	}
	head := p.leader.Heads().Upstream.Global
	if head < p.high {
		return failf("%s had e%d confirmed, and now has only e%d", p.client, p.high, head)
	}
	p.high = head
	if head > p.backend.head() {
		return failf("%s has e%d confirmed, and the server is at e%d", p.client, head, p.backend.head())
	}
	return p.halted()
}

// halted returns why the leader has stopped to sync, when it has no reason to.
func (p *peer) halted() error {
	err := p.leader.Halted()
	if _, changed := errors.AsType[*leader.BackendChangedError](err); changed && p.fleet.server.changed {
		return nil
	}
	if failed, ok := errors.AsType[*leader.EventError](err); ok && p.fails(failed) {
		return nil
	}
	return err
}
