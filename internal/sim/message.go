package sim

import (
	"errors"
	"fmt"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/syncstate"
)

// errLost is what a session sees of an answer that did not come.
var errLost = errors.New("the connection was lost")

// send puts a request on its way.
func send[M link.Message](w *world, kind string, s *sess, m M) (*request, error) {
	b, err := link.Encode(m)
	if err != nil {
		return nil, err
	}
	r := &request{kind: kind, from: s, bytes: b}
	w.requests = append(w.requests, r)
	return r, nil
}

// serve lets the leader answer a request.
func (w *world) serve(r *request) {
	switch r.kind {
	case "boot":
		serve(r, w.leader.Boot)
	case "pull":
		serve(r, func(q link.PullRequest) (link.PullReply, error) { return w.leader.Published(q), nil })
	case "drop":
		serve(r, w.leader.Drop)
	}
}

func serve[Q, A link.Message](r *request, f func(Q) (A, error)) {
	q, err := link.Decode[Q](r.bytes)
	var a A
	if err == nil {
		a, err = f(q)
	}
	if err == nil {
		r.answer, err = link.Encode(a)
	}
	r.err = err
}

// servePushes lets the leader answer pushes, all in one transaction.
func (w *world) servePushes(rs []*request) error {
	reqs := make([]link.PushRequest, len(rs))
	for i, r := range rs {
		var err error
		if reqs[i], err = link.Decode[link.PushRequest](r.bytes); err != nil {
			return err
		}
	}
	before := w.leader.Heads().Local
	for i, res := range w.leader.Push(reqs) {
		if rs[i].err = res.Err; res.Err != nil && w.disk.full {
			w.count("full disk: push refused")
			continue
		}
		if res.Err != nil {
			return fmt.Errorf("push of %s: %w", rs[i].from.id, res.Err)
		}
		var err error
		if rs[i].answer, err = link.Encode(res.Reply); err != nil {
			return err
		}
		q, a := reqs[i], res.Reply
		w.tracef("  %s: %d commits on %s (%s), first %s: taken %t, head %s, cursor %d",
			rs[i].from.id, len(q.Commits), q.Base, q.BaseID, q.Commits[0].ID, a.Taken, a.Head, a.Cursor)
		if res.Reply.Taken {
			w.count("push: taken")
		} else {
			w.count("push: refused")
		}
	}
	w.tracef("  log %s → %s", before, w.leader.Heads().Local)
	return nil
}

// answer gives an answer to the session that waits for it.
func (w *world) answer(r *request) error {
	s := r.from
	switch r.kind {
	case "push":
		s.pushing = nil
		reply, err := link.Decode[link.PushReply](r.answer)
		if err != nil {
			return err
		}
		s.m.Pushed(reply, nil)
		if !reply.Taken {
			s.fence = reply.Cursor
		}
		if err := s.m.Lost(); err != nil && !s.lost {
			return failf("session %s has to boot anew after a push was answered, for no reason of the leader's: %v", s.id, err)
		}
	case "pull":
		s.pulling = nil
		reply, err := link.Decode[link.PullReply](r.answer)
		if err != nil {
			return err
		}
		if reply.Lost {
			w.count("session: behind")
			s.lost, s.inbox = true, nil
		}
		s.inbox = append(s.inbox, reply.Published...)
	case "boot":
		s.booting = nil
		snap, err := link.Decode[link.Snapshot](r.answer)
		if err != nil {
			return err
		}
		if s.live != nil {
			s.live.all = true
		}
		if err := s.m.Booted(snap); err != nil {
			return failf("session %s: boot from a snapshot at %s: %v", s.id, snap.Head, err)
		}
		s.lost, s.inbox = false, nil
		s.boots++
	}
	return w.look(s)
}

// apply lets a session apply the next step of the leader's log.
func (w *world) apply(s *sess) error {
	p := s.inbox[0]
	s.inbox = s.inbox[1:]
	w.tracef("  publish %d: rollback %v, %d events %s, %d set aside, %d restored, backend %s, r%d", p.Cursor, p.RollbackTo,
		len(p.Events), span(p.Events), len(p.SetAside), len(p.Restored), p.BackendHead, p.Generation)
	w.classify(s, p)
	if len(p.SetAside) > 0 && p.RollbackTo != nil {
		w.count("publish: set aside by a rebase")
	} else if len(p.SetAside) > 0 {
		w.count("publish: set aside at a push")
	}
	if err := w.small(p); err != nil {
		return err
	}
	err := s.m.Pulled(p)
	if errors.Is(err, materialize.ErrUndoMissing) {
		w.count("session: undo missing")
		s.lost, s.inbox = true, nil
		return w.look(s)
	}
	if err != nil {
		return failf("session %s: publish %d does not apply: %v", s.id, p.Cursor, err)
	}
	return w.look(s)
}

func span(events []event.Client) string {
	if len(events) == 0 {
		return "-"
	}
	return fmt.Sprintf("%s…%s", events[0].Num, events[len(events)-1].Num)
}

// classify counts what a merge comes to.
func (w *world) classify(s *sess, p link.Publish) {
	h := s.m.Heads()
	if p.Cursor != s.m.PullRequest().Cursor+1 {
		w.count("session: old publish")
		return
	}
	up := syncstate.Upstream{RollbackTo: p.RollbackTo, Events: p.Events, Generation: p.Generation}
	for _, a := range p.SetAside {
		up.SetAside = append(up.SetAside, a.ID)
	}
	res, err := syncstate.Merge(h, s.m.Pending(h.Upstream), up, syncstate.SameIdentity)
	if err != nil {
		return // Pulled says so
	}
	w.merged("session", res, p.RollbackTo != nil && *p.RollbackTo != h.Upstream)
}

// merged counts the branches of a merge.
func (w *world) merged(who string, res syncstate.Result, withdrawn bool) {
	yes := func(what string, is bool) {
		if is {
			w.count(who + ": " + what)
		}
	}
	switch r := res.(type) {
	case syncstate.Advance:
		yes("advance, nothing", r.Confirmed == 0 && len(r.New) == 0)
		yes("advance, confirmed", r.Confirmed > 0)
		yes("advance, new", r.Confirmed == 0 && len(r.New) > 0)
		yes("advance, confirmed and new", r.Confirmed > 0 && len(r.New) > 0)
	case syncstate.Rebase:
		if who == "leader" {
			w.phase = "a rebase"
		}
		yes("rebase, new", len(r.New) > 0)
		yes("rebase, confirmed", r.Confirmed > 0)
		yes("rebase, kept", r.Kept > 0)
		yes("rebase, delivered", len(r.Delivered) > 0)
		yes("rebase, set aside", len(r.SetAside) > 0)
		yes("rebase, replayed", len(r.Replay) > 0)
		yes("rebase, withdrawn", withdrawn)
	}
}
