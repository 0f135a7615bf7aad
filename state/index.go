package state

import (
	"fmt"
	"slices"
	"strings"

	"github.com/livestore-go/livestore/internal/sqltext"
)

type index struct {
	option string // that made it
	cols   []string
	unique bool
	where  *string // nil when it holds every row
}

// IndexOption is an index of a table. Make one with [Index] or [UniqueIndex].
type IndexOption struct{ index }

// Index makes an index over the named columns, in that order.
func Index(cols ...string) IndexOption {
	return IndexOption{index{option: "Index", cols: slices.Clone(cols)}}
}

// UniqueIndex makes an index over the named columns and allows each combination of their values once. Rows with a NULL in
// one of them are all different.
func UniqueIndex(cols ...string) IndexOption {
	return IndexOption{index{option: "UniqueIndex", cols: slices.Clone(cols), unique: true}}
}

// Where makes the index partial: it holds only the rows for which an SQL expression over their columns is true, and a unique index
// keeps only those apart. SQLite uses it for queries whose conditions imply the expression; state it as [WhereSQL] does to be sure. What
// [Check] refuses is refused here.
func (o IndexOption) Where(sql string) IndexOption {
	o.where = &sql
	return o
}

func (o IndexOption) table(t *table) {
	if len(o.cols) == 0 {
		t.failOption(o.option, "it names no column")
	}
	for i, c := range o.cols {
		if t.column(c) == nil {
			t.failOption(o.option, fmt.Sprintf("%q is no column: the table has %s", c, t.columnNames()))
		}
		if slices.Contains(o.cols[:i], c) {
			t.failOption(o.option, fmt.Sprintf("it names %q twice", c))
		}
	}
	if o.where != nil {
		sql, err := sqltext.Expression(*o.where)
		if err != nil {
			t.failOption(o.option, "Where: "+err.Error())
		}
		o.where = &sql
	}
	t.indexes = append(t.indexes, o.index)
}

// name is the name of an index: table_column_…_idx, or …_uidx for a unique one.
func (i index) name(table string) string {
	end := "_idx"
	if i.unique {
		end = "_uidx"
	}
	return table + "_" + strings.Join(i.cols, "_") + end
}
