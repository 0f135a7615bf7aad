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
	value   jsontext.Value // the default, with every member
	def     reflect.Value  // the default
	base    unsafe.Pointer // Row
	typ     reflect.Type
	set     event.Def[docChange]
	patched event.Def[docChange]
	err     error
}

// docRow is a row of a document's table.
type docRow struct {
	ID    string         `db:"id,primarykey"`
	Value jsontext.Value `db:"value"`
}

// docChange is the arguments of a document's events.
type docChange struct {
	ID    string         `json:"id"`
	Value jsontext.Value `json:"value"`
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
		set: event.ClientOnly[docChange](name + "Set"), patched: event.ClientOnly[docChange](name + "Patched"),
	}
	d.t = newTable(name, reflect.TypeFor[docRow](), unsafe.Pointer(new(docRow)), []TableOption{ClientOnly()})
	if d.typ.Kind() == reflect.Struct {
		d.members = readMembers(d.typ)
	}
	raw, err := d.encode(&def)
	if err != nil {
		d.err = &TableError{Table: name, Err: fmt.Errorf("the default of the document: %w", err)}
	}
	d.value = raw
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
	return d.own.Statement(sessionID)
}

// Decode makes the value of a result.
func (d *Document[V]) Decode(r Rows) (V, error) { return d.own.Decode(r) }

func (d *Document[V]) yields() (v V) { return v }

func (d *Document[V]) get(id string) *docQuery[V] {
	t := d.d.t
	var err error
	if _, uerr := checkText(id); uerr != nil {
		err = &ValueError{Table: t.name, Column: "id", Err: uerr}
	}
	return &docQuery[V]{d, newBound(`SELECT "value" FROM `+t.quoted+` WHERE "id" = ?`, []any{id}, errors.Join(t.err, d.d.err, err))}
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
	if err := json.Unmarshal(raw, &v); err != nil {
		return d.zero
	}
	return v
}

// Set gives an id the value v, when the draft is committed. [SessionID] is the id of the session that commits.
func (d *Document[V]) Set(id string, v V) event.Draft {
	return d.d.draft(d.d.set, id, func() (jsontext.Value, error) { return d.d.encode(&v) })
}

// Patch changes members of the value of an id, made with [Set] of fields of Row, when the draft is committed. Members that are not named
// stay, those V does not know too. When the id was never set they are those of the default.
func (d *Document[V]) Patch(id string, sets ...Assignment) event.Draft {
	return d.d.draft(d.d.patched, id, func() (jsontext.Value, error) { return d.d.patch(sets) })
}

func (d *document) draft(def event.Def[docChange], id string, value func() (jsontext.Value, error)) event.Draft {
	return event.NewDraft(def.Definition(), func(sessionID string) (jsontext.Value, error) {
		raw, err := value()
		if err != nil {
			return nil, &event.ArgsError{Event: def.Name(), Field: "/value", Err: err}
		}
		if id == SessionID {
			return event.Encode(def.Definition(), docChange{sessionID, raw})
		}
		return event.Encode(def.Definition(), docChange{id, raw})
	})
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
	On(d.d.set, d.d.materializeSet).part(b)
	On(d.d.patched, d.d.materializePatch).part(b)
}

func (d *document) materializeSet(tx *Tx, c docChange) error { return d.store(tx, c.ID, c.Value) }

func (d *document) materializePatch(tx *Tx, c docChange) error {
	old, err := Read(tx, Scalar[*string](`SELECT "value" FROM `+d.t.quoted+` WHERE "id" = ?`, c.ID))
	if err != nil {
		return err
	}
	base := d.value
	if old != nil {
		base = jsontext.Value(*old)
	}
	merged, err := mergeMembers(base, c.Value)
	if err != nil {
		return err
	}
	return d.store(tx, c.ID, merged)
}

func (d *document) store(tx *Tx, id string, v jsontext.Value) error {
	return tx.Exec(Exec(`INSERT INTO `+d.t.quoted+` ("id", "value") VALUES (?, ?) ON CONFLICT ("id") DO UPDATE SET "value" = excluded."value"`,
		id, v))
}
