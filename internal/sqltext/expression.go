package sqltext

import (
	"errors"
	"fmt"
	"strings"
)

// Expression refuses what could not stand between parentheses in the definition of a table or an index, and returns what can, so that
// anything may follow it.
func Expression(sql string) (string, error) {
	toks, err := tokenize(sql)
	if err == nil && len(toks) == 0 {
		err = errors.New("the expression is empty")
	}
	depth := 0
	for i, t := range toks {
		if err != nil {
			break
		}
		switch {
		case t.quoted:
			continue
		case t.text == "(":
			depth++
		case t.text == ")":
			depth--
		case t.text == ";" || t.text == "?":
			err = fmt.Errorf("%s is no part of an expression", t.text)
			continue
		case t.text == "select":
			err = errors.New("a subquery is refused: the expression sees one row")
			continue
		}
		if depth < 0 {
			break
		}
		err = refuseClock(toks, i)
	}
	switch {
	case err != nil:
		return "", err
	case depth != 0:
		return "", fmt.Errorf("the parentheses of %s do not match", sql)
	case strings.Contains(sql, "--"):
		sql += "\n" // what follows must not become part of a comment
	}
	return sql, nil
}
