package session

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/breaker"
	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/internal/syncstate"
	"github.com/livestore-go/livestore/state"
)

// Journal keeps what a session has admitted until the leader has taken it.
type Journal interface {
	// Next returns the identity that the next commit gets.
	Next() event.CommitID
	// Append admits the commit with identity Next. When it fails, nothing was admitted.
	Append(r journal.Record) error
	// Taken says that the leader has taken every commit up to id.
	Taken(id event.CommitID)
	// Close ends the journal. What was not taken stays, where the adapter is durable.
	Close() error
}

// Machine is the step machine of a session. It is not safe for concurrent use.
type Machine struct {
	cfg    Config
	engine *materialize.Engine
	onRow  func(*sqlite.Row) // may be nil
	closed bool
	mu     sync.Mutex // of the commits; a [Session] puts its own lock in its place

	heads       syncstate.Heads
	base        materialize.Head // last event pulled from the leader: the upstream head with its identity
	backendHead event.SeqNum
	uplink      link.Uplink
	epoch       string // of the cursor
	cursor      uint64

	pending []event.Client // numbered events the leader has not published yet; they chain on base
	commits []*Commit      // the commits they belong to, and those that failed on the newest base, by ordinal
	events  int            // events in commits
	sent    int            // commits at the front that the leader has answered as taken
	pushing event.CommitID // the last commit of the push under way
	pushed  uint64         // the cursor when that was made
	busy    bool           // a push is under way
	lost    error          // why only a new snapshot helps
	torn    bool           // until then the state lacks pending commits, and takes no more
	fence   uint64         // nothing is pushed below this cursor: what a refused push has to wait for
	breaker breaker.Breaker

	confirming []waiting // persisted, waiting for the backend's confirmation
	setAside   []link.SetAside
	warned     map[string]bool // deprecated events that were committed
}

// NewMachine returns a machine that has to be given a snapshot before anything else.
func NewMachine(cfg Config) *Machine { return &Machine{cfg: cfg} }

// MaxPush is how many events a push holds, unless a single commit has more.
const MaxPush = 1000

// Errors of Commit.
var (
	// ErrEmpty says that a commit has no event.
	ErrEmpty = errors.New("a commit needs at least one event")
)

// PendingFullError says that the leader is too far behind the session for a commit of so many events. Nothing was committed.
type PendingFullError struct{ Pending, Events, Max int }

func (e *PendingFullError) Error() string {
	if e.Events > e.Max {
		return fmt.Sprintf("the commit has %d events and at most %d may wait for the leader: split the commit, or raise MaxPending",
			e.Events, e.Max)
	}
	return fmt.Sprintf("%d events wait for the leader, the commit has %d more, and at most %d may wait: "+
		"wait for a receipt to become persisted, commit less at once, or raise MaxPending", e.Pending, e.Events, e.Max)
}

// UnknownEventError says that a committed event is not in the schema of the store. Nothing was committed.
type UnknownEventError struct{ Event string }

func (e *UnknownEventError) Error() string {
	return fmt.Sprintf("event %s is not in the schema: give the schema a materializer for it with state.On", e.Event)
}

// OtherDefinitionError says that a committed event has the name of one in the schema and is another definition: its arguments or its
// scope may be others. Nothing was committed.
type OtherDefinitionError struct{ Event string }

func (e *OtherDefinitionError) Error() string {
	return fmt.Sprintf("event %s is defined twice: commit drafts of the definition that the schema was made with", e.Event)
}

// maxEnvelope is what an event takes on its way to the sync backend beside its arguments: name, ids, numbers, keys and metadata.
const maxEnvelope = 2048

// EventTooLargeError says that the arguments of a synced event are larger than what the sync backend takes. Nothing was committed.
type EventTooLargeError struct {
	Event string // its name
	Bytes int    // what it would be as JSON, with what goes around its arguments
	Max   int
}

func (e *EventTooLargeError) Error() string {
	return fmt.Sprintf("event %s has %d bytes and at most %d go to the sync backend: "+
		"keep large values outside and put a reference into the event", e.Event, e.Bytes, e.Max)
}

// deprecated says once that an event should not be committed any more.
func (m *Machine) deprecated(def *event.Definition) {
	if def.Deprecated() == "" || m.warned[def.Name()] {
		return
	}
	if m.warned == nil {
		m.warned = map[string]bool{}
	}
	m.warned[def.Name()] = true
	m.cfg.Logger.Warn("a deprecated event is committed", "store", m.cfg.StoreID, "event", def.Name(), "why", def.Deprecated())
}

// Commit admits drafts as one commit: number, materialize, journal; or nothing at all.
func (m *Machine) Commit(drafts []event.Draft, retry event.CommitID) (*Commit, error) {
	if len(drafts) == 0 {
		return nil, ErrEmpty
	}
	if m.torn {
		return nil, fmt.Errorf("the session boots anew: %w", m.lost)
	}
	if err := m.halted(); err != nil {
		return nil, err
	}
	if m.events+len(drafts) > m.cfg.MaxPending {
		return nil, &PendingFullError{Pending: m.events, Events: len(drafts), Max: m.cfg.MaxPending}
	}
	var cause string
	if !retry.IsZero() {
		if m.retrying(retry) {
			return nil, &NotSetAsideError{StoreID: m.cfg.StoreID, ID: retry}
		}
		cause = link.RetryCause(retry)
	}
	c := &Commit{mu: &m.mu, m: m, id: m.cfg.Journal.Next(), retry: retry, stage: Committed}
	rec := journal.Record{
		Ordinal: c.id.Ordinal, Cause: cause, SchemaHash: m.cfg.Schema.Hash(),
		Events: make([]journal.Event, len(drafts)),
	}
	c.events = make([]event.Client, len(drafts))
	head := m.heads.Local
	for i, d := range drafts {
		args, err := d.Args(m.cfg.SessionID)
		if err != nil {
			return nil, err
		}
		def, ok := m.cfg.Schema.Definition(d.Definition().Name())
		if !ok {
			return nil, &UnknownEventError{Event: d.Definition().Name()}
		}
		if def != d.Definition() {
			return nil, &OtherDefinitionError{Event: def.Name()}
		}
		m.deprecated(def)
		num, parent := head.Next(def.Scope(), m.heads.Generation)
		if n := len(args) + maxEnvelope; m.cfg.MaxEvent > 0 && n > m.cfg.MaxEvent && def.Scope() == event.ScopeSynced {
			return nil, &EventTooLargeError{Event: def.Name(), Bytes: n, Max: m.cfg.MaxEvent}
		}
		c.events[i] = event.Client{
			Num: num, Parent: parent, Name: def.Name(), Args: args,
			ClientID: m.cfg.ClientID, SessionID: m.cfg.SessionID,
			ID: event.ID{Commit: c.id, Index: i}, Cause: cause, SchemaHash: rec.SchemaHash,
		}
		rec.Events[i] = journal.Event{Name: def.Name(), Args: args, ClientOnly: def.Scope() == event.ScopeClientOnly}
		head = num
	}
	heads, err := syncstate.Push(m.heads, c.events)
	if err != nil {
		return nil, err
	}
	if err := m.engine.Apply(c.events); err != nil {
		return nil, err
	}
	c.writes = slices.Clone(m.engine.Digests())
	if err := m.cfg.Journal.Append(rec); err != nil {
		if uerr := m.engine.RollbackTo(m.heads.Local); uerr != nil {
			err = fmt.Errorf("%w; and undo it: %w", err, uerr)
			m.lost, m.torn = err, true
		}
		return nil, fmt.Errorf("admit commit: %w", err)
	}
	if err := m.engine.TrimUndo(); err != nil {
		m.lost = err
	}
	m.heads = heads
	m.pending = append(m.pending, c.events...)
	m.commits = append(m.commits, c)
	m.events += len(c.events)
	return c, nil
}

// retrying says whether a set-aside commit is being tried again.
func (m *Machine) retrying(id event.CommitID) bool {
	for _, c := range m.commits {
		if c.retry == id {
			return true
		}
	}
	return false
}

// NextPush returns the next commits to hand to the leader, false when there is nothing or something has to come first.
func (m *Machine) NextPush() (link.PushRequest, bool) {
	if m.busy || m.lost != nil || m.fence > m.cursor || m.sent == len(m.commits) {
		return link.PushRequest{}, false
	}
	base := m.base
	for i := m.sent - 1; i >= 0; i-- {
		if c := m.commits[i]; c.failed == "" {
			last := c.events[len(c.events)-1]
			base = materialize.Head{Num: last.Num, ID: last.ID}
			break
		}
	}
	req := link.PushRequest{Version: link.Version, SessionID: m.cfg.SessionID, Base: base.Num, BaseID: base.ID}
	events := 0
	for _, c := range m.commits[m.sent:] {
		if events > 0 && events+len(c.events) > MaxPush {
			break
		}
		events += len(c.events)
		req.Commits = append(req.Commits, link.Commit{ID: c.id, Events: c.events, Failed: c.failed, Retry: c.retry, Writes: c.writes})
	}
	m.busy, m.pushing, m.pushed = true, req.Commits[len(req.Commits)-1].ID, m.cursor
	return req, true
}

// Pushed takes the answer to the push under way. After an error it is not known whether the leader has taken it; the same commits are
// pushed again, and a leader that has them already refuses until the session has pulled them.
func (m *Machine) Pushed(reply link.PushReply, err error) {
	m.busy = false
	switch {
	case err != nil:
	case reply.Taken:
		// They may have been pulled already, which is before this answer.
		if i := slices.IndexFunc(m.commits, func(c *Commit) bool { return c.id == m.pushing }); i >= 0 {
			m.sent = i + 1
		}
	default:
		m.refused()
		m.fence = reply.Cursor
		if reply.Cursor <= m.pushed { // only a snapshot can tell why
			m.lost = errors.New("the leader refused commits though nothing was left to pull")
		}
	}
}

// Lost says why the session can not go on from here and has to boot anew, nil when it can.
func (m *Machine) Lost() error { return m.lost }

// PullRequest asks for what the leader published next.
func (m *Machine) PullRequest() link.PullRequest {
	return link.PullRequest{Epoch: m.epoch, Cursor: m.cursor, Uplink: m.uplink.Version}
}

// Uplinked takes how the leader's connection to the sync backend is.
func (m *Machine) Uplinked(u link.Uplink) { m.uplink = u }

// Idle says whether the leader has taken every commit and has said so.
func (m *Machine) Idle() bool { return len(m.commits) == 0 }

// Pending returns the pending events after a position.
func (m *Machine) Pending(after event.SeqNum) []event.Client {
	var out []event.Client
	for _, e := range m.pending {
		if e.Num.ComparePosition(after) > 0 {
			e.Args = e.Args.Clone() // what is on its way to the leader is not for others to change
			out = append(out, e)
		}
	}
	return out
}

// Heads returns where the session stands.
func (m *Machine) Heads() syncstate.Heads { return m.heads }

// SetAside lists the commits of the client that are set aside, as far as the session has heard, oldest first.
func (m *Machine) SetAside() []link.SetAside { return slices.Clone(m.setAside) }

// Status returns how far the session is.
func (m *Machine) Status() Status {
	return Status{
		LocalHead: m.heads.Local, LeaderHead: m.heads.Upstream, UpstreamHead: m.backendHead,
		Pending: m.events, SetAside: len(m.setAside), Synced: m.cfg.Synced, Uplink: m.uplink, Why: m.Slow(),
	}
}

// Query runs a read on the current state.
func (m *Machine) Query(st state.Statement, fn func(state.Rows) error) error {
	stmt, err := m.engine.Conn().Prepare(sqlite.Read, st.SQL)
	if err != nil {
		return err
	}
	rows, err := stmt.Query(st.Args)
	if err != nil {
		return err
	}
	defer rows.Close()
	return fn(rows)
}

// Reads returns what a read reads of each table.
func (m *Machine) Reads(sql string) ([]sqlite.TableRead, error) {
	stmt, err := m.engine.Conn().Prepare(sqlite.Read, sql)
	if err != nil {
		return nil, err
	}
	return stmt.ReadsOf(), nil
}

// OnRow has f told of each row of the state that changes, before it does. It is told nothing of a state that is replaced, by Booted.
func (m *Machine) OnRow(f func(*sqlite.Row)) {
	m.onRow = f
	if m.engine != nil {
		m.engine.Conn().OnRow(f)
	}
}

// Close ends the machine: commits that wait for a stage learn that it will not come any more.
func (m *Machine) Close() error {
	m.closed = true
	for _, c := range m.open() {
		c.end(fmt.Errorf("store %s: %w", m.cfg.StoreID, ErrClosed))
	}
	m.confirming, m.commits, m.pending = nil, nil, nil
	m.uplink = link.Uplink{} // nobody tells it any more
	err := m.cfg.Journal.Close()
	if m.engine != nil {
		err = errors.Join(err, m.engine.Conn().Close())
	}
	return err
}
