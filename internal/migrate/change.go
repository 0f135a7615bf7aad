package migrate

import (
	"cmp"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/materialize"
	"github.com/livestore-go/livestore/internal/sqlite"
	"github.com/livestore-go/livestore/internal/sqltext"
)

// others returns the names of the state files of other schemas.
func (s *State) others() []string {
	names, err := s.FS.List()
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(names, func(n string) bool {
		return !strings.HasPrefix(n, prefix) || !strings.HasSuffix(n, ext) || n == s.name()
	})
}

// changes compares the state with that of another schema: when there are several, with the one that stands furthest. It is for somebody to
// read, so what can not be compared is only worth a line.
func (s *State) changes(others []string, conn *sqlite.Conn) []Change {
	after, err := look(conn)
	if err != nil {
		s.Logger.Warn("what changed with the schema can not be said", "file", s.path(), "err", err)
		return nil
	}
	var before *catalog
	for _, name := range others {
		c, err := s.peek(name)
		if err != nil {
			s.Logger.Warn("what changed with the schema can not be said", "file", filepath.Join(s.Dir, name), "err", err)
		} else if before == nil || c.head.ComparePosition(before.head) > 0 {
			before = c
		}
	}
	if before == nil {
		return nil
	}
	return compare(before.parts, after.parts)
}

// catalog is what is in a state file but for what is the engine's own.
type catalog struct {
	head  event.SeqNum
	parts map[key]element
}

type key struct{ kind, name string }

// element is a table, view or index.
type element struct {
	sql  string
	rows int64
}

// peek looks into the state file of another schema. It is opened as the leader of that schema would: what is in its write-ahead log counts.
func (s *State) peek(name string) (*catalog, error) {
	conn, err := sqlite.Open(filepath.Join(s.Dir, name), &sqlite.Options{VFS: s.VFS})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return look(conn)
}

func look(conn *sqlite.Conn) (*catalog, error) {
	c := &catalog{parts: map[key]element{}}
	app, err := conn.Integer("PRAGMA application_id")
	if err == nil && app != materialize.ApplicationID {
		err = materialize.ErrOtherSchema
	}
	if err != nil {
		return nil, err
	}
	err = each(conn, `SELECT global, client FROM __livestore_head`, func(r *sqlite.Rows) {
		c.head = event.SeqNum{Global: r.Int64(0), Client: r.Int64(1)}
	})
	if err != nil {
		return nil, err
	}
	var tables []string
	// What a full-text table keeps its words in is part of it, and an index without SQL part of its table.
	err = each(conn, `SELECT s.type, s.name, s.sql, t.type
		FROM sqlite_schema s LEFT JOIN pragma_table_list t ON t.schema = 'main' AND t.name = s.name
		WHERE s.type IN ('table', 'view', 'index') AND s.sql IS NOT NULL AND t.type IS NOT 'shadow'
			AND s.tbl_name NOT GLOB '__livestore_*' AND s.name NOT GLOB 'sqlite_*' ORDER BY s.name`, func(r *sqlite.Rows) {
		k := key{r.Text(0), r.Text(1)}
		c.parts[k] = element{sql: sqltext.Normal(r.Text(2))}
		if r.Text(3) == "table" {
			tables = append(tables, k.name)
		}
	})
	if err != nil {
		return nil, err
	}
	for _, name := range tables {
		n, err := conn.Integer(`SELECT count(*) FROM "` + strings.ReplaceAll(name, `"`, `""`) + `"`)
		if err != nil {
			return nil, err
		}
		k := key{"table", name}
		c.parts[k] = element{sql: c.parts[k].sql, rows: n}
	}
	return c, nil
}

func each(conn *sqlite.Conn, sql string, row func(*sqlite.Rows)) error {
	stmt, err := conn.Prepare(sqlite.Internal, sql)
	if err != nil {
		return err
	}
	return stmt.Each(nil, row)
}

// compare returns what differs: tables before views before indexes, each by name.
func compare(before, after map[key]element) []Change {
	all := maps.Clone(before)
	maps.Copy(all, after)
	changes := []Change{}
	for k := range all {
		b, was := before[k]
		a, is := after[k]
		c := Change{Type: k.kind, Name: k.name, How: Same, Before: b.rows, After: a.rows}
		switch {
		case !was:
			c.How = Added
		case !is:
			c.How = Removed
		case a.sql != b.sql:
			c.How = Changed
		case a.rows == b.rows:
			continue
		}
		changes = append(changes, c)
	}
	order := []string{"table", "view", "index"}
	slices.SortFunc(changes, func(x, y Change) int {
		return cmp.Or(slices.Index(order, x.Type)-slices.Index(order, y.Type), cmp.Compare(x.Name, y.Name))
	})
	return changes
}
