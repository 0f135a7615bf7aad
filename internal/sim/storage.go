package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/livestore-go/livestore/internal/journal/faultfs"
	"github.com/livestore-go/livestore/internal/room"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/internal/storedir"
	service "github.com/livestore-go/livestore/server"
	"github.com/livestore-go/livestore/server/sqlitestore"
)

// drawer is the storage of a server for real: package sqlitestore on a disk that loses power. What it has taken must be there whenever
// the server starts again.
type drawer struct {
	disk  *disk
	logs  service.Storage
	log   service.Log  // nil while the server is down
	doubt []room.Event // an append that failed: it is not known whether it was made
	once  int          // operations of the disk until one of them fails, 0 for none
}

// newDrawer makes a storage that holds a log.
func newDrawer(store string, b *backend, created []string) (*drawer, error) {
	d := &drawer{disk: newDisk(faultfs.New())}
	if err := d.open(store, b.id); err != nil {
		return d, err
	}
	var batch []room.Event
	for i := range b.events {
		batch = append(batch, room.Event{Global: b.events[i], CreatedAt: created[i]})
	}
	return d, d.log.Append(context.Background(), 0, batch)
}

// open starts the storage. A new log has the id.
func (d *drawer) open(store, id string) error {
	d.logs = storedir.Open(storedir.Dir{Files: d.disk, VFS: d.disk.Name(), NewBackendID: func() string { return id }})
	var err error
	d.log, err = d.logs.Open(context.Background(), store)
	return err
}

// close ends it in order.
func (d *drawer) close() error {
	if d.log == nil {
		return nil
	}
	err := errors.Join(d.log.Close(), d.logs.Close())
	d.log, d.logs = nil, nil
	return err
}

// crash ends it without a word. With power what was not synced may be gone.
func (d *drawer) crash(b *book, power bool) {
	d.disk.PowerOffAt(1)
	_ = d.close()
	d.disk = d.disk.crash(b.rng, power)
	d.once = 0
}

// arm lets the disk fail at the n-th operation from now: that one alone, or with dies every one from there on.
func (d *drawer) arm(n int, dies bool) {
	if dies {
		d.disk.arm(n)
		return
	}
	d.once = n
	d.disk.SetFault(func(faultfs.Op) (int, error) {
		if d.once == 0 {
			return 0, nil
		}
		if d.once--; d.once > 0 {
			return 0, nil
		}
		return 0, errDisk
	})
}

func (d *drawer) disarm() {
	d.disk.disarm()
	d.disk.SetFault(nil)
	d.disk.SetFree(-1)
	d.once = 0
}

// well says whether the disk does what it is told, as long as there is space.
func (d *drawer) well() bool { return !d.disk.failed() && d.once == 0 }

func (d *drawer) fill(free int64) { d.disk.SetFree(free) }

// crash ends the storage without a word.
func (s *shelf) crash() {
	d := s.drawer
	if d == nil {
		return
	}
	power := s.rng.IntN(2) == 0
	if power {
		s.count("fault: server lost its power")
	}
	d.crash(s.book, power)
	if s.full {
		d.fill(0)
	}
}

// start opens the log, and compares it with what it must hold. It returns false when the disk does not let it be opened.
func (s *shelf) start(store string) (bool, error) {
	d := s.drawer
	if d == nil {
		return true, nil
	}
	if err := d.open(store, s.b.id); err != nil {
		d.log = nil
		switch {
		case d.disk.failed():
			s.count("server: died while starting")
			s.tracef("  the server dies of its disk while it starts")
		case s.full:
			s.count("server: full disk, and it does not start")
		case s.troubled():
			s.count("server: does not start")
		default:
			return false, failf("the log of the server can not be opened: %v", err)
		}
		s.crash()
		return false, nil
	}
	if d.log.BackendID() != s.b.id {
		return false, failf("the log of the server is %q, and was %q", d.log.BackendID(), s.b.id)
	}
	return true, s.same()
}

// same compares the whole log with what it must hold.
func (s *shelf) same() error {
	if err := s.resolve(context.Background()); err != nil {
		if s.drawer.disk.failed() || s.troubled() {
			return s.bad
		}
		return failf("the log of the server can not be read: %v", err)
	}
	events, err := s.drawer.log.Read(context.Background(), 0, 1<<20, 1<<30)
	switch {
	case s.bad != nil:
		return s.bad
	case err != nil && s.troubled():
		return nil
	case err != nil:
		return failf("the log of the server can not be read: %v", err)
	case int64(len(events)) != s.b.head():
		return failf("the log of the server has %d events, and has taken %d", len(events), s.b.head())
	}
	s.count("check: log of the server after a start")
	return s.matches(0, events)
}

// matches compares events that follow a number with what they must be.
func (s *shelf) matches(after int64, events []room.Event) error {
	for i, e := range events {
		if n := after + int64(i); n >= s.b.head() || !sameStored(e, s.event(n)) {
			return failf("event e%d of the log of the server is %s %s of %s, at %s, and is not what was taken", e.SeqNum, e.Name, e.Args,
				e.ClientID, e.CreatedAt)
		}
	}
	return nil
}

func sameStored(a, b room.Event) bool {
	return a.SeqNum == b.SeqNum && a.ParentSeqNum == b.ParentSeqNum && a.Name == b.Name && string(a.Args) == string(b.Args) &&
		a.ClientID == b.ClientID && a.SessionID == b.SessionID && a.CreatedAt == b.CreatedAt
}

// wrong notes what must never be.
func (s *shelf) wrong(format string, args ...any) error {
	err := failf(format, args...)
	if s.bad == nil {
		s.bad = err
	}
	return err
}

// excused says whether an error of the disk is one that the schedule wanted.
func (s *shelf) excused(act string, err error) error {
	if !s.troubled() {
		return s.wrong("the log of the server does not %s: %v", act, err)
	}
	return fmt.Errorf("%s: %w", act, err)
}

// resolve finds out whether an append that failed was made.
func (s *shelf) resolve(ctx context.Context) error {
	d := s.drawer
	head, err := d.log.Head(ctx)
	if err != nil {
		return s.excused("give its head", err)
	}
	switch doubt := d.doubt; {
	case head == s.b.head():
		if doubt != nil {
			s.count("server: append failed")
		}
	case doubt != nil && head == s.b.head()+int64(len(doubt)):
		s.count("server: append failed, and was made")
		was := s.b.head()
		s.append(doubt)
		events, err := d.log.Read(ctx, was, len(doubt), 1<<30)
		if err != nil {
			return s.excused("be read", err)
		}
		if err := s.matches(was, events); err != nil {
			return s.wrong("%v", err)
		}
	default:
		return s.wrong("the log of the server is at e%d, and has taken up to e%d; in doubt are %d events", head, s.b.head(), len(doubt))
	}
	d.doubt = nil
	return nil
}

func (s *shelf) drawerHead(ctx context.Context) (int64, error) {
	if err := s.resolve(ctx); err != nil {
		return 0, err
	}
	return s.b.head(), nil
}

func (s *shelf) drawerAppend(ctx context.Context, parent int64, batch []room.Event) error {
	d := s.drawer
	if d.doubt != nil {
		if err := s.resolve(ctx); err != nil {
			return err
		}
	}
	well := d.well()
	err := d.log.Append(ctx, parent, batch)
	if err == nil {
		if parent != s.b.head() {
			return s.wrong("the log of the server takes a batch after e%d, and is at e%d", parent, s.b.head())
		}
		s.append(batch)
		s.count("server: accepted")
		s.count("server: accepted by SQLite")
		return nil
	}
	if ahead, ok := errors.AsType[*room.HeadError](err); ok {
		if ahead.Head != s.b.head() || parent == ahead.Head {
			return s.wrong("the log of the server says it is at e%d, and is at e%d", ahead.Head, s.b.head())
		}
		return err
	}
	s.tracef("  append after e%d fails", parent)
	d.doubt = slices.Clone(batch)
	if file, ok := errors.AsType[*sqlitestore.FileError](err); ok && sqlite.IsFull(file.Err) {
		s.count("server: full disk refuses a push")
	} else if s.full && well && d.well() {
		return s.wrong("the disk of the server is full, and a push fails with %v", err)
	}
	return s.excused("take a push", err)
}

func (s *shelf) drawerRead(ctx context.Context, after int64, limit, maxBytes int) ([]room.Event, error) {
	if s.drawer.doubt != nil {
		if err := s.resolve(ctx); err != nil {
			return nil, err
		}
	}
	events, err := s.drawer.log.Read(ctx, after, limit, maxBytes)
	if err != nil {
		return nil, s.excused("be read", err)
	}
	if err := s.matches(after, events); err != nil {
		return nil, s.wrong("%v", err)
	}
	return events, nil
}
