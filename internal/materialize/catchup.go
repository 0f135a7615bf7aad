package materialize

import (
	"context"
	"errors"
	"iter"

	"github.com/livestore-go/livestore/event"
)

// CatchUp applies what the log has after the engine's head. read iterates the log after a position. Of the first skip events no undo
// entries are kept: they would be trimmed at the end. progress, when not nil, is told how many events were applied, every
// thousand of them, and once more at the end. It ends early, with the error of ctx, when that is done.
func CatchUp(
	ctx context.Context, e *Engine, read func(after event.SeqNum, limit int) iter.Seq2[event.Client, error], skip int, progress func(done int),
) error {
	defer func(was bool) { e.noUndo = was }(e.noUndo)
	none := e.noUndo
	done := 0
	for ev, err := range read(e.head.Num, 0) {
		if err != nil {
			return err
		}
		e.noUndo = none || done < skip
		if err := e.Apply([]event.Client{ev}); err != nil {
			return err
		}
		if done++; done%1000 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if progress != nil {
				progress(done)
			}
		}
	}
	if progress != nil && done%1000 != 0 {
		progress(done)
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
