package sim

import (
	"errors"
	"fmt"
	"slices"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
	"github.com/livestore-go/livestore/internal/leader"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/session"
	"github.com/livestore-go/livestore/provider"
)

// whole is all that a client has pulled of a backend, to be rebased onto it.
type whole struct {
	log    *backend
	common int64 // events that it has in common with the client
	rest   []event.Global
}

// isOther says whether an error says that the backend is another one than it was.
func isOther(err error) bool {
	_, changed := errors.AsType[*leader.BackendChangedError](err)
	_, identity := errors.AsType[*provider.IdentityError](err)
	return changed || identity
}

// stop ends the round because the backend is another one. None begins until somebody wants it.
func (p *peer) stop(err error) error {
	if !p.fleet.server.changed {
		return failf("%s stops to sync, and the backend is what it was: %v", p.client, err)
	}
	p.count("peer: stops, the backend is another one")
	p.tracef("  %s stops: %v", p.client, err)
	if identity, ok := errors.AsType[*provider.IdentityError](err); ok { // as the driver does
		p.leader.Changed(identity)
	}
	p.other, p.alien, p.stuck = err, true, nil
	if p.round != nil {
		return p.end()
	}
	return p.stands()
}

var errRestored = errors.New("somebody has restored it, and tells the app")

// alikeAt says whether a log that is not the one the client knows has the same identity and the same last event: that nobody notices who
// compares one event. docs/fault-model.md says that it is not promised, and to give a restored server another identity.
func (p *peer) alikeAt(log *backend, upstream int64) bool {
	return upstream > 0 && log.id == p.backend.id && log.head() >= upstream && p.backend.head() >= upstream &&
		log.events[upstream-1].Equal(p.backend.events[upstream-1])
}

// confirmed is what the backend has confirmed of the client's log.
func (p *peer) confirmed() (out []event.Global, err error) {
	upstream := p.leader.Heads().Upstream
	for e, err := range p.log.Read(event.SeqNum{}, 0) {
		if err != nil || e.Num.Global > upstream.Global {
			return out, err
		}
		if !e.Num.IsClientOnly() {
			out = append(out, e.Global())
		}
	}
	return out, nil
}

// fits says whether a log had all that the client has confirmed, under the identity that it knows, when its head was there.
func (p *peer) fits(b *backend, head int64) bool {
	known := p.leader.Cursor().BackendID
	n := p.leader.Heads().Upstream.Global
	return (known == "" || known == b.id) && shared(p.backend.events, b.events[:min(head, b.head())]) >= n
}

// relate finds out which log the leader follows, when it has started anew: a crash may have been before a step or after it.
func (p *peer) relate() error {
	if p.fleet == nil || len(p.fleet.logs) == 1 {
		return nil
	}
	have, err := p.confirmed()
	if err != nil {
		return err
	}
	known := p.leader.Cursor().BackendID
	for _, b := range slices.Backward(p.fleet.logs) {
		if (known == "" || known == b.id) && shared(have, b.events) == int64(len(have)) {
			if b != p.backend {
				p.backend, p.high = b, int64(len(have))
			}
			return nil
		}
	}
	return failf("%s has %d events confirmed, and no log of the server was ever so", p.client, len(have))
}

// rebase lets the app of a client bring it onto the backend that is there now, in two steps: it pulls everything, and then takes it.
func (f *fleet) rebase(p *peer) (bool, error) {
	if p.whole == nil {
		if f.server.room == nil || p.cut || p.other == nil && f.rng.IntN(30) > 0 {
			return false, nil
		}
		if err := p.pullWhole(); err != nil || f.rng.IntN(2) == 0 {
			return true, err
		}
	}
	p.risk()
	return true, p.takeWhole()
}

// risk lets the disk of a client fail soon, as often as other faults come true.
func (p *peer) risk() {
	if p.rng.IntN(8) < p.fleet.storm && p.disk.off == 0 && !p.inMemory() {
		p.disk.arm(1 + p.rng.IntN(60))
	}
}

// rebaseNow is both steps at once.
func (p *peer) rebaseNow() error {
	if p.whole == nil {
		if err := p.pullWhole(); err != nil {
			return err
		}
	}
	return p.takeWhole()
}

// pullWhole pulls all that the backend has, as the driver does: no round is under way from here on.
func (p *peer) pullWhole() error {
	if p.round != nil {
		if err := p.end(); err != nil {
			return err
		}
	}
	w := &whole{log: p.fleet.server.shelf.b}
	upstream := p.leader.Heads().Upstream.Global
	for at := int64(0); at < w.log.head(); {
		page := w.log.events[at:min(w.log.head(), at+1+p.rng.Int64N(20))]
		at += int64(len(page))
		if len(w.rest) == 0 {
			n, err := p.leader.CommonWith(w.common, page)
			if err != nil {
				return err
			}
			w.common, page = w.common+int64(n), page[n:]
		}
		w.rest = append(w.rest, page...)
	}
	if n := p.backend.head(); upstream > n {
		return failf("%s has e%d confirmed, and the log that it follows, %s, ends at e%d", p.client, upstream, p.backend.id, n)
	}
	if want := shared(p.backend.events[:upstream], w.log.events); w.common != want {
		return failf("%s finds %d events in common with the backend, and there are %d", p.client, w.common, want)
	}
	p.tracef("  %s pulls %s anew: %d in common, %d more", p.client, w.log.id, w.common, len(w.rest))
	p.whole = w
	return nil
}

// takeWhole brings the leader onto what was pulled.
func (p *peer) takeWhole() error {
	w := p.whole
	p.whole = nil
	was, err := p.taken()
	if err != nil {
		return err
	}
	upstream := p.leader.Heads().Upstream.Global
	err = p.leader.RebaseOnto(w.log.id, w.common, w.rest)
	if p.disk.failed() {
		p.count("crash: in a rebase onto another backend")
		return err
	}
	if p.app != nil {
		p.app.told = nil // who is brought onto another backend may be told of an event again
	}
	if failed, ok := errors.AsType[*leader.EventError](err); ok && p.failsIn(w.log, failed) {
		p.count("rebase: an event does not apply")
		p.stuck = failed
		if err := p.follow(); err != nil && !p.disk.full {
			return failf("%s can not bring its state to the log after a rebase that was refused: %v", p.client, err)
		}
		return p.relate()
	}
	if err != nil && p.disk.full {
		p.count("full disk: rebase refused")
		return p.relate()
	}
	if err != nil {
		return fmt.Errorf("rebase %s: %w", p.client, err)
	}
	if w.common < upstream {
		p.count("rebase: onto another backend")
	} else {
		p.count("rebase: joined the backend")
	}
	p.backend, p.high, p.other, p.alien, p.doubt, p.ahead, p.said = w.log, 0, nil, false, false, 0, 0
	p.marksCut()
	if err := p.rebased(w, was); err != nil {
		return err
	}
	return p.stands()
}

// failsIn says whether an event of a log may fail to apply at this client.
func (w *world) failsIn(log *backend, err *leader.EventError) bool {
	return w.app != nil && err.Num <= log.head() && w.stumbles(log.events[err.Num-1].Client())
}

// holdings is what a client has at one moment.
type holdings struct {
	log      []event.Client
	archived []eventlog.Archived
}

func (p *peer) taken() (h holdings, err error) {
	if h.log, err = eventsAfter(p.log, event.SeqNum{}); err != nil {
		return h, err
	}
	h.archived, err = p.log.ReadArchive(0, 0)
	return h, err
}

// said is what an event says, wherever it stands.
type said struct{ client, session, name, args string }

func says(e event.Global) said { return said{e.ClientID, e.SessionID, e.Name, string(e.Args)} }

// rebased checks a client that has been rebased: it has all that the backend has, and what the backend lacks is pending when it is its own,
// and in the archive when it is somebody else's.
func (p *peer) rebased(w *whole, was holdings) error {
	p.count("check: rebase onto another backend")
	is, err := p.taken()
	if err != nil {
		return err
	}
	have, err := p.confirmed()
	if err != nil {
		return err
	}
	if n := w.common + int64(len(w.rest)); int64(len(have)) != n || shared(have, w.log.events) != n {
		return failf("%s was rebased onto a backend with %d events, and has %d confirmed, %d of them the same", p.client, n, len(have),
			shared(have, w.log.events))
	}
	there := map[said]int{}
	for _, e := range have {
		there[says(e)]++
	}
	gone := map[said]int{}
	missing := 0
	for _, e := range was.log {
		if e.Num.IsClientOnly() || !e.ID.IsZero() || e.ClientID == p.who() {
			continue
		}
		k := says(e.Global())
		if there[k]--; there[k] < 0 {
			gone[k]++
			missing++
		}
	}
	for _, a := range is.archived[len(was.archived):] {
		if gone[says(a.Event)]--; gone[says(a.Event)] < 0 {
			return failf("event e%d %s of %s is in the archive of %s, and is no event of others that left its log", a.Event.SeqNum, a.Event.Args,
				a.Event.ClientID, p.client)
		}
		p.count("rebase: archived")
		missing--
	}
	if missing != 0 {
		return failf("%d events of others left the log of %s with a rebase, and are not in its archive", missing, p.client)
	}
	if err := p.kept(); err != nil {
		return fmt.Errorf("after a rebase: %w", err)
	}
	if err := p.follow(); err != nil && p.disk.full {
		return nil
	}
	at, err := dump(p.state(), p.queries())
	if err != nil {
		return err
	}
	return p.compare(is.log, "after a rebase the leader's state", at)
}

// follow lets the leader bring its state to the log, if it has not followed that: it does when somebody needs it.
func (w *world) follow() error {
	_, err := w.leader.Boot(link.BootRequest{Version: link.Version})
	return err
}

// marksCut notes the commits of which the backend has a part, and the rest no longer applies: sessions show that part.
func (w *world) marksCut() {
	if w.logs == nil || len(*w.logs) == 1 {
		return
	}
	all, err := w.log.ListSetAside()
	if err != nil {
		return
	}
	for _, a := range all {
		p := w.byID[a.ID]
		if in, err := w.log.Committed(a.ID); err == nil && len(in) > 0 && p != nil {
			w.twice[p.tag] = true
			w.count("commit: in part in the log, and set aside in part")
		}
	}
}

// ever says whether an event is in one of the logs that the server has had.
func (w *world) ever(e event.Client) bool {
	k := says(e.Global())
	return slices.ContainsFunc(*w.logs, func(b *backend) bool {
		return slices.ContainsFunc(b.events, func(g event.Global) bool { return says(g) == k })
	})
}

// wiping is a reset under way.
type wiping struct {
	generation int64 // before it
	commits    []*promise
}

// resetStore lets the app of a client throw away what it has, or only what the backend has as well.
func (f *fleet) resetStore(p *peer) (bool, error) {
	if !f.sets && f.rng.IntN(4) > 0 {
		return false, nil
	}
	drop := f.rng.IntN(2) == 0
	if p.round != nil {
		if err := p.end(); err != nil {
			return true, err
		}
	}
	before := p.leader.Heads()
	asides, err := p.log.ListSetAside()
	if err != nil {
		return true, err
	}
	loses := len(asides) > 0 || before.Local.Global > before.Upstream.Global
	if p.alien && before.Local.Global > 0 {
		loses = true
	}
	p.wiping = &wiping{generation: before.Generation}
	for _, c := range p.commits {
		if p.log.Taken(c.id.Journal) >= c.id.Ordinal {
			p.wiping.commits = append(p.wiping.commits, c)
		}
	}
	p.risk()
	err = p.leader.Reset(drop)
	if p.disk.failed() {
		p.count("crash: in a reset")
		return true, err
	}
	if err != nil && p.disk.full {
		p.count("full disk: reset refused")
		p.wiped()
		return true, p.relate()
	}
	if _, unconfirmed := errors.AsType[*link.UnconfirmedError](err); unconfirmed {
		p.wiping = nil
		p.count("reset: refused")
		if drop || !loses || p.leader.Heads() != before {
			return true, failf("%s refuses a reset (drop %t) that loses something: %t, and stands at %s and stood at %s", p.client, drop, loses,
				p.leader.Heads(), before)
		}
		return true, p.kept()
	}
	if err != nil {
		return true, fmt.Errorf("reset %s: %w", p.client, err)
	}
	if loses && !drop {
		return true, failf("%s was reset, and lost what was nowhere else, without having been told to", p.client)
	}
	p.count("reset: done")
	if h := p.leader.Heads(); h.Local != (event.SeqNum{}) || h.Upstream != (event.SeqNum{}) || h.Generation <= before.Generation {
		return true, failf("%s was reset, and stands at %s", p.client, h)
	}
	p.wiped()
	p.other, p.alien, p.doubt, p.ahead, p.said, p.high, p.whole = nil, false, false, 0, 0, 0, nil
	p.backend = f.logs[len(f.logs)-1]
	return true, nil
}

// wiped notes what has become of a reset: it has happened when the generation is another one and nothing of before is there. The generation
// alone does not say so: the process that starts may have set a commit aside.
func (w *world) wiped() {
	r := w.wiping
	w.wiping = nil
	if r == nil || w.leader.Heads().Generation == r.generation {
		return
	}
	asides, _ := w.log.ListSetAside()
	for _, c := range r.commits {
		in, _ := w.log.Committed(c.id)
		if len(in) > 0 || slices.ContainsFunc(asides, func(a eventlog.SetAside) bool { return a.ID == c.id }) {
			return
		}
	}
	w.count("reset: commits dropped")
	w.anew, w.emptied = true, true
	for _, c := range r.commits {
		c.dropped, c.reset = true, true
		w.twice[c.tag] = true
	}
}

// knows says whether an event that a backend has given back is one that the client committed before a reset, or in a process that is gone.
func (w *world) knows(e event.Client) bool {
	k := says(e.Global())
	commits := w.commits
	if w.inMemory() {
		commits = slices.Concat(commits, w.app.past)
	}
	return (w.anew || w.inMemory()) && slices.ContainsFunc(commits, func(c *promise) bool {
		return slices.ContainsFunc(c.events, func(o event.Client) bool { return says(o.Global()) == k })
	})
}

// wasReset checks that the receipt of a commit that a reset has dropped says so, when nothing moves any more.
func (p *promise) wasReset() error {
	if p.confirmed || p.synced() == 0 {
		return nil
	}
	err := p.receipt.Wait(never, session.Confirmed)
	if _, ok := errors.AsType[*session.ResetError](err); !ok {
		return failf("commit %s was dropped by a reset, and its receipt says %v", p.id, err)
	}
	return nil
}
