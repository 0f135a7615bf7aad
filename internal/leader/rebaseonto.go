package leader

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/syncstate"
)

// Changed says that the backend is another one than it was, when the provider has found out before anything was pulled.
func (m *Machine) Changed(err error) {
	if _, known := errors.AsType[*BackendChangedError](m.backend.halted); !known {
		_ = m.halt(&BackendChangedError{StoreID: m.cfg.StoreID, Err: err})
	}
}

// CommonWith returns how many of events, which are those of a backend after a global number, the log has as well: the same events in the
// same places, confirmed.
func (m *Machine) CommonWith(after int64, events []event.Global) (int, error) {
	n := 0
	for e, err := range m.log.Read(event.SeqNum{Global: after, Client: maxClient}, 0) {
		switch {
		case err != nil:
			return 0, err
		case n == len(events) || e.Num.ComparePosition(m.heads.Upstream) > 0:
			return n, nil
		case e.Num.IsClientOnly():
		case !e.Global().Equal(events[n]):
			return n, nil
		default:
			n++
		}
	}
	return n, nil
}

// RebaseOnto brings the log onto a backend that is not the one it was, or was set back. Of the backend's log, common is the length of the
// beginning that the log here has as well, see CommonWith, and events is all the rest.
//
// When the backend has everything that it had confirmed, it is pulled from, and nothing else happens. Else, in one transaction of log and
// state: what comes after the common beginning leaves the log, and the backend's events take its place. What this client has committed and
// the backend lacks comes after them again, pending; so do its client-only events. What others have committed and the backend lacks goes to
// the archive: it is for them to push it again. Commits that do not apply any more are set aside. The sessions boot anew.
//
// An event of the backend that does not apply here is an *[EventError]; then nothing has changed, or, when the backend has everything it
// had confirmed, what comes before the event is applied and sync halts, as with any pull. No push may be under way.
func (m *Machine) RebaseOnto(backendID string, common int64, events []event.Global) error {
	if err := m.idle("rebase"); err != nil {
		return err
	}
	switch upstream := m.heads.Upstream.Global; {
	case common == upstream:
		return m.join(backendID, events)
	case common < 0 || common > upstream:
		return fmt.Errorf("rebase store %s: e%d is not among what the sync backend has confirmed, which ends at e%d",
			m.cfg.StoreID, common, upstream)
	}
	if err := m.chains(common, events); err != nil {
		return err
	}
	if err := m.transact(func(s *step) error {
		return errors.Join(s.forgetWaiting(), s.rebaseOnto(backendID, common, events))
	}); err != nil {
		if num, ok := refusedAt(err); ok {
			return &EventError{StoreID: m.cfg.StoreID, ClientID: m.log.Meta().ClientID, Num: num.Global, Err: err}
		}
		return fmt.Errorf("rebase store %s onto backend %s: %w", m.cfg.StoreID, backendID, err)
	}
	m.backend = backend{id: backendID, head: m.heads.Upstream.Global}
	m.feed.cut()
	return nil
}

// idle says that no push to the backend is under way, or is why an act can not begin.
func (m *Machine) idle(act string) error {
	if m.backend.pushing {
		return fmt.Errorf("leader of store %s: %s while a push to the sync backend is under way", m.cfg.StoreID, act)
	}
	return nil
}

// chains checks that events follow a global number, and each other.
func (m *Machine) chains(after int64, events []event.Global) error {
	for i := range events {
		if e := &events[i]; e.ParentSeqNum != after || e.SeqNum != after+1 {
			got := e.Client()
			return &syncstate.GapError{Head: event.SeqNum{Global: after}, Got: got.Num, Parent: got.Parent}
		}
		after = events[i].SeqNum
	}
	return nil
}

// join goes on with a backend that has all that was confirmed, whatever its identity, and takes what else it has.
func (m *Machine) join(backendID string, events []event.Global) error {
	if backendID != m.backend.id || m.backend.waits {
		if err := m.transact(func(s *step) error { return errors.Join(m.log.SetBackendID(backendID), s.forgetWaiting()) }); err != nil {
			return fmt.Errorf("go on with backend %s in store %s: %w", backendID, m.cfg.StoreID, err)
		}
	}
	at := m.heads.Upstream.Global
	m.backend = backend{id: backendID, head: at + int64(len(events))}
	for last := false; !last; {
		n := min(len(events), max(maxStep, m.pendingEvents())) // as gathering does
		last = n == len(events)
		if err := m.BackendPulled(backendID, at, events[:n], last); err != nil {
			return err
		}
		at += int64(n)
		events = events[n:]
	}
	return nil
}

// rebaseOnto is the transaction of RebaseOnto.
func (s *step) rebaseOnto(backendID string, common int64, events []event.Global) error {
	m := s.m
	to, upstream, err := m.fork(common)
	if err != nil {
		return err
	}
	split, err := s.split(to, events)
	if err != nil {
		return err
	}
	// State goes back to the fork for good before the log does anything, in a file that is complete and on disk. Events of others have
	// neither identity nor generation, so an event of the backend may have the very number of one that is withdrawn here: a state that
	// stood at that one, because it did not follow the log's transaction, would pass for one that has the new one (R6).
	if err := s.rebuild(to); err != nil {
		return err
	}
	if err := m.log.DeleteAfter(to); err != nil {
		return err
	}
	s.base = m.state.Head()
	s.heads = syncstate.Heads{Local: to, Upstream: upstream, Generation: s.heads.Generation}
	for i := range split.confirmed {
		if err := m.state.Apply(split.confirmed[i : i+1]); err != nil {
			return err
		}
	}
	if n := len(split.confirmed); n > 0 {
		last := split.confirmed[n-1].Num
		heads := syncstate.Heads{Local: last, Upstream: last, Generation: s.heads.Generation}
		if err := s.append(split.confirmed, heads); err != nil {
			return err
		}
		s.unknown = slices.DeleteFunc(s.unknown, func(e event.Client) bool { return split.known[e.Num.Global] })
	}
	numbers := syncstate.NewRenumber(s.heads)
	for _, commit := range split.replay {
		if err := s.again(numbers, commit, &link.Publish{}); err != nil { // the sessions boot anew, and hear of it then
			return err
		}
	}
	s.heads = numbers.Heads()
	return m.log.SetBackendID(backendID)
}

// fork returns the last event of the common beginning that stays where it is, and the last synced one.
func (m *Machine) fork(common int64) (to, upstream event.SeqNum, err error) {
	var stay []event.Client // from the last synced event on
	from := event.SeqNum{}
	if common > 0 {
		from = event.SeqNum{Global: common - 1, Client: maxClient}
	}
	for e, err := range m.log.Read(from, 0) {
		if err != nil {
			return to, upstream, err
		}
		if e.Num.Global > common {
			// Client-only events of a commit move with its synced ones.
			for n := len(stay); n > 0 && stay[n-1].Num.IsClientOnly() && !e.ID.IsZero() && stay[n-1].ID.Commit == e.ID.Commit; n-- {
				stay = stay[:n-1]
			}
			break
		}
		stay = append(stay, e)
	}
	if common > 0 && len(stay) > 0 {
		upstream = stay[0].Num
	}
	if n := len(stay); n > 0 {
		to = stay[n-1].Num
	}
	return to, upstream, nil
}

// split is what becomes of the events after the fork.
type split struct {
	confirmed []event.Client   // the backend's; those that are this client's have the identity they have here
	known     map[int64]bool   // global numbers of those that were in the log before
	replay    [][]event.Client // what this client has and the backend lacks, commit by commit
}

// split decides what becomes of the events after a position, and archives those of others that the backend lacks.
func (s *step) split(to event.SeqNum, events []event.Global) (*split, error) {
	m := s.m
	out := &split{confirmed: make([]event.Client, len(events)), known: map[int64]bool{}}
	has := map[content][]int{} // where the backend has an event, in its order
	for i := range events {
		out.confirmed[i] = events[i].Client()
		k := contentOf(&events[i])
		has[k] = append(has[k], i)
	}
	commits := map[event.CommitID]int{} // place in replay
	me, journal, now := m.log.Meta().ClientID, m.cfg.NewID(), m.now()
	ordinal := m.log.Taken(journal)
	for e, err := range m.log.Read(to, 0) {
		if err != nil {
			return nil, err
		}
		own := e.ClientID == me || !e.ID.IsZero()
		if !e.Num.IsClientOnly() {
			g := e.Global()
			k := contentOf(&g)
			if at := has[k]; len(at) > 0 {
				has[k] = at[1:]
				c := &out.confirmed[at[0]]
				c.ID, c.Cause, c.SchemaHash = e.ID, e.Cause, e.SchemaHash
				out.known[c.Num.Global] = true
				continue
			}
			if !own {
				if err := m.log.Archive(g, m.backend.id, now); err != nil {
					return nil, err
				}
				continue
			}
		}
		if e.ID.IsZero() { // it came back from a backend when it was here no more; what is pending needs to be known again
			ordinal++
			e.ID = event.ID{Commit: event.CommitID{Journal: journal, Ordinal: ordinal}}
			s.take(e.ID.Commit)
		}
		e.SyncMeta = nil
		i, ok := commits[e.ID.Commit]
		if !ok {
			i = len(out.replay)
			commits[e.ID.Commit] = i
			out.replay = append(out.replay, nil)
		}
		out.replay[i] = append(out.replay[i], e)
	}
	for _, commit := range out.replay { // of one that was cut, the parts may have come in another order
		slices.SortFunc(commit, func(a, b event.Client) int { return cmp.Compare(a.ID.Index, b.ID.Index) })
	}
	return out, nil
}

// content is what makes two synced events equal but for their place.
type content struct{ client, session, name, args string }

func contentOf(e *event.Global) content {
	args := e.Args.Clone() // canonicalising works in place
	if args.Canonicalize() != nil {
		args = e.Args
	}
	return content{e.ClientID, e.SessionID, e.Name, string(args)}
}
