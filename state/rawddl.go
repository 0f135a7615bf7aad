package state

import (
	"errors"
	"fmt"
	"strings"

	"github.com/livestore-go/livestore/internal/sqltext"
)

// RawDDL is a part of a schema made with [DDL].
type RawDDL struct {
	sql        []string
	clientOnly bool
	objects    []sqltext.Object
	errs       []error
}

// DDL adds to a schema what Go types can not say: full-text indexes, triggers, generated columns, indexes of expressions. Each text is one
// CREATE statement of a table, virtual table (fts5), view, trigger or index; they run in order, after the tables of the schema.
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
		o, err := sqltext.Create(s)
		if err == nil {
			err = checkName(o.Name)
		}
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
