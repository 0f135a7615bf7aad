package sim

import (
	"errors"
	"fmt"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/leader"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/session"
	"github.com/livestore-go/livestore/internal/wire"
)

// unpulled is what the driver does when the leader can not take a page. It returns false when there is no good reason for that.
func (p *peer) unpulled(backend string, before event.SeqNum, err error) (bool, error) {
	if failed, ok := errors.AsType[*leader.EventError](err); ok && p.fails(failed) {
		p.count("halt: an event does not apply")
		p.tracef("  %s stops before e%d", p.client, failed.Num)
		if at := p.leader.Heads().Upstream.Global; at != failed.Num-1 {
			return true, failf("%s stops at event e%d, and has taken up to e%d", p.client, failed.Num, at)
		}
		if err := p.callbacks(before); err != nil {
			return true, err
		}
		p.app.haltedAt = failed.Num
		p.hear()
		return true, p.listen(backend)
	}
	if p.spaceless(err) {
		p.count("full disk: pull refused")
		p.app.told = nil
		return true, p.end()
	}
	return false, nil
}

// listen goes on with the round as one that only follows the head of the backend: it asks from there on.
func (p *peer) listen(backend string) error {
	r := p.round
	if r.connected(p) && !r.id.IsZero() {
		p.send(&wire.Interrupt{ID: r.id})
	}
	r.listens, r.caughtUp, r.chunks, r.id = true, true, nil, wire.ID{}
	r.at, r.backend = p.leader.BackendHead(), backend
	if r.connected(p) {
		p.ask()
	}
	return p.stands()
}

// hear lets the sessions of a client know whether an event does not apply, as their leader tells them.
func (w *world) hear() {
	for _, s := range w.sessions {
		w.hearOf(s)
	}
}

func (w *world) hearOf(s *sess) {
	if w.app == nil || !w.app.refuses || s == nil || s.gone {
		return
	}
	u := link.Uplink{}
	if at := w.app.haltedAt; at > 0 {
		u.HaltedAt, u.HaltedWhy = event.SeqNum{Global: at}, "it does not apply"
	}
	s.m.Uplinked(u)
}

// refusedHalted checks what a commit comes to while an event does not apply: it is accepted, or refused, as the app wants it.
func (w *world) refusedHalted(err error) (bool, error) {
	if w.app == nil {
		return false, nil
	}
	halted, is := errors.AsType[*session.HaltedError](err)
	want := w.app.refuses && w.app.haltedAt > 0
	switch {
	case is != want:
		return is, failf("a commit is refused because an event does not apply: %t, and it should be: %t", is, want)
	case is && halted.Event.Global != w.app.haltedAt:
		return is, failf("a commit is refused because of event %s, and it is e%d that does not apply", halted.Event, w.app.haltedAt)
	case is:
		w.count("halt: commit refused")
	case w.app.haltedAt > 0:
		w.count("halt: commit accepted")
	}
	return is, nil
}

// resume lets the client try again whatever has stopped it. A round that only listens ends.
func (p *peer) resume() error {
	p.leader.Resume()
	if p.round != nil && p.round.listens {
		return p.end()
	}
	return nil
}

// heard takes a page while nothing is applied.
func (p *peer) heard(item wire.Item, at int64) error {
	if n := len(item.Events); n > 0 {
		at = max(at, item.Events[n-1].SeqNum)
	}
	p.count("halt: hears of more")
	p.leader.BackendAt(at + int64(item.Page.Remaining))
	p.round.at = at
	if p.leader.Halted() == nil {
		return failf("%s listens, and has not stopped", p.client)
	}
	return nil
}

// stoppedAt returns the event before which the client has stopped, because its app is too old for it.
func (p *peer) stoppedAt() (num int64, ok bool) {
	failed, ok := errors.AsType[*leader.EventError](p.leader.Halted())
	if !ok || p.round != nil && !p.round.listens {
		return 0, false
	}
	return failed.Num, true
}

// standsBefore compares a client that has stopped with the log of the server: it has what comes before the event, as it is there, and keeps
// what it has committed.
func (p *peer) standsBefore(num int64) error {
	p.count("check: a client that has stopped")
	if at := p.leader.Heads().Upstream.Global; at != num-1 {
		return failf("%s has stopped before e%d, and has taken up to e%d", p.client, num, at)
	}
	all, err := eventsAfter(p.log, event.SeqNum{})
	if err != nil {
		return err
	}
	n := int64(0)
	for _, e := range all {
		if e.Num.IsClientOnly() {
			continue
		}
		if n++; n >= num {
			if e.ID.IsZero() {
				return failf("%s has stopped before e%d, and has event %s of others", p.client, num, e.Num)
			}
			continue
		}
		if !p.backend.events[n-1].Equal(e.Global()) {
			return failf("%s has stopped before e%d, and its event %s is not that of the server", p.client, num, e.Num)
		}
	}
	return nil
}

// modern starts the newest version of the app at all clients that run an older one: each goes on by itself.
func (f *fleet) modern() error {
	for _, p := range f.peers {
		if p.schema == newest {
			continue
		}
		_, stopped := p.stoppedAt()
		p.app.next = newest
		f.tracef("%s gets the newest version", p.client)
		if _, err := p.restart(); err != nil {
			return fmt.Errorf("upgrade %s: %w", p.client, err)
		}
		p.reset()
		f.count("settle: upgraded")
		if stopped {
			f.count("settle: upgraded, and had stopped")
		}
	}
	return nil
}
