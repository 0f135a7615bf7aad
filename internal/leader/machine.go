package leader

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/syncstate"
	"github.com/livestore-go/livestore/provider"
	"github.com/livestore-go/livestore/state"
)

// Config is what a machine works on. The machine closes Log and State.
type Config struct {
	StoreID string
	Log     *eventlog.Log
	State   *materialize.Engine
	Synced  bool            // there is a sync provider
	MaxPush int             // how many events a push to the sync backend holds, unless a commit has more; 0 means 50
	Limits  provider.Limits // what a push may hold at most: a larger commit is cut. 0 means no limit
	NewID   func() string   // makes ids of sessions, and of the count of publishes
	Now     func() time.Time
	Logger  *slog.Logger

	// Rebuild makes a state that stands at a position of the log, in place of State, which is closed by then: when a rebase goes
	// further back than undo entries are kept. It returns the new state.
	Rebuild func(upTo event.SeqNum) (*materialize.Engine, error)
}

// Machine is the step machine of a leader. But for what it published, it is not safe for concurrent use.
type Machine struct {
	cfg     Config
	log     *eventlog.Log
	state   *materialize.Engine // nil after a rebuild that failed; the next step tries it again
	heads   syncstate.Heads
	base    materialize.Head // the local head, with its identity
	behind  bool             // state did not follow the log's last transaction
	booting bool             // state may stand in front of a commit to set aside
	feed    *feed
	backend
	cleared map[string]uint64 // journal → highest ordinal that the last reset has taken out of the log
}

// NewMachine returns a machine on a log and a state. The state stands at the head of the log, or in front of a pending commit that does not
// apply: that one is set aside. It closes both also after an error of theirs.
func NewMachine(cfg Config) (*Machine, error) {
	if cfg.Rebuild == nil || cfg.NewID == nil {
		return nil, fmt.Errorf("leader of store %s: Rebuild and NewID are required", cfg.StoreID)
	}
	m := &Machine{cfg: cfg, log: cfg.Log, state: cfg.State, feed: newFeed(cfg.NewID())}
	m.state.KeepUndo(cfg.Synced)
	head, id := m.log.Head()
	m.base = materialize.Head{Num: head, ID: id}
	meta := m.log.Meta()
	m.heads = syncstate.Heads{Local: head, Upstream: meta.Upstream, Generation: meta.Generation}
	m.backend.id = meta.BackendID
	m.behind = m.state.Head() != m.base
	m.booting = true
	err := m.catchUp()
	m.booting = false
	if err == nil && meta.Carried {
		err = m.settleCarried()
	}
	if err == nil && cfg.Synced {
		err = m.tryWaiting()
	}
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// now is the time by the clock of the config, zero without one.
func (m *Machine) now() time.Time {
	if m.cfg.Now == nil {
		return time.Time{}
	}
	return m.cfg.Now()
}

// Heads returns where the leader stands.
func (m *Machine) Heads() syncstate.Heads { return m.heads }

// Close closes log and state.
func (m *Machine) Close() error {
	err := m.log.Close()
	if m.state != nil {
		err = errors.Join(err, m.state.Conn().Close())
	}
	return err
}

// step is one transaction of the leader: what it adds to log and state, and says when both are safe.
type step struct {
	m         *Machine
	heads     syncstate.Heads
	base      materialize.Head
	published []link.Publish
	unknown   []event.Client    // new in the log, and none of the schema's
	carried   bool              // own commits got their place without it being known whether they apply there
	taken     map[string]uint64 // journal → highest ordinal taken in this step
}

// errNothing ends a step that has done nothing: without writing, and so without an fsync.
var errNothing = errors.New("leader: nothing to write")

// transact runs f in a transaction of the log and one of the state. Either both keep what f did and the sessions hear of it, or
// nothing happened.
func (m *Machine) transact(f func(*step) error) error {
	if err := m.catchUp(); err != nil {
		return err
	}
	s := &step{m: m, heads: m.heads, base: m.base}
	if err := m.begin(); err != nil {
		return err
	}
	err := f(s)
	if errors.Is(err, errNothing) {
		return m.rollback()
	}
	for journal, ordinal := range s.taken {
		if err == nil {
			err = m.log.SetTaken(journal, ordinal)
		}
	}
	if err == nil && s.carried && !m.log.Meta().Carried {
		err = m.log.SetCarried(true)
	}
	if err == nil && s.heads.Generation != m.heads.Generation {
		err = m.log.SetGeneration(s.heads.Generation)
	}
	if err == nil && s.heads.Upstream != m.heads.Upstream {
		err = errors.Join(m.log.SetUpstream(s.heads.Upstream), s.forgetWaiting())
		if err == nil {
			err = m.state.ForgetUndo(s.heads.Upstream)
		}
	}
	if err == nil {
		err = errors.Join(m.state.TrimUndo(), m.state.StoreHead())
	}
	if err == nil {
		err = m.log.Commit() // first the log: state can be brought to it, and not the other way round (R6)
	}
	if err != nil {
		return errors.Join(err, m.rollback())
	}
	m.heads, m.base = s.heads, s.base
	if err := m.state.Conn().Commit(); err != nil {
		m.behind = true
		m.cfg.Logger.Error("state did not follow the eventlog; it is brought to it at the next step", "store", m.cfg.StoreID, "err", err)
		if err := m.resync(); err != nil {
			m.cfg.Logger.Error("state can not be read", "store", m.cfg.StoreID, "err", err)
		}
	}
	for i, p := range s.published {
		p.BackendHead, p.Generation = m.heads.Upstream, m.heads.Generation
		if n := len(p.Events); n > 0 && i < len(s.published)-1 && p.Events[n-1].Num.ComparePosition(p.BackendHead) < 0 {
			p.BackendHead = p.Events[n-1].Num // a session is never told that the backend is ahead of what it has been given
		}
		m.feed.publish(p)
	}
	m.tell(s.unknown)
	return nil
}

// tell says that events are none of the schema's, as its policy wants it.
func (m *Machine) tell(unknown []event.Client) {
	if m.state == nil {
		return
	}
	policy := m.state.Schema().UnknownEvents()
	for _, e := range unknown {
		if err := policy.Tell(e); err != nil {
			m.cfg.Logger.Error("the callback for unknown events has failed", "store", m.cfg.StoreID, "event", e.Name, "number", e.Num, "err", err)
		}
		if policy.Mode == state.Warn {
			m.cfg.Logger.Warn("the schema does not know an event; it is in the log and changes nothing until the app is updated",
				"store", m.cfg.StoreID, "event", e.Name, "number", e.Num)
		}
	}
}

func (m *Machine) begin() error {
	if err := m.log.Begin(); err != nil {
		return fmt.Errorf("leader of store %s: begin eventlog: %w", m.cfg.StoreID, err)
	}
	if err := m.state.Conn().Begin(); err != nil {
		return errors.Join(fmt.Errorf("leader of store %s: begin state: %w", m.cfg.StoreID, err), m.log.Rollback())
	}
	return nil
}

func (m *Machine) rollback() error {
	return errors.Join(m.log.Rollback(), m.resync())
}

// resync takes back the open transaction of the state, if there still is one.
func (m *Machine) resync() error {
	if m.state == nil {
		m.behind = true
		return nil
	}
	err := errors.Join(m.state.Conn().Rollback(), m.state.Resync())
	m.behind = m.behind || m.state.Head() != m.base // a rebuild in the middle of a rebase stays
	return err
}

// catchUp brings state to the log. A pending commit in its way that does not apply is set aside.
func (m *Machine) catchUp() error {
	for m.behind {
		refused, err := m.follow()
		if errors.Is(err, materialize.ErrUndoMissing) {
			err = m.closeState()
		}
		switch {
		case err != nil:
		case m.state == nil:
			m.state, err = m.rebuild(m.base.Num)
			m.behind = err != nil || m.state.Head() != m.base
		case refused != nil:
			err = m.setAsideRefused(refused)
		case m.state.Head() != m.base:
			err = fmt.Errorf("state stands at %s and the log at %s", m.state.Head().Num, m.base.Num)
		default:
			m.behind = false
		}
		if err != nil {
			return fmt.Errorf("leader of store %s: bring state to the log: %w", m.cfg.StoreID, err)
		}
	}
	return nil
}

// follow undoes what the log has no more, when a rebase is what state did not follow, and applies what is new in it, up to a pending event
// that does not apply.
func (m *Machine) follow() (refused *materialize.Error, err error) {
	if m.state == nil {
		return nil, nil
	}
	if err := m.state.Conn().Begin(); err != nil {
		return nil, err
	}
	err = materialize.Retreat(m.state, m.log.At)
	if err == nil {
		err = materialize.CatchUp(context.Background(), m.state, m.log.Read, 0, m.heads.Upstream, nil)
		if e, ok := errors.AsType[*materialize.Error](err); ok && m.booting && m.heads.Upstream.ComparePosition(e.Num) < 0 {
			refused, err = e, nil
		}
	}
	if err == nil {
		err = m.state.ForgetUndo(m.heads.Upstream)
	}
	if err == nil {
		err = errors.Join(m.state.TrimUndo(), m.state.StoreHead())
	}
	if err == nil {
		err = m.state.Conn().Commit()
	}
	if err != nil {
		return nil, errors.Join(err, m.resync())
	}
	return refused, nil
}

// settleCarried forgets that pending events were carried once the schema knows them all: state stands at the head, so all of them apply.
func (m *Machine) settleCarried() error {
	pending, err := m.pending(0)
	if err != nil || slices.ContainsFunc(pending, func(e event.Client) bool { return !m.knows(e.Name) }) {
		return err
	}
	return m.transact(func(*step) error { return m.log.SetCarried(false) })
}

// setAsideRefused sets aside the pending commit in front of which state stands: another version of the app has committed or kept it, and
// this one can not apply it there.
func (m *Machine) setAsideRefused(refused *materialize.Error) error {
	m.behind = false // the step begins where state stands
	err := m.transact(func(s *step) error {
		e, ok, err := m.log.At(refused.Num)
		if err != nil || !ok {
			return errors.Join(err, refused)
		}
		if found, err := s.setAsidePending(e.ID.Commit, refused.Error()); err != nil || !found {
			return errors.Join(err, refused)
		}
		return nil
	})
	m.behind = m.behind || err != nil
	return err
}

// rebuild makes a state at a position of the log.
func (m *Machine) rebuild(upTo event.SeqNum) (*materialize.Engine, error) {
	engine, err := m.cfg.Rebuild(upTo)
	if err != nil {
		return nil, err
	}
	engine.KeepUndo(m.cfg.Synced)
	return engine, nil
}

// closeState lets go of the state, for another one to be put in its place: not every system swaps a file that is open.
func (m *Machine) closeState() error {
	old := m.state
	m.state = nil
	return old.Conn().Close()
}

// append logs a commit that state has applied.
func (s *step) append(events []event.Client, heads syncstate.Heads) error {
	if err := s.m.log.Append(events); err != nil {
		return err
	}
	for i := range events {
		if !s.m.knows(events[i].Name) {
			s.unknown = append(s.unknown, events[i])
			s.carried = s.carried || !events[i].ID.IsZero()
		}
	}
	last := events[len(events)-1]
	s.heads, s.base = heads, materialize.Head{Num: last.Num, ID: last.ID}
	return nil
}

// Boot makes a snapshot for a session.
func (m *Machine) Boot(r link.BootRequest) (link.Snapshot, error) {
	if err := checkVersion(r.Version); err != nil {
		return link.Snapshot{}, err
	}
	if err := m.catchUp(); err != nil {
		return link.Snapshot{}, err
	}
	data, err := m.state.Conn().Serialize()
	if err != nil {
		return link.Snapshot{}, fmt.Errorf("leader of store %s: copy state: %w", m.cfg.StoreID, err)
	}
	snap := link.Snapshot{
		Head: m.base.Num, HeadID: m.base.ID, Generation: m.heads.Generation, BackendHead: m.heads.Upstream,
		Epoch: m.feed.epoch, Cursor: m.feed.at(), Uplink: m.feed.link(), State: data,
	}
	if snap.SetAside, err = m.setAside(); err != nil {
		return link.Snapshot{}, err
	}
	for _, ask := range r.Asks {
		high := m.log.Taken(ask.Journal)
		snap.Taken = append(snap.Taken, event.CommitID{Journal: ask.Journal, Ordinal: high})
		if cleared := m.cleared[ask.Journal]; cleared > 0 {
			snap.Reset = append(snap.Reset, event.CommitID{Journal: ask.Journal, Ordinal: cleared})
		}
		for o := ask.From; o <= high; o++ {
			events, err := m.log.Committed(event.CommitID{Journal: ask.Journal, Ordinal: o})
			if err != nil {
				return link.Snapshot{}, err
			}
			snap.Events = append(snap.Events, events...)
		}
	}
	return snap, nil
}

func (m *Machine) setAside() ([]link.SetAside, error) {
	entries, err := m.log.ListSetAside()
	if err != nil {
		return nil, err
	}
	out := make([]link.SetAside, len(entries))
	for i, e := range entries {
		out[i] = link.SetAside{ID: e.ID, Events: e.Events, Err: e.Err, At: e.At}
	}
	return out, nil
}

// VersionError says that a session speaks another version of the link.
type VersionError struct{ Got int }

func (e *VersionError) Error() string {
	return fmt.Sprintf("the session speaks version %d of the link and this leader version %d: "+
		"run the same version of the library in every process of the client", e.Got, link.Version)
}

func checkVersion(v int) error {
	if v != link.Version {
		return &VersionError{Got: v}
	}
	return nil
}

// maxEvents is how many events a reply to Events holds.
const maxEvents = 1000

// Events reads the eventlog.
func (m *Machine) Events(r link.EventsRequest) (link.EventsReply, error) {
	var reply link.EventsReply
	for e, err := range m.log.Read(r.After, min(max(r.Limit, 1), maxEvents)) {
		if err != nil {
			return link.EventsReply{}, err
		}
		reply.Events = append(reply.Events, e)
	}
	return reply, nil
}

// Drop deletes a set-aside commit.
func (m *Machine) Drop(r link.DropRequest) (link.DropReply, error) {
	var reply link.DropReply
	err := m.transact(func(s *step) (err error) {
		reply.Found, err = m.log.DeleteSetAside(r.ID)
		if err != nil {
			return err
		}
		if !reply.Found {
			return errNothing
		}
		s.published = append(s.published, link.Publish{Restored: []event.CommitID{r.ID}})
		return nil
	})
	return reply, err
}

// SessionID returns the id of the session with a number, counted from 0: the same after every restart.
func (m *Machine) SessionID(slot int) (string, error) { return m.log.SessionID(slot, m.cfg.NewID) }
