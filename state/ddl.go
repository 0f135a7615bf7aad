package state

import (
	"fmt"
	"strings"
)

// ddl writes the CREATE statements of a table: the table, then its indexes. Tables are STRICT, so SQLite
// refuses a value of another type, and a CHECK refuses what is of the type but no bool or no JSON. What a raw write can still leave
// that a row can not hold is said when it is read: a number out of the range of its field, or text its type can not read.
func (t *table) ddl() []string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE %s (", t.quoted)
	pk := t.primaryKey()
	for i, c := range t.cols {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s %s", c.quoted, c.codec.kind.sqlType())
		if !c.nullable {
			b.WriteString(" NOT NULL")
		}
		if c.primary && len(pk) == 1 {
			b.WriteString(" PRIMARY KEY")
		}
		if c.unique {
			b.WriteString(" UNIQUE")
		}
		if c.def != "" {
			b.WriteString(" DEFAULT " + c.def)
		}
		switch c.codec.kind {
		case kindBool:
			fmt.Fprintf(&b, " CHECK (%s IN (0, 1))", c.quoted)
		case kindBoolText:
			fmt.Fprintf(&b, " CHECK (%s IN ('false', 'true'))", c.quoted)
		case kindJSON:
			fmt.Fprintf(&b, " CHECK (json_valid(%s))", c.quoted)
		}
	}
	if len(pk) > 1 {
		fmt.Fprintf(&b, ", PRIMARY KEY (%s)", list(pk))
	}
	for _, sql := range t.checks {
		fmt.Fprintf(&b, ", CHECK (%s)", sql)
	}
	for _, fk := range t.foreign {
		fmt.Fprintf(&b, ", FOREIGN KEY (%s) REFERENCES %s (%s)%s", quote(fk.col), quote(fk.table), quote(fk.ref), fk.actions)
	}
	b.WriteString(") STRICT")
	out := []string{b.String()}
	for _, i := range t.indexes {
		cols := make([]string, len(i.cols))
		for j, c := range i.cols {
			cols[j] = quote(c)
		}
		unique := ""
		if i.unique {
			unique = "UNIQUE "
		}
		sql := fmt.Sprintf("CREATE %sINDEX %s ON %s (%s)", unique, quote(i.name(t.name)), t.quoted, strings.Join(cols, ", "))
		if i.where != nil {
			sql += " WHERE " + *i.where
		}
		out = append(out, sql)
	}
	return out
}
