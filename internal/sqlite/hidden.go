package sqlite

import (
	"slices"
	"strings"

	"github.com/ncruces/go-sqlite3"
)

// SQLite does not ask the authorizer about the columns that a join compares because they have the same name, JOIN … USING and NATURAL JOIN,
// nor about a table of which it reads nothing else. What such a statement reads is seen in the program it is compiled to.

// joinsByName says whether SQL may have such a join.
func joinsByName(sql []token) bool {
	return slices.ContainsFunc(sql, func(t token) bool { return t.is("using") || t.is("natural") })
}

// unhide adds the tables that the program of a statement opens to what the authorizer saw.
func (s *Stmt) unhide(g *gathering) error {
	c := s.c
	if s.mode != Read && s.mode != Materialize || g.ddl {
		return nil
	}
	tokens := lex(s.sql)
	if len(c.catalog.joins) == 0 && !joinsByName(tokens) || len(tokens) > 0 && tokens[0].is("explain") {
		return nil
	}
	named := slices.Concat(tokens, c.catalog.joins) // a join by name names its tables, here or in a view or trigger
	roots := map[int64]*table{}
	err := c.each("SELECT rootpage, tbl_name FROM sqlite_schema WHERE rootpage > 0", func(r *sqlite3.Stmt) {
		roots[r.ColumnInt64(0)] = c.catalog.find(r.ColumnText(1))
	})
	if err != nil {
		return err
	}
	read := func(t *table) {
		if t == nil {
			return
		}
		if denied := c.authorizeRead(g, t.name, ""); denied != nil && g.denied == nil {
			denied.Mode = s.mode
			g.denied = denied
		}
		delete(g.columns, t.owner) // all of them
	}
	err = c.each("EXPLAIN "+s.sql, func(r *sqlite3.Stmt) {
		switch r.ColumnText(1) {
		case "OpenRead":
			if r.ColumnInt(4) == 0 { // the main database
				read(roots[r.ColumnInt64(3)])
			}
		case "VOpen": // one of the virtual tables; it does not say which
			for _, t := range c.catalog.all {
				if t.kind == kindVirtual && slices.ContainsFunc(named, func(w token) bool { return strings.EqualFold(w.text, t.name) }) {
					read(t)
				}
			}
		}
	})
	if err == nil && g.denied != nil {
		return g.denied
	}
	return err
}
