package state

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Version names the version of what the library can not see: the code of materializers for a schema, with that of the upcasts and defaults
// of its events; the meaning of the columns for a table, of the value for a document. Any text will do; a new one rebuilds state from the
// eventlog.
func Version(v string) VersionPart { return VersionPart{v} }

// VersionPart is a version of a schema, a table or a document. See [Version].
type VersionPart struct{ v string }

func (v VersionPart) part(b *builder) { b.versions = append(b.versions, v.v) }

func (v VersionPart) table(t *table) { t.version = v.v }

func (v VersionPart) document(d *document) { d.t.version = v.v }

// canonical writes what state depends on, in an order of its own: parts may be given in any. The text is a format: what it
// says of an unchanged schema must not change, or every state is rebuilt once.
func (b *builder) canonical() string {
	var w strings.Builder
	fmt.Fprintln(&w, "livestore schema 1")
	for _, v := range slices.Sorted(slices.Values(b.versions)) {
		fmt.Fprintf(&w, "version %q\n", v)
	}
	docs := map[*table]*document{}
	for _, d := range b.docs {
		docs[d.t] = d
	}
	byName := func(a, b *table) int { return cmp.Compare(a.name, b.name) }
	for _, t := range slices.SortedFunc(slices.Values(b.tables), byName) {
		what := "table"
		if docs[t] != nil {
			what = "document"
		}
		fmt.Fprintf(&w, "%s %q client-only %t version %q\n", what, t.name, t.clientOnly, t.version)
		for _, c := range t.cols {
			fmt.Fprintf(&w, "\tcolumn %q %s\n", c.name, c.codec.kind)
		}
		for _, d := range t.ddl() {
			fmt.Fprintf(&w, "\t%s\n", d)
		}
	}
	for _, r := range b.raw { // in the order given: one may build on the other
		fmt.Fprintf(&w, "ddl client-only %t\n", r.clientOnly)
		for _, s := range r.sql {
			fmt.Fprintf(&w, "\t%q\n", s)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.schema.materializers)) {
		m := b.schema.materializers[name]
		fmt.Fprintf(&w, "event %q %s", name, m.def.Scope())
		if m.by != nil {
			fmt.Fprintf(&w, " upcast to %q", m.by.Name())
		}
		if m.noState {
			fmt.Fprint(&w, " no state")
		}
		fmt.Fprintln(&w)
	}
	return w.String()
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}
