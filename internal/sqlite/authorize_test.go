package sqlite

import (
	"errors"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
)

// refused lists the functions a materializer may not call, each because its result is not the same everywhere. A
// function of SQLite that is neither here nor among the deterministic ones fails TestEveryFunctionIsDecided.
var refused = set(
	// clock and calendar
	"current_date", "current_time", "current_timestamp", "date", "datetime", "julianday", "strftime", "time", "timediff", "unixepoch",
	// randomness
	"random", "randomblob", "uuid", "uuid_str", "uuid_blob",
	// the math library
	"acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "ceiling", "cos", "cosh", "degrees", "exp", "floor",
	"ln", "log", "log10", "log2", "mod", "pi", "pow", "power", "radians", "sin", "sinh", "sqrt", "tan", "tanh", "trunc", "bm25",
	// the connection and the build
	"changes", "last_insert_rowid", "total_changes", "fts5", "fts5_source_id", "load_extension", "sqlite_compileoption_get",
	"sqlite_compileoption_used", "sqlite_log", "sqlite_source_id", "sqlite_version", "sqlite_offset",
	// not part of SQLite's core: other builds do not have them
	"base64", "decimal", "decimal_add", "decimal_cmp", "decimal_exp", "decimal_mul", "decimal_pow2", "decimal_sub", "decimal_sum",
	"ieee754", "ieee754_exponent", "ieee754_from_blob", "ieee754_from_int", "ieee754_inc", "ieee754_mantissa",
	"ieee754_to_blob", "ieee754_to_int", "regexp", "regexpi",
)

func TestEveryFunctionIsDecided(t *testing.T) {
	c := memory(t, nil)
	seen := 0
	err := c.each("SELECT DISTINCT name FROM pragma_function_list", func(s *sqlite3.Stmt) {
		name := strings.ToLower(s.ColumnText(0))
		seen++
		if deterministic[name] == refused[name] {
			t.Errorf("function %s: is its result the same on every client? decide", name)
		}
	})
	if err != nil || seen < 150 {
		t.Fatalf("saw %d functions: %v", seen, err)
	}
}

// Each function is refused by its name, whatever its arguments.
func TestMaterializersCanNotCall(t *testing.T) {
	c := memory(t, []string{
		"CREATE TABLE t (id INTEGER PRIMARY KEY, a)", "CREATE VIRTUAL TABLE f USING fts5(a)",
		"CREATE VIEW dice AS SELECT RANDOM() AS n",
		"CREATE TABLE stamped (a, at DEFAULT 0)",
	})
	type args struct {
		name string
		n    int
	}
	calls := map[args]bool{}
	err := c.each("SELECT name, narg FROM pragma_function_list", func(s *sqlite3.Stmt) {
		if name := strings.ToLower(s.ColumnText(0)); refused[name] {
			calls[args{name, max(s.ColumnInt(1), 0)}] = true
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for call := range calls {
		text := call.name + "(" + strings.TrimSuffix(strings.Repeat("1, ", call.n), ", ") + ")"
		if strings.HasPrefix(call.name, "current_") {
			text = call.name
		}
		denied(t, c, Materialize, "SELECT "+text, opCallFunction, call.name)
		denied(t, c, Materialize, "INSERT INTO t(a) VALUES ("+strings.ToUpper(text)+")", opCallFunction, call.name)
	}
	for sql, object := range map[string]string{
		"SELECT n FROM dice": "random",
		"UPDATE t SET a = (SELECT max(x) FROM (SELECT strftime('%s', 'now') AS x))": "strftime",
		"WITH x AS (SELECT sqrt(2) AS r) INSERT INTO t(a) SELECT r FROM x":          "sqrt",
		"INSERT INTO t VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET a = random()":   "random",
		"DELETE FROM t RETURNING date('now')":                                       "date",
		"SELECT a FROM f WHERE f MATCH 'x' ORDER BY rank":                           "bm25 (by reading f.rank)",
		"SELECT bm25(f) FROM f WHERE f MATCH 'x'":                                   "bm25",
		"SELECT count(*) OVER (ORDER BY random()) FROM t":                           "random",
	} {
		denied(t, c, Materialize, sql, opCallFunction, object)
	}
	// A read may: what it shows is not kept.
	one(t, c, Read, "SELECT datetime('now') || random() || sqlite_version()")
}

// A default that is not the same everywhere is refused when the table is defined; in a table that was made in another way, when
// a row is inserted.
func TestDefaultsOfTheClock(t *testing.T) {
	c := memory(t, nil)
	execAll(t, c, Internal, "CREATE TABLE t (id INTEGER PRIMARY KEY, at TEXT DEFAULT CURRENT_TIMESTAMP)",
		"CREATE TABLE r (a, b DEFAULT (random()))",
		"CREATE TRIGGER tr AFTER INSERT ON r BEGIN INSERT INTO t(id) VALUES (new.a); END")
	denied(t, c, Materialize, "INSERT INTO t DEFAULT VALUES", opCallFunction, "current_timestamp")
	denied(t, c, Materialize, "INSERT INTO t(id) SELECT 1", opCallFunction, "current_timestamp")
	denied(t, c, Materialize, "INSERT INTO r(a) VALUES (1)", opCallFunction, "random")
	denied(t, c, Materialize, "INSERT INTO r VALUES (1, 2)", opCallFunction, "current_timestamp")
	execAll(t, c, Materialize, "INSERT INTO t VALUES (1, 'given')")
}

func denied(t *testing.T, c *Conn, mode Mode, sql, op, object string) {
	t.Helper()
	_, err := c.Prepare(mode, sql)
	d, ok := errors.AsType[*DeniedError](err)
	if !ok || d.Op != op || d.Object != object || d.Mode != mode {
		t.Errorf("%s: %s: got %v, want that it refuses to %s %s", mode, sql, err, op, object)
	}
}

func TestAReadIsOneSelect(t *testing.T) {
	c := memory(t, []string{
		"CREATE TABLE t (id INTEGER PRIMARY KEY, a)", "CREATE VIEW v AS SELECT * FROM t",
		"CREATE VIRTUAL TABLE f USING fts5(a)",
		"CREATE TABLE pragma_mine (a)",
	}, "INSERT INTO t(a) VALUES ('[1,2]')", "INSERT INTO f VALUES ('x')")
	for sql, op := range map[string]string{
		"INSERT INTO t(a) VALUES (1)":                             "INSERT",
		"UPDATE t SET a = 1":                                      "UPDATE",
		"DELETE FROM t":                                           "DELETE",
		"REPLACE INTO t VALUES (1, 2)":                            "INSERT",
		"INSERT INTO t(a) VALUES (1) RETURNING id":                "INSERT",
		"WITH x AS (SELECT 1) DELETE FROM t":                      "DELETE",
		"INSERT INTO f VALUES ('x')":                              "INSERT",
		"CREATE TABLE u (a)":                                      "INSERT", // into sqlite_master
		"CREATE TEMP TABLE u (a)":                                 "INSERT",
		"DROP TABLE t":                                            "DELETE",
		"ALTER TABLE t ADD b":                                     "ALTER TABLE",
		"PRAGMA foreign_keys = OFF":                               "PRAGMA",
		"PRAGMA table_info(t)":                                    "PRAGMA",
		"SELECT * FROM pragma_table_info('t')":                    "call table function",
		"SELECT count(*) FROM pragma_database_list":               "call table function",
		"SELECT 1 WHERE EXISTS (SELECT 1 FROM pragma_table_list)": "call table function",
		"SELECT value FROM generate_series(1, 2)":                 "call table function",
		"ATTACH 'other.db' AS other":                              "ATTACH",
		"DETACH main":                                             "DETACH",
		"BEGIN":                                                   "transaction control",
		"COMMIT":                                                  "transaction control",
		"SAVEPOINT s":                                             "transaction control",
		"RELEASE s":                                               "transaction control",
		"ANALYZE":                                                 "INSERT",
		"REINDEX":                                                 "",
		"VACUUM":                                                  "this statement",
		"VACUUM INTO 'copy.db'":                                   "this statement",
		"EXPLAIN DELETE FROM t":                                   "DELETE",
		"INSERT INTO f(f) VALUES ('optimize')":                    "INSERT",
		"SELECT 1 UNION ALL SELECT count(*) FROM pragma_function_list('')": "call table function",
	} {
		_, err := c.Prepare(Read, sql)
		if d, ok := errors.AsType[*DeniedError](err); !ok || op != "" && d.Op != op || d.Mode != Read {
			t.Errorf("%s: %v, want that %q is refused", sql, err, op)
		}
	}
	for _, sql := range []string{
		"SELECT * FROM t", "SELECT count(*) FROM v", "VALUES (1), (2)", "SELECT value FROM t, json_each(t.a)", "SELECT key FROM json_tree('{}')",
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT sum(i) FROM n",
		"SELECT snippet(f, 0, '', '', '', 5), rank FROM f WHERE f MATCH 'x' ORDER BY rank", "SELECT name FROM sqlite_schema",
		"SELECT row_number() OVER (ORDER BY id) FROM t", "EXPLAIN QUERY PLAN SELECT * FROM t", "SELECT * FROM pragma_mine",
		"WITH pragma(a) AS (SELECT 1) SELECT count(*) FROM pragma", "SELECT json_group_array(a) FROM t WHERE a -> '$[0]' = 1",
	} {
		s, err := c.Prepare(Read, sql)
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		if err := s.Exec(nil); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
		if len(s.Writes()) > 0 {
			t.Errorf("%s writes %v", sql, s.Writes())
		}
	}
}

func TestAMaterializerChangesRowsOfTheAppsTables(t *testing.T) {
	c := memory(t, []string{"CREATE TABLE t (id INTEGER PRIMARY KEY, a)", "CREATE VIRTUAL TABLE f USING fts5(a)"},
		"INSERT INTO t(a) VALUES (1)")
	execAll(t, c, Internal, "CREATE TABLE __livestore_head (n)", "CREATE TABLE u (id INTEGER PRIMARY KEY AUTOINCREMENT)",
		"CREATE VIEW ours AS SELECT n FROM __livestore_head",
		"CREATE TABLE sneaky (a)", "CREATE TRIGGER sneak AFTER INSERT ON sneaky BEGIN DELETE FROM __livestore_head; END")
	for sql, want := range map[string]DeniedError{
		"CREATE TABLE x (a)":        {Op: "write table", Object: "sqlite_master"},
		"DROP TABLE t":              {Op: "write table", Object: "sqlite_master"},
		"ALTER TABLE t RENAME TO x": {},
		"CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END": {},
		"PRAGMA user_version = 1":                                     {Op: "PRAGMA", Object: "user_version"},
		"PRAGMA defer_foreign_keys = ON":                              {Op: "PRAGMA", Object: "defer_foreign_keys"},
		"SELECT * FROM pragma_table_info('t')":                        {Op: "call table function", Object: "pragma_table_info"},
		"SELECT * FROM generate_series(1, 2)":                         {Op: "call table function", Object: "generate_series"},
		"ATTACH 'x' AS x":                                             {Op: "ATTACH", Object: "x"},
		"COMMIT":                                                      {Op: "transaction control", Object: "COMMIT"},
		"SAVEPOINT x":                                                 {Op: "transaction control", Object: "x"},
		"ROLLBACK TO livestore":                                       {Op: "transaction control", Object: "livestore"},
		"SELECT n FROM __livestore_head":                              {Op: "read table", Object: "__livestore_head"},
		"SELECT count(*) FROM __LIVESTORE_HEAD":                       {Op: "read table", Object: "__livestore_head"},
		"SELECT n FROM ours":                                          {Op: "read table", Object: "__livestore_head"},
		"INSERT INTO __livestore_head VALUES (1)":                     {Op: "write table", Object: "__livestore_head"},
		"INSERT INTO sneaky VALUES (1)":                               {Op: "write table", Object: "__livestore_head"},
		"SELECT rootpage FROM sqlite_schema":                          {Op: "read table", Object: "sqlite_master"},
		"SELECT count(*) FROM sqlite_master":                          {Op: "read table", Object: "sqlite_master"},
		"UPDATE sqlite_sequence SET seq = 0":                          {Op: "write table", Object: "sqlite_sequence"},
		"SELECT * FROM f_data":                                        {Op: "read table", Object: "f_data"},
		"SELECT count(*) FROM F_IDX":                                  {Op: "read table", Object: "f_idx"},
		"DELETE FROM f_data":                                          {Op: "write table", Object: "f_data"},
		"INSERT INTO f_config VALUES ('automerge', 1)":                {Op: "write table", Object: "f_config"},
		"VACUUM":    {Op: "this statement"},
		"ANALYZE t": {},
	} {
		_, err := c.Prepare(Materialize, sql)
		d, ok := errors.AsType[*DeniedError](err)
		if !ok || d.Mode != Materialize || want.Op != "" && (d.Op != want.Op || d.Object != want.Object) {
			t.Errorf("%s: %v, want that %s %s is refused", sql, err, want.Op, want.Object)
		}
	}
	for _, sql := range []string{
		"EXPLAIN SELECT 1", "EXPLAIN QUERY PLAN DELETE FROM t", "INSERT OR FAIL INTO t VALUES (1, 2)", "UPDATE OR ROLLBACK t SET id = 1",
		"with x as (select 1) insert or /* */ fail into t select 1, 1", "SELECT 1; DELETE FROM t", "", "-- nothing", ";", "SELECT",
		"SELECT * FROM nowhere",
	} {
		if _, err := c.Prepare(Materialize, sql); err == nil {
			t.Errorf("%q is accepted", sql)
		} else if _, ok := errors.AsType[*StatementError](err); !ok {
			t.Errorf("%q: %v, want a *StatementError", sql, err)
		}
	}
	for _, sql := range []string{
		"INSERT OR IGNORE INTO t VALUES (1, 2)", "SELECT 'insert or fail'", "INSERT INTO t(a) VALUES (json('{}')) RETURNING id; -- done",
		"DELETE FROM t WHERE a IN (SELECT value FROM json_each('[1]'))", "INSERT INTO f(f) VALUES ('optimize')",
		"/* all */ UPDATE t SET a = a || 'x' ;",
	} {
		if err := c.Exec(Materialize, sql); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

func TestDeniedErrorsSayWhatToDo(t *testing.T) {
	c := memory(t, people)
	for sql, want := range map[string]string{
		"SELECT random()": "sqlite: call function random is refused in a materializer: the same events must give the same state on " +
			"every client; compute the value when the event is committed and carry it in its arguments",
		"DROP TABLE people": "sqlite: write table sqlite_master is refused in a materializer: a materializer reads and writes rows of the " +
			"app's own tables and nothing else",
		"DELETE FROM people;": "sqlite: DELETE people is refused in a read: a read is one SELECT; change state by committing events",
	} {
		mode := Materialize
		if strings.HasSuffix(sql, ";") {
			mode = Read
		}
		if _, err := c.Prepare(mode, sql); err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", sql, err, want)
		}
	}
}

// FTS5 prepares statements of its own while an app's statement is prepared and executed. They are no business of the mode.
func TestStatementsOfFullTextTablesAreNotAskedAbout(t *testing.T) {
	c := memory(t, []string{"CREATE VIRTUAL TABLE f USING fts5(a)"}, "INSERT INTO f VALUES ('x')")
	image := must(c.Serialize())(t)
	for _, mode := range []Mode{Read, Materialize} {
		fresh := memory(t, nil) // the table is connected to by the first statement that names it
		if err := fresh.Deserialize(image); err != nil {
			t.Fatal(err)
		}
		if got := one(t, fresh, mode, "SELECT a FROM f WHERE f MATCH 'x'"); got != "x" {
			t.Errorf("%s: got %q", mode, got)
		}
	}
	fresh := memory(t, nil)
	if err := fresh.Deserialize(image); err != nil {
		t.Fatal(err)
	}
	execAll(t, fresh, Materialize, "INSERT INTO f VALUES ('y')", "DELETE FROM f WHERE f MATCH 'x'", "INSERT INTO f(f) VALUES ('rebuild')")
}
