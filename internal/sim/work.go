package sim

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/session"
	"github.com/livestore-go/livestore/state"
)

// workDeeds are what apps do beside committing, and what happens to them.
var workDeeds = []deed{
	{"flood", 1, false, (*fleet).flood},
	{"set aside rejected", 12, false, (*fleet).setAsideRejected},
	{"upgrade", 2, false, (*fleet).upgrade},
	{"clock jumps", 1, true, (*fleet).clockJumps},
	{"disk full", 2, true, (*fleet).diskFull},
	{"space again", 12, false, (*fleet).spaceAgain},
	{"watch", 12, false, (*fleet).watch},
	{"watch read", 40, false, (*fleet).watchRead},
	{"watch stop", 6, false, (*fleet).watchStop},
	{"get", 6, false, (*fleet).get},
}

// compose makes a commit of a client of a fleet: most often a few events, at times more than go into one push, with all there is.
func (w *world) compose(s *sess) (drafts []event.Draft, tag string, err error) {
	items, err := s.items()
	if err != nil {
		return nil, "", err
	}
	n := 1
	switch w.rng.IntN(20) {
	case 0:
		n += 5 + w.rng.IntN(15)
	case 1, 2, 3, 4, 5, 6, 7, 8, 9:
		n += w.rng.IntN(5)
	}
	var docs, named int
	for range n {
		switch w.rng.IntN(8) {
		case 0:
			docs++
		case 1, 2:
			if knowsLabels(w.schema) {
				named++
			}
		}
	}
	tag = w.newID("t")
	old := n - docs - named
	for i := range old {
		p := part{tag, i, old}
		if w.rng.IntN(16) == 0 {
			drafts = append(drafts, w.large(p))
		} else {
			drafts = append(drafts, w.draft(items, p))
		}
	}
	put := func(d event.Draft) {
		at := w.rng.IntN(len(drafts) + 1)
		drafts = append(drafts[:at], append([]event.Draft{d}, drafts[at:]...)...)
	}
	for i := range named {
		put(w.label(items, part{tag, i, named}, old))
	}
	for range docs {
		put(w.documentDraft())
	}
	return drafts, tag, nil
}

func (w *world) documentDraft() event.Draft {
	id := []string{"all", "some", state.SessionID}[w.rng.IntN(3)]
	switch w.rng.IntN(3) {
	case 0:
		return document.Patch(id, state.Set(&document.Row.Seen, w.rng.IntN(9)))
	case 1:
		return document.Patch(id, state.Set(&document.Row.Filter, w.newID("f")))
	}
	return document.Set(id, prefs{w.newID("f"), w.rng.IntN(9)})
}

func (w *world) label(items []string, p part, old int) event.Draft {
	item := fmt.Sprintf("i%d", w.rng.IntN(w.app.items))
	if len(items) > 0 && w.rng.IntN(8) > 0 {
		item = items[w.rng.IntN(len(items))]
	}
	label := fmt.Sprintf("l%d", w.rng.IntN(3*w.app.names))
	if w.rng.IntN(6) == 0 {
		label = badLabel
	}
	return itemLabeled.New(labelArgs{p, old, item, label})
}

// large makes an event that always applies, of about as many bytes as a push may have.
func (w *world) large(p part) event.Draft {
	limit := w.app.maxBytes
	if limit == 0 {
		limit = 1000 + w.rng.IntN(3000)
	}
	const beside = 512 + 16 + 75 // about what goes around it
	n := max(0, limit-beside-60+w.rng.IntN(120))
	return itemCounted.New(itemArgs{p, fmt.Sprintf("i%d", w.rng.IntN(6)), strings.Repeat("x", n), w.rng.IntN(10) - 4})
}

// weigh notes a commit that has more bytes than a push may have: it is cut where that is allowed, and else rejected.
func (w *world) weigh(c *session.Commit, tag string) {
	if w.app == nil || w.app.maxBytes == 0 {
		return
	}
	size := 0
	for _, e := range c.Events() {
		if !e.Num.IsClientOnly() {
			size += 512 + len(e.Name) + len(e.Args) + len(e.ClientID) + len(e.SessionID)
		}
	}
	if size > w.app.maxBytes {
		w.app.big[tag] = true
		w.count("commit: more bytes than a push")
	}
}

// flood makes hundreds of events at once, which wait for the leader, and then for the server.
func (f *fleet) flood(p *peer) (bool, error) {
	if !p.app.floods {
		return false, nil
	}
	p.app.floods = false
	s := p.pick()
	total := 400 + f.rng.IntN(80)
	for n := 0; n < total; {
		size := 1 + f.rng.IntN(9)
		tag := f.newID("t")
		drafts := make([]event.Draft, size)
		for i := range drafts {
			drafts[i] = p.safe(part{tag, i, size})
		}
		id := s.journal.Next()
		c, err := s.m.Commit(drafts, event.CommitID{})
		if err != nil {
			if _, full := errors.AsType[*session.PendingFullError](err); full {
				f.count("commit: too many pending")
				break
			}
			if p.disk.failed() {
				p.unsure(s, id, drafts, tag, event.CommitID{})
			}
			if halted, bad := p.refusedHalted(err); halted || bad != nil {
				return true, bad
			}
			if p.refusedNow(err) {
				break
			}
			return true, err
		}
		p.admit(s, c, tag, event.CommitID{})
		n += size
		if err := p.stepped(s); err != nil {
			return true, err
		}
	}
	f.count("flood: hundreds of events")
	return true, p.look(s)
}

// refusedNow says whether an app may be told of an error when it commits: the disk is full, or the event too large.
func (w *world) refusedNow(err error) bool {
	if w.app == nil {
		return false
	}
	if _, large := errors.AsType[*session.EventTooLargeError](err); large && w.app.maxEvent > 0 {
		w.count("commit: event too large")
		return true
	}
	return false
}

// mayBeAside says whether what has set a commit aside is a reason only clients of a fleet have.
func (w *world) mayBeAside(why string) bool {
	return w.app != nil && (w.app.maxBytes > 0 && strings.Contains(why, "at most") ||
		w.app.moves && (strings.Contains(why, "CHECK constraint failed") || strings.Contains(why, "is not in the schema, and waits")))
}

// setAsideRejected is what an app may do about a commit that the backend does not take; or it is tried again.
func (f *fleet) setAsideRejected(p *peer) (bool, error) {
	why := p.leader.Rejected()
	if why == nil {
		return false, nil
	}
	if f.rng.IntN(2) == 0 {
		f.count("rejected: tried again")
		return true, p.resume()
	}
	return true, p.putAside()
}

// putAside sets aside what is rejected, as the app wants it.
func (p *peer) putAside() error {
	p.tracef("  %s sets aside: %v", p.client, p.leader.Rejected())
	found, err := p.leader.SetAsideRejected()
	if err != nil {
		return err
	}
	if found {
		p.count("rejected: set aside")
	}
	if err := p.resume(); err != nil {
		return err
	}
	return p.stands()
}

// clockJumps sets the clock of a client, or that of the server: forwards a day, or backwards an hour.
func (f *fleet) clockJumps(p *peer) (bool, error) {
	by := []time.Duration{24 * time.Hour, -time.Hour}[f.rng.IntN(2)]
	f.tracef("  by %s", by)
	if f.rng.IntN(3) == 0 {
		f.count("fault: clock of the server jumps")
		f.server.skew += by
		return true, nil
	}
	f.count("fault: clock of a client jumps")
	p.world.skew += by
	return true, nil
}

// diskFull lets the disk of a client be full for a while.
func (f *fleet) diskFull(p *peer) (bool, error) {
	if p.disk.full || p.inMemory() {
		return false, nil
	}
	f.count("fault: disk of a client is full for a while")
	p.disk.full = true
	p.disk.SetFree(f.rng.Int64N(6000) * f.rng.Int64N(2))
	return true, nil
}

func (f *fleet) spaceAgain(p *peer) (bool, error) {
	if !p.disk.full {
		return false, nil
	}
	p.space()
	return true, nil
}

func (w *world) space() {
	w.disk.full = false
	w.disk.SetFree(-1)
}
