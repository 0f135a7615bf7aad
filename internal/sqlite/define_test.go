package sqlite

import (
	"errors"
	"strings"
	"testing"
)

func TestDefineRefuses(t *testing.T) {
	for sql, want := range map[string]string{
		"CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)":                           "AUTOINCREMENT in table t",
		"CREATE TABLE t (at DEFAULT CURRENT_TIMESTAMP)":                                   "call function current_timestamp in a default",
		"CREATE TABLE t (at TEXT NOT NULL DEFAULT (datetime('now')))":                     "call function datetime() in a default",
		"CREATE TABLE t (a DEFAULT (1 + (2 * random())), b)":                              "call function random() in a default",
		`CREATE TABLE t (a DEFAULT ("randomblob"(4)))`:                                    "call function randomblob() in a default",
		"CREATE TABLE t (a DEFAULT (coalesce(NULL, current_date)))":                       "call function current_date in a default",
		"CREATE TABLE t (a CHECK (a < strftime('%s', 'now')))":                            "call function strftime",
		"CREATE TABLE t (a, b AS (sqrt(a)))":                                              "call function sqrt",
		"CREATE TABLE t (a, b AS (date(a)) STORED)":                                       "call function date",
		"CREATE INDEX i ON base(log(a))":                                                  "call function log",
		"CREATE UNIQUE INDEX i ON base(a) WHERE a > exp(1)":                               "call function exp",
		"CREATE TABLE t (a UNIQUE ON CONFLICT FAIL)":                                      "conflict clause FAIL or ROLLBACK in table t",
		"CREATE TABLE t (a NOT NULL ON CONFLICT ROLLBACK)":                                "conflict clause FAIL or ROLLBACK in table t",
		"CREATE TRIGGER t BEFORE INSERT ON base BEGIN SELECT RAISE(FAIL, 'no'); END":      "conflict clause FAIL or ROLLBACK in trigger t",
		"CREATE TRIGGER t BEFORE INSERT ON base BEGIN SELECT RAISE (ROLLBACK, 'no'); END": "conflict clause FAIL or ROLLBACK",
		"CREATE TRIGGER t AFTER INSERT ON base BEGIN UPDATE OR FAIL base SET a = 1; END":  "conflict clause FAIL or ROLLBACK",
		"CREATE TEMP TABLE t (a)":                                                         "CREATE TEMP t",
		"CREATE TEMPORARY VIEW t AS SELECT 1":                                             "CREATE TEMP t",
		"CREATE TABLE temp.t (a)":                                                         "CREATE TABLE t is refused",
		"CREATE TABLE t AS SELECT 1 AS a":                                                 "CREATE TABLE … AS t",
		"CREATE TABLE __livestore_x (a)":                                                  "the name __livestore_x",
		"CREATE VIEW IF NOT EXISTS main.__LIVESTORE_V AS SELECT 1":                        "the name __livestore_v",
		"CREATE TABLE t (rowid, _rowid_ TEXT, `oid`)":                                     "columns rowid, _rowid_ and oid at once",
		"CREATE VIRTUAL TABLE t USING fts5vocab(f, row)":                                  "a virtual table that is not of fts5: t",
		"CREATE VIRTUAL TABLE t USING generate_series":                                    "a virtual table that is not of fts5: t",
		"DROP TABLE base":             "not CREATE",
		"INSERT INTO base VALUES (1)": "not CREATE",
		"PRAGMA user_version = 1":     "not CREATE",
		"SELECT 1":                    "not CREATE",
		"CREATE":                      "not CREATE",
		"":                            "not CREATE",
	} {
		c := memory(t, []string{"CREATE TABLE base (a)"})
		err := c.Define(sql)
		d, ok := errors.AsType[*DeniedError](err)
		if !ok || d.Mode != Define || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want that %q is refused", sql, err, want)
		}
		if got := one(t, c, Internal, "SELECT group_concat(name) FROM sqlite_schema"); got != "base" {
			t.Errorf("%s was refused and left %s", sql, got)
		}
	}
}

func TestDefineAccepts(t *testing.T) {
	c := memory(t, []string{
		"CREATE TABLE IF NOT EXISTS base (a)",
		"CREATE TABLE log (date TEXT, time INTEGER, random DEFAULT 'random()', \"current_time\" DEFAULT 0 REFERENCES date(exp))",
		"CREATE TABLE date (exp PRIMARY KEY, ok, fail, CHECK (ok OR fail))",
		"CREATE TABLE t (a DEFAULT (upper('x') || (1 + 2)), b DEFAULT -1, c DEFAULT (CASE WHEN (1) AND (2) THEN (3) ELSE NULL END), d " +
			"DEFAULT x'00' " +
			"CHECK (length(d) < 9), e AS (json_array(a, b)))",
		"CREATE UNIQUE INDEX i ON log(lower(date)) WHERE time IS NOT NULL", "CREATE VIEW v AS SELECT date FROM log",
		"CREATE TRIGGER tr AFTER INSERT ON log WHEN new.time > 0 BEGIN UPDATE OR IGNORE log SET time = 0; SELECT RAISE(IGNORE) FROM log; END",
		"CREATE TABLE both (rowid, _rowid_, oid, PRIMARY KEY (rowid)) WITHOUT ROWID",
		"CREATE VIRTUAL TABLE f USING FTS5(a, tokenize=\"unicode61 remove_diacritics 2\")",
		"CREATE TABLE noted (a TEXT DEFAULT 'AUTOINCREMENT, on conflict fail') -- autoincrement",
	})
	execAll(t, c, Materialize, "INSERT INTO t(b) VALUES (1)", "INSERT INTO both VALUES (1, 2, 3)")
	err := c.Define("CREATE TABLE t (again)")
	if _, ok := errors.AsType[*StatementError](err); !ok {
		t.Errorf("a second table t: %v, want a *StatementError", err)
	}
}

func TestLex(t *testing.T) {
	for sql, want := range map[string]string{
		"SELECT a.b,'it''s' FROM [x y] -- end":  "select/a/./b/,/'it's/from/[x y",
		"/* a */ \"q\"\"q\" `b` x'00' 1.5e3 ?1": "\"q\"q/`b/x/'00/1/./5e3/?/1",
		"'open":                                 "'open",
		"[open":                                 "[open",
		"/* open":                               "",
		"--":                                    "",
		"a\x00é😀$_1":                            "a/\x00/é😀$_1",
		"a->>'$.b'||c<>d":                       "a/-/>/>/'$.b/|/|/c/</>/d",
	} {
		var got []string
		for _, tok := range lex(sql) {
			text := tok.text
			if tok.quoted != 0 {
				text = string(tok.quoted) + text
			}
			got = append(got, text)
		}
		if strings.Join(got, "/") != want {
			t.Errorf("%q: %q, want %q", sql, strings.Join(got, "/"), want)
		}
	}
}

func TestContentOfFullTextTables(t *testing.T) {
	for sql, want := range map[string]string{
		"CREATE VIRTUAL TABLE f USING fts5(a, b)":                            "",
		"CREATE VIRTUAL TABLE f USING fts5(a, content='')":                   "",
		"CREATE VIRTUAL TABLE f USING fts5(a, content=T)":                    "t",
		"CREATE VIRTUAL TABLE f USING fts5(a, CONTENT = \"my t\", b)":        "my t",
		"CREATE VIRTUAL TABLE f USING fts5(content, content_rowid=content)":  "",
		"CREATE VIRTUAL TABLE f USING fts5(a, content_rowid='id', cont=[x])": "x",
		"CREATE VIRTUAL TABLE f USING fts5(a, tokenize='content = x')":       "",
	} {
		if module, got := virtualTable(sql); module != "fts5" || got != want {
			t.Errorf("%s: module %q, content %q, want %q", sql, module, got, want)
		}
	}
}
