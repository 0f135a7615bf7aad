package migrate

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/eventlog"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/state"
)

// Memory derives state from a log in memory, up to a position.
func Memory(log *eventlog.Log, schema *state.Schema, upTo event.SeqNum) (*materialize.Engine, error) {
	conn, err := sqlite.Open(":memory:", nil)
	if err != nil {
		return nil, err
	}
	engine, err := materialize.Create(conn, schema, true)
	if err == nil {
		read := func(after event.SeqNum, limit int) iter.Seq2[event.Client, error] {
			return until(upTo, log.Read(after, limit))
		}
		err = materialize.CatchUp(context.Background(), engine, read, 0, log.Meta().Upstream, nil)
	}
	if err == nil {
		err = engine.StoreHead()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("derive state in memory: %w", err), conn.Close())
	}
	return engine, nil
}
