package state

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/sqltext"
)

// Part is a part of a schema: a *[Table], a *[View], a *[Document], [On], [NoState], [Events], [DDL], [UnknownEvents] or [Version].
type Part interface{ part(*builder) }

// Schema is all that turns an eventlog into state: tables, documents, and one materializer per event. It is immutable and may be
// shared by stores and goroutines.
type Schema struct {
	ddl           []string
	tables        []TableInfo
	documents     []DocumentInfo
	materializers map[string]*materializer
	unknown       Unknown
	canonical     string
	hash          string
}

// TableInfo is what a store knows of a table, virtual table or view of the schema.
type TableInfo struct {
	Name       string
	ClientOnly bool // derived from client-only events: client documents, and tables with [ClientOnly]
	Virtual    bool // a virtual table, such as an FTS5 index; its shadow tables are not listed
	View       bool
}

// DocumentInfo is what tools know of a client document of the schema.
type DocumentInfo struct {
	Name         string
	Value        reflect.Type      // of its values
	Set, Patched *event.Definition // of its two events
}

// builder collects the parts of a schema.
type builder struct {
	schema     *Schema
	tables     []*table
	docs       []*document
	raw        []*RawDDL
	versions   []string
	expected   []*event.Definition
	unknownSet bool
	errs       []error
}

func (b *builder) fail(err error) { b.errs = append(b.errs, err) }

func (b *builder) materializer(m *materializer) {
	name := m.def.Name()
	nameErr := errors.Join(checkEventName(name), m.def.Err())
	other, dup := b.schema.materializers[name]
	switch {
	case nameErr != nil:
		b.fail(nameErr)
	case dup && other.def != m.def:
		b.fail(fmt.Errorf("event %s is defined twice: two events can not have the same name", name))
	case dup && other.noState && m.noState:
		// named twice as an event without state: no harm
	case dup && other.noState != m.noState:
		b.fail(fmt.Errorf("event %s has a materializer and is named by NoState", name))
	case dup:
		b.fail(fmt.Errorf("event %s has two materializers: put both into one", name))
	default:
		b.schema.materializers[name] = m
	}
}

func (t *Table[R]) part(b *builder) {
	if t == nil {
		b.fail(errors.New("a table is nil"))
		return
	}
	b.table(t.t)
}

func (b *builder) table(t *table) {
	if t.err != nil {
		b.fail(t.err)
	}
	b.tables = append(b.tables, t)
}

// NewSchema puts a schema together. The error joins everything that is wrong with the parts.
func NewSchema(parts ...Part) (*Schema, error) {
	b := &builder{schema: &Schema{materializers: map[string]*materializer{}}}
	for i, p := range parts {
		if p == nil {
			b.fail(fmt.Errorf("part %d is nil", i+1))
			continue
		}
		p.part(b)
	}
	b.upcasts()
	b.checkEvents()
	b.checkTables()
	if err := errors.Join(b.errs...); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	b.finish()
	return b.schema, nil
}

// MustSchema is [NewSchema] for package variables: it panics with the error.
func MustSchema(parts ...Part) *Schema {
	s, err := NewSchema(parts...)
	if err != nil {
		panic(err)
	}
	return s
}

func (b *builder) checkEvents() {
	for _, d := range b.expected {
		m, ok := b.schema.materializers[d.Name()]
		switch {
		case !ok:
			b.fail(fmt.Errorf("event %s has no materializer: add On, or NoState if it changes no state", d.Name()))
		case m.def != d:
			b.fail(fmt.Errorf("event %s is defined twice: two events can not have the same name", d.Name()))
		}
	}
}

// checkTables looks for names given twice and foreign keys that lead nowhere.
func (b *builder) checkTables() {
	names := map[string]string{}
	add := func(name, what string) {
		if other, dup := names[sqltext.Fold(name)]; dup {
			b.fail(fmt.Errorf("%s has the name of %s: names differ in more than upper and lower case", what, other))
			return
		}
		names[sqltext.Fold(name)] = what
	}
	byName := map[string]*table{}
	for _, t := range b.tables {
		add(t.name, fmt.Sprintf("table %q", t.name))
		byName[sqltext.Fold(t.name)] = t
	}
	for _, t := range b.tables {
		for _, i := range t.indexes {
			add(i.name(t.name), fmt.Sprintf("index %q", i.name(t.name)))
		}
		for _, fk := range t.foreign {
			to := byName[sqltext.Fold(fk.table)]
			if to != nil && to.err != nil {
				continue // said already; the column may be one that was refused
			}
			if err := fk.check(to); err != nil {
				b.fail(&TableError{Table: t.name, Field: "option ForeignKey", Err: err})
			}
		}
	}
	for _, r := range b.raw {
		for _, o := range r.objects {
			add(o.Name, fmt.Sprintf("%s %q", o.Kind, o.Name))
		}
	}
}

func (fk foreignKey) check(to *table) error {
	if to == nil {
		return fmt.Errorf("table %q is not in the schema", fk.table)
	}
	c := to.column(fk.ref)
	if c == nil {
		return fmt.Errorf("%q is no column of table %q, which has %s", fk.ref, fk.table, to.columnNames())
	}
	unique := c.unique || (c.primary && len(to.primaryKey()) == 1)
	for _, i := range to.indexes {
		unique = unique || (i.unique && i.where == nil && len(i.cols) == 1 && i.cols[0] == fk.ref)
	}
	if !unique {
		return fmt.Errorf("column %q of table %q is neither its primary key nor unique", fk.ref, fk.table)
	}
	return nil
}

// finish derives what the schema answers with.
func (b *builder) finish() {
	s := b.schema
	for _, t := range b.tables {
		s.ddl = append(s.ddl, t.ddl()...)
		s.tables = append(s.tables, TableInfo{Name: t.name, ClientOnly: t.clientOnly})
	}
	for _, d := range b.docs {
		s.documents = append(s.documents, DocumentInfo{Name: d.name, Value: d.typ, Set: d.set, Patched: d.patched})
	}
	for _, r := range b.raw {
		s.ddl = append(s.ddl, r.sql...)
		for _, o := range r.objects {
			if o.Kind == "table" || o.Kind == "virtual table" || o.Kind == "view" {
				s.tables = append(s.tables, TableInfo{
					Name: o.Name, ClientOnly: r.clientOnly, Virtual: o.Kind == "virtual table", View: o.Kind == "view",
				})
			}
		}
	}
	s.canonical = b.canonical()
	s.hash = hashOf(s.canonical)
}

// DDL returns the CREATE statements of an empty state, in order, one statement each.
func (s *Schema) DDL() []string { return slices.Clone(s.ddl) }

// Tables returns the tables, virtual tables and views, in the order they are created.
func (s *Schema) Tables() []TableInfo { return slices.Clone(s.tables) }

// Documents returns the client documents, in the order they were given.
func (s *Schema) Documents() []DocumentInfo { return slices.Clone(s.documents) }

// Definition returns the event definition of that name, also of an older one that another upcasts.
func (s *Schema) Definition(name string) (*event.Definition, bool) {
	m, ok := s.materializers[name]
	if !ok {
		return nil, false
	}
	return m.def, true
}

// Definitions yields all event definitions by name, those of client documents and those that others upcast too.
func (s *Schema) Definitions() iter.Seq[*event.Definition] {
	return func(yield func(*event.Definition) bool) {
		for _, name := range slices.Sorted(maps.Keys(s.materializers)) {
			if !yield(s.materializers[name].def) {
				return
			}
		}
	}
}

// Hash returns 32 hexadecimal digits that are the same for schemas that derive the same state, on every platform and with every
// version of Go. When it changes, state is rebuilt from the eventlog. It covers what [Schema.Canonical] shows. It can not see the code of
// materializers, nor that of [event.Upcast] functions and SetDefaults methods: after changing one, give the schema another [Version].
func (s *Schema) Hash() string { return s.hash }

// Canonical returns the text that is hashed: versions, tables with columns, storage, defaults, constraints and indexes, documents, DDL
// parts, and the names and scopes of events and what they are upcast to. Compare two to see why a hash changed.
func (s *Schema) Canonical() string { return s.canonical }
