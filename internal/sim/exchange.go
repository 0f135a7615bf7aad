package sim

import (
	"github.com/livestore-go/livestore/internal/link"
)

func (w *world) push() (bool, error) {
	s := w.pick()
	if s.pushing != nil {
		return false, nil
	}
	return w.nextPush(s)
}

// nextPush lets a session push, which it may only when it has pulled what a refusal told it to (R3).
func (w *world) nextPush(s *sess) (bool, error) {
	req, ok := s.m.NextPush()
	if !ok {
		return false, nil
	}
	w.count("check: R3, fences")
	if at := s.m.PullRequest().Cursor; at < s.fence {
		return true, failf("session %s was refused at publish %d, has pulled up to %d, and pushes %s", s.id, s.fence, at, req.Commits[0].ID)
	}
	var err error
	s.pushing, err = send(w, "push", s, req)
	return true, err
}

// waiting returns requests that the leader has not answered, pushes or others.
func (w *world) waiting(push bool) []*request {
	var out []*request
	for _, r := range w.requests {
		if r.answer == nil && (r.kind == "push") == push {
			out = append(out, r)
		}
	}
	return out
}

// remove takes a request out of the queue.
func (w *world) remove(r *request) {
	for i, o := range w.requests {
		if o == r {
			w.requests = append(w.requests[:i], w.requests[i+1:]...)
			return
		}
	}
}

func (w *world) servePush() (bool, error) {
	rs := w.waiting(true)
	if len(rs) == 0 {
		return false, nil
	}
	w.rng.Shuffle(len(rs), func(i, j int) { rs[i], rs[j] = rs[j], rs[i] })
	rs = rs[:1+w.rng.IntN(len(rs))]
	if len(rs) > 1 {
		w.count("push: group")
	}
	if err := w.servePushes(rs); err != nil {
		return true, err
	}
	for _, r := range rs {
		switch {
		case r.done:
			w.count("push: late")
			w.remove(r)
		case r.err != nil:
			w.remove(r)
			if err := w.giveUp(r); err != nil {
				return true, err
			}
		}
	}
	return true, w.stands()
}

func (w *world) serveOther() (bool, error) {
	rs := w.waiting(false)
	if len(rs) == 0 {
		return false, nil
	}
	r := rs[w.rng.IntN(len(rs))]
	if r.kind == "pull" && !r.done {
		q, err := link.Decode[link.PullRequest](r.bytes)
		if err != nil {
			return true, err
		}
		if p := w.leader.Published(q); len(p.Published) == 0 && !p.Lost {
			return false, nil // it waits
		}
	}
	w.serve(r)
	if r.err != nil {
		return true, r.err
	}
	if r.kind == "pull" && w.rng.IntN(40) == 0 { // the leader keeps what it published for so long only
		var err error
		if r.answer, err = link.Encode(link.PullReply{Lost: true}); err != nil {
			return true, err
		}
	}
	if r.done {
		w.remove(r)
	}
	return true, w.stands()
}

// deliver brings an answer to its session.
func (w *world) deliver() (bool, error) {
	var rs []*request
	for _, r := range w.requests {
		if r.answer != nil {
			rs = append(rs, r)
		}
	}
	if len(rs) == 0 {
		return false, nil
	}
	r := rs[w.rng.IntN(len(rs))]
	w.remove(r)
	w.tracef("  %s of %s", r.kind, r.from.id)
	return true, w.answer(r)
}

func (w *world) pull() (bool, error) {
	s := w.pick()
	if s.pulling != nil || len(s.inbox) > 0 || s.lost {
		return false, nil
	}
	var err error
	s.pulling, err = send(w, "pull", s, s.m.PullRequest())
	return true, err
}

func (w *world) applyNext() (bool, error) {
	s := w.pick()
	if len(s.inbox) == 0 {
		return false, nil
	}
	return true, w.apply(s)
}

// catchUp brings a session to what the leader has published.
func (w *world) catchUp() (bool, error) {
	s := w.pick()
	if s.pulling != nil || s.lost {
		return false, nil
	}
	did, err := w.applyAll(s)
	if err != nil || s.lost || len(w.leader.Published(s.m.PullRequest()).Published) == 0 {
		return did, err
	}
	r, err := send(w, "pull", s, s.m.PullRequest())
	if err != nil {
		return true, err
	}
	w.remove(r)
	w.serve(r)
	if r.err != nil {
		return true, r.err
	}
	if err := w.answer(r); err != nil {
		return true, err
	}
	_, err = w.applyAll(s)
	return true, err
}

// applyAll lets a session apply what it has pulled.
func (w *world) applyAll(s *sess) (did bool, err error) {
	for len(s.inbox) > 0 {
		did = true
		if err := w.apply(s); err != nil {
			return true, err
		}
	}
	return did, nil
}

// loseRequest lets a session give up. The request is lost, or arrives yet.
func (w *world) loseRequest() (bool, error) {
	rs := w.waiting(w.rng.IntN(3) > 0)
	if len(rs) == 0 {
		return false, nil
	}
	r := rs[w.rng.IntN(len(rs))]
	if r.done {
		w.remove(r) // a late one that does not come after all
		return true, nil
	}
	if r.kind != "push" || w.rng.IntN(2) == 0 {
		w.remove(r)
	}
	return true, w.giveUp(r)
}

func (w *world) loseAnswer() (bool, error) {
	for _, r := range w.requests {
		if r.answer != nil {
			w.remove(r)
			return true, w.giveUp(r)
		}
	}
	return false, nil
}

func (w *world) giveUp(r *request) error {
	r.done = true
	s := r.from
	switch r.kind {
	case "push":
		s.pushing = nil
		s.m.Pushed(link.PushReply{}, errLost)
		w.count("push: uncertain")
	case "pull":
		s.pulling = nil
	case "boot":
		s.booting = nil
	}
	return w.look(s)
}

// reboot fetches a snapshot, because the session is lost or for no reason at all.
func (w *world) reboot() (bool, error) {
	s := w.pick()
	for _, o := range w.sessions {
		if o.lost {
			s = o
		}
	}
	if s.booting != nil {
		return false, nil
	}
	var err error
	s.booting, err = send(w, "boot", s, s.m.BootRequest())
	return true, err
}
