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
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/state"
)

// How the files of a state are named: state-HASH.db for the schema with that hash, while it is built state-HASH.db.building, and
// state-HASH.db.part from where a rebuild that is interrupted can be gone on with.
const (
	prefix   = "state-"
	ext      = ".db"
	building = ".building"
	part     = ".part"
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

	// Segment is after how many events Open makes a rebuild safe against the end of the process. 0 means 50,000.
	Segment int

	opened bool // what is unknown in the log has been told
	report Report
}

// Open returns the state at the head of the log. A pending event that does not apply because the app is of another version than the one
// that has committed or kept it is where state ends, for the leader to set its commit aside. Any other event that does not apply is an
// error: the schema is wrong. Open ends early, with the error of ctx, when that is done. A log with an event that the schema does not know,
// and whose policy is to stop at one, is a *[state.UnknownEventError].
func (s *State) Open(ctx context.Context) (*materialize.Engine, error) {
	if err := s.checkUnknown(); err != nil {
		return nil, err
	}
	start := time.Now()
	engine, err := s.reuse(ctx)
	if err != nil {
		if _, lost := errors.AsType[*LostLogError](err); lost || ctx.Err() != nil {
			return nil, err
		}
		if !errors.Is(err, fs.ErrNotExist) {
			s.Logger.Warn("state is rebuilt from the eventlog", "file", s.path(), "why", err)
		}
		if engine, err = s.replace(ctx, err); err != nil && ctx.Err() != nil {
			return nil, err
		}
		if err != nil {
			return nil, fmt.Errorf("%w; the eventlog and any state before are as they were: "+
				"open the store with the version of the app before, or mend the materializer", err)
		}
	}
	s.clean()
	s.opened = true
	s.report.Took = time.Since(start)
	return engine, nil
}

// replace rebuilds the state, which can not be used because of an error, up to the head of the log, and notes what changed with it.
func (s *State) replace(ctx context.Context, unusable error) (*materialize.Engine, error) {
	s.report = Report{Action: Rebuilt, Why: Unusable, Err: unusable}
	others := s.others()
	if errors.Is(unusable, fs.ErrNotExist) {
		s.report.Why, s.report.Err = NoState, nil
		if len(others) > 0 {
			s.report.Why = OtherSchema
		}
	}
	head, _ := s.Log.Head()
	b := s.opening(head)
	engine, err := s.rebuild(ctx, b)
	s.report.Events, s.report.Resumed = b.done, b.resumed
	if err == nil && s.report.Why == OtherSchema {
		s.report.Changes = s.changes(others, engine.Conn())
	}
	return engine, err
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

// tellUnknown returns what an engine tells of events that are none of the schema's, for them to be reported as its policy wants it: each
// to its callback, or a line a name when done is called.
func (s *State) tellUnknown() (tell func(event.Client), done func()) {
	if s.opened { // a rebuild in the middle of a rebase says nothing new
		return nil, func() {}
	}
	policy := s.Schema.UnknownEvents()
	seen := map[string]int{}
	tell = func(ev event.Client) {
		if err := policy.Tell(ev); err != nil {
			s.Logger.Error("the callback for unknown events has failed", "dir", s.Dir, "event", ev.Name, "number", ev.Num, "err", err)
		}
		seen[ev.Name]++
	}
	return tell, func() {
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
	was, applied, tell := engine.Head(), 0, s.progress("apply")
	if err := materialize.Retreat(engine, s.Log.At); err != nil {
		return nil, err
	}
	engine.KeepUndo(s.Synced)
	unknown, done := s.tellUnknown()
	defer done()
	engine.OnUnknown(unknown)
	err = materialize.CatchUp(ctx, engine, s.Log.Read, 0, s.Log.Meta().Upstream, func(n int) { applied = n; tell(n) })
	engine.OnUnknown(nil)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(engine.TrimUndo(), engine.StoreHead()); err != nil {
		return nil, err
	}
	if err := conn.Commit(); err != nil {
		return nil, err
	}
	s.report = Report{Action: Kept}
	if engine.Head() != was {
		s.report = Report{Action: BroughtUp, Events: applied}
	}
	return engine, nil
}

// progress returns what tells OnBoot how many events are applied.
func (s *State) progress(stage string) func(done int) {
	if s.OnBoot == nil {
		return func(int) {}
	}
	total := int(s.Log.Count())
	return func(done int) { s.OnBoot(stage, done, total) }
}

// clean removes the states of other schemas and what an interrupted rebuild left. They can be derived again at any time, so an error is
// only worth a line.
func (s *State) clean() {
	names, err := s.FS.List()
	if err == nil {
		err = s.drop(slices.DeleteFunc(names, func(n string) bool {
			return !strings.HasPrefix(n, prefix) || strings.HasPrefix(n, s.name()) && !s.isBeside(n)
		}))
	}
	if err != nil {
		s.Logger.Warn("remove old state files", "dir", s.Dir, "err", err)
	}
}
