package leader

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/syncstate"
)

// PushResult is the answer to one push of a group.
type PushResult struct {
	Reply link.PushReply
	Err   error
}

// maxStep is how many events a publish holds, unless a single commit has more: a session applies a publish in one step, and
// reads and commits wait for it (R10).
const maxStep = 100

// Push takes a group of pushes in one transaction, which is one fsync for all of them. A push that does not chain is refused and
// does not touch the others. After an error of the storage nothing was taken.
func (m *Machine) Push(reqs []link.PushRequest) []PushResult {
	results := make([]PushResult, len(reqs))
	err := m.transact(func(s *step) error {
		for i := range reqs {
			if results[i].Err = m.checkPush(&reqs[i]); results[i].Err != nil {
				continue
			}
			taken, err := s.push(&reqs[i])
			if err != nil {
				return fmt.Errorf("leader of store %s: take commits of session %s: %w", m.cfg.StoreID, reqs[i].SessionID, err)
			}
			results[i].Reply.Taken = taken
		}
		if len(s.taken) == 0 {
			return errNothing
		}
		return nil
	})
	at := m.feed.at()
	for i := range results {
		r := &results[i]
		r.Reply.Head, r.Reply.Cursor = m.heads.Local, at
		if err != nil {
			*r = PushResult{Err: err}
		}
	}
	return results
}

// push takes one push, up to the first commit that does not chain or does not apply.
func (s *step) push(r *link.PushRequest) (taken bool, err error) {
	if (materialize.Head{Num: r.Base, ID: r.BaseID}) != s.base {
		return false, nil
	}
	p := link.Publish{}
	taken = true
	for i := range r.Commits {
		c := &r.Commits[i]
		if s.has(c.ID) {
			taken = false // it has that commit already; the session learns its numbers from the feed
			break
		}
		heads, err := syncstate.Push(s.heads, c.Events)
		if c.Failed == "" && err != nil {
			taken = false
			break
		}
		if err := s.commit(c, heads, &p); err != nil {
			return false, err
		}
		if len(p.SetAside) > 0 && c.Failed == "" && p.SetAside[len(p.SetAside)-1].ID == c.ID {
			taken = false // the session has it applied, and what follows stands on it
			break
		}
		s.publishFull(&p)
	}
	s.publish(p)
	return taken, nil
}

// commit applies and logs one commit, or sets it aside. One that tries a set-aside commit again takes its place; when that is set
// aside no longer, another session was first, and it must not apply twice.
func (s *step) commit(c *link.Commit, heads syncstate.Heads, p *link.Publish) error {
	failed := c.Failed
	if !c.Retry.IsZero() {
		before, err := s.m.log.TakeSetAside(c.Retry)
		switch {
		case err != nil:
			return err
		case len(before) > 0:
			p.Restored = append(p.Restored, c.Retry)
			if len(before) > len(c.Events) { // more of it was set aside than the session had heard of
				left := notAmong(before, c.Events)
				if err := s.setAside(c.Retry, left, "it was set aside, and the rest of it is tried again as commit "+c.ID.String(), p); err != nil {
					return err
				}
			}
		default:
			failed = fmt.Sprintf("commit %s, which it tries again, was retried or dropped elsewhere", c.Retry)
		}
	}
	if failed == "" {
		var err error
		if failed, err = s.applyCommit(c); err != nil {
			return err
		}
	}
	if failed == "" {
		if err := s.append(c.Events, heads); err != nil {
			return err
		}
		p.Events = append(p.Events, c.Events...)
	} else if err := s.setAside(c.ID, c.Events, failed, p); err != nil {
		return err
	}
	s.take(c.ID)
	return nil
}

// applyCommit applies a commit, and says why it is refused. Where the session says what its events have written, that is compared.
func (s *step) applyCommit(c *link.Commit) (why string, err error) {
	check := len(c.Writes) == len(c.Events)
	s.m.state.Digest(check)
	why, err = refused(s.m.state.Apply(c.Events))
	if !check || why != "" || err != nil {
		return why, err
	}
	for i, n := range s.m.state.Digests() {
		if e := &c.Events[i]; n != c.Writes[i] {
			s.m.cfg.Logger.Error("a materializer is not deterministic: it wrote something else at the session than at the leader; "+
				"let it depend on its event and on what it reads of the state alone: no clock, no random number, no order of a map, no variable",
				"store", s.m.cfg.StoreID, "client", e.ClientID, "event", e.Name, "number", e.Num)
			break
		}
	}
	return why, nil
}

// notAmong returns the events of a commit that a commit which tries it again does not have.
func notAmong(events, again []event.Client) (left []event.Client) {
	n := map[content]int{}
	of := func(e event.Client) content {
		g := e.Global()
		k := contentOf(&g)
		return content{name: k.name, args: k.args} // another session may try it again
	}
	for _, e := range again {
		n[of(e)]++
	}
	for _, e := range events {
		if k := of(e); n[k] > 0 {
			n[k]--
		} else {
			left = append(left, e)
		}
	}
	return left
}

// has says whether a commit was taken before.
func (s *step) has(id event.CommitID) bool {
	return id.Ordinal <= max(s.taken[id.Journal], s.m.log.Taken(id.Journal))
}

// take remembers that a commit is taken: the journal's high-water ordinal, which is written once a step.
func (s *step) take(id event.CommitID) {
	if s.taken == nil {
		s.taken = map[string]uint64{}
	}
	s.taken[id.Journal] = id.Ordinal
}

// refused tells a commit that does not apply, and why, from a state that can not be written.
func refused(err error) (why string, fault error) {
	if e, ok := errors.AsType[*materialize.Error](err); ok {
		return e.Error(), nil
	}
	return "", err
}

// setAside keeps a commit that does not apply, without its numbers, and together with what is set aside of it already: another backend than
// before may have brought the parts of one that was cut back one by one.
func (s *step) setAside(id event.CommitID, events []event.Client, why string, p *link.Publish) error {
	before, err := s.m.log.TakeSetAside(id)
	if err != nil {
		return err
	}
	if len(before) > 0 {
		p.Restored = append(p.Restored, id) // or the sessions would list it twice
		events = slices.Concat(events, before)
		slices.SortFunc(events, func(a, b event.Client) int { return cmp.Compare(a.ID.Index, b.ID.Index) })
	}
	kept := make([]event.Client, len(events))
	for i, e := range events {
		e.Num, e.Parent = event.SeqNum{}, event.SeqNum{}
		kept[i] = e
	}
	at := s.m.now()
	if err := s.m.log.PutSetAside(eventlog.SetAside{ID: id, Events: kept, Err: why, At: at}); err != nil {
		return err
	}
	if b := &s.m.backend; b.rejected != nil && b.rejectedID == id {
		b.rejected, b.narrowTo = nil, 0 // it is out of the way; should this step fail, it is rejected again
	}
	p.SetAside = append(p.SetAside, link.SetAside{ID: id, Events: kept, Err: why, At: at})
	return nil
}

// publish says what a step did, in pieces that cut no commit. What was set aside is said together with the events around it,
// so that a session sees its commits end in their order.
func (s *step) publish(p link.Publish) {
	if p.RollbackTo != nil || len(p.SetAside) > 0 {
		s.published = append(s.published, p)
		return
	}
	events := p.Events
	for len(events) > maxStep {
		n := maxStep
		for n < len(events) && !events[n].ID.IsZero() && events[n].ID.Commit == events[n-1].ID.Commit {
			n++
		}
		s.published = append(s.published, link.Publish{Events: events[:n:n]})
		events = events[n:]
	}
	if len(events) > 0 || len(p.Restored) > 0 {
		p.Events = events
		s.published = append(s.published, p)
	}
}

// publishFull says what a step did so far, when that is as much as sessions apply in one step. In pieces like this also what was set aside
// stays with the events around it.
func (s *step) publishFull(p *link.Publish) {
	if len(p.Events) >= maxStep {
		s.publish(*p)
		*p = link.Publish{}
	}
}

// PushError says that a push is malformed: a session does not send such a one.
type PushError struct {
	SessionID string
	Commit    event.CommitID
	Why       string
}

func (e *PushError) Error() string {
	return fmt.Sprintf("leader: push of session %s, commit %s: %s", e.SessionID, e.Commit, e.Why)
}

// checkPush checks a push as far as it does not depend on the head.
func (m *Machine) checkPush(r *link.PushRequest) error {
	if err := checkVersion(r.Version); err != nil {
		return err
	}
	for i := range r.Commits {
		c := &r.Commits[i]
		bad := func(why string) error { return &PushError{SessionID: r.SessionID, Commit: c.ID, Why: why} }
		switch {
		case c.ID.IsZero() || c.ID.Ordinal == 0:
			return bad("it has no identity")
		case len(c.Events) == 0:
			return bad("it has no events")
		case i == 0 && c.ID.Ordinal > m.log.Taken(c.ID.Journal)+1:
			return bad(fmt.Sprintf("commits after ordinal %d are missing", m.log.Taken(c.ID.Journal)))
		case i > 0 && c.ID != (event.CommitID{Journal: r.Commits[i-1].ID.Journal, Ordinal: r.Commits[i-1].ID.Ordinal + 1}):
			return bad(fmt.Sprintf("it comes after commit %s", r.Commits[i-1].ID))
		}
		for j := range c.Events {
			switch e := &c.Events[j]; {
			case e.ID != event.ID{Commit: c.ID, Index: j}:
				return bad(fmt.Sprintf("its event %d has the identity %s", j, e.ID))
			case e.Name == "" || e.ClientID == "" || e.SessionID == "":
				return bad(fmt.Sprintf("its event %d has no name, client or session", j))
			case !e.Args.IsValid():
				return bad(fmt.Sprintf("the arguments of its event %d are no JSON", j))
			}
		}
	}
	return nil
}
