package sqlite

import (
	"fmt"
	"strings"

	"github.com/ncruces/go-sqlite3"
)

func defines(action sqlite3.AuthorizerActionCode) bool {
	switch action {
	case sqlite3.AUTH_CREATE_TABLE, sqlite3.AUTH_CREATE_INDEX, sqlite3.AUTH_CREATE_VIEW, sqlite3.AUTH_CREATE_TRIGGER,
		sqlite3.AUTH_CREATE_VTABLE, sqlite3.AUTH_REINDEX:
		return true
	}
	return false
}

// Define executes one CREATE statement of an app's schema: a table, an index, a view, a trigger, or a virtual table of
// FTS5. It refuses, with a *[DeniedError], what would make state differ between clients or what can not be undone row by
// row: functions a materializer may not call in checks, defaults, generated columns and indexes; AUTOINCREMENT, whose
// counter does not roll back; ON CONFLICT or RAISE with FAIL or ROLLBACK; TEMP; other virtual tables; CREATE … AS SELECT;
// reserved names; and columns that hide all names of the rowid.
func (c *Conn) Define(sql string) error {
	tokens := lex(sql)
	if err := checkDefinition(tokens); err != nil {
		return err
	}
	s, err := c.Prepare(Define, sql)
	if err != nil {
		return err
	}
	return s.Exec(nil)
}

func checkDefinition(tokens []token) error {
	denied := func(op, object string) error { return &DeniedError{Op: op, Object: object, Mode: Define} }
	if len(tokens) < 2 || !tokens[0].is("create") {
		return denied("a statement that is not CREATE", "")
	}
	what, name, rest := defined(tokens)
	lower := strings.ToLower(name)
	switch {
	case tokens[1].is("temp") || tokens[1].is("temporary"):
		return denied("CREATE TEMP", name)
	case strings.HasPrefix(lower, Reserved):
		return denied("the name", name)
	case what == "table" && len(rest) > 0 && rest[0].is("as"):
		return denied("CREATE TABLE … AS", name)
	case what == "table" && sequence(tokens, "autoincrement"):
		return denied("AUTOINCREMENT in table", name)
	case sequence(tokens, "on", "conflict", "fail|rollback"), sequence(tokens, "insert|update", "or", "fail|rollback"),
		sequence(tokens, "raise", "(", "fail|rollback"):
		return denied("the conflict clause FAIL or ROLLBACK in "+what, name)
	case what == "virtual":
		if i := index(tokens, "using"); i < 0 || i+1 >= len(tokens) || !strings.EqualFold(tokens[i+1].text, "fts5") {
			return denied("a virtual table that is not of fts5:", name)
		}
	}
	if what == "table" {
		if hidden := hidesRowid(tokens); hidden && !sequence(tokens, "without", "rowid") {
			return denied("columns rowid, _rowid_ and oid at once in table", name)
		}
		if f := defaultFunction(tokens); f != "" {
			return denied(opCallFunction, f+" in a default of table "+name)
		}
	}
	return nil
}

// defined returns what a CREATE statement creates, its name, and what follows.
func defined(tokens []token) (what, name string, rest []token) {
	for i, t := range tokens {
		switch {
		case t.is("virtual"):
			what = "virtual"
		case t.is("table") || t.is("index") || t.is("view") || t.is("trigger"):
			if what == "" {
				what = t.text
			}
			rest = tokens[i+1:]
			if len(rest) >= 3 && rest[0].is("if") {
				rest = rest[3:]
			}
			if len(rest) >= 3 && rest[1].is(".") {
				rest = rest[2:]
			}
			if len(rest) > 0 {
				name, rest = rest[0].text, rest[1:]
			}
			return what, name, rest
		}
	}
	return "statement", "", nil
}

func index(tokens []token, word string) int {
	for i, t := range tokens {
		if t.is(word) {
			return i
		}
	}
	return -1
}

// hidesRowid says whether a table has columns of all three names of the rowid. It looks at words where a column is
// declared: after the opening parenthesis and after each comma on the outermost level.
func hidesRowid(tokens []token) bool {
	found := map[string]bool{}
	depth := 0
	for i, t := range tokens {
		switch {
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
		}
		if depth == 1 && i+1 < len(tokens) && (t.is("(") || t.is(",")) {
			found[strings.ToLower(tokens[i+1].text)] = true
		}
	}
	return found["rowid"] && found["_rowid_"] && found["oid"]
}

// defaultFunction returns a function that a DEFAULT calls and a schema may not: SQLite's authorizer is not asked about
// defaults when a table is created.
func defaultFunction(tokens []token) string {
	for i, t := range tokens {
		if !t.is("default") || i+1 >= len(tokens) {
			continue
		}
		rest := tokens[i+1:]
		if strings.HasPrefix(rest[0].text, "current_") && rest[0].quoted == 0 {
			return rest[0].text
		}
		if !rest[0].is("(") {
			continue
		}
		depth := 0
		for j, u := range rest {
			switch {
			case u.is("("):
				depth++
			case u.is(")"):
				depth--
			case u.quoted == 0 && strings.HasPrefix(u.text, "current_"):
				return u.text
			case calls(rest[j:]) && !deterministic[strings.ToLower(u.text)] && !keywords[u.text]:
				return fmt.Sprintf("%s()", strings.ToLower(u.text))
			}
			if depth == 0 {
				break
			}
		}
	}
	return ""
}

// keywords may stand before a parenthesis and call nothing.
var keywords = set("and", "or", "not", "in", "between", "like", "glob", "is", "isnull", "notnull", "case", "when", "then", "else",
	"as", "collate", "exists")

// calls says whether tokens begin with a name and an opening parenthesis.
func calls(tokens []token) bool {
	return len(tokens) > 1 && tokens[1].is("(") && tokens[0].text != "" && tokens[0].quoted != '\'' && wordByte(tokens[0].text[0])
}
