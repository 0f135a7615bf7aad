package sqlite

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
)

// memory opens a database in memory with a schema and some rows.
func memory(t testing.TB, schema []string, setup ...string) *Conn {
	t.Helper()
	c := opened(t, ":memory:", nil)
	for _, ddl := range schema {
		if err := c.Define(ddl); err != nil {
			t.Fatalf("define %s: %v", ddl, err)
		}
	}
	execAll(t, c, Internal, setup...)
	return c
}

func opened(t testing.TB, path string, opts *Options) *Conn {
	t.Helper()
	c, err := Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func execAll(t testing.TB, c *Conn, mode Mode, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if err := c.Exec(mode, sql); err != nil {
			t.Fatal(err)
		}
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// one returns the value of a query of one row and one column.
func one(t testing.TB, c *Conn, mode Mode, sql string, args ...any) string {
	t.Helper()
	all := column0(t, c, mode, sql, args...)
	if len(all) != 1 {
		t.Fatalf("%s: %d rows, want one", sql, len(all))
	}
	return all[0]
}

func column0(t testing.TB, c *Conn, mode Mode, sql string, args ...any) []string {
	t.Helper()
	s, err := c.Prepare(mode, sql)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := s.Query(args)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for rows.Next() {
		all = append(all, rows.Text(0))
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	return all
}

// dump returns every row of every table with its rowid and the exact type and value of each column, shadow tables of
// full-text tables included.
func dump(t testing.TB, c *Conn) string {
	t.Helper()
	if err := c.ensureCatalog(); err != nil {
		t.Fatal(err)
	}
	c.flush()
	var b strings.Builder
	tables := slices.Clone(c.catalog.all)
	slices.SortFunc(tables, func(a, b *table) int { return strings.Compare(a.lower, b.lower) })
	for _, tab := range tables {
		if tab.kind != kindTable && tab.kind != kindShadow {
			continue
		}
		columns, order := "*", tab.rowid
		if !tab.withoutRowid {
			columns = sqlite3.QuoteIdentifier(tab.rowid) + ", *"
		} else {
			order = tab.columns[tab.key[0]].name
		}
		fmt.Fprintf(&b, "%s\n", tab.name)
		sql := "SELECT " + columns + " FROM " + tab.quoted() + " ORDER BY " + sqlite3.QuoteIdentifier(order)
		err := c.each(sql, func(s *sqlite3.Stmt) {
			for i := range s.ColumnCount() {
				switch s.ColumnType(i) {
				case sqlite3.INTEGER:
					fmt.Fprintf(&b, "  %d", s.ColumnInt64(i))
				case sqlite3.FLOAT:
					fmt.Fprintf(&b, "  %x", s.ColumnFloat(i))
				case sqlite3.TEXT:
					fmt.Fprintf(&b, "  %q", s.ColumnText(i))
				case sqlite3.BLOB:
					fmt.Fprintf(&b, "  x'%x'", s.ColumnBlob(i, nil))
				default:
					b.WriteString("  NULL")
				}
			}
			b.WriteByte('\n')
		})
		if err != nil {
			t.Fatalf("dump %s: %v", tab.name, err)
		}
	}
	return b.String()
}

// sound checks the database and each full-text table against its content.
func sound(t testing.TB, c *Conn) {
	t.Helper()
	if err := c.IntegrityCheck(); err != nil {
		t.Fatal(err)
	}
	for _, tab := range c.catalog.all {
		if tab.fts {
			q := sqlite3.QuoteIdentifier(tab.name)
			if err := c.Exec(Internal, "INSERT INTO "+q+"("+q+", rank) VALUES ('integrity-check', 1)"); err != nil {
				t.Fatalf("integrity-check of %s: %v", tab.name, err)
			}
		}
	}
}
