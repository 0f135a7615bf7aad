package session

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"weak"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/internal/syncstate"
)

// CursorError says that something was published between what the session has and what it was given.
type CursorError struct{ Have, Got uint64 }

func (e *CursorError) Error() string {
	return fmt.Sprintf("publish %d follows %d: something between them is missing", e.Got, e.Have)
}

// Pulled applies one step of the leader's log. After an error the session has to boot anew.
func (m *Machine) Pulled(p link.Publish) error {
	if p.Cursor <= m.cursor {
		return nil
	}
	err := m.pulled(p)
	if err != nil {
		m.lost = err
	}
	return err
}

func (m *Machine) pulled(p link.Publish) error {
	if p.Cursor != m.cursor+1 {
		return &CursorError{Have: m.cursor, Got: p.Cursor}
	}
	up := syncstate.Upstream{RollbackTo: p.RollbackTo, Events: p.Events, Generation: p.Generation}
	for _, a := range p.SetAside {
		up.SetAside = append(up.SetAside, a.ID)
	}
	res, err := syncstate.Merge(m.heads, m.pending, up, syncstate.SameIdentity)
	if err != nil {
		return err
	}
	base := m.base
	switch r := res.(type) {
	case syncstate.Advance:
		if len(r.New) > 0 {
			if err := m.engine.Atomically(func() error { return m.apply(r.New) }); err != nil {
				return err
			}
		}
		m.settle(p.Events, p.SetAside, p.RollbackTo != nil)
		m.heads = r.Heads
		m.pending = dropFront(m.pending, r.Confirmed)
	case syncstate.Rebase:
		err := m.engine.Atomically(func() error {
			if err := m.engine.RollbackTo(r.RollbackTo); err != nil {
				return err
			}
			if p.RollbackTo != nil {
				base = m.engine.Head()
			}
			return m.apply(r.New)
		})
		if err != nil {
			return err
		}
		m.settle(p.Events, p.SetAside, p.RollbackTo != nil)
		m.pending = m.pending[r.Confirmed : r.Confirmed+r.Kept : r.Confirmed+r.Kept]
		if err := m.replay(r.Renumber, r.Kept); err != nil {
			return err
		}
	}
	if n := len(p.Events); n > 0 {
		base = materialize.Head{Num: p.Events[n-1].Num, ID: p.Events[n-1].ID}
	}
	m.cursor, m.backendHead, m.base = p.Cursor, p.BackendHead, base
	m.confirm()
	m.setAside = slices.DeleteFunc(m.setAside, func(a link.SetAside) bool { return slices.Contains(p.Restored, a.ID) })
	m.setAside = append(m.setAside, p.SetAside...)
	return m.forgetUndo()
}

// apply applies events of the leader's log, commit by commit.
func (m *Machine) apply(events []event.Client) error {
	for commit := range commits(events) {
		if err := m.engine.Apply(commit); err != nil {
			return err
		}
	}
	return nil
}

// commits cuts events at commit boundaries. Of a commit of another client the boundaries are not known: each of its events
// comes by itself.
func commits(events []event.Client) func(yield func([]event.Client) bool) {
	return func(yield func([]event.Client) bool) {
		for len(events) > 0 {
			n := 1
			for n < len(events) && !events[0].ID.IsZero() && events[n].ID.Commit == events[0].ID.Commit {
				n++
			}
			if !yield(events[:n]) {
				return
			}
			events = events[n:]
		}
	}
}

// replay applies commits again on a new base and gives them new numbers; the first commits, with kept events, stay as
// they are. One that does not apply is skipped: the leader is told and sets it aside, unless it applies again on a base
// that comes in between.
func (m *Machine) replay(numbers *syncstate.Renumber, kept int) error {
	n := 0
	for ; kept > 0; n++ {
		if c := m.commits[n]; c.failed == "" {
			kept -= len(c.events)
		}
	}
	for _, c := range m.commits[n:] {
		events := numbers.Next(c.events)
		err := m.engine.Apply(events)
		if e, ok := errors.AsType[*materialize.Error](err); ok {
			numbers.SetAside()
			c.failed = e.Error()
			continue
		}
		if err != nil { // it says nothing about the commit
			m.torn = true
			return err
		}
		numbers.Keep()
		c.failed, c.events, c.writes = "", events, slices.Clone(m.engine.Digests())
		m.pending = append(m.pending, events...)
	}
	m.heads, m.sent = numbers.Heads(), min(m.sent, n)
	return nil
}

// spokenOf indexes the commits of events, and those set aside, by identity: their events, nil when set aside.
func spokenOf(events []event.Client, aside []link.SetAside) map[event.CommitID][]event.Client {
	spoken := map[event.CommitID][]event.Client{}
	for commit := range commits(events) {
		if id := commit[0].ID.Commit; !id.IsZero() {
			spoken[id] = commit
		}
	}
	for _, a := range aside {
		spoken[a.ID] = nil
	}
	return spoken
}

// waiting is a persisted commit that the backend has not confirmed. It does not keep a receipt that nobody holds.
type waiting struct {
	id   event.CommitID
	last int64 // global number of its last synced event
	c    weak.Pointer[Commit]
}

// open returns the commits whose receipts are not at their end.
func (m *Machine) open() []*Commit {
	var out []*Commit
	for _, w := range m.confirming {
		if c := w.c.Value(); c != nil {
			out = append(out, c)
		}
	}
	return append(out, m.commits...)
}

// settle ends the wait of commits that the leader has published or set aside. Of those it had published before it speaks again only when
// they have other numbers now: after it rebased.
func (m *Machine) settle(events []event.Client, aside []link.SetAside, rebased bool) {
	spoken := spokenOf(events, aside)
	set := func(c *Commit) bool { // false when the publish does not speak of it
		now, ok := spoken[c.id]
		switch {
		case !ok:
			return false
		case now == nil:
			i := slices.IndexFunc(aside, func(a link.SetAside) bool { return a.ID == c.id })
			c.end(&SetAsideError{StoreID: m.cfg.StoreID, ID: c.id, Why: aside[i].Err})
		default:
			// Of a commit that was cut, the backend may have confirmed the first events: they have kept their numbers.
			c.events = slices.Concat(c.events[:min(now[0].ID.Index, len(c.events))], now)
			if m.cfg.Durable {
				c.reach(Persisted)
			}
		}
		return true
	}
	if rebased || len(aside) > 0 {
		m.confirming = slices.DeleteFunc(m.confirming, func(w waiting) bool {
			c := w.c.Value()
			return c == nil || set(c) && c.err != nil
		})
		for i := range m.confirming {
			if c := m.confirming[i].c.Value(); c != nil {
				m.confirming[i].last = c.lastGlobal()
			}
		}
	}
	n := 0
	for n < len(m.commits) && set(m.commits[n]) {
		c := m.commits[n]
		m.events -= len(c.events)
		if c.err == nil && m.cfg.Synced && c.synced() {
			m.confirming = append(m.confirming, waiting{c.id, c.lastGlobal(), weak.Make(c)})
		}
		n++
	}
	if n > 0 {
		m.cfg.Journal.Taken(m.commits[n-1].id)
		m.commits = dropFront(m.commits, n)
		m.sent = max(0, m.sent-n)
	}
	if n > 0 || len(m.commits) == 0 {
		m.breaker.Progress()
	}
}

// dropFront drops n elements so that they can be collected, without moving the rest.
func dropFront[T any](s []T, n int) []T {
	clear(s[:n])
	if n == len(s) {
		return s[:0]
	}
	return s[n:]
}

// confirm moves commits on that the backend has confirmed.
func (m *Machine) confirm() {
	n := 0
	for n < len(m.confirming) && m.confirming[n].last <= m.backendHead.Global {
		if c := m.confirming[n].c.Value(); c != nil {
			c.reach(Confirmed)
		}
		n++
	}
	m.confirming = dropFront(m.confirming, n)
}

// lastGlobal returns the global number of the last synced event, 0 when there is none. That need not be the last one of the commit: of one
// that was cut, a backend may have the events in another order.
func (c *Commit) lastGlobal() (last int64) {
	for i := range c.events {
		if n := c.events[i].Num; !n.IsClientOnly() {
			last = max(last, n.Global)
		}
	}
	return last
}

// forgetUndo lets go of what no rebase can roll back any more.
func (m *Machine) forgetUndo() error {
	upTo := m.heads.Upstream // without a provider the leader never rebases
	if m.cfg.Synced && m.backendHead.ComparePosition(upTo) < 0 {
		upTo = m.backendHead
	}
	return errors.Join(m.engine.ForgetUndo(upTo), m.engine.TrimUndo())
}

// BootRequest asks for a snapshot, and what became of the commits whose receipts are still open: those made before the leader answers, too,
// for it may take them until then.
func (m *Machine) BootRequest() link.BootRequest {
	from := m.cfg.Journal.Next()
	for _, c := range m.open() {
		from.Ordinal = min(from.Ordinal, c.id.Ordinal)
	}
	return link.BootRequest{
		Version: link.Version, SessionID: m.cfg.SessionID, Asks: []link.Range{{Journal: from.Journal, From: from.Ordinal}},
	}
}

// Booted replaces the state by a snapshot and applies again what the leader has not taken. After an error the session still has to boot
// anew. A snapshot that is older than what was pulled in the meantime is of no use.
func (m *Machine) Booted(s link.Snapshot) error {
	if m.engine != nil && m.lost == nil && s.Epoch == m.epoch && s.Cursor < m.cursor {
		return nil
	}
	conn, err := sqlite.Open(":memory:", nil)
	if err != nil {
		return err
	}
	if err := conn.Deserialize(s.State); err != nil {
		conn.Close()
		return fmt.Errorf("read snapshot: %w", err)
	}
	engine, err := materialize.Open(conn, m.cfg.Schema, false)
	if err != nil {
		conn.Close()
		return fmt.Errorf("read snapshot: %w", err)
	}
	if engine.Head() != (materialize.Head{Num: s.Head, ID: s.HeadID}) {
		conn.Close()
		return fmt.Errorf("read snapshot: its state stands at %s and not at %s", engine.Head().Num, s.Head)
	}
	if m.engine != nil {
		m.engine.Conn().Close()
	}
	m.engine = engine
	m.engine.Digest(m.cfg.CheckWrites)
	engine.Conn().OnRow(m.onRow)
	m.base = engine.Head()
	if s.Epoch != m.epoch {
		m.fence = 0 // one beyond the cursor stays
	}
	m.epoch, m.cursor, m.backendHead, m.setAside = s.Epoch, s.Cursor, s.BackendHead, slices.Clone(s.SetAside)
	m.uplink = s.Uplink
	m.lost, m.torn = nil, false

	aside, spoken := slices.Clip(s.SetAside), spokenOf(s.Events, s.SetAside)
	for _, c := range m.open() {
		// One that was taken, and is neither in the log nor set aside, was set aside and then taken out of there.
		if _, ok := spoken[c.id]; !ok && taken(s.Taken, c.id) {
			if taken(s.Reset, c.id) {
				c.end(&ResetError{StoreID: m.cfg.StoreID, ID: c.id})
			}
			aside = append(aside, link.SetAside{ID: c.id, Err: "it was set aside, and then retried or dropped elsewhere"})
		}
	}
	m.settle(s.Events, aside, true)
	// In this order the backend confirms them: another one than before may have had them in another.
	slices.SortStableFunc(m.confirming, func(a, b waiting) int { return cmp.Compare(a.last, b.last) })
	m.heads = syncstate.Heads{Local: s.Head, Upstream: s.Head, Generation: max(m.heads.Generation, s.Generation)}
	m.pending = nil
	if len(m.commits) > 0 {
		if err := m.replay(syncstate.NewRenumber(m.heads), 0); err != nil {
			m.lost = err
			return err
		}
	}
	m.confirm()
	return m.forgetUndo()
}

func taken(high []event.CommitID, id event.CommitID) bool {
	return slices.ContainsFunc(high, func(h event.CommitID) bool { return h.Journal == id.Journal && id.Ordinal <= h.Ordinal })
}
