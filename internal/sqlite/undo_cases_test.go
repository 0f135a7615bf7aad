package sqlite

import "slices"

// undoCase is statements whose changes are undone.
type undoCase struct {
	name   string
	schema []string
	setup  []string
	do     []string // statements of materializers
	more   []string // what comes after the undo, to see that the database works on
	tables string   // what the changes name
	same   bool     // the statements leave the database as it was
}

var people = []string{"CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT UNIQUE, age)"}

var threePeople = []string{"INSERT INTO people VALUES (1, 'Ada', 36), (2, 'Bob', 41.5), (7, 'Cy', NULL)"}

var undoCases = []undoCase{
	{
		name: "insert gives and takes the same rowids", schema: people, setup: threePeople,
		do:     []string{"INSERT INTO people(name) VALUES ('Dan'), ('Eve')", "INSERT INTO people VALUES (-5, 'Flo', 1)"},
		more:   []string{"INSERT INTO people(name) VALUES ('Gil')"},
		tables: "people",
	},
	{
		name: "rows without a primary key keep their rowids", schema: []string{"CREATE TABLE log (line)"},
		setup:  []string{"INSERT INTO log(rowid, line) VALUES (3, 'a'), (9, 'a'), (12, 'b')"},
		do:     []string{"DELETE FROM log WHERE rowid = 9", "INSERT INTO log VALUES ('a')", "DELETE FROM log WHERE line = 'a'"},
		more:   []string{"INSERT INTO log VALUES ('c')", "UPDATE log SET line = line || rowid"},
		tables: "log",
	},
	{
		name: "delete of all rows", schema: people, setup: threePeople,
		do:     []string{"DELETE FROM people"},
		more:   []string{"DELETE FROM people", "INSERT INTO people(name) VALUES ('x')"},
		tables: "people",
	},
	{
		name: "update of rowids", schema: people, setup: threePeople,
		do: []string{
			"UPDATE people SET id = id + 100", "UPDATE people SET id = 1, name = 'moved' WHERE id = 107",
			"UPDATE people SET rowid = 5 WHERE id = 101",
		},
		more:   []string{"UPDATE people SET id = -id"},
		tables: "people",
	},
	{
		name: "a text primary key is not the rowid, and takes NULL twice", schema: []string{"CREATE TABLE k (id TEXT PRIMARY KEY, v)"},
		setup:  []string{"INSERT INTO k VALUES (NULL, 1), (NULL, 2), ('a', 3)"},
		do:     []string{"UPDATE k SET v = v * 10 WHERE id IS NULL", "DELETE FROM k WHERE v = 20", "INSERT INTO k VALUES (NULL, 4)"},
		more:   []string{"INSERT INTO k VALUES (NULL, 5)"},
		tables: "k",
	},
	{
		name: "INTEGER PRIMARY KEY DESC is no rowid", schema: []string{"CREATE TABLE d (id INTEGER PRIMARY KEY DESC, v)"},
		setup:  []string{"INSERT INTO d VALUES (5, 'a'), (NULL, 'b'), (3, 'c')"},
		do:     []string{"UPDATE d SET id = id + 1", "DELETE FROM d WHERE id IS NULL", "INSERT INTO d VALUES (99, 'd')"},
		more:   []string{"INSERT INTO d VALUES (7, 'e')"},
		tables: "d",
	},
	{
		name:   "without rowid, a key of two columns in another order, one without case",
		schema: []string{"CREATE TABLE w (v, b TEXT COLLATE NOCASE, a REAL, PRIMARY KEY (a, b)) WITHOUT ROWID"},
		setup:  []string{"INSERT INTO w VALUES (1, 'x', 1), (2, 'Y', 1), (3, 'x', 2.5)"},
		do: []string{
			"INSERT INTO w VALUES (4, 'new', -1)", "UPDATE w SET a = a + 10, b = upper(b)", "DELETE FROM w WHERE b = 'y'",
			"REPLACE INTO w VALUES (5, 'X', 11)", "UPDATE w SET v = NULL",
		},
		more:   []string{"INSERT INTO w SELECT v, b, a + 1000 FROM w"},
		tables: "w",
	},
	{
		name: "one table copied into another of the same columns",
		schema: []string{
			"CREATE TABLE a (k PRIMARY KEY, v) WITHOUT ROWID", "CREATE TABLE b (k PRIMARY KEY, v) WITHOUT ROWID",
			"CREATE TABLE c (k INTEGER PRIMARY KEY, v)", "CREATE TABLE d (k INTEGER PRIMARY KEY, v)",
		},
		setup:  []string{"INSERT INTO a VALUES (1, 'one'), (2, 'two')", "INSERT INTO c VALUES (1, 'one'), (2, 'two')"},
		do:     []string{"INSERT INTO b SELECT * FROM a", "INSERT INTO d SELECT * FROM c"},
		more:   []string{"INSERT INTO b SELECT * FROM a", "INSERT INTO d SELECT * FROM c"},
		tables: "b d",
	},
	{
		name:   "replace that takes several rows away",
		schema: []string{"CREATE TABLE r (id INTEGER PRIMARY KEY, a UNIQUE, b UNIQUE)"},
		setup:  []string{"INSERT INTO r VALUES (1, 'a', 'b'), (2, 'c', 'd'), (3, 'e', 'f')"},
		do: []string{
			"REPLACE INTO r VALUES (3, 'a', 'd')", "INSERT OR REPLACE INTO r VALUES (3, 'z', 'z')",
			"UPDATE OR REPLACE r SET id = 8",
		},
		more:   []string{"REPLACE INTO r VALUES (9, 'a', 'd')"},
		tables: "r",
	},
	{
		name: "a conflict clause of the table replaces and ignores",
		schema: []string{"CREATE TABLE q (id INTEGER PRIMARY KEY ON CONFLICT REPLACE, a UNIQUE ON CONFLICT IGNORE, b NOT NULL " +
			"ON CONFLICT REPLACE DEFAULT 'none')"},
		setup: []string{"INSERT INTO q VALUES (1, 'a', 'b'), (2, 'c', 'd')"},
		do: []string{
			"INSERT INTO q VALUES (1, 'x', NULL)", "INSERT INTO q VALUES (5, 'c', 'ignored')",
			"INSERT INTO q VALUES (2, 'x', 'ignored')",
		},
		more:   []string{"INSERT INTO q VALUES (1, 'y', NULL)"},
		tables: "q",
	},
	{
		name: "upsert", schema: people, setup: threePeople,
		do: []string{
			"INSERT INTO people(name, age) VALUES ('Ada', 1), ('New', 2) ON CONFLICT (name) DO UPDATE SET age = excluded.age + age",
			"INSERT INTO people(name) VALUES ('Bob') ON CONFLICT DO NOTHING",
		},
		more:   []string{"INSERT INTO people(name, age) VALUES ('Ada', 1) ON CONFLICT (name) DO UPDATE SET age = 0"},
		tables: "people",
	},
	{
		name: "foreign keys: cascade, set null, set default, on update",
		schema: []string{
			"CREATE TABLE p (id INTEGER PRIMARY KEY, code TEXT UNIQUE)",
			"CREATE TABLE a (id INTEGER PRIMARY KEY, p REFERENCES p(id) ON DELETE CASCADE ON UPDATE CASCADE)",
			"CREATE TABLE b (id INTEGER PRIMARY KEY, p REFERENCES p(id) ON DELETE SET NULL ON UPDATE SET NULL)",
			"CREATE TABLE c (id INTEGER PRIMARY KEY, p DEFAULT 3 REFERENCES p(id) ON DELETE SET DEFAULT ON UPDATE CASCADE)",
			"CREATE TABLE d (id INTEGER PRIMARY KEY, a REFERENCES a(id) ON DELETE CASCADE, code REFERENCES p(code) ON UPDATE CASCADE ON DELETE " +
				"CASCADE)",
		},
		setup: []string{
			"INSERT INTO p VALUES (1, 'x'), (2, 'y'), (3, 'z')", "INSERT INTO a VALUES (1, 1), (2, 1), (3, 2)",
			"INSERT INTO b VALUES (1, 1), (2, 2)", "INSERT INTO c VALUES (1, 1), (2, 2)", "INSERT INTO d VALUES (1, 1, 'y'), (2, 3, 'z')",
		},
		do: []string{
			"UPDATE p SET id = id + 10, code = code || '!' WHERE id = 2", "DELETE FROM p WHERE id = 1",
			"INSERT INTO a VALUES (9, 3)", "DELETE FROM p WHERE id = 12",
		},
		more:   []string{"DELETE FROM p WHERE id = 1", "UPDATE p SET id = 77 WHERE id = 2"},
		tables: "a b c d p",
	},
	{
		name: "a table that refers to itself",
		schema: []string{
			"CREATE TABLE tree (id INTEGER PRIMARY KEY, parent REFERENCES tree(id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED)",
		},
		setup:  []string{"INSERT INTO tree VALUES (1, NULL), (2, 1), (3, 2), (4, 2), (5, 4)"},
		do:     []string{"INSERT INTO tree VALUES (10, 11)", "INSERT INTO tree VALUES (11, 1)", "DELETE FROM tree WHERE id = 2"},
		more:   []string{"DELETE FROM tree WHERE id = 1"},
		tables: "tree",
	},
	{
		name: "triggers of all kinds, and one that sets off another",
		schema: []string{
			"CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)", "CREATE TABLE audit (what, old, new)",
			"CREATE TABLE sums (id INTEGER PRIMARY KEY, total)",
			"CREATE TRIGGER t1 AFTER INSERT ON t BEGIN INSERT INTO audit VALUES ('ins', NULL, new.n); UPDATE sums SET total = total + new.n; END",
			"CREATE TRIGGER t2 BEFORE UPDATE ON t BEGIN INSERT INTO audit VALUES ('upd', old.n, new.n); END",
			"CREATE TRIGGER t3 AFTER DELETE ON t BEGIN DELETE FROM audit WHERE new = old.n; UPDATE sums SET total = total - old.n; END",
			"CREATE TRIGGER t4 AFTER UPDATE ON sums BEGIN INSERT INTO audit VALUES ('sum', old.total, new.total); END",
			"CREATE VIEW v AS SELECT id, n FROM t",
			"CREATE TRIGGER t5 INSTEAD OF INSERT ON v BEGIN INSERT INTO t VALUES (new.id, new.n * 2); END",
		},
		setup:  []string{"INSERT INTO sums VALUES (1, 0)", "INSERT INTO t VALUES (1, 10), (2, 20)"},
		do:     []string{"INSERT INTO t VALUES (3, 30)", "UPDATE t SET n = n + 1", "DELETE FROM t WHERE id = 1", "INSERT INTO v VALUES (50, 4)"},
		more:   []string{"INSERT INTO t VALUES (4, 40)", "DELETE FROM t"},
		tables: "audit sums t",
	},
	{
		name: "a trigger that changes the row it is about",
		schema: []string{
			"CREATE TABLE t (id INTEGER PRIMARY KEY, n, stamp)",
			"CREATE TRIGGER t1 AFTER INSERT ON t BEGIN UPDATE t SET stamp = new.id * 7 WHERE id = new.id; END",
			"CREATE TRIGGER t2 BEFORE DELETE ON t BEGIN UPDATE t SET n = 'gone' WHERE id > old.id; END",
			"CREATE TRIGGER t3 AFTER UPDATE OF n ON t WHEN new.n = 'gone' BEGIN DELETE FROM t WHERE id = new.id AND id > 5; END",
		},
		setup:  []string{"INSERT INTO t(id, n) VALUES (1, 'a'), (2, 'b'), (3, 'c'), (6, 'f')"},
		do:     []string{"INSERT INTO t(n) VALUES ('new')", "DELETE FROM t WHERE id = 2"},
		more:   []string{"DELETE FROM t WHERE id = 1"},
		tables: "t",
	},
	{
		name: "generated columns, stored and virtual, with an index on one",
		schema: []string{
			"CREATE TABLE g (v AS (a || b), id INTEGER PRIMARY KEY, a, s INTEGER AS (length(a)) STORED UNIQUE, b)",
			"CREATE INDEX gv ON g(v)", "CREATE TABLE gw (s AS (k * 2) STORED, k PRIMARY KEY, v AS (k + 1)) WITHOUT ROWID",
		},
		setup: []string{"INSERT INTO g(id, a, b) VALUES (1, 'a', 'x'), (2, 'bb', 'y')", "INSERT INTO gw(k) VALUES (1), (2)"},
		do: []string{
			"UPDATE g SET a = a || 'ccc'", "DELETE FROM g WHERE id = 1", "INSERT INTO g(a) VALUES ('zzzzzzzz')",
			"UPDATE gw SET k = k + 10", "DELETE FROM gw WHERE k = 11",
		},
		more:   []string{"UPDATE g SET b = v", "INSERT INTO gw(k) VALUES (5)"},
		tables: "g gw",
	},
	{
		name:   "values of all kinds come back as they were",
		schema: []string{"CREATE TABLE v (id INTEGER PRIMARY KEY, x, i INTEGER, r REAL, t TEXT, b BLOB, n NUMERIC)"},
		setup: []string{
			"INSERT INTO v(x) VALUES (9223372036854775807), (-9223372036854775808), (1.5), (9e999), (-9e999), (0.0), (-0.0), (5e-324), (1e300)",
			"INSERT INTO v(x) VALUES (x''), (x'00ff00'), (''), (NULL), ('a' || char(0) || 'b'), (CAST(x'ff80' AS TEXT)), (zeroblob(9)), ('😀')",
			"INSERT INTO v(i, r, t, b, n) VALUES (1, 1, 1, 1, 1), ('1', '1', '1', '1', '1'), (1.0, 1.0, 1.0, 1.0, 1.0), ('x', 'x', 'x', 'x', " +
				"'x'), " +
				"(x'31', x'31', x'31', x'31', x'31'), ('1e3', '1e3', '1e3', '1e3', '1e3'), (9e999, 9e999, 9e999, 9e999, 9e999), " +
				"(9007199254740993, 9007199254740993, 9007199254740993, 9007199254740993, '9007199254740993'), ('0x10', ' 5 ', '5.0', '', '1_0')",
		},
		do:     []string{"UPDATE v SET x = 'gone', i = 0, r = 0, t = 0, b = 0, n = 0", "DELETE FROM v"},
		more:   []string{"UPDATE v SET x = t, n = r"},
		tables: "v",
	},
	{
		name: "values of a strict table",
		schema: []string{
			"CREATE TABLE s (k INT PRIMARY KEY, i INTEGER, r REAL, t TEXT, b BLOB, x ANY) STRICT",
			"CREATE TABLE sw (k TEXT PRIMARY KEY, x ANY) STRICT, WITHOUT ROWID",
		},
		setup: []string{
			"INSERT INTO s VALUES (1, 2, 3, '4', x'05', '6'), (2, -1, 1e100, '', x'', 7.0), (3, NULL, NULL, NULL, NULL, x'08')",
			"INSERT INTO sw VALUES ('a', '1'), ('b', 1)",
		},
		do: []string{
			"UPDATE s SET i = 9, r = 9, t = '9', b = x'09', x = '09'", "DELETE FROM s WHERE k > 1", "UPDATE sw SET x = '2'",
			"DELETE FROM sw",
		},
		more:   []string{"UPDATE s SET x = k", "INSERT INTO sw VALUES ('c', x'00')"},
		tables: "s sw",
	},
	{
		name: "unique indexes: partial, of an expression, of two columns",
		schema: []string{
			"CREATE TABLE u (id INTEGER PRIMARY KEY, a, b, done)", "CREATE UNIQUE INDEX u1 ON u(a) WHERE done = 0",
			"CREATE UNIQUE INDEX u2 ON u(lower(b))", "CREATE UNIQUE INDEX u3 ON u(a, b)",
		},
		setup: []string{"INSERT INTO u VALUES (1, 'x', 'A', 0), (2, 'x', 'B', 1), (3, 'y', 'C', 0)"},
		do: []string{
			"UPDATE u SET done = 1 WHERE id = 1", "UPDATE u SET done = 0 WHERE id = 2", "REPLACE INTO u VALUES (9, 'z', 'c', 0)",
			"DELETE FROM u WHERE b = 'A'",
		},
		more:   []string{"INSERT INTO u VALUES (4, 'y', 'D', 1)"},
		tables: "u",
	},
	{
		name: "rows that trade a unique key",
		schema: []string{
			"CREATE TABLE pos (id INTEGER PRIMARY KEY, p INTEGER UNIQUE)",
			"CREATE TABLE posw (p INTEGER PRIMARY KEY, v) WITHOUT ROWID",
		},
		setup: []string{"INSERT INTO pos VALUES (1, 1), (2, 2), (3, 3), (4, 4)", "INSERT INTO posw VALUES (1, 'a'), (2, 'b'), (3, 'c')"},
		do: []string{
			"UPDATE pos SET p = -p", "UPDATE pos SET p = CASE p WHEN -4 THEN 1 ELSE 1 - p END",
			"UPDATE pos SET id = id - 1 WHERE id > 0",
			"UPDATE posw SET p = -p", "UPDATE posw SET p = 4 + p",
		},
		more:   []string{"UPDATE pos SET p = p + 100"},
		tables: "pos posw",
	},
	{
		name: "names that want quotes, and a column that hides rowid",
		schema: []string{
			`CREATE TABLE "a ""b" ("select" INTEGER, rowid TEXT, [c d] DEFAULT 'x')`, "CREATE TABLE `sqliteX` (oid, _rowid_)",
			`CREATE TABLE MixedCase (Id TEXT PRIMARY KEY, "Group" INT)`,
		},
		setup: []string{
			`INSERT INTO "a ""b" VALUES (1, 'r', 2), (2, 's', 3)`, "INSERT INTO sqliteX VALUES (1, 2)",
			"INSERT INTO mixedcase VALUES ('a', 1)",
		},
		do: []string{
			`UPDATE "a ""b" SET "select" = 5, rowid = 'z'`, `DELETE FROM "A ""B" WHERE _rowid_ = 1`,
			"UPDATE SQLITEX SET oid = 7", "UPDATE MIXEDCASE SET id = 'b'",
		},
		more:   []string{`INSERT INTO "a ""b"("select") VALUES (6)`},
		tables: `MixedCase a "b sqliteX`,
	},
	{
		name: "only a rowid", schema: []string{"CREATE TABLE ids (id INTEGER PRIMARY KEY)"},
		setup:  []string{"INSERT INTO ids VALUES (1), (5)"},
		do:     []string{"UPDATE ids SET id = id + 1", "INSERT INTO ids VALUES (NULL)", "DELETE FROM ids WHERE id = 2", "UPDATE ids SET id = id"},
		more:   []string{"INSERT INTO ids VALUES (NULL)"},
		tables: "ids",
	},
	{
		name: "a row inserted, changed and deleted again", schema: people, setup: threePeople, same: true,
		do: []string{
			"INSERT INTO people VALUES (50, 'temp', 1)", "UPDATE people SET age = 2 WHERE id = 50",
			"DELETE FROM people WHERE id = 50",
		},
		tables: "people",
	},
	{
		name: "long rows that spill over pages", schema: []string{"CREATE TABLE big (id INTEGER PRIMARY KEY, body TEXT, raw BLOB)"},
		setup: []string{"INSERT INTO big VALUES (1, printf('%.*c', 20000, 'x'), zeroblob(30000)), (2, 'small', x'01')"},
		do: []string{
			"UPDATE big SET body = printf('%.*c', 90000, 'y')", "UPDATE big SET raw = x'' WHERE id = 1",
			"INSERT INTO big(body) SELECT body FROM big", "DELETE FROM big WHERE id < 3",
		},
		more:   []string{"UPDATE big SET body = body || 'z'"},
		tables: "big",
	},
	{
		name:   "full text with its own content",
		schema: []string{"CREATE VIRTUAL TABLE f USING fts5(title, body, prefix='2')"},
		setup:  []string{"INSERT INTO f VALUES ('one', 'the quick fox'), ('two', 'the lazy dog')"},
		do: []string{
			"INSERT INTO f(rowid, title, body) VALUES (10, 'three', 'a quick dog')",
			"UPDATE f SET body = 'the slow fox' WHERE rowid = 1",
			"DELETE FROM f WHERE f MATCH 'lazy'", "INSERT INTO f VALUES ('four', 'quick quick quick')",
		},
		more: []string{
			"INSERT INTO f VALUES ('five', 'another fox')", "DELETE FROM f WHERE f MATCH 'quick'",
			"INSERT INTO f(f) VALUES ('optimize')",
		},
		tables: "f",
	},
	{
		name: "full text over a table, kept by triggers",
		schema: []string{
			"CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)",
			"CREATE VIRTUAL TABLE f USING fts5(text, content='notes', content_rowid='id')",
			"CREATE TRIGGER n1 AFTER INSERT ON notes BEGIN INSERT INTO f(rowid, text) VALUES (new.id, new.text); END",
			"CREATE TRIGGER n2 AFTER DELETE ON notes BEGIN INSERT INTO f(f, rowid, text) VALUES ('delete', old.id, old.text); END",
			"CREATE TRIGGER n3 AFTER UPDATE ON notes BEGIN INSERT INTO f(f, rowid, text) VALUES ('delete', old.id, old.text); " +
				"INSERT INTO f(rowid, text) VALUES (new.id, new.text); END",
		},
		setup: []string{"INSERT INTO notes VALUES (1, 'buy milk'), (2, 'call mum'), (3, 'buy bread and milk')"},
		do: []string{
			"UPDATE notes SET text = 'buy oat milk' WHERE id = 1", "DELETE FROM notes WHERE id = 3",
			"INSERT INTO notes(text) VALUES ('milk')", "DELETE FROM notes",
		},
		more: []string{
			"INSERT INTO notes(text) VALUES ('sell milk')", "DELETE FROM notes WHERE id = 1",
			"UPDATE notes SET text = text || ' now'",
		},
		tables: "f notes",
	},
	{
		name: "full text without content, and one that can delete",
		schema: []string{
			"CREATE VIRTUAL TABLE f USING fts5(a, content='')",
			"CREATE VIRTUAL TABLE g USING fts5(a, content='', contentless_delete=1)",
		},
		setup: []string{"INSERT INTO f(rowid, a) VALUES (1, 'x y'), (2, 'y z')", "INSERT INTO g(rowid, a) VALUES (1, 'x y'), (2, 'y z')"},
		do: []string{
			"INSERT INTO f(rowid, a) VALUES (3, 'x z')", "DELETE FROM g WHERE rowid = 1",
			"INSERT INTO g(rowid, a) VALUES (3, 'z')", "INSERT INTO f(f, rowid, a) VALUES ('delete', 1, 'x y')",
		},
		more:   []string{"INSERT INTO f(rowid, a) VALUES (4, 'x')", "DELETE FROM g WHERE rowid = 2", "INSERT INTO g(g) VALUES ('optimize')"},
		tables: "f g",
	},
	{
		name:   "commands of a full-text table: settings, rebuild, all deleted",
		schema: []string{"CREATE VIRTUAL TABLE f USING fts5(a)"},
		setup:  []string{"INSERT INTO f VALUES ('x y'), ('y z')", "INSERT INTO f(f, rank) VALUES ('automerge', 8)"},
		do: []string{
			"INSERT INTO f(f, rank) VALUES ('pgsz', 64)", "INSERT INTO f(f, rank) VALUES ('automerge', 2)",
			"INSERT INTO f VALUES ('z x')", "INSERT INTO f(f) VALUES ('rebuild')", "DELETE FROM f",
		},
		more:   []string{"INSERT INTO f VALUES ('more x')", "INSERT INTO f(f) VALUES ('optimize')"},
		tables: "f",
	},
	{
		name: "many rows of full text, so that segments merge",
		schema: []string{
			"CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)", "CREATE VIRTUAL TABLE f USING fts5(text)",
			"CREATE TRIGGER n1 AFTER INSERT ON notes BEGIN INSERT INTO f(rowid, text) VALUES (new.id, new.text); END",
		},
		setup:  []string{"INSERT INTO f(f, rank) VALUES ('pgsz', 64)", "INSERT INTO notes(text) VALUES ('start')"},
		do:     slices.Repeat([]string{"INSERT INTO notes(text) SELECT 'word' || (max(id) * 7919 % 101) || ' and ' || max(id) FROM notes"}, 60),
		more:   slices.Repeat([]string{"INSERT INTO notes(text) SELECT 'word' || (max(id) * 31 % 17) FROM notes"}, 30),
		tables: "f notes",
	},
}
