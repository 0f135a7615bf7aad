package state

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unsafe"

	"github.com/livestore-go/livestore/internal/sqltext"
)

// column is one field of a row type.
type column struct {
	name     string
	quoted   string // name as SQL writes it
	field    string // path of the Go field, such as Base.ID
	offset   uintptr
	typ      reflect.Type // of the field
	elem     reflect.Type // of the value: what typ points to when it is a pointer
	codec    codec
	pointer  bool
	nullable bool
	primary  bool
	unique   bool
	def      string // default as an SQL literal, empty for none
}

// quote writes an identifier for SQL.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// fieldError is one thing wrong with a field of a row type.
type fieldError struct {
	field string
	err   error
}

func (e *fieldError) Error() string { return "field " + e.field + ": " + e.err.Error() }
func (e *fieldError) Unwrap() error { return e.err }

// readColumns flattens a struct type into columns. It reports everything that is wrong, not the first thing.
func readColumns(t reflect.Type) (cols []column, errs []*fieldError) {
	if t.Kind() != reflect.Struct || t == timeType {
		return nil, []*fieldError{{"", fmt.Errorf("row type %s is no struct", t)}}
	}
	cols, errs = appendColumns(nil, nil, t, 0, "")
	seen := map[string]string{}
	for _, c := range cols {
		if other, dup := seen[sqltext.Fold(c.name)]; dup {
			errs = append(errs, &fieldError{c.field, fmt.Errorf("column %q is field %s already (SQLite does not tell upper from lower case)",
				c.name, other)})
		}
		seen[sqltext.Fold(c.name)] = c.field
	}
	if len(cols) == 0 && len(errs) == 0 {
		errs = append(errs, &fieldError{"", fmt.Errorf("row type %s has no columns: export its fields", t)})
	}
	return cols, errs
}

func appendColumns(cols []column, errs []*fieldError, t reflect.Type, base uintptr, path string) ([]column, []*fieldError) {
	for f := range t.Fields() {
		raw, tagged := f.Tag.Lookup("db")
		name := path + f.Name
		fail := func(err error) { errs = append(errs, &fieldError{name, err}) }
		switch {
		case raw == "-":
			continue
		case f.Anonymous && !tagged && f.Type.Kind() == reflect.Struct && f.Type != timeType && !isMarshaled(f.Type):
			cols, errs = appendColumns(cols, errs, f.Type, base+f.Offset, name+".")
			continue
		case !f.IsExported() && tagged:
			fail(errors.New("the field is not exported, so it can be no column"))
			continue
		case !f.IsExported():
			continue
		case f.Anonymous && !tagged && f.Type.Kind() == reflect.Pointer && f.Type.Elem().Kind() == reflect.Struct && f.Type.Elem() != timeType:
			fail(errors.New("a struct embedded by pointer has no fixed place in the row: embed the struct itself"))
			continue
		}
		c, err := newColumn(f, raw)
		if err != nil {
			fail(err)
			continue
		}
		c.field, c.offset = name, base+f.Offset
		cols = append(cols, c)
	}
	return cols, errs
}

func newColumn(f reflect.StructField, raw string) (column, error) {
	t, err := parseTag(raw)
	if err != nil {
		return column{}, err
	}
	c := column{name: t.name, typ: f.Type, elem: f.Type, primary: t.primary, unique: t.unique, nullable: t.nullable}
	if c.name == "" {
		c.name = f.Name
	}
	if err := checkName(c.name); err != nil {
		return column{}, err
	}
	c.quoted = quote(c.name)
	if f.Type.Kind() == reflect.Pointer {
		c.pointer, c.nullable, c.elem = true, true, f.Type.Elem()
	}
	if c.codec, err = newCodec(c.elem, t.storage); err != nil {
		return column{}, err
	}
	if c.primary && c.nullable {
		return column{}, errors.New("a primary key can not be NULL")
	}
	if t.def != nil {
		if c.def, err = c.literal(*t.def); err != nil {
			return column{}, err
		}
	}
	return c, nil
}

// encode turns the field's value at p into what is bound. What is wrong with the value is a bare error; see [table.valueError].
func (c *column) encode(p unsafe.Pointer) (any, error) {
	if c.pointer {
		if p = *(*unsafe.Pointer)(p); p == nil {
			return nil, nil
		}
	} else if c.nullable && c.codec.zero != nil && c.codec.zero(p) {
		return nil, nil
	}
	return c.codec.enc(p)
}

// decodePointer reads result column i into a new value and has the pointer at p point to it.
func (c *column) decodePointer(r Rows, i int, p unsafe.Pointer) error {
	v := reflect.New(c.elem).UnsafePointer()
	if err := c.codec.dec(r, i, v); err != nil {
		return err
	}
	*(*unsafe.Pointer)(p) = v
	return nil
}
