package tasks

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/state"
)

// dumped are the tables in which the state of synced events is. The search index follows from the text of the tasks.
var dumped = []struct{ name, columns string }{
	{"tasks", "number, id, done, priority, completed, created, text, dueOn, removedOn, removal"},
	{"labels", "number, mark, name"},
}

// Dump writes everything that follows from the synced events, and the events, as text: two clients that have the same events write the
// same. First come the rows of each table, sorted, and then the eventlog, one event a line with its number, name and arguments.
func Dump(ctx context.Context, store *livestore.Store, w io.Writer) error {
	for _, t := range dumped {
		rows, err := livestore.Get(store, state.SQL[dumpedRow](
			"SELECT json_array("+t.columns+") AS row FROM "+t.name+" ORDER BY "+t.columns))
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "table %s (%s)\n", t.name, t.columns); err != nil {
			return err
		}
		for _, r := range rows {
			if _, err := fmt.Fprintln(w, r.JSON); err != nil {
				return err
			}
		}
	}
	if _, err := fmt.Fprintln(w, "eventlog"); err != nil {
		return err
	}
	for e, err := range store.Events(ctx, nil) {
		if err != nil {
			return err
		}
		if e.Num.Client != 0 { // client-only: nobody else has it
			continue
		}
		// The generation counts rebases of this client.
		if _, err := fmt.Fprintf(w, "e%d %s %s\n", e.Num.Global, e.Name, json.RawMessage(e.Args)); err != nil {
			return err
		}
	}
	return nil
}

type dumpedRow struct {
	JSON string `db:"row"`
}
