package materialize

import (
	"errors"
	"fmt"
	"slices"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/state"
)

// Apply applies the events of one commit, all or none. An event that does not materialize is an *[Error]; any other error is about the
// machine, and says nothing about the event.
func (e *Engine) Apply(commit []event.Client) (err error) {
	before, undo := e.head, e.undo
	stored, top := e.stored, e.top
	if err := e.conn.Savepoint(); err != nil {
		return fmt.Errorf("materialize: %w", err)
	}
	e.conn.Record(!e.noUndo)
	e.digests = e.digests[:0]
	start := e.conn.Mark()
	done := false
	defer func() { // a materializer is the app's code: it may panic
		e.conn.Record(false)
		if done {
			return
		}
		rerr := e.conn.RollbackTo()
		e.conn.Truncate(start)
		e.head, e.undo, e.stored, e.top = before, undo, stored, top
		if serr := e.loadScopes(); rerr == nil {
			rerr = serr
		}
		if rerr != nil && err != nil {
			if _, ok := errors.AsType[*Error](err); ok {
				err = errors.New(err.Error()) // it no longer is about the commit
			}
			err = fmt.Errorf("undo a commit that failed (%w): %w", err, rerr)
		}
	}()
	for i := range commit {
		if err := e.apply(&commit[i]); err != nil {
			return err
		}
	}
	if e.noUndo && len(commit) > 0 { // what full-text tables hold back is written, and fails, here
		if err := failed(&commit[len(commit)-1], e.conn.Take(start).Err()); err != nil {
			return err
		}
	}
	if err := e.conn.Release(); err != nil {
		return fmt.Errorf("materialize: %w", err)
	}
	done = true
	return nil
}

func (e *Engine) apply(ev *event.Client) error {
	mark := e.conn.Mark()
	if e.digest {
		e.conn.Digest(true)
		defer e.conn.Digest(false)
	}
	e.cur.scope = event.ScopeSynced
	if ev.Num.IsClientOnly() {
		e.cur.scope = event.ScopeClientOnly
	}
	e.cur.foreign, e.cur.err = ev.ID.IsZero(), nil
	if err := e.materialize(ev); err != nil {
		return err
	}
	if err := e.conn.Deferred(); err != nil { // who gets the events of this commit from a backend applies one after the other
		return &Error{Event: ev.Name, Num: ev.Num, Err: err}
	}
	if e.digest {
		e.digests = append(e.digests, e.conn.Digested())
	}
	if e.noUndo {
		e.head = Head{Num: ev.Num, ID: ev.ID}
		return e.dropUndo() // what is older can not be reached any more
	}
	changes := e.conn.Take(mark)
	if err := failed(ev, changes.Err()); err != nil {
		return err
	}
	undo := entry{head: e.head, num: ev.Num, changes: changes}
	e.head = Head{Num: ev.Num, ID: ev.ID}
	if !e.persist {
		e.undo = append(e.undo, undo)
		return nil
	}
	return e.storeUndo(undo)
}

// failed is the error of an event whose changes could not be recorded: of a full-text table that could not be written, for example.
func failed(ev *event.Client, err error) error {
	switch {
	case err == nil:
		return nil
	case sqlite.IsFault(err):
		return fmt.Errorf("materialize %s %s: %w", ev.Num, ev.Name, err)
	}
	return &Error{Event: ev.Name, Num: ev.Num, Err: err}
}

// materialize runs the materializer of one event. An event that is none of the schema's changes nothing, unless the schema's policy is
// to stop at one: it stays in the log, and a schema that knows it derives its state when that is rebuilt.
func (e *Engine) materialize(ev *event.Client) error {
	err := e.schema.Materialize(&e.cur, *ev)
	if e.cur.err != nil && (err == nil || !errors.Is(err, e.cur.err)) {
		err = e.cur.err // the materializer has dropped it
	}
	_, unknown := errors.AsType[*state.UnknownEventError](err)
	switch {
	case err == nil:
		return nil
	case unknown && e.schema.UnknownEvents().Mode != state.Fail:
		if e.onUnknown != nil {
			e.onUnknown(*ev)
		}
		return nil
	case unknown || sqlite.IsFault(err):
		return fmt.Errorf("materialize %s %s: %w", ev.Num, ev.Name, err)
	}
	return &Error{Event: ev.Name, Num: ev.Num, Err: err}
}

func (e *Engine) storeUndo(u entry) error {
	e.conn.Record(false)
	defer e.conn.Record(true)
	p := u.head
	err := e.conn.Exec(sqlite.Internal, `INSERT INTO __livestore_undo VALUES (?,?,?,?,?,?,?,?,?,?,?)`,
		e.top+1, u.num.Global, u.num.Client, u.num.Generation,
		p.Num.Global, p.Num.Client, p.Num.Generation, p.ID.Commit.Journal, int64(p.ID.Commit.Ordinal), p.ID.Index,
		u.changes.Append(nil))
	if err != nil {
		return fmt.Errorf("store undo entry: %w", err)
	}
	e.top++
	e.stored++
	return nil
}

// StoreHead writes the head into the database, where the engine keeps it there. It belongs into the transaction of the rows it
// speaks of, once at its end.
func (e *Engine) StoreHead() error {
	h := e.head
	err := e.conn.Exec(sqlite.Internal,
		`UPDATE __livestore_head SET global=?, client=?, generation=?, journal=?, ordinal=?, idx=?`,
		h.Num.Global, h.Num.Client, h.Num.Generation, h.ID.Commit.Journal, int64(h.ID.Commit.Ordinal), h.ID.Index)
	if err != nil {
		return fmt.Errorf("store head: %w", err)
	}
	return nil
}

// db is what a materializer reads and writes through.
type db struct {
	e       *Engine
	scope   event.Scope
	foreign bool // the event is another client's: it has applied there, and is not refused here
	err     error
}

// Exec runs a write of a materializer.
func (d *db) Exec(s state.Statement) error {
	stmt, err := d.prepare(s)
	if err == nil {
		err = stmt.Exec(s.Args)
	}
	return d.keep(err)
}

// Query runs a read of a materializer, or a write that returns rows.
func (d *db) Query(s state.Statement, fn func(state.Rows) error) error {
	stmt, err := d.prepare(s)
	if err != nil {
		return d.keep(err)
	}
	rows, err := stmt.Query(s.Args)
	if err != nil {
		return d.keep(err)
	}
	err = fn(rows)
	_ = d.keep(rows.Err())
	return errors.Join(err, d.keep(rows.Close()))
}

// keep remembers an error that a materializer may not pass over: what is refused at one client may be allowed at another, and what a
// machine can not do another can. A constraint is part of the state, so a materializer may try it.
func (d *db) keep(err error) error {
	if err != nil && d.err == nil && !sqlite.IsConstraint(err) {
		d.err = err
	}
	return err
}

// prepare checks that synced and client-only state stay apart: a synced event derives the same rows on every client
// only if nothing it reads or writes depends on events that other clients do not have (R9).
func (d *db) prepare(s state.Statement) (*sqlite.Stmt, error) {
	if d.err != nil {
		return nil, d.err
	}
	stmt, err := d.e.conn.Prepare(sqlite.Materialize, s.SQL)
	if err != nil {
		return nil, err
	}
	if d.scope == event.ScopeSynced && !d.foreign {
		for _, t := range stmt.Reads() {
			if scope, ok := d.e.scopes[t]; ok && scope == event.ScopeClientOnly {
				return nil, &ScopeError{Table: t, Scope: d.scope}
			}
		}
	}
	for _, t := range stmt.Writes() {
		scope, ok := d.e.scopes[t]
		switch {
		case !ok:
			err = d.claim(t)
		case scope != d.scope && d.foreign:
			err = d.reclaim(t)
		case scope != d.scope:
			err = &ScopeError{Table: t, Scope: d.scope, Write: true}
		}
		if err != nil {
			return nil, err
		}
	}
	return stmt, nil
}

// claim notes who writes a table. The note is a row like any other: undone with the event that made it.
func (d *db) claim(table string) error {
	if err := d.e.conn.Exec(sqlite.Internal, `INSERT INTO __livestore_tables VALUES (?, ?)`, table, int64(d.scope)); err != nil {
		return fmt.Errorf("claim table %s: %w", table, err)
	}
	d.e.scopes[table] = d.scope
	return nil
}

// reclaim makes a table that client-only events have claimed one of the synced events: what other clients write wins.
func (d *db) reclaim(table string) error {
	if err := d.e.conn.Exec(sqlite.Internal, `UPDATE __livestore_tables SET scope = ? WHERE name = ?`, int64(d.scope), table); err != nil {
		return fmt.Errorf("claim table %s: %w", table, err)
	}
	d.e.scopes[table] = d.scope
	return nil
}

// ScopeError says that a materializer would mix what all clients share with what is this client's alone. A table is written
// either by synced or by client-only events, and a synced event's materializer reads nothing client-only.
type ScopeError struct {
	Table string
	Scope event.Scope // of the event
	Write bool
}

func (e *ScopeError) Error() string {
	if e.Write && e.Scope == event.ScopeClientOnly {
		return fmt.Sprintf("table %q holds what synced events derive; a client-only event can not write it: "+
			"keep client-only data in a table or document of its own", e.Table)
	}
	verb := "read"
	if e.Write {
		verb = "write"
	}
	return fmt.Sprintf("table %q is client-only; a synced event can not %s it, or other clients would derive other state: "+
		"put what it needs into the event's arguments", e.Table, verb)
}

// Atomically runs f, which may undo and apply events, all or nothing.
func (e *Engine) Atomically(f func() error) (err error) {
	before, undo, stored, top := e.head, slices.Clone(e.undo), e.stored, e.top
	if err := e.conn.Savepoint(); err != nil {
		return fmt.Errorf("materialize: %w", err)
	}
	done := false
	defer func() {
		if done {
			return
		}
		e.head, e.undo, e.stored, e.top = before, undo, stored, top
		err = errors.Join(err, e.conn.RollbackTo(), e.loadScopes())
	}()
	if err := f(); err != nil {
		return err
	}
	if err := e.conn.Release(); err != nil {
		return fmt.Errorf("materialize: %w", err)
	}
	done = true
	return nil
}
