package crashtest

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/state"
)

// dump writes out every table that materializers fill, rowids included, in a form that is the same for the same content. It also
// checks the full-text table and the file.
func dump(t testing.TB, conn *sqlite.Conn) string {
	t.Helper()
	var b strings.Builder
	tables := column(t, conn, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
		AND name NOT LIKE '\_\_livestore%' ESCAPE '\' AND name NOT LIKE 'search%' ORDER BY name`)
	for _, table := range tables {
		columns := column(t, conn, `SELECT name FROM pragma_table_info(?)`, table)
		for i, c := range columns {
			columns[i] = `quote("` + c + `")`
		}
		fmt.Fprintf(&b, "%s\n", table)
		rows := column(t, conn, `SELECT rowid || ' ' || `+strings.Join(columns, ` || ' ' || `)+` FROM "`+table+`" ORDER BY rowid`)
		for _, r := range rows {
			fmt.Fprintf(&b, "\t%s\n", r)
		}
	}
	fmt.Fprintf(&b, "search %s\n", column(t, conn, `SELECT count(*) || ' ' || coalesce(sum(rowid), 0) FROM search WHERE search MATCH 'pad'`))
	fmt.Fprintf(&b, "scopes %s\n", column(t, conn, `SELECT name || ' ' || scope FROM __livestore_tables ORDER BY name`))
	if err := conn.Exec(sqlite.Internal, `INSERT INTO search(search, rank) VALUES ('integrity-check', 1)`); err != nil {
		t.Errorf("the full-text table is not that of its content: %v", err)
	}
	if err := conn.IntegrityCheck(); err != nil {
		t.Errorf("check state: %v", err)
	}
	return b.String()
}

// column returns the first column of a result, as text.
func column(t testing.TB, conn *sqlite.Conn, sql string, args ...any) []string {
	t.Helper()
	stmt, err := conn.Prepare(sqlite.Internal, sql)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := stmt.Query(args)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		all = append(all, rows.Text(0))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// derived is state that never crashed: in memory, from the events alone.
type derived struct {
	engine *materialize.Engine
	n      int // events applied
}

// newDerived makes the state of an empty log. Its connection is the caller's to close.
func newDerived(t testing.TB, schema *state.Schema) *derived {
	t.Helper()
	conn, err := sqlite.Open(":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	empty.Lock()
	defer empty.Unlock()
	image, ok := empty.of[schema]
	if ok {
		err = conn.Deserialize(image)
	} else {
		_, err = materialize.Create(conn, schema, false)
	}
	if err != nil {
		t.Fatal(err)
	}
	engine, err := materialize.Open(conn, schema, false)
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		if empty.of[schema], err = conn.Serialize(); err != nil {
			t.Fatal(err)
		}
	}
	return &derived{engine: engine}
}

// empty holds the state of an empty log, which takes longer to make than to read.
var empty = struct {
	sync.Mutex

	of map[*state.Schema][]byte
}{of: map[*state.Schema][]byte{}}

// follow applies what a log has gained since the last time.
func (d *derived) follow(t testing.TB, log []event.Client) {
	t.Helper()
	rest := func(event.SeqNum, int) iter.Seq2[event.Client, error] {
		return func(yield func(event.Client, error) bool) {
			for _, e := range log[d.n:] {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
	if err := materialize.CatchUp(t.Context(), d.engine, rest, len(log), event.SeqNum{}, nil); err != nil {
		t.Fatalf("derive state from the log: %v", err)
	}
	d.n = len(log)
}

func (d *derived) dump(t testing.TB) string {
	t.Helper()
	return dump(t, d.engine.Conn())
}

// same fails with the first lines in which two dumps differ.
func same(t testing.TB, what, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(a), len(b)) {
		x, y := slices.Concat(a[min(i, len(a)):], []string{"(end)"})[0], slices.Concat(b[min(i, len(b)):], []string{"(end)"})[0]
		if x != y {
			t.Errorf("%s is not what the log says, first in line %d (of %d, want %d):\n\tgot  %s\n\twant %s", what, i+1, len(a), len(b), x, y)
			return
		}
	}
}
