package sqltext

import (
	"strconv"
	"strings"
)

// Normal brings SQL into a form in which space and comments do not count, for comparing. What can not be read stays as it is.
func Normal(sql string) string {
	toks, err := tokenize(sql)
	if err != nil {
		return sql
	}
	var b strings.Builder
	for _, t := range toks {
		if t.quoted {
			b.WriteString(strconv.Quote(t.text))
		} else {
			b.WriteString(t.raw)
		}
		b.WriteByte(' ')
	}
	return b.String()
}
