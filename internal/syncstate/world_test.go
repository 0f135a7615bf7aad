package syncstate_test

import (
	"fmt"
	"hash/fnv"
	"slices"

	"pgregory.net/rapid"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/syncstate"
)

// world is a store as a whole, without I/O: one backend, clients that each have a leader and some sessions, and the messages
// between them, which wait until somebody takes them.
type world struct {
	backend  []event.Global
	clients  []*client
	admitted map[event.CommitID]int // commits that a session admitted, with how many events they have

	seed string // decides which commits apply where
	rate uint32 // one in how many replays fails, 0 for none
}

type client struct {
	w        *world
	name     string
	leader   *node
	aside    map[event.ID]bool           // events that are set aside
	told     []event.CommitID            // commits that are set aside, in the order they were
	logged   map[event.SeqNum]event.ID   // every number an own event ever had in the leader's log
	sessions []*session                  // live sessions
	journals map[string][]event.CommitID // what the sessions admitted, by journal
	events   map[event.CommitID][]event.Client
}

type session struct {
	c       *client
	n       *node
	journal string
	commits []*commit // admitted, and neither confirmed by the leader nor set aside by it
	sent    int       // commits at the front that the leader has answered as taken
	fence   int       // messages to be merged before anything is pushed

	inbox  []syncstate.Upstream // from the leader, in order
	have   int                  // events of the leader's log that were put into the inbox
	rolled bool                 // the leader rolled back below that since
	heard  int                  // commits in told that were put into the inbox
}

type commit struct {
	id     event.CommitID
	failed bool // it did not apply when it was replayed
}

func newWorld(clients, sessions int) *world {
	w := &world{admitted: map[event.CommitID]int{}}
	for i := range clients {
		c := &client{
			w: w, name: fmt.Sprintf("c%d", i), leader: newNode(syncstate.SameGlobal, syncstate.Heads{}),
			aside: map[event.ID]bool{}, logged: map[event.SeqNum]event.ID{},
			journals: map[string][]event.CommitID{}, events: map[event.CommitID][]event.Client{},
		}
		c.leader.applies = w.applies("leader")
		for j := range sessions {
			c.boot(fmt.Sprintf("c%d/s%d", i, j))
		}
		w.clients = append(w.clients, c)
	}
	return w
}

// applies decides by the seed whether a commit applies behind the events before it.
func (w *world) applies(where string) func(commit []event.Client) bool {
	return func(commit []event.Client) bool {
		if w.rate == 0 {
			return true
		}
		h := fnv.New32a()
		fmt.Fprint(h, w.seed, where, commit[0].ID, commit[0].Parent)
		return h.Sum32()%w.rate != 0
	}
}

// boot starts a session from a snapshot of the leader; what its journal holds and the leader has not is replayed.
func (c *client) boot(journal string) {
	heads := syncstate.Heads{Local: c.leader.heads.Local, Upstream: c.leader.heads.Local, Generation: c.leader.heads.Generation}
	s := &session{c: c, journal: journal, n: newNode(syncstate.SameIdentity, heads), have: len(c.leader.log), heard: len(c.told)}
	s.n.base, s.n.log = event.SeqNum{}, slices.Clone(c.leader.log)
	s.n.applies = c.w.applies("session")
	r := syncstate.NewRenumber(heads)
	for _, id := range c.journals[journal] {
		if c.has(id) {
			continue
		}
		cm := &commit{id: id}
		s.commits = append(s.commits, cm)
		numbered := r.Next(c.events[id])
		if s.n.applies(numbered) {
			r.Keep()
			s.n.log = append(s.n.log, numbered...)
		} else {
			r.SetAside()
			cm.failed = true
		}
	}
	s.n.heads = r.Heads()
	must(syncstate.Check(s.n.heads, s.n.pending()))
	c.sessions = slices.DeleteFunc(c.sessions, func(o *session) bool { return o.journal == journal })
	c.sessions = append(c.sessions, s)
}

// has says whether the leader knows a commit: in its log or set aside.
func (c *client) has(id event.CommitID) bool {
	return slices.Contains(c.told, id) || slices.ContainsFunc(c.leader.log, func(e event.Client) bool { return e.ID.Commit == id })
}

// wrong ends a world; TestWorlds recovers it.
type wrong struct{ error }

func must(err error) {
	if err != nil {
		panic(&wrong{err})
	}
}

func mustf(ok bool, format string, args ...any) {
	if !ok {
		panic(&wrong{fmt.Errorf(format, args...)})
	}
}

// commit admits a commit of events with these scopes.
func (s *session) commit(scopes []bool) {
	id := event.CommitID{Journal: s.journal, Ordinal: uint64(len(s.c.journals[s.journal]) + 1)}
	events := make([]event.Client, len(scopes))
	for i, clientOnly := range scopes {
		events[i] = event.Client{
			Name: fmt.Sprintf("%s#%d", id, i), Args: jsontext.Value(`{}`), ClientID: s.c.name, SessionID: s.journal,
			ID: event.ID{Commit: id, Index: i},
		}
		if clientOnly {
			events[i].Num.Client = 1
		}
	}
	events, err := s.n.commit(events)
	must(err)
	s.c.journals[s.journal] = append(s.c.journals[s.journal], id)
	s.c.events[id] = events
	s.c.w.admitted[id] = len(events)
	s.commits = append(s.commits, &commit{id: id})
}

// push hands up to n commits to the leader. When the answer is lost, the session does not know and pushes again later.
func (s *session) push(n int, lost bool) {
	if s.fence > 0 || s.sent == len(s.commits) {
		return
	}
	batch := s.commits[s.sent:min(len(s.commits), s.sent+n)]
	taken := s.c.take(s, batch)
	switch {
	case !taken:
		s.c.publish(s, len(s.c.leader.log))
		s.fence = len(s.inbox)
	case !lost:
		s.sent += len(batch)
	}
}

// take is the leader's side of a push: all of the batch, or what comes before the first commit that does not fit.
func (c *client) take(s *session, batch []*commit) bool {
	pending := s.n.pending()
	based := false
	for _, cm := range batch {
		if c.has(cm.id) {
			return false
		}
		if cm.failed {
			c.setAside(c.events[cm.id])
			continue
		}
		i := slices.IndexFunc(pending, func(e event.Client) bool { return e.ID.Commit == cm.id })
		mustf(i >= 0, "%s of %s is not pending", cm.id, s.journal)
		events := pending[i : i+c.w.admitted[cm.id]]
		if !based { // number and identity of the event before it, which must be the leader's last
			log := s.n.log[:len(s.n.log)-len(pending)+i]
			if lastID(log) != lastID(c.leader.log) || len(log) > 0 && log[len(log)-1].Num != c.leader.heads.Local {
				return false
			}
			based = true
		}
		if !c.w.applies("take")(events) {
			c.setAside(events)
			return false
		}
		if err := c.leader.push(events); err != nil {
			return false
		}
		c.changed()
	}
	return true
}

func lastID(log []event.Client) event.ID {
	if len(log) == 0 {
		return event.ID{}
	}
	return log[len(log)-1].ID
}

func (c *client) setAside(events []event.Client) {
	for _, e := range events {
		mustf(!c.aside[e.ID], "%s is set aside twice", e.ID)
		c.aside[e.ID] = true
	}
	if id := events[0].ID.Commit; !slices.Contains(c.told, id) {
		c.told = append(c.told, id)
	}
}

// changed checks what must hold of the leader's log after every change.
func (c *client) changed() {
	seen := map[event.ID]bool{}
	for _, e := range c.leader.log {
		if e.ID.IsZero() {
			continue
		}
		mustf(!seen[e.ID], "%s is in the log twice", e.ID)
		mustf(!c.aside[e.ID], "%s is in the log and set aside", e.ID)
		seen[e.ID] = true
		if id, ok := c.logged[e.Num]; ok {
			mustf(id == e.ID, "number %s is %s now and was %s", e.Num, e.ID, id)
		}
		c.logged[e.Num] = e.ID
	}
}

// publish puts the next events of the leader's log into a session's inbox: at most limit, all of them after a rollback.
func (c *client) publish(s *session, limit int) {
	log := c.leader.log
	up := syncstate.Upstream{}
	end := min(len(log), s.have+limit)
	if s.rolled {
		to := event.SeqNum{}
		if s.have > 0 {
			to = log[s.have-1].Num
		}
		up.RollbackTo, end = &to, len(log)
	}
	up.Events = slices.Clone(log[s.have:end])
	if end == len(log) {
		up.SetAside, up.Generation = slices.Clone(c.told[s.heard:]), c.leader.heads.Generation
		s.heard = len(c.told)
	}
	s.have, s.rolled = end, false
	s.inbox = append(s.inbox, up)
}

// receive merges the next message of the leader.
func (s *session) receive(window int) {
	if len(s.inbox) == 0 {
		return
	}
	up := s.inbox[0]
	s.inbox = s.inbox[1:]
	s.fence = max(0, s.fence-1)
	out, err := s.n.merge(up, window)
	must(err)
	if _, ok := out.result.(syncstate.Rebase); ok {
		s.sent = 0
	}
	for _, failed := range out.failed {
		i := slices.IndexFunc(s.commits, func(cm *commit) bool { return cm.id == failed[0].ID.Commit })
		s.commits[i].failed = true
	}
	done := map[event.CommitID]bool{} // the leader has all of it, or set it aside
	for _, e := range up.Events {
		if e.ID.Index == s.c.w.admitted[e.ID.Commit]-1 {
			done[e.ID.Commit] = true
		}
	}
	for _, id := range up.SetAside {
		done[id] = true
	}
	for n := len(s.commits); n > 0; n-- {
		if done[s.commits[n-1].id] {
			s.commits = slices.Delete(s.commits, n-1, n)
			if n <= s.sent {
				s.sent--
			}
		}
	}
}

// pull merges up to n events of the backend, and may set aside a pending commit that the backend does not have.
func (c *client) pull(n, window int, aside []event.CommitID) {
	from := int(c.leader.heads.Upstream.Global)
	up := syncstate.Upstream{SetAside: aside}
	for _, g := range c.w.backend[from:min(len(c.w.backend), from+n)] {
		up.Events = append(up.Events, g.Client())
	}
	before, old := c.leader.pending(), c.leader.log
	out, err := c.leader.merge(up, window)
	must(err)
	r, ok := out.result.(syncstate.Rebase)
	if ok {
		kept := 0
		if r.RollbackTo != c.leader.base {
			kept = 1 + slices.IndexFunc(old, func(e event.Client) bool { return e.Num == r.RollbackTo })
		}
		for _, s := range c.sessions {
			if s.have > kept {
				s.have, s.rolled = kept, true
			}
		}
		for _, failed := range out.failed {
			c.setAside(failed)
		}
		for _, id := range r.SetAside {
			c.setAside(slices.DeleteFunc(slices.Clone(before[r.Confirmed:]), func(e event.Client) bool { return e.ID.Commit != id }))
		}
	}
	c.changed()
}

// pushBackend sends the backend the first n pending synced events. It takes them as a whole or not at all, and the leader learns
// of it from the next pull alone.
func (c *client) pushBackend(n int) {
	var batch []event.Global
	for _, e := range c.leader.pending() {
		if !e.Num.IsClientOnly() && len(batch) < n {
			batch = append(batch, e.Global())
		}
	}
	if len(batch) == 0 || batch[0].ParentSeqNum != int64(len(c.w.backend)) {
		return
	}
	for i, g := range batch {
		next := int64(len(c.w.backend) + i + 1)
		mustf(g.SeqNum == next && g.ParentSeqNum == next-1, "the backend was sent %d after %d", g.SeqNum, g.ParentSeqNum)
	}
	c.w.backend = append(c.w.backend, batch...)
}

// refusable returns the commits of which a synced event is pending at the leader and the backend has nothing.
func (c *client) refusable() []event.CommitID {
	var ids []event.CommitID
	for _, e := range c.leader.pending() {
		id := e.ID.Commit
		known := slices.ContainsFunc(c.w.backend, func(g event.Global) bool {
			return slices.ContainsFunc(c.events[id], func(e event.Client) bool { return e.Name == g.Name })
		})
		if !e.Num.IsClientOnly() && !known && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// settle lets everything arrive, without failures, until nothing moves any more.
func (w *world) settle() {
	w.rate = 0
	const all = 1 << 30
	for range 20 {
		for _, c := range w.clients {
			for _, s := range c.sessions {
				for range 5 {
					c.publish(s, all)
					for len(s.inbox) > 0 {
						s.receive(all)
					}
					s.push(all, false)
				}
			}
			c.pull(all, all, nil)
			c.pushBackend(all)
			c.pull(all, all, nil)
		}
	}
}

// converged checks what must hold when everything has arrived.
func (w *world) converged() {
	seen := map[string]bool{}
	for _, g := range w.backend {
		mustf(!seen[g.Name], "the backend has %s twice", g.Name)
		seen[g.Name] = true
	}
	for _, c := range w.clients {
		var synced []event.Global
		place := map[event.ID]int{}
		for i, e := range c.leader.log {
			place[e.ID] = i
			if !e.Num.IsClientOnly() {
				synced = append(synced, e.Global())
			} else {
				mustf(!seen[e.Name], "the client-only event %s is at the backend", e.Name)
			}
		}
		mustf(slices.EqualFunc(synced, w.backend, event.Global.Equal), "%s has other synced events than the backend", c.name)
		mustf(len(c.leader.pending()) == 0, "%s has %s pending", c.name, show(c.leader.pending()))
		for _, s := range c.sessions {
			mustf(len(s.commits) == 0, "%s waits for %d commits", s.journal, len(s.commits))
			mustf(slices.EqualFunc(s.n.log, c.leader.log, func(a, b event.Client) bool {
				return a.Num == b.Num && a.Parent == b.Parent && a.ID == b.ID && a.Name == b.Name
			}), "%s has\n%s\nits leader has\n%s", s.journal, show(s.n.log), show(c.leader.log))
			mustf(s.n.heads.Upstream == s.n.heads.Local, "%s has %s", s.journal, s.n.heads)
		}
		for journal, ids := range c.journals {
			last := -1
			for _, id := range ids {
				in, out, atBackend := 0, 0, false
				for i := range w.admitted[id] {
					eid := event.ID{Commit: id, Index: i}
					at, ok := place[eid]
					mustf(ok != c.aside[eid], "%s: in the log %v, set aside %v", eid, ok, c.aside[eid])
					if !ok {
						out++
						continue
					}
					in++
					mustf(at > last, "%s is not in the order of journal %s", eid, journal)
					last = at
					atBackend = atBackend || !c.leader.log[at].Num.IsClientOnly()
				}
				mustf(in == 0 || out == 0 || atBackend, "%s is set aside in part, and the backend has nothing of it", id)
			}
		}
	}
}

// actions are what can happen in a world, for [rapid.T.Repeat].
func (w *world) actions() map[string]func(*rapid.T) {
	pick := func(t *rapid.T) *client { return w.clients[rapid.IntRange(0, len(w.clients)-1).Draw(t, "client")] }
	some := func(t *rapid.T) *session {
		c := pick(t)
		return c.sessions[rapid.IntRange(0, len(c.sessions)-1).Draw(t, "session")]
	}
	count := rapid.IntRange(1, 6)
	return map[string]func(*rapid.T){
		"commit":      func(t *rapid.T) { some(t).commit(rapid.SliceOfN(rapid.Bool(), 1, 4).Draw(t, "clientOnly")) },
		"push":        func(t *rapid.T) { some(t).push(count.Draw(t, "n"), rapid.IntRange(0, 5).Draw(t, "lost") == 5) },
		"publish":     func(t *rapid.T) { s := some(t); s.c.publish(s, count.Draw(t, "n")) },
		"receive":     func(t *rapid.T) { some(t).receive(rapid.IntRange(0, 8).Draw(t, "window")) },
		"pull":        func(t *rapid.T) { pick(t).pull(count.Draw(t, "n"), rapid.IntRange(0, 8).Draw(t, "window"), nil) },
		"pushBackend": func(t *rapid.T) { pick(t).pushBackend(count.Draw(t, "n")) },
		"refuse": func(t *rapid.T) {
			c := pick(t)
			if ids := c.refusable(); len(ids) > 0 && rapid.IntRange(0, 3).Draw(t, "refuse") == 0 {
				c.pull(rapid.IntRange(0, 2).Draw(t, "n"), 8, ids[rapid.IntRange(0, len(ids)-1).Draw(t, "commit"):][:1])
			}
		},
		"restart": func(t *rapid.T) {
			if s := some(t); rapid.IntRange(0, 7).Draw(t, "restart") == 0 {
				s.c.boot(s.journal)
			}
		},
	}
}
