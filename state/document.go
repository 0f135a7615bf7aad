package state

import (
	"errors"
	"fmt"
	"reflect"
	"unsafe"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
)

// Document is a client document: values of type V by id, for the state of a user interface. It is client-only: it reaches all sessions of
// the client and no other client, and the last write wins. Make one with [NewDocument], as a package variable, and give it to the schema.
//
// A document is a read of the value with its default id, which is that of the session; [DefaultID] says otherwise.
//
// The schema gets a table of the document's name with the columns id and value (JSON), and the client-only events <name>Set and
// <name>Patched, both with arguments {"id": …, "value": …}.
type Document[V any] struct {
	// Row is there for the addresses of its fields, which name members in Patch: &doc.Row.Filter. It is never read or written.
	Row *V

	d    *document
	zero V // the default
	own  *docQuery[V]
}

// document is the part of a [Document] that does not depend on its value type.
type document struct {
	name    string
	t       *table
	id      string         // default id
	members []member       // of the value, nil when it is no struct
	def     reflect.Value  // the default
	base    unsafe.Pointer // Row
	typ     reflect.Type
	set     *event.Definition
	patched *event.Definition
	err     error
}

// docRow is a row of a document's table.
type docRow struct {
	ID    string         `db:"id,primarykey"`
	Value jsontext.Value `db:"value"`
}

// DocumentOption changes a document. See [DefaultID] and [Version].
type DocumentOption interface{ document(*document) }

type documentOption func(*document)

func (o documentOption) document(d *document) { o(d) }

// DefaultID sets the id a document is read with when it is read without one. The default is [SessionID].
func DefaultID(id string) DocumentOption { return documentOption(func(d *document) { d.id = id }) }

// NewDocument makes a client document. An id that was never set has the value def. V is any type that JSON can round-trip; Patch needs
// a struct. What is wrong with the document is reported by [NewSchema].
//
// A stored value is read over the default: a member it does not have keeps the default's value, so a struct may grow. Members V does not
// have are kept and not read. A value that does not fit V any more reads as the default.
func NewDocument[V any](name string, def V, opts ...DocumentOption) *Document[V] {
	row := new(V)
	d := &document{
		name: name, id: SessionID, def: reflect.ValueOf(&def).Elem(), base: unsafe.Pointer(row), typ: reflect.TypeFor[V](),
		set:     event.ClientOnly[docSet[V]](name + "Set").Definition(),
		patched: event.ClientOnly[docPatch[V]](name + "Patched").Definition(),
	}
	d.t = newTable(name, reflect.TypeFor[docRow](), unsafe.Pointer(new(docRow)), []TableOption{ClientOnly()})
	d.members = membersOf(d.typ)
	if _, err := d.encode(&def); err != nil {
		d.err = &TableError{Table: name, Err: fmt.Errorf("the default of the document: %w", err)}
	}
	for _, o := range opts {
		if o == nil {
			d.err = errors.Join(d.err, &TableError{Table: name, Err: errors.New("an option is nil")})
			continue
		}
		o.document(d)
	}
	doc := &Document[V]{Row: row, d: d, zero: def}
	doc.own = doc.get(d.id)
	return doc
}

// Name returns the name of the document.
func (d *Document[V]) Name() string { return d.d.name }

// Get reads the value of an id, the default when it was never set. [SessionID] is the id of the session that reads.
func (d *Document[V]) Get(id string) Query[V] { return d.get(id) }

// Statement reads the value of the default id.
func (d *Document[V]) Statement(sessionID string) (Statement, error) {
	if d == nil {
		return Statement{}, errNilQuery
	}
	return d.own.Statement(sessionID)
}

// Decode makes the value of a result.
func (d *Document[V]) Decode(r Rows) (v V, err error) {
	if d == nil {
		return v, errNilQuery
	}
	return d.own.Decode(r)
}

func (d *Document[V]) yields() (v V) { return v }

func (d *Document[V]) get(id string) *docQuery[V] {
	t := d.d.t
	var err error
	if _, uerr := checkText(id); uerr != nil {
		err = &ValueError{Table: t.name, Column: "id", Err: uerr}
	}
	b := newBound(`SELECT "value" FROM `+t.quoted+` WHERE "id" = ?`, []any{id}, errors.Join(t.err, d.d.err, err))
	b.stmt.Filter = &Filter{Table: t.name, Equal: []ColumnIn{{Column: "id", Values: []any{id}}}}
	return &docQuery[V]{d, b}
}

type docQuery[V any] struct {
	doc   *Document[V]
	built bound
}

func (q *docQuery[V]) yields() (v V) { return v }

func (q *docQuery[V]) Statement(sessionID string) (Statement, error) {
	return q.built.statement(sessionID)
}

func (q *docQuery[V]) Decode(r Rows) (V, error) {
	if !r.Next() {
		return q.doc.zero, r.Err()
	}
	return q.doc.decode([]byte(r.Text(0))), r.Err()
}

// decode reads a stored value over a copy of the default. Members that are there start from zero: decoding into what the default
// refers to would change the default.
func (d *Document[V]) decode(raw jsontext.Value) V {
	v := d.zero
	if d.d.members == nil {
		var zero V
		v = zero
	} else if err := clearMembers(d.d.members, raw, unsafe.Pointer(&v)); err != nil {
		return d.zero
	}
	if err := json.Unmarshal(raw, &v, asV1); err != nil {
		return d.zero
	}
	return v
}

// Set gives an id the value v, when the draft is committed. [SessionID] is the id of the session that commits.
func (d *Document[V]) Set(id string, v V) event.Draft {
	return d.d.draft(d.d.set, id, func() (jsontext.Value, error) { return d.d.encode(&v) })
}

// Patch changes members of the value of an id, made with [Set] of fields of Row, when the draft is committed. Members that are not named
// stay, those V does not know too. When the id was never set they are those of the default, also of one that changes later. The
// whole value has to validate as it is after the patch; a member of a type with Validate does so by itself before.
func (d *Document[V]) Patch(id string, sets ...Assignment) event.Draft {
	return d.d.draft(d.d.patched, id, func() (jsontext.Value, error) { return d.d.patch(sets) })
}

// part adds the table, the events and their materializers.
func (d *Document[V]) part(b *builder) {
	if d == nil {
		b.fail(errors.New("a document is nil"))
		return
	}
	if d.d.err != nil {
		b.fail(d.d.err)
	}
	b.table(d.d.t)
	b.docs = append(b.docs, d.d)
	b.materializer(&materializer{def: d.d.set, run: d.d.onChange(d.d.materializeSet)})
	b.materializer(&materializer{def: d.d.patched, run: d.d.onChange(func(tx *Tx, c docChange) error {
		return d.d.materializePatch(tx, c, func(merged jsontext.Value) error {
			v := d.decode(merged)
			return validate(&v)
		})
	})})
}
