package sim

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/internal/journal/faultfs"
	"github.com/livestore-go/livestore/internal/leader"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/migrate"
	"github.com/livestore-go/livestore/internal/session"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/provider"
)

const (
	storeID  = "sim"
	clientID = "us"
	slots    = 3
)

// world is everything there is in one schedule.
type world struct {
	*book

	store     string // its id
	client    string // its id
	synced    bool   // there is a sync backend
	maxPush   int    // events in a push to it, unless a commit has more
	maxEvents int    // events in a push to it at most, 0 for any
	schema    int    // the app's, an index of schemas

	disk    *disk
	log     *eventlog.Log
	leader  *leader.Machine
	state   func() *sqlite.Conn // of the leader
	backend *backend            // whose events the leader has
	logs    *[]*backend         // all that the server has had, in turn; nil outside a fleet
	up      uplink

	sessions []*sess
	requests []*request // on their way to the leader

	app   *app          // of a client of a fleet
	skew  time.Duration // of its clock
	phase string        // what it is doing now, should it crash
	stood event.SeqNum  // where the leader stood when it crashed
	light bool          // nothing is derived anew to compare with

	ledger
	rules rules
}

// book is where a schedule comes from, and where it is written down.
type book struct {
	seed   uint64
	src    *rand.PCG
	rng    *rand.Rand
	trace  []string
	counts map[string]int
	ids    int // given so far
	ticks  int // time that has passed, in a fleet
	nums   map[string]int
}

func newBook(seed uint64) *book {
	src := rand.NewPCG(seed, 0x5eed)
	return &book{seed: seed, src: src, rng: rand.New(src), counts: map[string]int{}}
}

// draw lets what is drawn from here on depend on the seed and a number, and not on what was drawn before.
func (b *book) draw(n uint64) { b.src.Seed(b.seed, n) }

func (b *book) tracef(format string, args ...any) {
	b.trace = append(b.trace, fmt.Sprintf(format, args...))
}

func (b *book) hash() uint64 {
	h := fnv.New64a()
	for _, l := range b.trace {
		fmt.Fprintln(h, l)
	}
	return h.Sum64()
}

func (b *book) count(what string) { b.counts[what]++ }

// nth counts things of a kind.
func (b *book) nth(kind string) int {
	if b.nums == nil {
		b.nums = map[string]int{}
	}
	b.nums[kind]++
	return b.nums[kind]
}

func (b *book) newID(kind string) string {
	b.ids++
	return fmt.Sprintf("%s%d", kind, b.ids)
}

// sess is one incarnation of a session.
type sess struct {
	slot    int
	id      string
	m       *session.Machine
	journal *queue
	gone    bool   // crashed or closed
	lost    bool   // it has to boot anew
	boots   int    // how often it did
	looks   int    // how often it was looked at
	fence   uint64 // nothing may be pushed before this has been pulled

	pushing, pulling, booting *request // under way
	inbox                     []link.Publish

	live *live // in a fleet
}

// request is a message to the leader, and then the answer to it. Both are as they are on the wire.
type request struct {
	kind   string
	from   *sess
	bytes  []byte
	answer []byte // nil as long as there is none
	err    error  // the leader's
	done   bool   // the session does not wait for it any more
}

// queue is the journal of a session. A crash leaves the file as it is.
type queue struct {
	session.Journal
	dead bool
}

// counter is the journal of a session in memory: it only gives identities.
type counter struct {
	id   string
	last uint64
}

// Next implements [session.Journal].
func (c *counter) Next() event.CommitID { return event.CommitID{Journal: c.id, Ordinal: c.last + 1} }

// Append implements [session.Journal].
func (c *counter) Append(r journal.Record) error { c.last = r.Ordinal; return nil }

// Taken implements [session.Journal].
func (*counter) Taken(event.CommitID) {}

// Close implements [session.Journal].
func (*counter) Close() error { return nil }

func (q *queue) Close() error {
	if q.dead {
		return nil
	}
	return q.Journal.Close()
}

func newWorld(seed uint64) (*world, error) {
	w := &world{book: newBook(seed), store: storeID, client: clientID, sessions: make([]*sess, slots), ledger: newLedger()}
	w.synced = w.rng.IntN(5) > 0
	w.maxPush = []int{1, 2, 3, 50}[w.rng.IntN(4)]
	w.schema = w.rng.IntN(2)
	files := faultfs.New()
	if w.rng.IntN(8) > 0 {
		empty, err := empty(w.store, w.client, w.schema, slots)
		if err != nil {
			return nil, err
		}
		files = empty.Kill()
	}
	var err error
	w.disk = newDisk(files)
	if w.backend, err = newBackend(first); err != nil {
		return nil, err
	}
	w.tracef("synced %t, %d events a push, schema %d", w.synced, w.maxPush, w.schema)
	if err := w.boot(); err != nil {
		return w, err
	}
	return w, nil
}

// empties are the files of stores without events, by store, client, schema and sessions. To make them takes as long as all the rest of a
// schedule.
var empties sync.Map

func empty(store, client string, schema, sessions int) (*faultfs.FS, error) {
	made, _ := empties.LoadOrStore(fmt.Sprint(store, client, schema, sessions), sync.OnceValues(func() (*faultfs.FS, error) {
		files := faultfs.New()
		w := &world{
			book: newBook(0), store: store, client: client, schema: schema, disk: newDisk(files), sessions: make([]*sess, sessions),
			ledger: newLedger(),
		}
		err := w.boot()
		for _, s := range w.sessions {
			err = errors.Join(err, w.end(s, false))
		}
		err = errors.Join(err, w.leader.Close())
		w.disk.Close()
		return files, err
	}))
	return made.(func() (*faultfs.FS, error))()
}

// boot starts the process: log, state, what journals hold, and the sessions.
func (w *world) boot() error {
	w.phase = "boot"
	log, err := eventlog.Open("eventlog.db", &eventlog.Options{
		StoreID: w.store, VFS: w.disk.Name(), Memory: w.inMemory(), NewClientID: w.who,
	})
	if err != nil {
		return err
	}
	w.log = log
	if head, _ := log.Head(); w.app != nil && w.stood != (event.SeqNum{}) && head != w.stood {
		w.count("crash point: between append and publish")
	}
	w.stood = event.SeqNum{}
	logger := slog.New(handler{w})
	derive := w.derive(log, logger)
	engine, err := derive(event.SeqNum{}, true)
	if err != nil {
		return errors.Join(err, log.Close())
	}
	w.state = engine.Conn
	if head, _ := log.Head(); engine.Head().Num != head {
		w.count("boot: a pending commit that no longer applies")
	}
	rebuild := func(upTo event.SeqNum) (*materialize.Engine, error) {
		w.count("leader: rebuild in a rebase")
		engine, err := derive(upTo, false)
		if err == nil {
			w.state = engine.Conn
		}
		return engine, err
	}
	cfg := leader.Config{
		StoreID: w.store, Log: log, State: engine, Synced: w.synced, MaxPush: w.maxPush,
		Limits: provider.Limits{Events: w.maxEvents}, NewID: func() string { return w.newID("s") },
		Logger: logger, Rebuild: rebuild,
	}
	if w.app != nil {
		cfg.Limits.Bytes, cfg.Now = w.app.maxBytes, w.clock
	}
	before := log.Meta().Upstream
	w.leader, err = leader.NewMachine(cfg)
	if err != nil {
		return err
	}
	if w.leader.Heads().Upstream != before {
		w.count("boot: what waited for a newer version of the app applies")
		if err := w.callbacks(before); err != nil {
			return errors.Join(err, w.leader.Close())
		}
	}
	if !w.inMemory() {
		w.phase = "adoption"
		if err := w.adopt(); err != nil {
			return errors.Join(err, w.leader.Close())
		}
		w.phase = "boot"
	}
	w.up = uplink{}
	if err := w.booted(); err != nil {
		return err
	}
	for slot := range w.sessions {
		if err := w.open(slot); err != nil {
			return err
		}
	}
	w.phase = ""
	return nil
}

// derive returns how the state of a log is made: as it is when the process starts, or anew up to a position.
func (w *world) derive(log *eventlog.Log, logger *slog.Logger) func(upTo event.SeqNum, booting bool) (*materialize.Engine, error) {
	files := &migrate.State{FS: w.disk, VFS: w.disk.Name(), Log: log, Schema: w.now(), Synced: w.synced, Logger: logger, Segment: 40}
	return func(upTo event.SeqNum, booting bool) (*materialize.Engine, error) {
		if w.app != nil {
			w.app.deaf = true
			defer func() { w.app.deaf = false }()
		}
		switch {
		case w.inMemory():
			return migrate.Memory(log, files.Schema, upTo)
		case booting:
			return files.Open(context.Background())
		}
		return files.Rebuild(upTo)
	}
}

// adopt does what an adapter does with the journals it finds.
func (w *world) adopt() error {
	names, err := journal.List(w.disk)
	if err != nil {
		return err
	}
	type left struct {
		name    string
		header  journal.Header
		records []journal.Record
	}
	var all []left
	for _, name := range names {
		h, records, err := journal.Read(w.disk, name)
		if err != nil {
			return err
		}
		l := left{name: name, header: h}
		for r, err := range records {
			if err != nil {
				return err
			}
			l.records = append(l.records, r)
		}
		all = append(all, l)
	}
	slices.SortStableFunc(all, func(a, b left) int { return a.header.Created.Compare(b.header.Created) })
	for _, l := range all {
		for part := range slices.Chunk(l.records, 2) {
			w.count("boot: adopt commits")
			if err := w.leader.Adopt(l.header, part); err != nil {
				return err
			}
		}
		if err := w.disk.Remove(l.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := w.disk.SyncDir(); err != nil {
			return err
		}
		if err := w.leader.Forget(l.header.Journal); err != nil {
			return err
		}
	}
	return nil
}

// epoch is when the first journal is made; in a world of its own each is a second younger than the one before.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// made is when a journal is made that gets its name now.
func (w *world) made() time.Time {
	if w.app == nil {
		return epoch.Add(time.Duration(w.ids) * time.Second)
	}
	return w.clock()
}

// open starts an incarnation of a session.
func (w *world) open(slot int) error {
	id, err := w.leader.SessionID(slot)
	if err != nil {
		return err
	}
	name := w.newID("j")
	s := &sess{slot: slot, id: id, journal: &queue{Journal: &counter{id: name}}}
	if !w.inMemory() {
		h := journal.Header{Journal: name, ClientID: w.who(), SessionID: id, StoreID: w.store, Created: w.made()}
		if s.journal.Journal, err = journal.NewQueue(w.disk, h); err != nil {
			return err
		}
	}
	cfg := session.Config{
		Request:  session.Request{StoreID: w.store, Schema: w.now(), MaxPending: 200, Logger: slog.New(handler{w})},
		ClientID: w.who(), SessionID: id, Journal: s.journal, Durable: !w.inMemory(), Synced: w.synced,
	}
	if w.app != nil {
		cfg.MaxPending, cfg.MaxEvent = 1000, w.app.maxEvent
		if w.app.refuses {
			cfg.WhenHalted = session.RefuseCommits
		}
	}
	s.m = session.NewMachine(cfg)
	if w.app != nil && w.app.watches {
		s.live = newLive(s.m)
	}
	w.sessions[slot] = s
	b, err := link.Encode(s.m.BootRequest())
	if err != nil {
		return err
	}
	r := &request{kind: "boot", from: s, bytes: b}
	w.serve(r)
	if r.err != nil {
		return r.err
	}
	return w.answer(r)
}

// end takes a session away: orderly, or in the middle of whatever it does.
func (w *world) end(s *sess, crash bool) error {
	s.gone, s.journal.dead = true, crash
	for _, r := range w.requests {
		if r.from == s {
			r.done = true
		}
	}
	receipts := w.forget(s)
	return errors.Join(s.unwatch(), s.m.Close(), w.closed(receipts))
}

// handler counts what is logged.
type handler struct{ w *world }

func (h handler) line(msg string) {
	h.w.count("log: " + strings.TrimSpace(msg))
	h.w.tracef("log: %s", msg)
	if h.w.app != nil && h.w.disk.failed() && strings.HasPrefix(msg, "state did not follow") {
		h.w.count("crash point: between log and state")
	}
}
