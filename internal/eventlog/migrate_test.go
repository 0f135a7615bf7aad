package eventlog

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestVersionCountsTheMigrations(t *testing.T) {
	if Version != len(migrations)+1 {
		t.Fatalf("version %d with %d migrations", Version, len(migrations))
	}
}

func TestMigrationsRunAsOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	l, err := Open(path, &Options{StoreID: "todos"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	columns := func() int64 {
		t.Helper()
		n, err := l.conn.Integer("SELECT count(*) FROM pragma_table_info('events')")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	version := func() int64 {
		t.Helper()
		n, err := l.conn.Integer("PRAGMA user_version")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := columns()
	const add = "ALTER TABLE events ADD COLUMN extra TEXT"
	steps := func(more ...string) []string { return slices.Concat(make([]string, Version-1), more) } // what is done already, and more
	err = l.migrate(Version, steps(add, "ALTER TABLE nothing ADD COLUMN extra TEXT"))
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("migrate from version %d to %d", Version+1, Version+2)) {
		t.Fatal(err)
	}
	if columns() != before || version() != Version {
		t.Fatalf("half of it is left: %d columns of %d, version %d", columns(), before, version())
	}
	if err := l.migrate(Version, steps(add, "ALTER TABLE events ADD COLUMN more TEXT")); err != nil {
		t.Fatal(err)
	}
	if columns() != before+2 || version() != Version+2 {
		t.Fatalf("%d columns of %d, version %d", columns(), before+2, version())
	}
	if err := l.migrate(Version+2, steps("", "", "ALTER TABLE events ADD COLUMN last TEXT")); err != nil {
		t.Fatal(err)
	}
	if columns() != before+3 || version() != Version+3 {
		t.Fatalf("%d columns of %d, version %d", columns(), before+3, version())
	}
	l.Close()
	_, err = Open(path, &Options{StoreID: "todos"})
	if fe, ok := err.(*FormatError); !ok || fe.Version != Version+3 {
		t.Fatalf("Open of a newer file = %v", err)
	}
}
