package crashtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/client"
	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/internal/leader"
	"github.com/livestore-go/livestore/internal/link"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/session"
	"github.com/livestore-go/livestore/internal/sqlite/crashvfs"
)

// world is one client with its leader, its sessions and a backend, without a goroutine: the machines are driven step by step, so
// that a seed gives the same operations on the same files each time.
type world struct {
	disk    *crashvfs.FS       // the files lie on; nil for those of the operating system
	op      int                // of the disk at which the power goes, 0 for never
	arm     func(*crashvfs.FS) // prepares each disk that is mounted; may be nil
	files   client.Files
	schema  int
	r       *rand.Rand
	backend *backend
	say     func(what string, l label) // told of each commit that returned or came further; may be nil

	leader   *leader.Machine // nil when the client is not running
	clientID string
	sessions []*member
	ids      int // of journals in this turn

	commits []*tracked // all that were tried and may be there
	turn    int
}

// member is a session.
type member struct {
	id   int // of its journal; one that is closed and opened again is another
	slot int
	n    int // commits tried
	m    *session.Machine
}

// tracked is a commit and what is known of it.
type tracked struct {
	label     label
	receipt   *session.Commit
	stage     session.Stage // how far it has come for certain; 0 when Commit returned an error
	recovered bool          // found after a crash: it is in the log now
}

func newWorld(files client.Files, seed uint64) *world {
	return &world{files: files, r: rand.New(rand.NewPCG(seed, 0)), backend: &backend{}}
}

// newDiskWorld returns a world whose files can lose power.
func newDiskWorld(seed uint64) *world {
	w := newWorld(client.Files{}, seed)
	w.mount(crashvfs.New())
	return w
}

// mount puts a disk in the place of the one before.
func (w *world) mount(disk *crashvfs.FS) {
	if w.disk != nil {
		w.disk.Close()
	}
	w.disk = disk
	w.files = client.Files{FS: disk, VFS: disk.Name(), Synced: true}
	if w.arm != nil {
		w.arm(disk)
	}
}

func (w *world) request() session.Request {
	return session.Request{StoreID: storeID, Schema: schemaAt(w.schema), MaxPending: 100_000, Logger: quiet}
}

// boot starts the client, with no session.
func (w *world) boot() error {
	m, id, err := w.files.Boot(context.Background(), w.request(), func() string { return "own" })
	if err != nil {
		return err
	}
	w.leader, w.clientID = m, id
	return nil
}

// end lets the client go as a crash does: nothing is flushed. The connections are closed, which on files that have lost power
// does nothing but free memory.
func (w *world) end() {
	for _, s := range w.sessions {
		_ = s.m.Close()
	}
	if w.leader != nil {
		_ = w.leader.Close()
	}
	w.sessions, w.leader = nil, nil
}

// open opens one more session.
func (w *world) open() error {
	slot := 0
	for _, s := range w.sessions {
		if s.slot >= slot {
			slot = s.slot + 1
		}
	}
	id, err := w.leader.SessionID(slot)
	if err != nil {
		return err
	}
	w.ids++
	j, err := journal.NewQueue(w.files.FS, journal.Header{
		Journal: fmt.Sprintf("journal-%04d-%04d", w.turn, w.ids), ClientID: w.clientID, SessionID: id, StoreID: storeID,
		Created: time.Unix(int64(w.turn)*1000+int64(w.ids), 0),
	})
	if err != nil {
		return err
	}
	m := session.NewMachine(session.Config{
		Request: w.request(), ClientID: w.clientID, SessionID: id, Journal: j, Durable: true, Synced: true,
	})
	if err := w.snapshot(m); err != nil {
		return errors.Join(err, j.Close())
	}
	w.sessions = append(w.sessions, &member{id: w.ids, slot: slot, m: m})
	return nil
}

func (w *world) snapshot(m *session.Machine) error {
	snap, err := w.leader.Boot(m.BootRequest())
	if err != nil {
		return err
	}
	return m.Booted(snap)
}

// commit commits in a session. An error that is not that of a claim is returned.
func (w *world) commit(s *member, events int, claim bool) error {
	l := label{run: w.turn, session: s.id, commit: s.n, events: events, claim: claim}
	s.n++
	w.tell("trying", l)
	c, err := s.m.Commit(l.drafts(), event.CommitID{})
	if errors.Is(err, errTaken) {
		return nil
	}
	tr := &tracked{label: l, receipt: c}
	w.commits = append(w.commits, tr)
	if err != nil {
		return err
	}
	tr.stage = session.Committed
	w.tell("committed", l)
	return nil
}

func (w *world) tell(what string, l label) {
	if w.say != nil {
		w.say(what, l)
	}
}

// note brings what is known of commits up to date.
func (w *world) note() {
	for _, c := range w.commits {
		if c.receipt == nil {
			continue
		}
		if now := c.receipt.Stage(); now > c.stage {
			c.stage = now
			w.tell(now.String(), c.label)
		}
	}
}

// push hands the commits of one session to the leader, or of all in one transaction.
func (w *world) push(all bool) error {
	var reqs []link.PushRequest
	var from []*member
	for i := range w.sessions {
		s := w.sessions[i]
		if !all {
			s = w.sessions[w.r.IntN(len(w.sessions))]
		}
		if req, ok := s.m.NextPush(); ok {
			reqs, from = append(reqs, req), append(from, s)
		}
		if !all {
			break
		}
	}
	if len(reqs) == 0 {
		return nil
	}
	var errs error
	for i, res := range w.leader.Push(reqs) {
		from[i].m.Pushed(res.Reply, res.Err)
		errs = errors.Join(errs, res.Err)
		if from[i].m.Lost() != nil {
			errs = errors.Join(errs, w.snapshot(from[i].m))
		}
	}
	return errs
}

// pull brings a session up to what the leader has published.
func (w *world) pull(s *member) error {
	for {
		reply := w.leader.Published(s.m.PullRequest())
		if reply.Lost {
			return w.snapshot(s.m)
		}
		if len(reply.Published) == 0 {
			return nil
		}
		for _, p := range reply.Published {
			err := s.m.Pulled(p)
			if errors.Is(err, materialize.ErrUndoMissing) { // it goes further back than entries are kept
				return w.snapshot(s.m)
			}
			if err != nil {
				return errors.Join(fmt.Errorf("session can not follow: %w", err), w.snapshot(s.m))
			}
		}
	}
}

// upload pushes the next events to the backend. The answer may get lost on the way.
func (w *world) upload() error {
	_, batch, err := w.leader.NextBackendPush()
	if err != nil || len(batch) == 0 {
		return err
	}
	err = w.backend.push(batch)
	if w.r.IntN(6) == 0 {
		err = errHung
	}
	w.leader.BackendPushed(batch, err)
	return nil
}

// download pulls up to n events that are new from the backend, all when n is 0.
func (w *world) download(n int) error {
	after := w.leader.Cursor().After
	events := w.backend.log[after:]
	if n > 0 {
		events = events[:min(len(events), n+1)]
	}
	return w.leader.BackendPulled(backendID, after, events, len(events) == len(w.backend.log[after:]))
}

// settle goes on until every commit is confirmed, or as far as one can come.
func (w *world) settle() error {
	for range 1000 {
		for i := range len(w.sessions) {
			if err := w.pull(w.sessions[i]); err != nil {
				return err
			}
		}
		if err := w.push(true); err != nil {
			return err
		}
		if err := w.upload(); err != nil {
			return err
		}
		if err := w.download(0); err != nil {
			return err
		}
		w.note()
		if w.settled() {
			return nil
		}
	}
	return fmt.Errorf("the client does not settle: %+v, halted by %v", w.leader.Heads(), w.leader.Halted())
}

func (w *world) settled() bool {
	for _, s := range w.sessions {
		if !s.m.Idle() || len(w.leader.Published(s.m.PullRequest()).Published) > 0 {
			return false
		}
	}
	h := w.leader.Heads()
	return h.Upstream == h.Local || h.Upstream.Global == h.Local.Global && h.Upstream.Global == int64(len(w.backend.log))
}
