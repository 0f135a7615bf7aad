package state

import (
	"errors"
	"fmt"
	"reflect"
	"unsafe"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/jsonobject"
)

// docChange is the arguments of a document's events.
type docChange struct {
	ID    string         `json:"id"`
	Value jsontext.Value `json:"value"`
}

// docSet and docPatch are the same arguments as they are checked when they come encoded, with [event.Raw]. An event in the log is
// checked less: it may be of a version of the app in which V was another, and then reads as the default.
type (
	docSet[V any]   docChange
	docPatch[V any] docChange
)

var (
	errNoValue = errors.New("value is missing")
	errNoPatch = errors.New("value can not be patched: that needs a struct that does not write its own JSON")
)

// Validate checks that V can hold the value, and what V says of it.
func (c docSet[V]) Validate() error {
	if len(c.Value) == 0 {
		return errNoValue
	}
	var v V
	if len(membersOf(reflect.TypeFor[V]())) > 0 && c.Value.Kind() != '{' {
		return fmt.Errorf("value: %w", jsonobject.ErrNoObject)
	}
	if err := json.Unmarshal(c.Value, &v, asV1); err != nil {
		return fmt.Errorf("value: %w", err)
	}
	if err := validate(&v); err != nil {
		return fmt.Errorf("value: %w", err)
	}
	return nil
}

// Validate checks that V can hold the members, and what they say of themselves.
func (c docPatch[V]) Validate() error {
	if len(c.Value) == 0 {
		return errNoValue
	}
	ms := membersOf(reflect.TypeFor[V]())
	if ms == nil {
		return errNoPatch
	}
	have, err := jsonobject.Split(c.Value)
	if err != nil {
		return fmt.Errorf("value: %w", err)
	}
	var v V
	if err := json.Unmarshal(c.Value, &v, asV1); err != nil {
		return fmt.Errorf("value: %w", err)
	}
	for _, h := range have {
		for _, m := range ms {
			if m.name != h.Name {
				continue
			}
			if err := m.validate(unsafe.Pointer(&v)); err != nil {
				return fmt.Errorf("value: %w", err)
			}
		}
	}
	return nil
}

// validate calls the Validate of a pointer or of what it points to.
func validate(p any) error {
	if c, ok := p.(interface{ Validate() error }); ok {
		return c.Validate()
	}
	return nil
}

// validate checks one member of the struct at base.
func (m *member) validate(base unsafe.Pointer) error {
	v := reflect.NewAt(m.typ, unsafe.Add(base, m.offset))
	if m.typ.Kind() == reflect.Pointer {
		if v = v.Elem(); v.IsNil() {
			return nil
		}
	}
	if err := validate(v.Interface()); err != nil {
		return fmt.Errorf("member %q: %w", m.name, err)
	}
	return nil
}

// draft makes a draft of a change. What the value says of itself was checked when it was encoded.
func (d *document) draft(def *event.Definition, id string, value func() (jsontext.Value, error)) event.Draft {
	return event.NewDraft(def, func(sessionID string) (jsontext.Value, error) {
		raw, err := value()
		if err != nil {
			return nil, &event.ArgsError{Event: def.Name(), Field: "/value", Err: err}
		}
		if id == SessionID {
			return event.Encode(def, docChange{sessionID, raw})
		}
		return event.Encode(def, docChange{id, raw})
	})
}

// onChange decodes the arguments of a document's event.
func (d *document) onChange(f func(*Tx, docChange) error) func(*Tx, jsontext.Value) error {
	return func(tx *Tx, raw jsontext.Value) error {
		var c docChange
		err := json.Unmarshal(raw, &c)
		if err == nil && len(c.Value) == 0 {
			err = errNoValue
		}
		if err != nil {
			return &event.ArgsError{Event: tx.event.Name, Err: err}
		}
		return f(tx, c)
	}
}

func (d *document) materializeSet(tx *Tx, c docChange) error { return d.store(tx, c.ID, c.Value) }

// materializePatch merges into what is stored, and into nothing when the id was never set: what is not stored reads as the default,
// and a default that was stored would stay when the app's changes.
func (d *document) materializePatch(tx *Tx, c docChange, check func(merged jsontext.Value) error) error {
	old, err := Read(tx, Scalar[*string](`SELECT "value" FROM `+d.t.quoted+` WHERE "id" = ?`, c.ID))
	if err != nil {
		return err
	}
	base := jsontext.Value("{}")
	if old != nil {
		base = jsontext.Value(*old)
	}
	merged, err := jsonobject.Merge(base, c.Value)
	if err == nil {
		err = check(merged)
	}
	if err != nil {
		return &event.ArgsError{Event: tx.event.Name, Field: "/value", Err: err}
	}
	return d.store(tx, c.ID, merged)
}

func (d *document) store(tx *Tx, id string, v jsontext.Value) error {
	return tx.Exec(Exec(`INSERT INTO `+d.t.quoted+` ("id", "value") VALUES (?, ?) ON CONFLICT ("id") DO UPDATE SET "value" = excluded."value"`,
		id, v))
}
