// Package sqltext reads SQL text without a database: what a CREATE statement makes, whether a text is one expression, and what of it would
// make state depend on more than events. It is there to say so early; the database refuses more.
package sqltext

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Object is something a CREATE statement makes.
type Object struct{ Kind, Name string } // Kind: table, virtual table, view, trigger or index

// clockWords may stand nowhere in a statement, and clockCalls may not be called. The database refuses more; these are here so
// that what people really write is refused when the schema is put together.
var (
	clockWords = []string{"current_timestamp", "current_date", "current_time"}
	clockCalls = []string{
		"date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff", "random", "randomblob",
		"changes", "total_changes", "last_insert_rowid", "sqlite_version",
	}
)

// Create finds what a CREATE statement makes and refuses what state can not have. Its name is not checked.
func Create(sql string) (Object, error) {
	toks, err := tokenize(sql)
	if err != nil {
		return Object{}, err
	}
	for len(toks) > 0 && toks[len(toks)-1].text == ";" {
		toks = toks[:len(toks)-1]
	}
	o, rest, err := createHead(toks)
	if err != nil {
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
		case t.text == ";" && o.Kind != "trigger":
			return o, errors.New("it is more than one statement: pass each as an argument of its own")
		case t.text == "autoincrement":
			return o, errors.New("AUTOINCREMENT is refused: SQLite's counters do not roll back with a rebase; leave it out")
		case o.Kind == "virtual table" && t.text == "using" && next.text != "fts5":
			return o, fmt.Errorf("a virtual table using %s is refused: only fts5 is known to roll back", next.text)
		}
		if err := refuseClock(rest, i); err != nil {
			return o, err
		}
	}
	return o, nil
}

// refuseClock refuses the token at i when it asks for what is no event.
func refuseClock(toks []token, i int) error {
	switch t := toks[i]; {
	case slices.Contains(clockWords, t.text):
		return fmt.Errorf("%s is refused: state may depend on events only", strings.ToUpper(t.text))
	case slices.Contains(clockCalls, t.text) && i+1 < len(toks) && toks[i+1].text == "(":
		return fmt.Errorf("%s() is refused: state may depend on events only (quote the name if it is a table)", t.text)
	}
	return nil
}

// createHead reads CREATE … name.
func createHead(toks []token) (Object, []token, error) {
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
	var o Object
	if !words("create") {
		return o, nil, errors.New("it does not begin with CREATE")
	}
	switch {
	case words("temp"), words("temporary"):
		return o, nil, errors.New("temporary objects are refused: state is what is kept")
	case words("table"):
		o.Kind = "table"
	case words("virtual", "table"):
		o.Kind = "virtual table"
	case words("view"):
		o.Kind = "view"
	case words("trigger"):
		o.Kind = "trigger"
	case words("index"), words("unique", "index"):
		o.Kind = "index"
	default:
		return o, nil, errors.New("it creates neither a table, virtual table, view, trigger nor index")
	}
	words("if", "not", "exists")
	if len(toks) == 0 || toks[0].punct || toks[0].text == "" {
		return o, nil, fmt.Errorf("the %s has no name", o.Kind)
	}
	o.Name = toks[0].raw
	if len(toks) > 1 && toks[1].text == "." {
		return o, nil, fmt.Errorf("the name %s.… names a database: leave that out", o.Name)
	}
	return o, toks[1:], nil
}

// Reads refuses what does not begin as a query.
func Reads(sql string) error {
	toks, err := tokenize(sql)
	if err == nil && (len(toks) == 0 || toks[0].quoted || !slices.Contains([]string{"select", "with", "values"}, toks[0].text)) {
		err = errors.New("it is no SELECT")
	}
	return err
}
