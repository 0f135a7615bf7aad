package client

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
	"time"

	"github.com/livestore-go/livestore/internal/eventlog"
	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/internal/leader"
	"github.com/livestore-go/livestore/internal/migrate"
	"github.com/livestore-go/livestore/internal/session"
)

// Files is where the files of one client of one store lie: eventlog, state and journals, all in one directory.
type Files struct {
	FS  journal.FS // the directory, for journals and names
	Dir string     // the same directory, for SQLite
	VFS string     // SQLite's file system; empty for the operating system's

	Logger *slog.Logger
	Synced bool // there is a sync provider: events may have to be undone

	Opened session.BootReport // how Boot came to the state; Boot sets it
}

// Boot opens log and state, and takes what earlier sessions left in their journals. It returns the leader, and the id of the client,
// which newClientID makes when the directory is new. The caller sees to it that nobody else has the directory.
func (f *Files) Boot(
	ctx context.Context, r session.Request, newClientID func() string,
) (_ *leader.Machine, clientID string, err error) {
	if f.Logger == nil {
		f.Logger = r.Logger
	}
	log, err := eventlog.Open(filepath.Join(f.Dir, "eventlog.db"), &eventlog.Options{
		StoreID: r.StoreID, VFS: f.VFS, NewClientID: newClientID,
	})
	if err != nil {
		return nil, "", err
	}
	files := &migrate.State{
		FS: f.FS, Dir: f.Dir, VFS: f.VFS, Log: log, Schema: r.Schema, Synced: f.Synced, Logger: r.Logger, OnBoot: r.OnBoot,
	}
	state, err := files.Open(ctx)
	if err != nil {
		return nil, "", errors.Join(err, log.Close())
	}
	f.Opened = reported(files.Report())
	m, err := leader.NewMachine(leader.Config{
		StoreID: r.StoreID, Log: log, State: state, Synced: f.Synced, NewID: NewID, Logger: r.Logger, Rebuild: files.Rebuild, Now: time.Now,
	})
	if err != nil {
		return nil, "", err
	}
	err = f.adopt(ctx, m)
	if err == nil {
		err = f.sweep()
	}
	if err != nil {
		return nil, "", errors.Join(err, m.Close())
	}
	return m, log.Meta().ClientID, nil
}

// reported is a report in the words of the session that hands it on.
func reported(r migrate.Report) session.BootReport {
	b := session.BootReport{
		Action: session.BootAction(r.Action), Why: session.BootReason(r.Why), Err: r.Err, Events: r.Events, Resumed: r.Resumed, Took: r.Took,
	}
	for _, c := range r.Changes {
		b.Changes = append(b.Changes, session.BootChange{
			Type: c.Type, Name: c.Name, How: session.BootDifference(c.How), Before: c.Before, After: c.After,
		})
	}
	return b
}

// adoptStep is how many commits of a journal are taken in one transaction.
const adoptStep = 1000

// left is the journal of a session that is no more.
type left struct {
	name    string
	header  journal.Header
	records iter.Seq2[journal.Record, error]
}

// adopt takes what is in the journals of sessions that are no more, oldest session first, and deletes them.
func (f *Files) adopt(ctx context.Context, m *leader.Machine) error {
	names, err := journal.List(f.FS)
	if err != nil {
		return err
	}
	journals := make([]left, len(names))
	for i, name := range names {
		h, records, err := journal.Read(f.FS, name)
		if err != nil {
			return f.unreadable(err)
		}
		journals[i] = left{name, h, records}
	}
	slices.SortStableFunc(journals, func(a, b left) int { return a.header.Created.Compare(b.header.Created) })
	for _, j := range journals {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f.take(m, j); err != nil {
			return err
		}
	}
	return nil
}

// unreadable says where a journal that can not be read lies. The errors of damage say the rest: which journal, and what to do.
func (f *Files) unreadable(err error) error {
	if e, ok := errors.AsType[*journal.FormatError](err); ok {
		err = e
	}
	if e, ok := errors.AsType[*journal.VersionError](err); ok {
		err = e
	}
	return fmt.Errorf("in %s: %w", f.Dir, err)
}

// Adopt takes what is in the journal of one session that is no more, and deletes it.
func (f *Files) Adopt(m *leader.Machine, id string) error {
	name := id + journal.Ext
	h, records, err := journal.Read(f.FS, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.take(m, left{name, h, records})
}

func (f *Files) take(m *leader.Machine, j left) error {
	if err := j.adopt(m, f.unreadable); err != nil {
		return err
	}
	if err := f.discard(j.name); err != nil {
		return err
	}
	// The journal's high-water ordinal is needed for as long as the file can come back.
	if err := f.FS.SyncDir(); err != nil {
		return err
	}
	return m.Forget(j.header.Journal)
}

// discard deletes a journal that has been taken. One that was not whole to its end is kept under another name: a commit that was torn had
// not returned or was not persisted, but behind damage of another kind there may be more.
func (f *Files) discard(name string) error {
	s, err := journal.Inspect(f.FS, name)
	if err != nil {
		return err
	}
	if s.Tail.Dropped > 0 {
		f.Logger.Warn("the end of a journal could not be read and is kept", "file", filepath.Join(f.Dir, name+torn),
			"bytes", s.Tail.Dropped, "from", s.Tail.Offset, "why", s.Tail.Reason)
		return f.FS.Rename(name, name+torn)
	}
	if err := f.FS.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// torn is appended to the name of a journal whose end could not be read.
const torn = ".torn"

// sweep removes journals whose creation was cut short: they have never held a commit.
func (f *Files) sweep() error {
	names, err := f.FS.List()
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, journal.Ext+journal.Unfinished) {
			if err := f.FS.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

func (j *left) adopt(m *leader.Machine, unreadable func(error) error) error {
	var step []journal.Record
	for rec, err := range j.records {
		if err != nil {
			return unreadable(err)
		}
		if step = append(step, rec); len(step) == adoptStep {
			if err := m.Adopt(j.header, step); err != nil {
				return err
			}
			step = step[:0]
		}
	}
	return m.Adopt(j.header, step)
}
