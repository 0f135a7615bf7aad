// Package migrate brings the state of a leader to its eventlog when a store opens: it takes the state file of the schema when there is
// one that can be brought to the log, by undoing and applying, and else rebuilds state beside it and swaps it in.
//
// Nothing here writes to the eventlog. State is only ever derived.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/state"
)

// How the files of a state are named: state-HASH.db for the schema with that hash, and while it is built state-HASH.db.building.
const (
	prefix   = "state-"
	ext      = ".db"
	building = ".building"
)

// State is where the state of one store lies and what it is derived from.
type State struct {
	FS     journal.FS // the directory, for names
	Dir    string     // the same directory, for SQLite
	VFS    string     // SQLite's file system; empty for the operating system's
	Log    *eventlog.Log
	Schema *state.Schema
	Logger *slog.Logger
	Synced bool                                // there is a sync provider: events may have to be undone
	OnBoot func(stage string, done, total int) // told by Open how far it is; may be nil

	opened bool // what is unknown in the log has been told
}

// Open returns the state at the head of the log. A pending event that does not apply because the app is of another version than the one
// that has committed or kept it is where state ends, for the leader to set its commit aside. Any other event that does not apply is an
// error: the schema is wrong. Open ends early, with the error of ctx, when that is done. A log with an event that the schema does not know,
// and whose policy is to stop at one, is a *[state.UnknownEventError].
func (s *State) Open(ctx context.Context) (*materialize.Engine, error) {
	if err := s.checkUnknown(); err != nil {
		return nil, err
	}
	engine, err := s.reuse(ctx)
	if err != nil {
		if _, lost := errors.AsType[*LostLogError](err); lost || ctx.Err() != nil {
			return nil, err
		}
		if !errors.Is(err, fs.ErrNotExist) {
			s.Logger.Warn("state is rebuilt from the eventlog", "file", s.path(), "why", err)
		}
		head, _ := s.Log.Head()
		engine, err = s.rebuild(ctx, head, s.OnBoot)
		if err != nil && ctx.Err() != nil {
			return nil, err
		}
		if err != nil {
			return nil, fmt.Errorf("%w; the eventlog and any state before are as they were: "+
				"open the store with the version of the app before, or mend the materializer", err)
		}
	}
	s.clean()
	s.opened = true
	return engine, nil
}

// LostLogError says that the eventlog is empty and state is not: the eventlog commits first, so it was deleted or replaced.
type LostLogError struct {
	Dir   string
	State string // the state file
	Head  event.SeqNum
}

func (e *LostLogError) Error() string {
	return fmt.Sprintf("the eventlog in %s is empty, but %s stands at %s: put eventlog.db back, or delete %s to begin with nothing",
		e.Dir, e.State, e.Head, e.State)
}

// checkUnknown enforces the policy to stop at events that are none of the schema's: a state of this schema may stand behind some, which
// were let in under another policy.
func (s *State) checkUnknown() error {
	if s.Schema.UnknownEvents().Mode != state.Fail {
		return nil
	}
	names, err := s.Log.Names()
	if err != nil {
		return err
	}
	for _, n := range names {
		if _, ok := s.Schema.Definition(n.Name); !ok {
			return &state.UnknownEventError{StoreID: s.Log.Meta().StoreID, Event: n.Name, Num: n.First}
		}
	}
	return nil
}

// tellUnknown has events that are none of the schema's reported as its policy wants it: each to its callback, or a line a name
// when the returned function is called.
func (s *State) tellUnknown(e *materialize.Engine) (done func()) {
	if s.opened { // a rebuild in the middle of a rebase says nothing new
		return func() {}
	}
	policy := s.Schema.UnknownEvents()
	seen := map[string]int{}
	e.OnUnknown(func(ev event.Client) {
		if err := policy.Tell(ev); err != nil {
			s.Logger.Error("the callback for unknown events has failed", "dir", s.Dir, "event", ev.Name, "number", ev.Num, "err", err)
		}
		seen[ev.Name]++
	})
	return func() {
		e.OnUnknown(nil)
		if policy.Mode != state.Warn {
			return
		}
		for name, n := range seen {
			s.Logger.Warn("the schema does not know an event; it is in the log and changes nothing until the app is updated",
				"dir", s.Dir, "event", name, "times", n)
		}
	}
}

func (s *State) name() string { return prefix + s.Schema.Hash()[:min(16, len(s.Schema.Hash()))] + ext }

func (s *State) path() string { return filepath.Join(s.Dir, s.name()) }

// reuse opens the state file and brings it to the log. Any error means that it has to be rebuilt.
func (s *State) reuse(ctx context.Context) (_ *materialize.Engine, err error) {
	f, err := s.FS.Open(s.name())
	if err != nil {
		return nil, err
	}
	f.Close()
	conn, err := sqlite.Open(s.path(), &sqlite.Options{VFS: s.VFS})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			conn.Close()
		}
	}()
	engine, err := materialize.Open(conn, s.Schema, true)
	if err != nil {
		return nil, err
	}
	if head := engine.Head().Num; s.Log.Count() == 0 && head != (event.SeqNum{}) {
		return nil, &LostLogError{Dir: s.Dir, State: s.name(), Head: head}
	}
	if err := conn.Begin(); err != nil {
		return nil, err
	}
	if err := materialize.Retreat(engine, s.Log.At); err != nil {
		return nil, err
	}
	engine.KeepUndo(s.Synced)
	defer s.tellUnknown(engine)()
	if err := materialize.CatchUp(ctx, engine, s.Log.Read, 0, s.Log.Meta().Upstream, s.progress("apply", s.OnBoot)); err != nil {
		return nil, err
	}
	if err := errors.Join(engine.TrimUndo(), engine.StoreHead()); err != nil {
		return nil, err
	}
	return engine, conn.Commit()
}

func (s *State) progress(stage string, tell func(stage string, done, total int)) func(done int) {
	if tell == nil {
		return nil
	}
	total := int(s.Log.Count())
	return func(done int) { tell(stage, done, total) }
}

// Rebuild derives state anew from the log, up to a position, beside whatever is there, and swaps it in when it is complete.
func (s *State) Rebuild(upTo event.SeqNum) (*materialize.Engine, error) {
	return s.rebuild(context.Background(), upTo, nil)
}

func (s *State) rebuild(
	ctx context.Context, upTo event.SeqNum, tell func(stage string, done, total int),
) (*materialize.Engine, error) {
	if err := s.build(ctx, upTo, tell); err != nil {
		return nil, fmt.Errorf("rebuild state %s: %w", s.path(), err)
	}
	conn, err := sqlite.Open(s.path(), &sqlite.Options{VFS: s.VFS})
	if err != nil {
		return nil, fmt.Errorf("open rebuilt state: %w", err)
	}
	engine, err := materialize.Open(conn, s.Schema, true)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open rebuilt state %s: %w", s.path(), err), conn.Close())
	}
	return engine, nil
}

func (s *State) build(ctx context.Context, upTo event.SeqNum, tell func(stage string, done, total int)) (err error) {
	beside := s.name() + building
	for _, old := range []string{beside, beside + "-journal", beside + "-wal"} {
		if err := s.remove(old); err != nil {
			return err
		}
	}
	// No journal and no fsync for each page: a file that is not complete is never looked at.
	conn, err := sqlite.Open(filepath.Join(s.Dir, beside), &sqlite.Options{VFS: s.VFS, NoWAL: true, Sync: sqlite.Off})
	if err != nil {
		return err
	}
	err = s.fill(ctx, conn, upTo, tell)
	if cerr := conn.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return errors.Join(err, s.remove(beside))
	}
	f, err := s.FS.Edit(beside)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	// Neither may the new file get the write-ahead log of the old one, nor the old one lose its own. So the old file goes first,
	// for good.
	for _, old := range []string{s.name(), s.name() + "-wal", s.name() + "-shm", s.name() + "-journal"} {
		if err := s.remove(old); err != nil {
			return err
		}
		if err := s.FS.SyncDir(); err != nil {
			return err
		}
	}
	if err := s.FS.Rename(beside, s.name()); err != nil {
		return err
	}
	return s.FS.SyncDir()
}

func (s *State) fill(
	ctx context.Context, conn *sqlite.Conn, upTo event.SeqNum, tell func(stage string, done, total int),
) error {
	if err := conn.Begin(); err != nil {
		return err
	}
	engine, err := materialize.Create(conn, s.Schema, true)
	if err != nil {
		return err
	}
	read := func(after event.SeqNum, limit int) iter.Seq2[event.Client, error] {
		return until(upTo, s.Log.Read(after, limit))
	}
	engine.KeepUndo(s.Synced)
	defer s.tellUnknown(engine)()
	skip := int(s.Log.Count()) - materialize.UndoCap
	err = materialize.CatchUp(ctx, engine, read, skip, s.Log.Meta().Upstream, s.progress("rebuild", tell))
	if refused, ok := errors.AsType[*materialize.Error](err); ok && s.mayRefuse(refused.Num) {
		s.Logger.Warn("state is rebuilt up to a pending event that does not apply", "file", s.path(), "event", refused.Num, "err", refused)
		err = nil
	}
	if err != nil {
		return err
	}
	if err := errors.Join(engine.TrimUndo(), engine.StoreHead()); err != nil {
		return err
	}
	return conn.Commit()
}

// mayRefuse says whether an event that does not apply is one that may not: a pending one, of another version of the app. Either that one
// has written events which this one does not know, so that what they made is missing here, or this one knows them, and another that did not
// has brought them onto others. Without either, what was committed here applies here, or the schema is wrong.
func (s *State) mayRefuse(n event.SeqNum) bool {
	meta := s.Log.Meta()
	if !s.Synced || meta.Upstream.ComparePosition(n) >= 0 {
		return false
	}
	if meta.Carried {
		return true
	}
	names, err := s.Log.Names()
	return err == nil && slices.ContainsFunc(names, func(n eventlog.Named) bool {
		_, known := s.Schema.Definition(n.Name)
		return !known
	})
}

// until ends a sequence of events behind a position.
func until(pos event.SeqNum, events iter.Seq2[event.Client, error]) iter.Seq2[event.Client, error] {
	return func(yield func(event.Client, error) bool) {
		for e, err := range events {
			if (err == nil && e.Num.ComparePosition(pos) > 0) || !yield(e, err) {
				return
			}
		}
	}
}

func (s *State) remove(name string) error {
	if err := s.FS.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// clean removes the states of other schemas and what an interrupted rebuild left. They can be derived again at any time, so an error is
// only worth a line.
func (s *State) clean() {
	names, err := s.FS.List()
	if err != nil {
		s.Logger.Warn("list state files", "dir", s.Dir, "err", err)
		return
	}
	for _, n := range names {
		if strings.HasPrefix(n, prefix) && !strings.HasPrefix(n, s.name()) || strings.HasSuffix(n, building) {
			if err := s.remove(n); err != nil {
				s.Logger.Warn("remove old state file", "file", filepath.Join(s.Dir, n), "err", err)
			}
		}
	}
}
