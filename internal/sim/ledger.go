package sim

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/session"
)

// ledger is what was promised.
type ledger struct {
	commits []*promise
	byID    map[event.CommitID]*promise
	numbers map[event.SeqNum]event.ID // every number an own event ever had in the leader's log
	high    int64                     // highest generation of the leader so far
	twice   map[string]bool           // tags of commits that two sessions try again at the same time
	own     map[string]int            // own tags, and how many events of each go to the backend

	powerless bool    // the last crash was one of the power
	wiping    *wiping // a reset under way
	emptied   bool    // a reset has happened, and what was confirmed before it counts no longer
	anew      bool    // there was one: events of the client may come back from the backend
}

func newLedger() ledger {
	return ledger{
		byID: map[event.CommitID]*promise{}, numbers: map[event.SeqNum]event.ID{}, twice: map[string]bool{},
		own: map[string]int{},
	}
}

// promise is a commit that returned.
type promise struct {
	id      event.CommitID
	events  []event.Client // name, arguments, client, session and identity
	tag     string
	retry   event.CommitID // what it tries again
	of      *sess          // who made it, nil when that is gone
	receipt *session.Commit

	stage                        session.Stage // said by its receipt
	persisted, confirmed, asided bool          // the same
	by                           int           // which of the logs that a server has had confirmed it
	dropped                      bool          // by the app
	reset                        bool          // by a reset
	dropping                     bool          // it is not known whether it was
	lost                         bool          // with the power, before it was persisted
	unsure                       bool          // it is not known whether it returned
}

// admit notes a commit.
func (w *world) admit(s *sess, c *session.Commit, tag string, retry event.CommitID) {
	p := &promise{id: c.ID(), events: c.Events(), tag: tag, retry: retry, of: s, receipt: c}
	w.note(p)
}

func (w *world) note(p *promise) {
	w.commits = append(w.commits, p)
	w.byID[p.id] = p
	w.own[p.tag] = max(w.own[p.tag], p.synced()) // one that tries a part again has the same tag
}

// synced is how many events go to the backend.
func (p *promise) synced() (n int) {
	for _, e := range p.events {
		if !e.Num.IsClientOnly() {
			n++
		}
	}
	return n
}

// mayTear says whether a state may show a part of the commit with a tag: when it is of another client, for then nobody knows where it
// ends, and when it is larger than a push may be.
func (w *world) mayTear(tag string) bool {
	n, own := w.own[tag]
	return w.twice[tag] || w.app != nil && w.app.big[tag] || w.maxEvents > 0 && (!own || n > w.maxEvents)
}

// unsure notes a commit whose caller was told of an error by a disk that is gone: the record may be there as a whole, or not.
func (w *world) unsure(s *sess, id event.CommitID, drafts []event.Draft, tag string, retry event.CommitID) {
	p := &promise{id: id, tag: tag, retry: retry, unsure: true}
	cause := ""
	if !retry.IsZero() {
		cause = link.RetryCause(retry)
	}
	for i, d := range drafts {
		args, _ := d.Args(s.id)
		num, _ := event.SeqNum{}.Next(d.Definition().Scope(), 0)
		p.events = append(p.events, event.Client{
			Num: num, Name: d.Definition().Name(), Args: args, ClientID: w.who(), SessionID: s.id,
			ID: event.ID{Commit: id, Index: i}, Cause: cause, SchemaHash: w.now().Hash(),
		})
	}
	w.note(p)
}

// forget lets go of the receipts of a session, and returns them.
func (w *world) forget(s *sess) (receipts []*session.Commit) {
	for _, p := range w.commits {
		if p.of == s {
			receipts = append(receipts, p.receipt)
			p.of, p.receipt = nil, nil
		}
	}
	return receipts
}

// never is a context that is over: to ask a receipt without waiting.
var never = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// receipts checks what the receipts of a session newly say.
func (w *world) receipts(s *sess) error {
	for _, p := range w.commits {
		if p.of != s || p.asided || p.confirmed {
			continue
		}
		stage := p.receipt.Stage()
		if stage < p.stage {
			return failf("commit %s said it is %s, and now that it is %s (R7)", p.id, p.stage, stage)
		}
		p.stage = stage
		if stage >= session.Persisted && !p.persisted {
			if err := w.saysPersisted(p); err != nil {
				return err
			}
		}
		if stage >= session.Confirmed {
			p.confirmed = true
			w.count("receipt: confirmed")
			if w.logs != nil {
				p.by = 1 + slices.Index(*w.logs, w.backend)
			}
			if err := w.isConfirmed(p); err != nil {
				return err
			}
		}
		if err, ok := errors.AsType[*session.SetAsideError](p.receipt.Wait(never, session.Confirmed+1)); ok {
			if err := w.saysAside(p, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// saysPersisted checks a commit whose receipt newly says that it is in the log.
func (w *world) saysPersisted(p *promise) error {
	p.persisted = true
	w.count("receipt: persisted")
	n, err := w.logged(p)
	if err != nil {
		return err
	}
	if n != len(p.events) && !p.dropped && !p.dropping && !w.retried(p.id) {
		if aside, err := w.isAside(p.id); err != nil || !aside {
			return failf("commit %s said it is persisted, and the log has %d of its %d events (%v)", p.id, n, len(p.events), err)
		}
	}
	if w.rarely(40) {
		return w.outlives()
	}
	return nil
}

// saysAside checks a commit whose receipt newly says that it is set aside.
func (w *world) saysAside(p *promise, why *session.SetAsideError) error {
	p.asided = true
	w.count("receipt: set aside")
	aside, err := w.isAside(p.id)
	switch {
	case err != nil:
		return err
	case aside:
		return w.reason(p, why)
	case !p.dropped && !w.retried(p.id):
		return failf("commit %s said it is set aside (%v), and it is not", p.id, why)
	}
	return nil
}

// logged returns how many events of a commit are in the log, and fails when they are other events.
func (w *world) logged(p *promise) (int, error) {
	events, err := w.log.Committed(p.id)
	if err != nil {
		return 0, err
	}
	for _, e := range events {
		if e.ID.Index >= len(p.events) || !sameEvent(e, p.events[e.ID.Index]) {
			return 0, failf("event %s of the log is %s %s %s, not what was committed", e.ID, e.Num, e.Name, e.Args)
		}
	}
	return len(events), nil
}

func sameEvent(a, b event.Client) bool {
	return a.ID == b.ID && a.Name == b.Name && string(a.Args) == string(b.Args) && a.ClientID == b.ClientID && a.SessionID == b.SessionID &&
		a.Cause == b.Cause && a.SchemaHash == b.SchemaHash && a.Num.IsClientOnly() == b.Num.IsClientOnly()
}

func (w *world) isAside(id event.CommitID) (bool, error) {
	all, err := w.log.ListSetAside()
	return slices.ContainsFunc(all, func(a eventlog.SetAside) bool { return a.ID == id }), err
}

// retried says whether a commit that tries it again has been taken.
func (w *world) retried(id event.CommitID) bool {
	return slices.ContainsFunc(w.commits, func(p *promise) bool {
		return p.retry == id && w.log.Taken(p.id.Journal) >= p.id.Ordinal
	})
}

func (w *world) isConfirmed(p *promise) error {
	events, err := w.log.Committed(p.id)
	if err != nil {
		return err
	}
	for _, e := range p.events {
		if e.Num.IsClientOnly() {
			continue
		}
		if w.logs != nil && (len(*w.logs) > 1 || p.dropped) { // it was true when it was said, of a log that may be no more
			if !w.ever(e) {
				return failf("commit %s said it is confirmed, and its event %s was never in a log of the backend", p.id, e.ID)
			}
			continue
		}
		i := slices.IndexFunc(events, func(l event.Client) bool { return l.ID == e.ID })
		if i < 0 {
			return failf("commit %s said it is confirmed, and its event %s is not in the log", p.id, e.ID)
		}
		n := events[i].Num.Global
		if n > w.backend.head() || !w.backend.events[n-1].Equal(events[i].Global()) {
			return failf("commit %s said it is confirmed, and its event %s (%s) is not in the backend's log", p.id, e.ID, events[i].Num)
		}
	}
	return nil
}

// stands checks the leader after a step of it.
func (w *world) stands() error {
	h := w.leader.Heads()
	if h.Generation < w.high {
		return failf("the generation of the leader fell from r%d to r%d", w.high, h.Generation)
	}
	w.high = h.Generation
	w.count("check: R6, heads and high-water marks")
	if head, _ := w.log.Head(); head != h.Local {
		return failf("the leader stands at %s and its log at %s", h.Local, head)
	}
	if meta := w.log.Meta(); meta.Upstream != h.Upstream || meta.Generation != h.Generation {
		return failf("the leader stands at %s, and its log says that upstream is at %s, and r%d (R6)", h, meta.Upstream, meta.Generation)
	}
	pending, err := eventsAfter(w.log, h.Upstream)
	if err != nil {
		return err
	}
	for _, e := range pending {
		if e.ID.IsZero() {
			return failf("event %s of another client is pending", e.Num)
		}
		if high := w.log.Taken(e.ID.Commit.Journal); e.ID.Commit.Ordinal > high {
			return failf("event %s is in the log, and its journal is taken up to %d (R6)", e.ID, high)
		}
		if id, ok := w.numbers[e.Num]; ok && id != e.ID {
			return failf("the number %s of event %s was that of event %s before", e.Num, e.ID, id)
		}
		w.numbers[e.Num] = e.ID
	}
	return check("leader", h, pending)
}

func eventsAfter(log *eventlog.Log, after event.SeqNum) ([]event.Client, error) {
	return eventlog.Collect(log.Read(after, 0))
}

// booted checks what the log holds when the process has started.
func (w *world) booted() error {
	w.wiped()
	w.marksCut()
	if err := w.stands(); err != nil {
		return err
	}
	if err := w.account(true); err != nil || !w.rarely(4) {
		return err
	}
	w.count("check: R6, the state after a boot")
	return w.audited()
}

// account checks that every commit is there once and whole: in the log or set aside, or gone by the will of the app. With lossy, what
// was neither persisted nor found may be gone for good; from there on it has to stay away. The journals must have been taken.
func (w *world) account(lossy bool) error {
	w.count("check: R4, each commit once and whole")
	all, err := eventsAfter(w.log, event.SeqNum{})
	if err != nil {
		return err
	}
	aside, err := w.log.ListSetAside()
	if err != nil {
		return err
	}
	in := map[event.CommitID][]event.Client{}
	last := map[string]event.ID{}
	for _, e := range all {
		if e.ID.IsZero() {
			if e.ClientID == w.who() && !w.inMemory() && !w.anew {
				return failf("event %s %s came from the backend, and is the client's own", e.Num, e.Args)
			}
			continue
		}
		if w.byID[e.ID.Commit] == nil && w.knows(e) {
			continue
		}
		prev, has := last[e.ID.Commit.Journal]
		next := e.ID.Index == 0 && e.ID.Commit.Ordinal > prev.Commit.Ordinal
		if has && e.ID.Commit == prev.Commit {
			next = e.ID.Index == prev.Index+1
		}
		if !next {
			return failf("event %s stands after event %s in the log, of the same session", e.ID, prev)
		}
		last[e.ID.Commit.Journal] = e.ID
		if w.byID[e.ID.Commit] == nil {
			return failf("event %s is in the log, and its commit never returned", e.ID)
		}
		in[e.ID.Commit] = append(in[e.ID.Commit], e)
	}
	out := map[event.CommitID]eventlog.SetAside{}
	for _, a := range aside {
		if w.byID[a.ID] == nil && w.knows(a.Events[0]) {
			continue
		}
		if w.byID[a.ID] == nil {
			return failf("commit %s is set aside, and never returned", a.ID)
		}
		out[a.ID] = a
	}
	for _, p := range w.commits {
		if err := w.accountOf(p, in[p.id], out[p.id], lossy); err != nil {
			return err
		}
	}
	return nil
}

// reasons are why a commit may be set aside: what its materializers say, or that another session was first to try one again.
var reasons = []string{"UNIQUE constraint failed", "FOREIGN KEY constraint failed", "there is no item", "was retried or dropped elsewhere"}

func (w *world) accountOf(p *promise, in []event.Client, aside eventlog.SetAside, lossy bool) error {
	found := append(slices.Clone(in), aside.Events...)
	switch {
	case p.lost && len(found) > 0:
		return failf("commit %s was lost with the power and is back", p.id)
	case p.lost:
		return nil
	case p.dropped || w.retried(p.id):
		if len(aside.Events) > 0 {
			return failf("commit %s was dropped or tried again and is still set aside", p.id)
		}
		return nil
	case p.dropping && len(aside.Events) == 0:
		p.dropped = true
		return nil
	case len(found) == 0 && p.of == nil && lossy && p.unsure:
		p.lost = true
		w.count("commit: unsure, not there")
		return nil
	case len(found) == 0 && p.of == nil && lossy && !p.persisted && w.powerless:
		p.lost = true
		w.count("commit: lost with the power")
		return nil
	case len(found) == 0 && p.of == nil && !lossy:
		return nil // in a journal, for the next boot
	case len(found) != len(p.events):
		return failf("commit %s has %d events, and of those %d are in the log and %d set aside", p.id, len(p.events), len(in), len(aside.Events))
	}
	if p.unsure {
		p.unsure = false
		w.count("commit: unsure, there")
	}
	for i, e := range found {
		if !sameScope(e, p.events[i]) {
			return failf("event %s is %s %s %s and was committed as %s %s", e.ID, e.Num, e.Name, e.Args, p.events[i].Name, p.events[i].Args)
		}
	}
	if len(in) > 0 && len(aside.Events) > 0 {
		if err := w.cut(p, in); err != nil {
			return err
		}
	}
	if len(aside.Events) > 0 && !slices.ContainsFunc(reasons, func(why string) bool { return strings.Contains(aside.Err, why) }) &&
		!w.mayBeAside(aside.Err) {
		return failf("commit %s is set aside for no good reason: %s", p.id, aside.Err)
	}
	return nil
}

// cut checks a commit that is in the log in part, and set aside in part: it was too large for one push, and its first events are confirmed.
func (w *world) cut(p *promise, in []event.Client) error {
	last := in[len(in)-1]
	if w.logs != nil && len(*w.logs) > 1 { // the backend that was restored may have had any part of it
		return nil
	}
	switch {
	case (w.maxEvents == 0 || p.synced() <= w.maxEvents) && (w.app == nil || !w.app.big[p.tag]):
		return failf("commit %s is in the log in part, and set aside in part", p.id)
	case last.ID.Index != len(in)-1:
		return failf("commit %s was cut, and what is in the log of it is not its beginning", p.id)
	case last.Num.ComparePosition(w.leader.Heads().Upstream) > 0:
		return failf("commit %s was cut, its rest is set aside, and its event %s is not confirmed", p.id, last.Num)
	}
	w.count("commit: cut, and set aside in part")
	return nil
}

// sameScope compares all but the scope of set-aside events, whose numbers are gone.
func sameScope(e, committed event.Client) bool {
	if e.Num == (event.SeqNum{}) {
		e.Num = committed.Num
	}
	return sameEvent(e, committed)
}
