package state

import (
	"fmt"
	"strings"
)

// ddl writes the CREATE statements of a table: the table, then its indexes. Tables are STRICT: SQLite refuses a value of another
// type, so a raw write can not leave what a row can not hold.
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
	}
	if len(pk) > 1 {
		fmt.Fprintf(&b, ", PRIMARY KEY (%s)", list(pk))
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
		out = append(out, fmt.Sprintf("CREATE %sINDEX %s ON %s (%s)", unique, quote(i.name(t.name)), t.quoted, strings.Join(cols, ", ")))
	}
	return out
}

// name is the name of an index: table_column_…_idx.
func (i index) name(table string) string { return table + "_" + strings.Join(i.cols, "_") + "_idx" }
