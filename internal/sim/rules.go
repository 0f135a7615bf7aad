package sim

import (
	"context"
	"errors"
	"slices"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/internal/leader"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/session"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/internal/syncstate"
)

// Where each rule of the design is looked at.
//
//	R1   history.look after each step: the log of the server only grows, by whole pushes, in order. incarnation.check at the end: what was
//	     pushed and pulled is linearizable. delivered: each event comes to clients and readers as it was pushed, in its place.
//	R2   check after each step, of session and leader: pending ascends and chains. rules.moved: only a rebase moves a local head back.
//	R3   peer.hand and world.nextPush: nothing is pushed in doubt, or before what a refusal asked for has been pulled.
//	R4   account at each boot and at the end: each commit is there once and whole, in the log or set aside. unique: so in the log of the
//	     server.
//	R5   witness.sent: no frame of a client holds a client-only event. alone: each session has the state that the leader has.
//	R6   stands after each step of a leader: heads, events and high-water marks agree. audited and outlives: so do the files, and the state.
//	R7   receipts, when they say something. journaled, outlives: what a crash would leave at that moment. impossible, ended, closed: no
//	     receipt waits for what will not come.
//	R8   kept: whatever the leader has taken is in the log or set aside, in mid-run too. storedAnew: what a log of the server had confirmed
//	     that is no more is in the next one.
//	R9   alike: clients at one head have one state, in mid-run too. converged: all have, and it is what a rebuild derives.
//	R10  commitDrafts: a commit writes once and asks nobody. apply: a session applies 100 events at once at most, unless it rebases.
//	R11  look, after each step of a session: no commit is half there. stepped and watched: each watcher sees states of its session, in order.
//
// What is costly is done after some steps only, as the seed draws it, and at the end for all.

// rules is what the checks of a client remember from one step to the next.
type rules struct {
	of       *leader.Machine
	leader   standing
	sessions map[*sess]standing
}

// standing is where a machine stood.
type standing struct {
	heads syncstate.Heads
	epoch string // of what a session has pulled: it changes when it boots from another leader
	boots int
}

// obey checks the rules after a step that happened to a client.
func (f *fleet) obey(p *peer) error {
	f.count("check: R1, the log of the server")
	if err := f.history.look(f.server.shelf.b); err != nil {
		return err
	}
	if f.history.bad != nil {
		return f.history.bad
	}
	if p.leader == nil {
		return nil
	}
	if err := p.moved(); err != nil {
		return err
	}
	if f.rng.IntN(60) == 0 {
		if err := p.kept(); err != nil {
			return err
		}
	}
	if f.rng.IntN(60) == 0 {
		if err := p.audited(); err != nil {
			return err
		}
	}
	if f.rng.IntN(20) == 0 {
		return f.alike(p)
	}
	return nil
}

// moved checks that only a rebase has moved a local head back (R2).
func (w *world) moved() error {
	w.count("check: R2, heads")
	r := &w.rules
	now := standing{heads: w.leader.Heads()}
	same := r.of == w.leader || !w.inMemory() // what is in memory only ends with its process
	r.of = w.leader
	if same && now.heads.Local.ComparePosition(r.leader.heads.Local) < 0 && now.heads.Generation == r.leader.heads.Generation {
		return failf("the local head of the leader of %s went from %s back to %s without a rebase (R2)", w.client, r.leader.heads, now.heads)
	}
	sessions := map[*sess]standing{}
	for _, s := range w.sessions {
		now := standing{heads: s.m.Heads(), epoch: s.m.PullRequest().Epoch, boots: s.boots}
		was, known := r.sessions[s]
		same := known && was.epoch == now.epoch && was.boots == now.boots
		if same && now.heads.Local.ComparePosition(was.heads.Local) < 0 && now.heads.Generation == was.heads.Generation {
			return failf("the local head of session %s went from %s back to %s without a rebase (R2)", s.id, was.heads, now.heads)
		}
		if known && now.heads.Generation < was.heads.Generation {
			return failf("the generation of session %s fell from r%d to r%d (R2)", s.id, was.heads.Generation, now.heads.Generation)
		}
		sessions[s] = now
	}
	r.leader, r.sessions = now, sessions
	return nil
}

// agrees checks that a log says the same in all its places (R6): heads, events, generation and high-water marks.
func agrees(log *eventlog.Log) error {
	meta := log.Meta()
	local, _ := log.Head()
	pending, err := eventsAfter(log, meta.Upstream)
	if err != nil {
		return err
	}
	if err := check("the log", syncstate.Heads{Local: local, Upstream: meta.Upstream, Generation: meta.Generation}, pending); err != nil {
		return err
	}
	for _, e := range pending {
		if high := log.Taken(e.ID.Commit.Journal); e.ID.Commit.Ordinal > high {
			return failf("event %s is in the log, and its journal is taken up to %d (R6)", e.ID, high)
		}
	}
	aside, err := log.ListSetAside()
	if err != nil {
		return err
	}
	for _, a := range aside {
		if high := log.Taken(a.ID.Journal); a.ID.Ordinal > high {
			return failf("commit %s is set aside, and its journal is taken up to %d (R6)", a.ID, high)
		}
	}
	return nil
}

// kept checks that whatever the leader has taken is in the log, or set aside, unless the app has dropped it or tried it again (R8).
func (w *world) kept() error {
	w.count("check: R8, nothing taken is gone")
	all, err := eventsAfter(w.log, event.SeqNum{})
	if err != nil {
		return err
	}
	there := map[event.CommitID]int{}
	for _, e := range all {
		there[e.ID.Commit]++
	}
	aside, err := w.log.ListSetAside()
	if err != nil {
		return err
	}
	for _, a := range aside {
		there[a.ID] += len(a.Events)
	}
	for _, p := range w.commits {
		if p.lost || p.dropped || p.dropping || p.unsure || w.log.Taken(p.id.Journal) < p.id.Ordinal || w.retried(p.id) {
			continue
		}
		if n := there[p.id]; n != len(p.events) {
			return failf("commit %s of %s was taken, and of its %d events %d are in the log or set aside (R8)", p.id, w.client, len(p.events), n)
		}
	}
	return nil
}

// audited compares the state of the leader with what a rebuild derives from its log.
func (w *world) audited() error {
	all, err := eventsAfter(w.log, event.SeqNum{})
	if err != nil {
		return err
	}
	if !w.follows() {
		w.count("check: R6, the state is behind")
		return nil
	}
	w.count("check: R6, the state is that of the log")
	got, err := dump(w.state(), w.queries())
	if err != nil {
		return err
	}
	return w.compare(all, "the state of the leader of "+w.client, got)
}

// follows says whether the state of the leader stands where its log does.
func (w *world) follows() bool {
	var at event.SeqNum
	stmt, err := w.state().Prepare(sqlite.Internal, `SELECT global, client, generation FROM __livestore_head`)
	if err == nil {
		err = stmt.Each(nil, func(r *sqlite.Rows) {
			at = event.SeqNum{Global: r.Int64(0), Client: r.Int64(1), Generation: r.Int64(2)}
		})
	}
	head, _ := w.log.Head()
	return err == nil && at == head
}

// journaled checks that a commit that has just returned is in its journal, as a whole (R7).
func (w *world) journaled(p *promise) error {
	_, records, err := journal.Read(w.disk, p.id.Journal+journal.Ext)
	if err != nil {
		return failf("commit %s has returned, and its journal can not be read: %v (R7)", p.id, err)
	}
	for r, err := range records {
		if err != nil {
			return failf("commit %s has returned, and its journal can not be read: %v (R7)", p.id, err)
		}
		if r.Ordinal != p.id.Ordinal {
			continue
		}
		if len(r.Events) != len(p.events) {
			return failf("commit %s has %d events, and %d in its journal (R7)", p.id, len(p.events), len(r.Events))
		}
		for i, e := range r.Events {
			if was := p.events[i]; e.Name != was.Name || string(e.Args) != string(was.Args) || e.ClientOnly != was.Num.IsClientOnly() {
				return failf("event %d of commit %s is %s %s, and %s %s in its journal (R7)", i, p.id, was.Name, was.Args, e.Name, e.Args)
			}
		}
		w.count("check: R7, committed is journaled")
		return nil
	}
	return failf("commit %s has returned, and is not in its journal (R7)", p.id)
}

// outlives checks what the power, should it go now, would leave of the log: all that was said to be persisted (R7), and a log that
// agrees (R6).
func (w *world) outlives() error {
	d := newDisk(w.disk.FS.FS.Crash(w.rng))
	defer d.Close()
	log, err := eventlog.Open("eventlog.db", &eventlog.Options{StoreID: w.store, VFS: d.Name(), NewClientID: w.who})
	if err != nil {
		return failf("after a loss of power the log of %s does not open: %v", w.client, err)
	}
	defer log.Close()
	w.count("check: R6, the log after a loss of power")
	if err := agrees(log); err != nil {
		return err
	}
	aside, err := log.ListSetAside()
	if err != nil {
		return err
	}
	for _, p := range w.commits {
		if !p.persisted || p.dropped || p.dropping || w.retried(p.id) {
			continue
		}
		in, err := log.Committed(p.id)
		if err != nil {
			return err
		}
		n := len(in)
		for _, a := range aside {
			if a.ID == p.id {
				n += len(a.Events)
			}
		}
		if n != len(p.events) {
			return failf("commit %s said it is persisted, and of its %d events a loss of power leaves %d (R7)", p.id, len(p.events), n)
		}
		w.count("check: R7, persisted outlives the power")
	}
	return nil
}

// impossible checks that a stage that can never come is an error at once (R7), and one that can is none.
func (w *world) impossible(p *promise) error {
	for i, can := range []bool{!w.inMemory(), w.synced && p.synced() > 0, false} {
		stage := session.Persisted + session.Stage(i)
		if _, no := errors.AsType[*session.StageError](p.receipt.Wait(never, stage)); no == can {
			return failf("commit %s is told that it can never become %s: %t, and it can: %t (R7)", p.id, stage, no, can)
		}
	}
	w.count("check: R7, stages that can not come")
	return nil
}

// ended checks that no receipt waits any more, when nothing moves any more: but for the backend, at a client that has stopped to sync.
func (w *world) ended(stopped bool) error {
	for _, s := range w.sessions {
		if err := w.receipts(s); err != nil {
			return err
		}
	}
	for _, p := range w.commits {
		if p.of == nil || p.asided {
			continue
		}
		if p.reset {
			if err := p.wasReset(); err != nil {
				return err
			}
			continue
		}
		w.count("check: R7, receipts have come to an end")
		if !p.confirmed && w.synced && p.synced() > 0 && !stopped {
			return failf("the receipt of commit %s waits for the backend, and nothing moves any more: it says %s", p.id, p.receipt.Stage())
		}
		if !p.persisted && !w.inMemory() {
			return failf("the receipt of commit %s waits for the leader, and nothing moves any more: it says %s", p.id, p.receipt.Stage())
		}
	}
	if stopped {
		return nil
	}
	return w.storedAnew()
}

// storedAnew checks that what a log of the server had confirmed that is no more is in the one that took its place, unless it no longer
// applied there and is set aside (R8).
func (w *world) storedAnew() error {
	if w.logs == nil || len(*w.logs) == 1 {
		return nil
	}
	there := map[said]bool{}
	for _, e := range w.backend.events {
		there[says(e)] = true
	}
	for _, p := range w.commits {
		if p.by == 0 || p.by == len(*w.logs) || p.dropped || p.dropping || w.retried(p.id) {
			continue
		}
		if aside, err := w.isAside(p.id); err != nil {
			return err
		} else if aside {
			continue
		}
		w.count("check: R8, confirmed by a log that is no more")
		for _, e := range p.events {
			if !e.Num.IsClientOnly() && !there[says(e.Global())] {
				return failf("commit %s was confirmed by log %d of the server, and log %d does not have its event %s (R8)", p.id, p.by,
					len(*w.logs), e.ID)
			}
		}
	}
	return nil
}

// alike compares the state that synced events derive at clients which happen to be at one head, and have nothing pending (R9).
func (f *fleet) alike(p *peer) error {
	h := p.leader.Heads()
	if h.Local.Global != h.Upstream.Global || !p.follows() {
		return nil
	}
	got, err := dump(p.state(), syncedDump)
	if err != nil {
		return err
	}
	for _, o := range f.peers {
		oh := o.leader.Heads()
		here := oh.Local.Global == h.Local.Global && oh.Upstream.Global == h.Upstream.Global && o.backend == p.backend
		if o == p || !here || !o.follows() {
			continue
		}
		want, err := dump(o.state(), syncedDump)
		if err != nil {
			return err
		}
		f.count("check: R9, two clients at one head")
		if got != want {
			return failf("%s and %s are both at e%d, and their states differ (R9).\n%s", p.client, o.client, h.Local.Global, difference(got, want))
		}
	}
	if b := f.server.shelf.b; b == p.backend && b.head() == h.Local.Global {
		want, err := dump(b.state.Conn(), syncedDump)
		if err != nil {
			return err
		}
		f.count("check: R9, a client at the head of the server")
		if got != want {
			return failf("%s is at e%d as the server is, and its state is another one (R9).\n%s", p.client, h.Local.Global, difference(got, want))
		}
	}
	return nil
}

// local counts a commit that was made while what it must not wait for was not there (R10).
func (f *fleet) local(p *peer) {
	switch {
	case f.server.room == nil:
		f.count("check: R10, a commit while the server is down")
	case p.pipe == nil:
		f.count("check: R10, a commit without a connection")
	case !p.pipe.healthy():
		f.count("check: R10, a commit on a connection that is dead")
	}
	if slices.ContainsFunc(p.requests, func(r *request) bool { return !r.done && r.answer == nil }) {
		f.count("check: R10, a commit while the leader owes answers")
	}
}

// rarely draws whether a check that is costly is made now, on a disk that works. In a world of its own it is not.
func (w *world) rarely(n int) bool {
	return w.app != nil && !w.inMemory() && !w.disk.failed() && w.rng.IntN(n) == 0
}

// admitted checks a commit that has just returned, after so many operations of the disk.
func (w *world) admitted(ops int) error {
	p := w.commits[len(w.commits)-1]
	most := 1
	if w.inMemory() {
		most = 0
	}
	w.count("check: R10, one write a commit")
	if ops > most {
		return failf("commit %s made %d operations of the disk, and one write is what it may wait for (R10)", p.id, ops)
	}
	if w.rarely(8) {
		if err := w.journaled(p); err != nil {
			return err
		}
	}
	return w.impossible(p)
}

// stepEvents is how many events of the leader's log a session applies in one step at most.
const stepEvents = 100

// small checks that a session applies so many events in one step only, unless it rebases, or they are of one commit (R10).
func (w *world) small(p link.Publish) error {
	w.count("check: R10, small steps")
	if n := len(p.Events); n > stepEvents && p.RollbackTo == nil && p.Events[stepEvents-1].ID.Commit != p.Events[n-1].ID.Commit {
		return failf("publish %d has %d events, and a session applies %d in one step at most (R10)", p.Cursor, n, stepEvents)
	}
	return nil
}

// reason checks that a receipt says why its commit was set aside as the table of those does (R7).
func (w *world) reason(p *promise, err *session.SetAsideError) error {
	all, lerr := w.log.ListSetAside()
	if lerr != nil {
		return lerr
	}
	w.count("check: R7, the reason of what is set aside")
	for _, a := range all {
		if a.ID == p.id && a.Err != err.Why {
			return failf("commit %s says it is set aside because %s, and in the log it is because %s (R7)", p.id, err.Why, a.Err)
		}
	}
	return nil
}

// closed checks that the receipts of a session that has ended wait for nothing any more.
func (w *world) closed(receipts []*session.Commit) error {
	for _, c := range receipts {
		w.count("check: R7, receipts of a store that was closed")
		if err := c.Wait(never, session.Confirmed); errors.Is(err, context.Canceled) {
			return failf("the receipt of commit %s waits, and its store is closed (R7)", c.ID())
		}
	}
	return nil
}
