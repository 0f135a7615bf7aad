package sqlite

import (
	"slices"
	"strings"

	"github.com/ncruces/go-sqlite3"
)

// Reserved is the prefix of the tables that are ours: a schema can not define them and a materializer can not touch
// them.
const Reserved = "__livestore_"

const opCallFunction = "call function"

// gathering is what the authorizer saw of one statement.
type gathering struct {
	reads, writes []string     // names as the catalog has them, possibly twice
	ddl           bool         // it changes the schema
	acts          bool         // it selects, inserts, updates or deletes
	denied        *DeniedError // the first thing that was refused

	columns map[string]Columns // of the tables in reads, those that are named
}

func (g *gathering) read(name string) {
	if n := len(g.reads); n == 0 || g.reads[n-1] != name {
		g.reads = append(g.reads, name)
	}
}

func (g *gathering) write(name string) {
	if n := len(g.writes); n == 0 || g.writes[n-1] != name {
		g.writes = append(g.writes, name)
	}
}

func distinct(names []string) []string {
	slices.Sort(names)
	return slices.Clip(slices.Compact(names))
}

var operations = map[sqlite3.AuthorizerActionCode]string{
	sqlite3.AUTH_CREATE_INDEX:        "CREATE INDEX",
	sqlite3.AUTH_CREATE_TABLE:        "CREATE TABLE",
	sqlite3.AUTH_CREATE_TEMP_INDEX:   "CREATE TEMP INDEX",
	sqlite3.AUTH_CREATE_TEMP_TABLE:   "CREATE TEMP TABLE",
	sqlite3.AUTH_CREATE_TEMP_TRIGGER: "CREATE TEMP TRIGGER",
	sqlite3.AUTH_CREATE_TEMP_VIEW:    "CREATE TEMP VIEW",
	sqlite3.AUTH_CREATE_TRIGGER:      "CREATE TRIGGER",
	sqlite3.AUTH_CREATE_VIEW:         "CREATE VIEW",
	sqlite3.AUTH_CREATE_VTABLE:       "CREATE VIRTUAL TABLE",
	sqlite3.AUTH_DROP_INDEX:          "DROP INDEX",
	sqlite3.AUTH_DROP_TABLE:          "DROP TABLE",
	sqlite3.AUTH_DROP_TEMP_INDEX:     "DROP TEMP INDEX",
	sqlite3.AUTH_DROP_TEMP_TABLE:     "DROP TEMP TABLE",
	sqlite3.AUTH_DROP_TEMP_TRIGGER:   "DROP TEMP TRIGGER",
	sqlite3.AUTH_DROP_TEMP_VIEW:      "DROP TEMP VIEW",
	sqlite3.AUTH_DROP_TRIGGER:        "DROP TRIGGER",
	sqlite3.AUTH_DROP_VIEW:           "DROP VIEW",
	sqlite3.AUTH_DROP_VTABLE:         "DROP VIRTUAL TABLE",
	sqlite3.AUTH_ALTER_TABLE:         "ALTER TABLE",
	sqlite3.AUTH_PRAGMA:              "PRAGMA",
	sqlite3.AUTH_TRANSACTION:         "transaction control",
	sqlite3.AUTH_SAVEPOINT:           "transaction control",
	sqlite3.AUTH_ATTACH:              "ATTACH",
	sqlite3.AUTH_DETACH:              "DETACH",
	sqlite3.AUTH_REINDEX:             "REINDEX",
	sqlite3.AUTH_ANALYZE:             "ANALYZE",
	sqlite3.AUTH_INSERT:              "INSERT",
	sqlite3.AUTH_UPDATE:              "UPDATE",
	sqlite3.AUTH_DELETE:              "DELETE",
}

func changesSchema(action sqlite3.AuthorizerActionCode) bool {
	return action >= sqlite3.AUTH_CREATE_INDEX && action <= sqlite3.AUTH_CREATE_VIEW ||
		action >= sqlite3.AUTH_DROP_INDEX && action <= sqlite3.AUTH_DROP_VIEW ||
		action == sqlite3.AUTH_ALTER_TABLE || action == sqlite3.AUTH_CREATE_VTABLE || action == sqlite3.AUTH_DROP_VTABLE
}

// authorize is SQLite's authorizer, asked while a statement is prepared. Statements that SQLite and FTS5 prepare on their
// own while another one is executed come here too; they are not gathered and never refused.
func (c *Conn) authorize(action sqlite3.AuthorizerActionCode, name, detail, schema, inner string) sqlite3.AuthorizerReturnCode {
	if changesSchema(action) {
		c.sawDDL = true
	}
	g := c.preparing
	if g == nil {
		return sqlite3.AUTH_OK
	}
	var denied *DeniedError
	switch action {
	case sqlite3.AUTH_SELECT:
		g.acts = true
	case sqlite3.AUTH_READ:
		denied = c.authorizeRead(g, name, detail)
	case sqlite3.AUTH_INSERT, sqlite3.AUTH_UPDATE, sqlite3.AUTH_DELETE:
		denied = c.authorizeWrite(g, action, name)
	case sqlite3.AUTH_FUNCTION:
		if c.mode >= Materialize && !deterministic[strings.ToLower(detail)] {
			denied = &DeniedError{Op: opCallFunction, Object: strings.ToLower(detail)}
		}
	case sqlite3.AUTH_RECURSIVE:
	default:
		denied = c.authorizeOther(action, name, detail, schema)
	}
	if denied == nil {
		return sqlite3.AUTH_OK
	}
	if g.denied == nil {
		denied.Mode = c.mode
		g.denied = denied
	}
	return sqlite3.AUTH_DENY
}

// authorizeRead is asked for each column of a table that is read, and with an empty column for a table of which none is.
// In that case the name is as the statement wrote it, and may be that of a common table expression.
func (c *Conn) authorizeRead(g *gathering, name, column string) *DeniedError {
	t := c.catalog.find(name)
	switch {
	case t != nil && t.kind == kindView: // its tables are reported too
	case t != nil:
		if c.mode != Internal && t.reserved() {
			return &DeniedError{Op: "read table", Object: t.name}
		}
		// How a full-text table keeps its rows depends on when it was asked to write them. It reads its settings itself
		// while a statement that names it is prepared.
		if c.mode == Materialize && t.kind == kindShadow && !strings.HasSuffix(t.lower, "_config") {
			return &DeniedError{Op: "read table", Object: t.name}
		}
		if c.mode == Materialize && t.fts && strings.EqualFold(column, "rank") {
			return &DeniedError{Op: opCallFunction, Object: "bm25 (by reading " + t.name + ".rank)"}
		}
		g.read(t.owner)
		if c.mode == Read {
			g.column(t, column)
		}
	case c.mode == Internal || c.mode == Define:
	case strings.HasPrefix(strings.ToLower(name), "sqlite_"):
		if c.mode == Materialize {
			return &DeniedError{Op: "read table", Object: name}
		}
	case tableFunctions[strings.ToLower(name)]:
	case column != "" || strings.HasPrefix(strings.ToLower(name), "pragma_"):
		return &DeniedError{Op: "call table function", Object: name}
	}
	return nil
}

func (c *Conn) authorizeWrite(g *gathering, action sqlite3.AuthorizerActionCode, name string) *DeniedError {
	g.acts = true
	t := c.catalog.find(name)
	switch {
	case c.mode == Read:
		return &DeniedError{Op: operations[action], Object: name}
	case c.mode == Materialize && (t == nil || t.kind == kindShadow || t.reserved()):
		return &DeniedError{Op: "write table", Object: name}
	case t == nil || t.kind == kindView:
		return nil
	}
	g.write(t.owner)
	return nil
}

func (c *Conn) authorizeOther(action sqlite3.AuthorizerActionCode, name, detail, schema string) *DeniedError {
	if c.mode == Internal || c.mode == Define && defines(action) && schema != "temp" {
		return nil
	}
	op, object := operations[action], name
	if op == "" {
		op = "this statement"
	}
	if action == sqlite3.AUTH_ALTER_TABLE || action == sqlite3.AUTH_SAVEPOINT {
		object = detail
	}
	return &DeniedError{Op: op, Object: object}
}
