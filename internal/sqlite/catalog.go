package sqlite

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ncruces/go-sqlite3"
)

type kind uint8

const (
	kindTable kind = iota
	kindView
	kindVirtual
	kindShadow // a table in which a virtual table keeps its rows
)

// catalog is the schema as the authorizer and the undo log need it: neither may ask SQLite while it is called.
type catalog struct {
	all     []*table
	tables  map[string]*table // by the name as declared and in lower case
	hasKeys bool              // some table has a foreign key
	joins   []token           // of the views and triggers that join by common columns
}

// table is one table or view.
type table struct {
	name, lower  string
	owner        string // name by which an app knows it: for a shadow table that of its virtual table
	kind         kind
	withoutRowid bool
	fts          bool     // a full-text table
	content      string   // lower-case name of the external content of a full-text table
	guarded      bool     // has triggers or takes part in a foreign key: undone with both switched off
	rowid        string   // name by which its rowid can be set
	names        []string // of all columns, as SQLite counts them
	generated    bool     // it has generated columns
	columns      []column
	key          []int // primary key of a table without rowid, as indexes of columns in the order of the key
	logID        int32 // its index in the undo log's list; -1: not in it yet
	undo         undoStatements
}

// column is a column whose values the undo log keeps: not generated, and not the rowid by another name.
type column struct {
	index int // as SQLite counts the columns of the table
	name  string
}

// reserved says whether the table is ours and no app's.
func (t *table) reserved() bool { return strings.HasPrefix(t.lower, Reserved) }

func (k *catalog) find(name string) *table {
	if t := k.tables[name]; t != nil {
		return t
	}
	return k.tables[strings.ToLower(name)]
}

func (k *catalog) close() {
	for _, t := range k.all {
		t.undo.close()
	}
}

// ensureCatalog reads the schema when it is not known.
func (c *Conn) ensureCatalog() error {
	if c.catalog != nil {
		return nil
	}
	k, err := c.readCatalog()
	if err != nil {
		return fmt.Errorf("read the schema: %w", err)
	}
	c.catalog = k
	return nil
}

func (c *Conn) readCatalog() (*catalog, error) {
	k := &catalog{tables: map[string]*table{}}
	err := c.each("SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main'", func(s *sqlite3.Stmt) {
		t := &table{name: s.ColumnText(0), withoutRowid: s.ColumnBool(2), logID: -1}
		t.lower, t.owner = strings.ToLower(t.name), t.name
		switch s.ColumnText(1) {
		case "view":
			t.kind = kindView
		case "virtual":
			t.kind = kindVirtual
		case "shadow":
			t.kind = kindShadow
		}
		if !strings.HasPrefix(t.lower, "sqlite_") {
			k.all = append(k.all, t)
			k.tables[t.name], k.tables[t.lower] = t, t
		}
	})
	if err != nil {
		return nil, err
	}
	if err := c.readColumns(k); err != nil {
		return nil, err
	}
	if err := c.readRelations(k); err != nil {
		return nil, err
	}
	for _, t := range k.all {
		if t.kind == kindShadow {
			t.owner = k.ownerOf(t)
		}
	}
	return k, nil
}

func (c *Conn) readColumns(k *catalog) error {
	type info struct {
		column
		typ        string
		pk, hidden int
	}
	all := map[*table][]info{}
	err := c.each("SELECT m.name, x.cid, x.name, x.type, x.pk, x.hidden FROM sqlite_schema m, pragma_table_xinfo(m.name) x "+
		"WHERE m.type = 'table' ORDER BY m.rowid, x.cid", func(s *sqlite3.Stmt) {
		if t := k.find(s.ColumnText(0)); t != nil && (t.kind == kindTable || t.kind == kindShadow) {
			all[t] = append(all[t], info{column{s.ColumnInt(1), s.ColumnText(2)}, s.ColumnText(3), s.ColumnInt(4), s.ColumnInt(5)})
		}
	})
	if err != nil {
		return err
	}
	// A lone INTEGER column without an index of its own is the rowid itself. INTEGER PRIMARY KEY DESC looks alike and is not.
	indexed := map[*table]bool{}
	err = c.each("SELECT m.name FROM sqlite_schema m, pragma_index_list(m.name) i WHERE m.type = 'table' AND i.origin = 'pk'",
		func(s *sqlite3.Stmt) { indexed[k.find(s.ColumnText(0))] = true })
	if err != nil {
		return err
	}
	for t, columns := range all {
		keys, alias := 0, -1
		for i, x := range columns {
			if x.pk > 0 {
				keys++
				if strings.EqualFold(x.typ, "INTEGER") {
					alias = i
				}
			}
		}
		if t.withoutRowid || keys != 1 || indexed[t] {
			alias = -1
		}
		names := map[string]bool{}
		order := make([]int, keys)
		for i, x := range columns {
			names[strings.ToLower(x.name)] = true
			t.names = append(t.names, x.name)
			t.generated = t.generated || x.hidden != 0
			if x.hidden != 0 || i == alias {
				continue
			}
			if t.withoutRowid && x.pk > 0 {
				order[x.pk-1] = len(t.columns)
			}
			t.columns = append(t.columns, x.column)
		}
		if t.withoutRowid {
			t.key = order
			continue
		}
		if alias >= 0 {
			t.rowid = columns[alias].name
			continue
		}
		for _, name := range []string{"rowid", "_rowid_", "oid"} {
			if !names[name] {
				t.rowid = name
				break
			}
		}
	}
	return nil
}

func (c *Conn) readRelations(k *catalog) error {
	err := c.each("SELECT m.name, f.\"table\" FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'",
		func(s *sqlite3.Stmt) {
			for _, name := range []string{s.ColumnText(0), s.ColumnText(1)} {
				if t := k.find(name); t != nil {
					t.guarded, k.hasKeys = true, true
				}
			}
		})
	if err != nil {
		return err
	}
	return c.each("SELECT type, tbl_name, sql FROM sqlite_schema WHERE type IN ('trigger', 'view') OR sql LIKE 'create virtual%'",
		func(s *sqlite3.Stmt) {
			t := k.find(s.ColumnText(1))
			if tokens := lex(s.ColumnText(2)); s.ColumnText(0) != "table" && joinsByName(tokens) {
				k.joins = append(k.joins, tokens...)
			}
			switch {
			case t == nil:
			case s.ColumnText(0) == "view":
			case s.ColumnText(0) == "trigger":
				t.guarded = true
			default:
				var module string
				module, t.content = virtualTable(s.ColumnText(2))
				t.fts = module == "fts5"
				if !t.fts {
					t.content = ""
				}
			}
		})
}

// ownerOf returns the virtual table that keeps its rows in t: the longest name that t's begins with.
func (k *catalog) ownerOf(t *table) string {
	owner := t.name
	longest := 0
	for _, v := range k.all {
		if v.kind == kindVirtual && len(v.lower) > longest && strings.HasPrefix(t.lower, v.lower+"_") {
			owner, longest = v.name, len(v.lower)
		}
	}
	return owner
}

// each runs one statement of our own and calls f for each row.
func (c *Conn) each(sql string, f func(*sqlite3.Stmt)) error {
	s, _, err := c.raw.Prepare(sql)
	if err != nil {
		return err
	}
	for s.Step() {
		f(s)
	}
	err = s.Err()
	s.Close()
	return err
}

// contents adds to the tables a statement reads those its full-text tables take their text from. They are read when it is
// executed, and the authorizer does not say so.
func (c *Conn) contents(mode Mode, g *gathering) ([]string, error) {
	reads := distinct(g.reads)
	for i := 0; i < len(reads); i++ {
		t := c.catalog.find(reads[i])
		if t == nil || t.content == "" {
			continue
		}
		content := c.catalog.find(t.content)
		switch {
		case content == nil:
		case content.kind != kindView:
			delete(g.columns, content.name) // whichever are named, all are read
			if !slices.Contains(reads, content.name) {
				reads = append(reads, content.name)
			}
		default:
			behind, err := c.tablesOf(mode, content)
			if err != nil {
				return nil, err
			}
			for _, name := range behind {
				delete(g.columns, name)
				if !slices.Contains(reads, name) {
					reads = append(reads, name)
				}
			}
		}
	}
	return reads, nil
}

// tablesOf returns the tables a view reads. What a mode refuses it refuses in the view, too: a full-text table runs it out of the
// authorizer's sight.
func (c *Conn) tablesOf(mode Mode, view *table) ([]string, error) {
	sql := "SELECT * FROM " + sqlite3.QuoteIdentifier(view.name)
	s, _, g, err := c.compile(mode, sql)
	if err == nil && g.denied == nil {
		err = (&Stmt{c: c, mode: mode, sql: sql}).unhide(g)
	}
	if g.denied != nil {
		return nil, errors.Join(g.denied, s.Close())
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return g.reads, s.Close()
}
