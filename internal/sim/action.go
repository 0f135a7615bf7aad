package sim

import (
	"errors"
	"fmt"
	"strings"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/session"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/state"
)

// action is one thing that may happen. do returns false when it can not happen now.
type action struct {
	name   string
	weight int
	do     func(*world) (bool, error)
}

var actions = []action{
	{"commit", 50, (*world).commit},
	{"push", 60, (*world).push},
	{"serve push", 60, (*world).servePush},
	{"deliver", 60, (*world).deliver},
	{"pull", 40, (*world).pull},
	{"serve", 60, (*world).serveOther},
	{"apply", 120, (*world).applyNext},
	{"catch up", 30, (*world).catchUp},
	{"lose request", 4, (*world).loseRequest},
	{"lose answer", 4, (*world).loseAnswer},
	{"reboot", 3, (*world).reboot},
	{"retry", 16, (*world).retry},
	{"drop", 3, (*world).drop},
	{"foreign", 12, (*world).foreign},
	{"backend push", 20, (*world).backendPush},
	{"backend answer", 20, (*world).backendAnswer},
	{"backend late", 6, (*world).backendLate},
	{"backend pull", 12, (*world).backendPull},
	{"backend page", 20, (*world).backendPage},
	{"backend again", 2, (*world).backendAgain},
	{"backend gap", 2, (*world).backendGap},
	{"backend reconnect", 2, (*world).backendReconnect},
	{"backend round", 6, (*world).backendRound},
	{"audit", 1, (*world).audit},
	{"undo gone", 1, (*world).undoGone},
	{"full disk", 3, (*world).full},
	{"session crash", 1, (*world).sessionCrash},
	{"session close", 1, (*world).sessionClose},
	{"kill", 1, (*world).kill},
	{"power", 1, (*world).power},
	{"restart", 1, (*world).restart},
	{"disk fails", 3, (*world).arm},
}

func (w *world) pick() *sess { return w.sessions[w.rng.IntN(len(w.sessions))] }

// draft makes a random event on a state, most often one that applies there.
func (w *world) draft(items []string, p part) event.Draft {
	ids, names := 20, 12
	if w.app != nil {
		ids, names = w.app.items, w.app.names
	}
	item := fmt.Sprintf("i%d", w.rng.IntN(ids))
	fresh := item
	if len(items) > 0 && w.rng.IntN(8) > 0 {
		item = items[w.rng.IntN(len(items))]
	}
	name := fmt.Sprintf("n%d", w.rng.IntN(names))
	text := fmt.Sprint("w", w.rng.IntN(3), " w", w.rng.IntN(3))
	id := fmt.Sprintf("x%d", w.rng.IntN(100))
	switch n := w.rng.IntN(20); {
	case n < 6:
		return itemAdded.New(itemArgs{p, fresh, name, w.rng.IntN(10)})
	case n < 8:
		return itemRenamed.New(itemArgs{p, item, name, 0})
	case n < 11:
		return itemCounted.New(itemArgs{p, item, "", w.rng.IntN(10) - 4})
	case n < 13:
		return itemRemoved.New(itemArgs{p, item, "", 0})
	case n < 16:
		return noteAdded.New(noteArgs{p, id, item, text})
	case n < 18:
		return pinSet.New(noteArgs{p, id, item, name})
	default:
		return itemStarred.New(noteArgs{p, id, item, text})
	}
}

// items are those of a session.
func (s *sess) items() (ids []string, err error) {
	err = s.m.Query(state.Statement{SQL: `SELECT id FROM items ORDER BY id`}, func(r state.Rows) error {
		for r.Next() {
			ids = append(ids, r.Text(0))
		}
		return r.Err()
	})
	return ids, err
}

// safe makes an event that always applies.
func (w *world) safe(p part) event.Draft {
	return itemCounted.New(itemArgs{p, fmt.Sprintf("i%d", w.rng.IntN(6)), "", w.rng.IntN(10) - 4})
}

func (w *world) commit() (bool, error) {
	s := w.pick()
	if w.app != nil {
		drafts, tag, err := w.compose(s)
		if err != nil {
			return true, err
		}
		return true, w.commitDrafts(s, drafts, tag, event.CommitID{})
	}
	items, err := s.items()
	if err != nil {
		return true, err
	}
	n := 1
	if w.rng.IntN(2) == 0 {
		n += w.rng.IntN(5)
	}
	tag := w.newID("t")
	docs := 0
	for range n {
		if w.rng.IntN(8) == 0 {
			docs++
		}
	}
	drafts := make([]event.Draft, 0, n)
	for i := range n - docs {
		drafts = append(drafts, w.draft(items, part{tag, i, n - docs}))
	}
	for range docs {
		id := []string{"all", "some", state.SessionID}[w.rng.IntN(3)]
		d := document.Set(id, prefs{w.newID("f"), w.rng.IntN(9)})
		at := w.rng.IntN(len(drafts) + 1)
		drafts = append(drafts[:at], append([]event.Draft{d}, drafts[at:]...)...)
	}
	return true, w.commitDrafts(s, drafts, tag, event.CommitID{})
}

func (w *world) commitDrafts(s *sess, drafts []event.Draft, tag string, retry event.CommitID) error {
	before, id, ops := s.m.Heads(), s.journal.Next(), w.disk.Ops()
	w.phase = "a journal write"
	c, err := s.m.Commit(drafts, retry)
	if !w.disk.failed() {
		w.phase = ""
	}
	if halted, bad := w.refusedHalted(err); halted || bad != nil {
		return bad
	}
	var failed *materialize.Error
	var full *session.PendingFullError
	var unjournaled *journal.AppendError
	switch {
	case err == nil:
		w.count("commit: admitted")
		w.tracef("  %s commits %s %s: %s", s.id, c.ID(), tag, span(c.Events()))
		w.admit(s, c, tag, retry)
		w.weigh(c, tag)
		if err := w.admitted(w.disk.Ops() - ops); err != nil {
			return err
		}
	case errors.As(err, &failed):
		w.count("commit: does not apply")
		w.tracef("  %s: %v", s.id, err)
	case w.disk.failed():
		w.unsure(s, id, drafts, tag, retry)
		return err
	case w.disk.full && errors.As(err, &unjournaled):
		w.count("full disk: commit refused")
	case errors.As(err, &full):
		w.count("commit: too many pending")
	case w.refusedNow(err):
	default:
		return err
	}
	if err != nil && s.m.Heads() != before {
		return failf("session %s: a commit that failed moved the heads", s.id)
	}
	return w.look(s)
}

func (w *world) retry() (bool, error) {
	s := w.pick()
	all := s.m.SetAside()
	if len(all) == 0 {
		return false, nil
	}
	a := all[w.rng.IntN(len(all))]
	if strings.Contains(a.Err, "was retried or dropped elsewhere") {
		return false, nil // whoever tries that again wants it twice
	}
	drafts := make([]event.Draft, len(a.Events))
	for i, e := range a.Events {
		def, ok := w.now().Definition(e.Name)
		if !ok && w.app != nil {
			return false, nil // a newer version of the app has made it
		}
		if !ok {
			return false, failf("event %s is in no schema", e.Name)
		}
		drafts[i] = event.Raw(def, e.Args)
	}
	old := w.byID[a.ID]
	if old == nil {
		return false, failf("session %s: commit %s is set aside and never returned", s.id, a.ID)
	}
	for _, p := range w.commits {
		if p.retry == a.ID && p.of != s {
			w.count("retry: in two sessions")
			w.twice[old.tag] = true
		}
	}
	n := len(w.commits)
	err := w.commitDrafts(s, drafts, old.tag, a.ID)
	if _, ok := errors.AsType[*session.NotSetAsideError](err); ok {
		w.count("retry: under way")
		return true, nil
	}
	if len(w.commits) > n {
		w.count("retry: admitted")
	}
	return true, err
}

func (w *world) drop() (bool, error) {
	s := w.pick()
	all := s.m.SetAside()
	if len(all) == 0 {
		return false, nil
	}
	a := all[w.rng.IntN(len(all))]
	old := w.byID[a.ID]
	if old == nil {
		return false, failf("session %s: commit %s is set aside and never returned", s.id, a.ID)
	}
	was, err := w.isAside(a.ID)
	if err != nil {
		return true, err
	}
	r := &request{kind: "drop", from: s}
	if r.bytes, err = link.Encode(link.DropRequest{ID: a.ID}); err != nil {
		return true, err
	}
	old.dropping = true
	w.serve(r)
	if r.err != nil {
		return true, r.err
	}
	old.dropping = false
	reply, err := link.Decode[link.DropReply](r.answer)
	if err != nil {
		return true, err
	}
	if reply.Found != was {
		return true, failf("commit %s is dropped: found %t, and it was set aside: %t", a.ID, reply.Found, was)
	}
	old.dropped = old.dropped || was
	if was {
		w.count("drop: found")
	} else {
		w.count("drop: too late")
	}
	return true, nil
}

// full lets the disk be full while one session commits, or the leader takes pushes.
func (w *world) full() (bool, error) {
	if w.disk.full || w.inMemory() {
		return false, nil
	}
	w.disk.full = true
	w.disk.SetFree(w.rng.Int64N(3000) * w.rng.Int64N(2))
	defer func() {
		w.disk.full = false
		w.disk.SetFree(-1)
	}()
	if w.rng.IntN(2) == 0 {
		return w.commit()
	}
	return w.servePush()
}

// undoGone deletes what the leader's state keeps to undo events, as the cap on it does: the next rebase has to rebuild.
func (w *world) undoGone() (bool, error) {
	h := w.leader.Heads()
	if h.Upstream == h.Local {
		return false, nil
	}
	if w.app != nil {
		if err := w.follow(); err != nil && w.disk.full {
			return true, nil
		}
	}
	return true, w.state().Exec(sqlite.Internal, "DELETE FROM __livestore_undo")
}

// audit compares a session with what a rebuild derives from what it has.
func (w *world) audit() (bool, error) {
	s := w.pick()
	if w.app != nil {
		if p := w.leader.Published(s.m.PullRequest()); p.Lost || len(p.Published) > 0 {
			return false, nil // what it has of the log is not the log any more
		}
	} else if s.m.PullRequest().Cursor != w.leaderCursor() {
		return false, nil // the same
	}
	all, err := eventsAfter(w.log, event.SeqNum{})
	if err != nil {
		return true, err
	}
	got, err := s.dump(w.queries())
	if err != nil {
		return true, err
	}
	return true, w.compare(append(all, s.m.Pending(s.m.Heads().Upstream)...), "the state of session "+s.id, got)
}

func (w *world) leaderCursor() uint64 {
	s, err := w.leader.Boot(link.BootRequest{Version: link.Version})
	if err != nil {
		return 0
	}
	return s.Cursor
}
