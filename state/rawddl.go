package state

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// RawDDL is a part of a schema made with [DDL].
type RawDDL struct {
	sql        []string
	clientOnly bool
	objects    []object
	errs       []error
}

// object is something a CREATE statement makes.
type object struct{ kind, name string }

// DDL adds to a schema what Go types can not say: full-text indexes, views, triggers, partial indexes. Each text is one CREATE
// statement of a table, virtual table (fts5), view, trigger or index; they run in order, after the tables of the schema.
//
//	state.DDL(
//		`CREATE VIRTUAL TABLE search USING fts5(text, content='todos')`,
//		`CREATE TRIGGER search_insert AFTER INSERT ON todos BEGIN
//			INSERT INTO search(rowid, text) VALUES (new.rowid, new.text);
//		END`)
//
// Refused, because state could not be rolled back or would differ between clients: AUTOINCREMENT, temporary objects, other
// virtual tables, and everything that asks the clock, a random source or the library. What [NewSchema] does not see of it is
// refused when the tables are made.
func DDL(sql ...string) *RawDDL {
	r := &RawDDL{}
	if len(sql) == 0 {
		r.errs = append(r.errs, errors.New("it has no statement"))
	}
	for i, s := range sql {
		o, err := parseCreate(s)
		if err != nil {
			r.errs = append(r.errs, fmt.Errorf("statement %d (%s): %w", i+1, head(s), err))
			continue
		}
		r.sql = append(r.sql, strings.TrimRight(strings.TrimSpace(s), "; \t\r\n"))
		r.objects = append(r.objects, o)
	}
	return r
}

// head shows the beginning of a statement.
func head(sql string) string {
	words := strings.Fields(sql)
	return strings.Join(words[:min(len(words), 5)], " ")
}

// ClientOnly marks what the part creates as derived from client-only events; see the option [ClientOnly] of tables. It returns the part.
func (r *RawDDL) ClientOnly() *RawDDL {
	n := *r
	n.clientOnly = true
	return &n
}

func (r *RawDDL) part(b *builder) {
	for _, err := range r.errs {
		b.fail(fmt.Errorf("DDL: %w", err))
	}
	b.raw = append(b.raw, r)
}

// clockWords may stand nowhere in a statement, and clockCalls may not be called. The database refuses more; these are here so
// that what people really write is refused when the schema is put together.
var (
	clockWords = []string{"current_timestamp", "current_date", "current_time"}
	clockCalls = []string{
		"date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff", "random", "randomblob",
		"changes", "total_changes", "last_insert_rowid", "sqlite_version",
	}
)

// parseCreate finds what a statement creates and refuses what state can not have.
func parseCreate(sql string) (object, error) {
	toks, err := tokenize(sql)
	if err != nil {
		return object{}, err
	}
	for len(toks) > 0 && toks[len(toks)-1].text == ";" {
		toks = toks[:len(toks)-1]
	}
	o, rest, err := createHead(toks)
	if err != nil {
		return o, err
	}
	if err := checkName(o.name); err != nil {
		return o, err
	}
	for i, t := range rest {
		next := token{}
		if i+1 < len(rest) {
			next = rest[i+1]
		}
		switch {
		case t.quoted:
			continue
		case t.text == ";" && o.kind != "trigger":
			return o, errors.New("it is more than one statement: pass each as an argument of its own")
		case t.text == "autoincrement":
			return o, errors.New("AUTOINCREMENT is refused: SQLite's counters do not roll back with a rebase; leave it out")
		case slices.Contains(clockWords, t.text):
			return o, fmt.Errorf("%s is refused: state may depend on events only", strings.ToUpper(t.text))
		case slices.Contains(clockCalls, t.text) && next.text == "(":
			return o, fmt.Errorf("%s() is refused: state may depend on events only (quote the name if it is a table)", t.text)
		case o.kind == "virtual table" && t.text == "using" && next.text != "fts5":
			return o, fmt.Errorf("a virtual table using %s is refused: only fts5 is known to roll back", next.text)
		}
	}
	return o, nil
}

// createHead reads CREATE … name.
func createHead(toks []token) (object, []token, error) {
	words := func(ws ...string) bool {
		if len(toks) < len(ws) {
			return false
		}
		for i, w := range ws {
			if toks[i].quoted || toks[i].text != w {
				return false
			}
		}
		toks = toks[len(ws):]
		return true
	}
	var o object
	if !words("create") {
		return o, nil, errors.New("it does not begin with CREATE")
	}
	switch {
	case words("temp"), words("temporary"):
		return o, nil, errors.New("temporary objects are refused: state is what is kept")
	case words("table"):
		o.kind = "table"
	case words("virtual", "table"):
		o.kind = "virtual table"
	case words("view"):
		o.kind = "view"
	case words("trigger"):
		o.kind = "trigger"
	case words("index"), words("unique", "index"):
		o.kind = "index"
	default:
		return o, nil, errors.New("it creates neither a table, virtual table, view, trigger nor index")
	}
	words("if", "not", "exists")
	if len(toks) == 0 || toks[0].punct {
		return o, nil, fmt.Errorf("the %s has no name", o.kind)
	}
	o.name = toks[0].raw
	if len(toks) > 1 && toks[1].text == "." {
		return o, nil, fmt.Errorf("the name %s.… names a database: leave that out", o.name)
	}
	return o, toks[1:], nil
}

// token is a word, a quoted name or text, or one character of anything else.
type token struct {
	text   string // lower case for words
	raw    string
	quoted bool
	punct  bool
}

func tokenize(sql string) ([]token, error) {
	var toks []token
	for i := 0; i < len(sql); {
		c := sql[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f':
			i++
		case strings.HasPrefix(sql[i:], "--"):
			if n := strings.IndexByte(sql[i:], '\n'); n >= 0 {
				i += n + 1
			} else {
				i = len(sql)
			}
		case strings.HasPrefix(sql[i:], "/*"):
			n := strings.Index(sql[i+2:], "*/")
			if n < 0 {
				return nil, errors.New("a comment does not end")
			}
			i += n + 4
		case c == '\'' || c == '"' || c == '`' || c == '[':
			text, n, err := quotedText(sql[i:])
			if err != nil {
				return nil, err
			}
			toks = append(toks, token{text: text, raw: text, quoted: true})
			i += n
		case isWord(c):
			n := i
			for n < len(sql) && isWord(sql[n]) {
				n++
			}
			toks = append(toks, token{text: fold(sql[i:n]), raw: sql[i:n]})
			i = n
		default:
			toks = append(toks, token{text: sql[i : i+1], raw: sql[i : i+1], punct: true})
			i++
		}
	}
	return toks, nil
}

func isWord(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || ('0' <= c && c <= '9') || ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z')
}

// quotedText reads a quoted name or text at the beginning of s, in which the closing quote is doubled, and its length.
func quotedText(s string) (text string, n int, err error) {
	closing := s[0]
	if closing == '[' {
		closing = ']'
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != closing {
			b.WriteByte(s[i])
			continue
		}
		if closing != ']' && i+1 < len(s) && s[i+1] == closing {
			b.WriteByte(closing)
			i++
			continue
		}
		return b.String(), i + 1, nil
	}
	return "", 0, fmt.Errorf("a quote %c does not end", s[0])
}
