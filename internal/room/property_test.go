package room

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/wire"
)

// TestClientsInAnyOrder lets clients do anything in any order, on a log that fails, and holds what they are sent against a model of
// the protocol.
func TestClientsInAnyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(t, rt)
		for range rapid.IntRange(1, 120).Draw(rt, "steps") {
			m.step()
		}
		m.quiet()
	})
}

// maxClients is how many clients there are at a time.
const maxClients = 4

// request is one that has no exit yet.
type request struct {
	id   wire.ID
	pull bool

	// of a pull
	live, free bool
	paging     bool
	at         int64
	gate       int
	empty      bool // has been sent something

	// of a push
	batch []event.Global
}

// client is what the model knows of a connection.
type client struct {
	name    string
	open    []*request
	waiting []*request
	flight  []int // bytes of chunks under way, -1 for answers
	never   bool  // reads nothing
	rude    bool  // sends though the room is full
}

func (c *client) find(id wire.ID) *request {
	for _, r := range c.open {
		if r.id == id {
			return r
		}
	}
	return nil
}

func (c *client) bytes() (chunks, replies int) {
	for _, n := range c.flight {
		if n < 0 {
			replies++
		} else {
			chunks += n
		}
	}
	return chunks, replies
}

type model struct {
	t       *testing.T
	rt      *rapid.T
	log     *memoryLog
	room    *Room
	limits  Limits
	clients map[string]*client
	names   int
	ids     uint64
	pushes  int
	stored  map[string]string // mark of a push → "yes", "no" or "unknown"
	sizes   map[string]int
	largest int
	pushing *request // whose Receive is running
	caught  map[*request]int64
}

func newModel(t *testing.T, rt *rapid.T) *model {
	m := &model{t: t, rt: rt, clients: map[string]*client{}, stored: map[string]string{}, sizes: map[string]int{}}
	m.log = &memoryLog{most: rapid.IntRange(1, 4).Draw(rt, "most")}
	m.log.grow(rapid.IntRange(0, 12).Draw(rt, "events"), 0)
	m.limits = Limits{Window: rapid.SampledFrom([]int{1, 700, 5000}).Draw(rt, "window"), Replies: 4, Pulls: 3, PushEvents: 6, CacheBytes: rapid.SampledFrom([]int{1, 3000}).Draw(rt, "cache")}
	m.room = New(Config{StoreID: "shop", Log: m.log, Limits: m.limits})
	return m
}

func (m *model) failf(format string, args ...any) { m.t.Helper(); m.rt.Fatalf(format, args...) }

func (m *model) draw(most int, what string) int { return rapid.IntRange(0, most).Draw(m.rt, what) }

func (m *model) step() {
	ctx := context.Background()
	names := slices.Sorted(maps.Keys(m.clients))
	what := rapid.SampledFrom([]string{
		"join", "pull", "pull", "push", "push", "push", "ack", "ack", "ack", "interrupt", "drain", "drain", "drain", "pump", "pump", "pump",
		"leave", "ping", "refuse", "fault", "heal", "elsewhere", "wake",
	}).Draw(m.rt, "step")
	switch what {
	case "join":
		if len(m.clients) >= maxClients {
			return
		}
		m.names++
		c := &client{name: fmt.Sprintf("c%d", m.names), never: m.draw(4, "never") == 0, rude: m.draw(3, "rude") == 0}
		m.clients[c.name] = c
		m.room.Join(c.name)
	case "pump":
		m.room.Pump(ctx)
	case "fault":
		switch rapid.SampledFrom([]string{"nothing", "stored", "head", "read"}).Draw(m.rt, "fault") {
		case "head":
			m.log.failHead = true
		case "read":
			m.log.failRead = true
		case "nothing":
			m.log.failAppend = "nothing"
		case "stored":
			m.log.failAppend = "stored"
		}
	case "heal":
		m.log.failAppend, m.log.failHead, m.log.failRead = "", false, false
	case "elsewhere":
		if m.draw(2, "elsewhere") == 0 {
			m.log.grow(1+m.draw(3, "n"), 0)
		}
	case "wake":
		m.room.Wake(ctx)
	default:
		if len(names) == 0 {
			return
		}
		c := m.clients[rapid.SampledFrom(names).Draw(m.rt, "client")]
		if m.room.Full(c.name) && !c.rude && what != "leave" && what != "drain" {
			return
		}
		m.client(ctx, c, what)
	}
	m.effects()
}

func (m *model) client(ctx context.Context, c *client, what string) {
	now := time.Unix(1e9, 0)
	switch what {
	case "leave":
		if m.draw(2, "leaves") == 0 {
			delete(m.clients, c.name)
			m.room.Leave(c.name)
		}
	case "drain":
		if !c.never {
			m.drain(c, m.draw(3, "messages"))
		}
	case "ping":
		m.room.Receive(ctx, c.name, wire.Ping{}, now)
	case "refuse":
		id := m.id(c)
		busy := c.find(id) != nil
		if !busy {
			c.open = append(c.open, &request{id: id})
		}
		m.room.Refuse(c.name, id, errDisk)
		m.closes(c, busy)
	case "ack":
		id := m.anyID(c)
		if r := c.find(id); r != nil && r.pull && r.paging {
			r.gate = min(r.gate+1, maxAhead)
		}
		m.room.Receive(ctx, c.name, &wire.Ack{ID: id}, now)
	case "interrupt":
		id := m.anyID(c)
		running := c.find(id) != nil
		m.room.Receive(ctx, c.name, &wire.Interrupt{ID: id}, now)
		if running && m.clients[c.name] != nil && !slices.ContainsFunc(m.room.effects, func(e Effect) bool {
			exit, ok := e.Message.(*wire.Exit)
			return ok && e.Conn == c.name && exit.ID == id && len(exit.Failure) == 1 && exit.Failure[0].Kind == wire.Interrupted
		}) {
			m.failf("%s interrupted %s and has no answer", c.name, id)
		}
	case "pull":
		m.pull(ctx, c)
	case "push":
		m.push(ctx, c)
	}
}

// id is a new id, of one dialect or the other, and now and then one that is in use.
func (m *model) id(c *client) wire.ID {
	if len(c.open) > 0 && m.draw(9, "same id") == 0 {
		return rapid.SampledFrom(c.open).Draw(m.rt, "id").id
	}
	m.ids++
	if m.ids%2 == 0 {
		return wire.NumberID(m.ids)
	}
	return wire.StringID(fmt.Sprint(m.ids))
}

// anyID is an id that is in use, or not any more.
func (m *model) anyID(c *client) wire.ID {
	if len(c.open) > 0 && m.draw(9, "unknown id") > 0 {
		return rapid.SampledFrom(c.open).Draw(m.rt, "id").id
	}
	return wire.StringID(fmt.Sprint(m.draw(int(m.ids), "id")))
}

func (m *model) pull(ctx context.Context, c *client) {
	p := &wire.Pull{ID: m.id(c), StoreID: "shop", Live: m.draw(2, "live") > 0, HTTP: m.draw(5, "http") == 0}
	r := &request{id: p.ID, pull: true, live: p.Live && !p.HTTP, free: p.HTTP, paging: true, gate: 1}
	if m.draw(3, "cursor") > 0 {
		r.at = int64(m.draw(len(m.log.events)+2, "after"))
		p.Cursor = &wire.Cursor{BackendID: testBackend, After: r.at}
	}
	pulls := len(c.waiting)
	for _, r := range c.open {
		if r.pull {
			pulls++
		}
	}
	busy := c.find(p.ID) != nil
	switch {
	case busy && pulls >= m.limits.Pulls:
	case busy:
		c.waiting = append(c.waiting, r)
	default:
		c.open = append(c.open, r)
	}
	m.room.Receive(ctx, c.name, p, time.Unix(1e9, 0))
	m.closes(c, busy && pulls >= m.limits.Pulls)
}

func (m *model) push(ctx context.Context, c *client) {
	head := int64(len(m.log.events))
	m.pushes++
	mark := fmt.Sprintf(`"push %d"`, m.pushes)
	parent := head
	kind := rapid.SampledFrom([]string{"good", "good", "good", "good", "behind", "ahead", "gap", "unnamed", "other", "long", "large"}).Draw(m.rt, "kind")
	n := 1 + m.draw(m.limits.PushEvents-1, "events")
	switch kind {
	case "behind":
		parent = max(0, head-int64(1+m.draw(3, "behind")))
	case "ahead":
		parent += int64(1 + m.draw(3, "ahead"))
	case "long":
		n = m.limits.PushEvents + 1
	}
	p := &wire.Push{ID: m.id(c), StoreID: "shop"}
	for i := range n {
		e := numbered(parent+int64(i)+1, 0)
		e.Args = []byte(mark)
		p.Batch = append(p.Batch, e)
	}
	last := &p.Batch[n-1]
	switch kind {
	case "gap":
		last.SeqNum++
	case "unnamed":
		last.ClientID = ""
	case "other":
		p.BackendID = "other"
	case "large":
		last.Args = fmt.Appendf(nil, `"%*d"`, wire.MaxBytes, 1)
	}
	r := &request{id: p.ID, batch: p.Batch}
	busy := c.find(p.ID) != nil
	if !busy {
		c.open = append(c.open, r)
	}
	m.sizes[mark] = n
	fault := m.log.failAppend

	// What the live pulls must have been given when the answer is: those that stand at the parent.
	m.pushing, m.caught = r, map[*request]int64{}
	for _, c := range m.clients {
		for _, q := range c.open {
			if q.pull && q.live && !q.paging && q.at == parent {
				m.caught[q] = p.Batch[n-1].SeqNum
			}
		}
	}
	m.room.Receive(ctx, c.name, p, time.Unix(1e9, 0))
	grew := int64(len(m.log.events)) > head
	switch {
	case busy:
		m.stored[mark] = "no"
	case grew && fault == "" && !m.room.Stale():
		m.stored[mark] = "yes"
	case fault != "":
		m.stored[mark] = "unknown"
	default:
		m.stored[mark] = "no"
	}
	if grew && kind != "good" && (kind != "behind" || parent != head) {
		m.failf("a push that is %s was stored", kind)
	}
	m.closes(c, busy)
	m.effects()
	m.pushing = nil
	if grew && fault == "" {
		for _, c := range m.clients {
			chunks, _ := c.bytes()
			for _, q := range c.open {
				if want, ok := m.caught[q]; ok && q.at < want && chunks < m.limits.Window {
					m.failf("%s is at %d after a push up to %d, with %d bytes under way", c.name, q.at, want, chunks)
				}
			}
		}
	}
}

// closes checks that the room closes a connection, if it should.
func (m *model) closes(c *client, want bool) {
	if want && !slices.ContainsFunc(m.room.effects, func(e Effect) bool { return e.Conn == c.name && e.Close != nil }) {
		m.failf("%s used an id twice and is not closed", c.name)
	}
}

func (m *model) drain(c *client, n int) {
	n = min(n, len(c.flight))
	c.flight = c.flight[n:]
	m.room.Drained(c.name, n)
}

// effects holds what the room does against the model.
func (m *model) effects() {
	for _, e := range m.room.Effects() {
		c := m.clients[e.Conn.(string)]
		if c == nil {
			m.failf("an effect for %v, which has left: %s", e.Conn, showEffect(m.t, &e))
		}
		if e.Close != nil {
			delete(m.clients, c.name)
			continue
		}
		switch message := e.Message.(type) {
		case *wire.Chunk:
			m.chunk(c, message)
			c.flight = append(c.flight, len(e.item.json))
			m.largest = max(m.largest, len(e.item.json))
		case *wire.Exit:
			m.exit(c, message)
			c.flight = append(c.flight, -1)
		default:
			c.flight = append(c.flight, -1)
		}
	}
	m.bounded()
}

// chunk checks that a pull gets what follows what it has, and when it may.
func (m *model) chunk(c *client, chunk *wire.Chunk) {
	r := c.find(chunk.ID)
	if r == nil || !r.pull {
		m.failf("%s got a chunk of %s, which is no pull that runs", c.name, chunk.ID)
	}
	item := chunk.Items[0]
	if n := len(item.Events); n == 0 && (r.empty || r.at < m.room.head) {
		m.failf("%s got an empty chunk of %s at %d", c.name, r.id, r.at)
	}
	for _, e := range item.Events {
		if e.SeqNum != r.at+1 || e.ParentSeqNum != r.at {
			m.failf("%s is at %d and got event %d of %s", c.name, r.at, e.SeqNum, r.id)
		}
		if r.at >= int64(len(m.log.events)) || !e.Equal(m.log.events[r.at].Global) {
			m.failf("%s got event %d, which is not the one in the log", c.name, e.SeqNum)
		}
		r.at++
	}
	if item.Page.Kind == wire.MoreKnown && r.at+int64(item.Page.Remaining) > int64(len(m.log.events)) {
		m.failf("%s at %d is promised %d more, and the log has %d", c.name, r.at, item.Page.Remaining, len(m.log.events))
	}
	r.empty = true
	if r.paging {
		if !r.free && r.gate == 0 {
			m.failf("%s got a page of %s that it did not ask for", c.name, r.id)
		}
		r.gate--
		r.paging = item.Page.Kind == wire.MoreKnown
	} else if !r.live {
		m.failf("%s got more of %s, which is not live", c.name, r.id)
	}
}

func (m *model) exit(c *client, exit *wire.Exit) {
	r := c.find(exit.ID)
	if r == nil {
		m.failf("%s got an exit of %s, which does not run", c.name, exit.ID)
	}
	c.open = slices.DeleteFunc(c.open, func(q *request) bool { return q == r })
	if i := slices.IndexFunc(c.waiting, func(q *request) bool { return q.id == r.id }); i >= 0 {
		c.open = append(c.open, c.waiting[i])
		c.waiting = slices.Delete(c.waiting, i, i+1)
	}
	if len(exit.Failure) > 0 {
		return
	}
	if r.pull {
		if r.live || r.paging || r.at < int64(0) {
			m.failf("%s: pull %s ended by itself at %d", c.name, r.id, r.at)
		}
		return
	}
	last := r.batch[len(r.batch)-1].SeqNum
	for _, e := range r.batch {
		if e.SeqNum > int64(len(m.log.events)) || !m.log.events[e.SeqNum-1].Equal(e) {
			m.failf("%s: push %s was accepted and event %d is not in the log", c.name, r.id, e.SeqNum)
		}
	}
	for _, q := range c.open {
		if q.pull && q.live && q.at < last && (!q.paging || q.gate > 0) && q.empty {
			m.failf("%s: push %s was accepted before %s had its events", c.name, r.id, q.id)
		}
	}
}

// bounded checks that nothing grows with what is not read.
func (m *model) bounded() {
	for _, c := range m.clients {
		chunks, replies := c.bytes()
		if chunks >= m.limits.Window+max(m.largest, 1) {
			m.failf("%d bytes are under way to %s", chunks, c.name)
		}
		if replies > 2*m.limits.Replies {
			m.failf("%d answers are under way to %s", replies, c.name)
		}
		rc := m.room.conns[c.name]
		if rc.bytes != chunks || rc.replies != replies {
			m.failf("the room counts %d bytes and %d answers of %s, which are %d and %d", rc.bytes, rc.replies, c.name, chunks, replies)
		}
		if len(rc.pulls)+len(rc.waiting) > m.limits.Pulls || len(rc.held) > 2*m.limits.Replies || rc.ready.len() > m.limits.Pulls*4 {
			m.failf("%s has %d pulls, %d that wait, %d answers held, %d in line", c.name, len(rc.pulls), len(rc.waiting), len(rc.held), rc.ready.len())
		}
	}
	if m.room.cache.bytes > m.limits.CacheBytes || len(m.room.cache.after) > m.room.cache.order.len() {
		m.failf("the cache has %d bytes", m.room.cache.bytes)
	}
	if len(m.room.order) > 2*maxClients+1 {
		m.failf("%d connections are kept, of which %d are there", len(m.room.order), len(m.clients))
	}
}

// quiet lets everything come to an end: all that is asked for is answered, and every live pull is at the head.
func (m *model) quiet() {
	ctx := context.Background()
	m.log.failAppend, m.log.failHead, m.log.failRead = "", false, false
	m.room.Wake(ctx)
	for idle := false; !idle; {
		idle = !m.room.Pump(ctx)
		m.effects()
		for _, name := range slices.Sorted(maps.Keys(m.clients)) {
			c := m.clients[name]
			if len(c.flight) > 0 {
				m.drain(c, len(c.flight))
				idle = false
			}
			for _, r := range slices.Clone(c.open) {
				if r.pull && r.paging && r.gate <= 0 && !r.free {
					r.gate = 1
					m.room.Receive(ctx, c.name, &wire.Ack{ID: r.id}, time.Time{})
					idle = false
				}
			}
			m.effects()
		}
	}
	for i, e := range m.log.events {
		if e.SeqNum != int64(i)+1 || e.ParentSeqNum != int64(i) {
			m.failf("event %d of the log has number %d and parent %d", i+1, e.SeqNum, e.ParentSeqNum)
		}
	}
	for _, c := range m.clients {
		for _, r := range c.open {
			if !r.pull || !r.live || r.at < int64(len(m.log.events)) {
				m.failf("%s: request %s (pull %v, live %v) is at %d of %d and got no answer", c.name, r.id, r.pull, r.live, r.at, len(m.log.events))
			}
		}
	}
	count := map[string]int{}
	for _, e := range m.log.events {
		count[string(e.Args)]++
	}
	for mark, stored := range m.stored {
		switch n := count[mark]; {
		case n != 0 && n != m.sizes[mark], stored == "no" && n > 0, stored == "yes" && n == 0:
			m.failf("%s has %d events of %d in the log, and stored is %s", mark, n, m.sizes[mark], stored)
		}
	}
}
