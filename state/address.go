package state

import (
	"errors"
	"fmt"
	"reflect"
	"unsafe"
)

// address is the address of a field, by which a query names a column.
type address struct {
	ptr unsafe.Pointer
	typ reflect.Type // of the field
}

func addressOf[T any](p *T) address { return address{unsafe.Pointer(p), reflect.TypeFor[T]()} }

// addressAny is for lists of columns of different types.
func addressAny(p any) (address, error) {
	v := reflect.ValueOf(p)
	if v.Kind() != reflect.Pointer {
		return address{}, fmt.Errorf("%T is no field address: write &table.Row.Field", p)
	}
	return address{v.UnsafePointer(), v.Type().Elem()}, nil
}

// resolve finds the column at an address: by offset and by type, because an embedded struct begins where its first field does.
func (t *table) resolve(a address) (*column, error) {
	if a.ptr == nil {
		return nil, &ColumnError{Table: t.name, Err: errors.New("nil is no field address: write &table.Row.Field")}
	}
	off := uintptr(a.ptr) - uintptr(t.base)
	for i := range t.cols {
		if c := &t.cols[i]; c.offset == off && c.typ == a.typ {
			return c, nil
		}
	}
	if t.err != nil {
		return nil, t.err // the field may be one that was refused
	}
	if off < t.typ.Size() {
		if field := fieldAt(t.typ, off, a.typ); field != "" {
			return nil, &ColumnError{Table: t.name, Field: field, Err: fmt.Errorf("is no column; the columns are %s", t.columnNames())}
		}
	}
	return nil, &ColumnError{
		Table: t.name,
		Err: fmt.Errorf("the address, a *%s, is none of this table's fields: take it from its own Row, as &table.Row.Field, not from a copy "+
			"or another table", a.typ),
	}
}

// fieldAt names the field of a struct type at an offset, empty when there is none of that type.
func fieldAt(t reflect.Type, off uintptr, typ reflect.Type) string {
	if t.Kind() != reflect.Struct {
		return ""
	}
	for f := range t.Fields() {
		if f.Offset == off && f.Type == typ {
			return f.Name
		}
		if f.Offset <= off && off < f.Offset+f.Type.Size() {
			if in := fieldAt(f.Type, off-f.Offset, typ); in != "" {
				return f.Name + "." + in
			}
		}
	}
	return ""
}

// value encodes what a condition or an assignment gives for a column; p points to a value of the field's type.
func (t *table) value(c *column, p unsafe.Pointer) (any, error) {
	v, err := c.encode(p)
	if err != nil {
		return nil, &ValueError{Table: t.name, Column: c.name, Err: err}
	}
	return v, nil
}
