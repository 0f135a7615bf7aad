package livestoretest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/state"
)

// CheckRebuild derives the state of a store anew from its eventlog, twice, and fails t when the two differ in a byte, or the store in a
// row. Then a materializer does not depend on the events alone: it reads a clock, iterates over a map, keeps something in a variable, or
// has changed without another [state.Version]. What one client shows then another does not, and an update of the app changes it.
//
// Of full-text tables without content of their own only the rows that are in them count, and of a text what is in front of a NUL.
//
// Call it at the end of a test, with the schema that the store was opened with. Nobody may commit meanwhile.
func CheckRebuild(t testing.TB, schema *state.Schema, store *livestore.Store) {
	t.Helper()
	c := rebuildCheck{schema: schema, store: store}
	if err := c.run(); err != nil {
		t.Errorf("store %s (client %s): %v", store.StoreID(), store.ClientID(), err)
	}
}

type rebuildCheck struct {
	schema *state.Schema
	store  *livestore.Store
}

func (c *rebuildCheck) run() error {
	before := c.store.SyncStatus().LocalHead
	var events []event.Client
	for e, err := range c.store.Events(context.Background(), nil) {
		if err != nil {
			return err
		}
		events = append(events, e)
	}
	first, err := c.derive(events)
	if err != nil {
		return err
	}
	second, err := c.derive(events)
	if err != nil {
		return err
	}
	for i, table := range first.tables {
		if diff := differ(first.rows[i], second.rows[i]); diff != "" {
			return fmt.Errorf("two rebuilds of the same %d events do not give the same: table %s, %s; "+
				"a materializer depends on something else than its events", len(events), table.name, diff)
		}
	}
	if !bytes.Equal(first.image, second.image) {
		return fmt.Errorf("two rebuilds of the same %d events have the same rows and are not the same database", len(events))
	}
	var rows [][]string
	err = c.store.View(func(r *state.Reader) error {
		for _, table := range first.tables {
			lines, err := state.Read(r, lines{sql: table.sql})
			if err != nil {
				return err
			}
			rows = append(rows, lines)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if after := c.store.SyncStatus().LocalHead; after != before {
		return fmt.Errorf("it went on from %s to %s meanwhile: call CheckRebuild when it is at rest", before, after)
	}
	for i, table := range first.tables {
		if diff := differ(rows[i], first.rows[i]); diff != "" {
			return fmt.Errorf("state is not what its %d events say: table %s, %s (first the store, then the rebuild)", len(events), table.name, diff)
		}
	}
	return nil
}

// differ says where two lists differ first.
func differ(a, b []string) string {
	for i := range max(len(a), len(b)) {
		x, y := "no row", "no row"
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			return fmt.Sprintf("row %d: %s, and %s", i+1, x, y)
		}
	}
	return ""
}

// table is one that events write, and how it is read: one line a row.
type table struct{ name, sql string }

// derived is a rebuilt state.
type derived struct {
	tables []table
	rows   [][]string // of each table
	image  []byte
}

func (c *rebuildCheck) derive(events []event.Client) (_ derived, err error) {
	var d derived
	conn, err := sqlite.Open(":memory:", nil)
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	engine, err := materialize.Create(conn, c.schema, false)
	if err != nil {
		return d, err
	}
	for i := range events {
		if err := engine.Apply(events[i : i+1]); err != nil {
			return d, fmt.Errorf("rebuild: %w", err)
		}
	}
	if d.tables, err = tablesOf(conn); err != nil {
		return d, err
	}
	for _, table := range d.tables {
		rows, err := column(conn, table.sql)
		if err != nil {
			return d, err
		}
		d.rows = append(d.rows, rows)
	}
	d.image, err = conn.Serialize()
	return d, err
}

// tablesOf lists the tables that are the schema's, without the ones in which SQLite keeps a full-text table.
func tablesOf(conn *sqlite.Conn) ([]table, error) {
	names, err := column(conn, `SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual')
		AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name NOT LIKE '\_\_livestore\_%' ESCAPE '\' ORDER BY name`)
	if err != nil {
		return nil, err
	}
	var tables []table
	for _, name := range names {
		columns, err := column(conn, "SELECT name FROM pragma_table_info('"+strings.ReplaceAll(name, "'", "''")+"')")
		if err != nil {
			return nil, err
		}
		for i, c := range columns {
			columns[i] = `quote("` + strings.ReplaceAll(c, `"`, `""`) + `")`
		}
		from := `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
		tables = append(tables, table{name, "SELECT " + strings.Join(columns, " || ', ' || ") + " FROM " + from + " ORDER BY 1"})
	}
	return tables, nil
}

// column returns the first column of a read.
func column(conn *sqlite.Conn, sql string) (out []string, err error) {
	s, err := conn.Prepare(sqlite.Internal, sql)
	if err != nil {
		return nil, err
	}
	err = s.Each(nil, func(r *sqlite.Rows) { out = append(out, r.Text(0)) })
	return out, err
}

// lines reads one column of text.
type lines struct {
	state.Yield[[]string]

	sql string
}

func (l lines) Statement(string) (state.Statement, error) { return state.Statement{SQL: l.sql}, nil }

func (l lines) Decode(r state.Rows) (out []string, err error) {
	for r.Next() {
		out = append(out, r.Text(0))
	}
	return slices.Clip(out), r.Err()
}
