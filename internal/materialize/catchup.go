package materialize

import (
	"context"
	"errors"
	"iter"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/state"
)

// How many events share a savepoint when an engine catches up, and how large their arguments may be, in bytes.
const (
	chunkEvents = 1000
	chunkBytes  = 4 << 20
)

// CatchUp applies what the log has after the engine's head. read iterates the log after a position. Of the first skip events no undo
// entries are kept: they would be trimmed at the end. Nor are there any of events up to confirmed, which nobody takes back. progress, when
// not nil, is told how many events were applied, at least every thousand of them, and at the end. It ends early, with the error of ctx,
// when that is done. After an error the engine stands behind the last event that has applied, or at an earlier one.
func CatchUp(
	ctx context.Context, e *Engine, read func(after event.SeqNum, limit int) iter.Seq2[event.Client, error],
	skip int, confirmed event.SeqNum, progress func(done int),
) error {
	defer func(was bool) { e.noUndo = was }(e.noUndo)
	none := e.noUndo
	done := 0
	var next []event.Client
	size := 0
	for ev, err := range read(e.head.Num, 0) {
		if err != nil {
			return err
		}
		noUndo := none || done+len(next) < skip || ev.Num.ComparePosition(confirmed) <= 0
		if len(next) == chunkEvents || size > chunkBytes || noUndo != e.noUndo {
			if err := e.applyAll(next); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if done += len(next); progress != nil && len(next) > 0 {
				progress(done)
			}
			next, size = next[:0], 0
		}
		e.noUndo = noUndo
		next, size = append(next, ev), size+len(ev.Args)
	}
	if err := e.applyAll(next); err != nil {
		return err
	}
	if progress != nil && len(next) > 0 {
		progress(done + len(next))
	}
	return nil
}

// applyAll applies events, each by itself. As long as all of them apply they need no savepoint each: only when one does not
// are they undone, and applied again with one.
func (e *Engine) applyAll(events []event.Client) error {
	told := e.onUnknown
	var unknown []event.Client
	e.onUnknown = func(ev event.Client) { unknown = append(unknown, ev) }
	err := e.Apply(events)
	e.onUnknown = told
	if err == nil {
		for _, ev := range unknown {
			if told != nil {
				told(ev)
			}
		}
		return nil
	}
	_, refused := errors.AsType[*Error](err)
	_, strange := errors.AsType[*state.UnknownEventError](err)
	if !refused && !strange { // the machine has failed, and may have rolled back more than these events
		return err
	}
	for i := range events {
		if err := e.Apply(events[i : i+1]); err != nil {
			return err
		}
	}
	return nil
}

// OnUnknown has f told of each event that is none of the schema's, from now on. Nil tells nobody.
func (e *Engine) OnUnknown(f func(event.Client)) { e.onUnknown = f }

// Retreat undoes events until the engine stands at one of the log: those that the log has not, or has no more. at gives the event of the
// log at a position. The error is [ErrUndoMissing] when undo entries do not reach back that far. After an error the caller rolls its
// transaction back.
func Retreat(e *Engine, at func(event.SeqNum) (event.Client, bool, error)) error {
	var err error
	uerr := e.undoWhile(func() bool {
		if err != nil || e.head == (Head{}) {
			return false
		}
		var ev event.Client
		var ok bool
		ev, ok, err = at(e.head.Num)
		return err == nil && (!ok || e.head != Head{Num: ev.Num, ID: ev.ID})
	})
	return errors.Join(err, uerr)
}
