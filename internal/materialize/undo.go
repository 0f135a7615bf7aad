package materialize

import (
	"fmt"
	"slices"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/sqlite"
)

// RollbackTo undoes every event after a position. When an undo entry is missing it undoes nothing and returns
// [ErrUndoMissing].
func (e *Engine) RollbackTo(pos event.SeqNum) error {
	ok, err := e.canUndo(pos)
	if err != nil {
		return fmt.Errorf("roll state back to %s: %w", pos, err)
	}
	if !ok {
		return fmt.Errorf("roll state back from %s to %s: %w", e.head.Num, pos, ErrUndoMissing)
	}
	if e.head.Num.ComparePosition(pos) <= 0 {
		return nil
	}
	return e.undoWhile(func() bool { return e.head.Num.ComparePosition(pos) > 0 })
}

// undoWhile undoes events, newest first, for as long as more says so with the head before the next one.
func (e *Engine) undoWhile(more func() bool) error {
	from := e.head.Num
	scopes := false
	var undone []sqlite.Changes
	for more() {
		u, err := e.pop()
		if err != nil {
			return fmt.Errorf("undo %s: %w", e.head.Num, err)
		}
		undone = append(undone, u.changes)
		for _, t := range u.changes.Tables() {
			scopes = scopes || t == "__livestore_tables"
		}
		e.head = u.head
	}
	if len(undone) == 0 {
		return nil
	}
	slices.Reverse(undone)
	if err := e.conn.Undo(undone...); err != nil { // all at once: it switches triggers off and on again
		return fmt.Errorf("undo %s to %s: %w", from, e.head.Num, err)
	}
	if scopes {
		if err := e.loadScopes(); err != nil {
			return err
		}
	}
	return nil
}

// canUndo says whether there are entries for every event after pos: whether some entry leads back to pos or before it.
func (e *Engine) canUndo(pos event.SeqNum) (bool, error) {
	if e.head.Num.ComparePosition(pos) <= 0 {
		return true, nil
	}
	if len(e.undo) > 0 && e.undo[0].head.Num.ComparePosition(pos) <= 0 {
		return true, nil
	}
	found := false
	err := e.query(`SELECT 1 FROM __livestore_undo WHERE (prev_global, prev_client) <= (?, ?) AND id > ? LIMIT 1`,
		[]any{pos.Global, pos.Client, e.top - e.stored}, func(*sqlite.Rows) { found = true })
	return found, err
}

// pop takes the newest entry off.
func (e *Engine) pop() (entry, error) {
	if n := len(e.undo); n > 0 {
		u := e.undo[n-1]
		e.undo[n-1] = entry{}
		e.undo = e.undo[:n-1]
		return u, nil
	}
	var u entry
	var perr error
	found := false
	err := e.query(`SELECT prev_global, prev_client, prev_generation, prev_journal, prev_ordinal, prev_idx,
		global, client, generation, changes FROM __livestore_undo WHERE id = ?`, []any{e.top}, func(r *sqlite.Rows) {
		found = true
		u.head = readHead(r, 0)
		u.num = event.SeqNum{Global: r.Int64(6), Client: r.Int64(7), Generation: r.Int64(8)}
		u.changes, perr = sqlite.ParseChanges(r.Bytes(9))
	})
	switch {
	case err != nil:
		return u, err
	case perr != nil:
		return u, perr
	case !found || u.num != e.head.Num:
		return u, ErrUndoMissing
	}
	if err := e.conn.Exec(sqlite.Internal, `DELETE FROM __livestore_undo WHERE id = ?`, e.top); err != nil {
		return u, err
	}
	e.top--
	e.stored--
	return u, nil
}

// TrimUndo deletes the oldest undo entries beyond the cap, a tenth of it at a time. It is called when a step can not be taken back any
// more; a leader does so in its transaction.
func (e *Engine) TrimUndo() error {
	if len(e.undo) > UndoCap+UndoCap/10 {
		e.undo = append(e.undo[:0:0], e.undo[len(e.undo)-UndoCap:]...)
		e.stored = 0 // they lie below the gap
	}
	if e.stored <= UndoCap+UndoCap/10 {
		return nil
	}
	if err := e.conn.Exec(sqlite.Internal, `DELETE FROM __livestore_undo WHERE id <= ?`, e.top-UndoCap); err != nil {
		return fmt.Errorf("trim undo entries: %w", err)
	}
	e.stored = UndoCap
	return nil
}

// dropUndo deletes all undo entries.
func (e *Engine) dropUndo() error {
	e.undo = nil
	if e.stored == 0 {
		return nil
	}
	if err := e.conn.Exec(sqlite.Internal, `DELETE FROM __livestore_undo`); err != nil {
		return fmt.Errorf("drop undo entries: %w", err)
	}
	e.stored = 0
	return nil
}

// ForgetUndo deletes the undo entries of events up to a position: those the sync backend has confirmed.
func (e *Engine) ForgetUndo(upTo event.SeqNum) error {
	if upTo.ComparePosition(e.head.Num) >= 0 {
		return e.dropUndo()
	}
	if upTo.ComparePosition(e.forgot) == 0 {
		return nil
	}
	e.forgot = upTo
	n := 0
	for n < len(e.undo) && e.undo[n].num.ComparePosition(upTo) <= 0 {
		n++
	}
	if n > 0 {
		clear(e.undo[:n])
		e.undo = e.undo[n:]
	}
	if e.stored == 0 {
		return nil
	}
	// Ids ascend with positions: only what goes is looked at.
	keep := e.top + 1
	err := e.query(`SELECT id FROM __livestore_undo WHERE (global, client) > (?, ?) ORDER BY id LIMIT 1`,
		[]any{upTo.Global, upTo.Client}, func(r *sqlite.Rows) { keep = r.Int64(0) })
	if err == nil {
		err = e.conn.Exec(sqlite.Internal, `DELETE FROM __livestore_undo WHERE id < ?`, keep)
	}
	if err != nil {
		return fmt.Errorf("forget undo entries: %w", err)
	}
	e.stored = min(e.stored, e.top+1-keep)
	return nil
}

// KeepUndo says whether undo entries are kept from now on. Where nothing is ever rolled back, at the leader of a store without a sync
// provider, they would only cost.
func (e *Engine) KeepUndo(keep bool) { e.noUndo = !keep }

// Resync reads head, undo entries and table scopes from the database again: after its transaction was rolled back.
func (e *Engine) Resync() error {
	n, err := Open(e.conn, e.schema, e.persist)
	if err != nil {
		return err
	}
	e.head, e.stored, e.top, e.scopes, e.forgot = n.head, n.stored, n.top, n.scopes, event.SeqNum{}
	return nil
}
