package state

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unsafe"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/internal/jsonobject"
)

// member is one field of a document's value as JSON sees it.
type member struct {
	name   string
	offset uintptr
	typ    reflect.Type
	depth  int
}

// membersOf lists the JSON members of a value of type t, nil for what is no struct.
func membersOf(t reflect.Type) []member {
	if t.Kind() != reflect.Struct {
		return nil
	}
	return readMembers(t)
}

// readMembers lists the JSON members of a struct type, those of embedded structs too. It is empty for a type that writes its own JSON.
func readMembers(t reflect.Type) []member {
	p := reflect.PointerTo(t)
	if slices.ContainsFunc([]reflect.Type{
		reflect.TypeFor[json.Marshaler](), reflect.TypeFor[json.MarshalerTo](), reflect.TypeFor[encoding.TextMarshaler](),
		reflect.TypeFor[json.Unmarshaler](), reflect.TypeFor[json.UnmarshalerFrom](), reflect.TypeFor[encoding.TextUnmarshaler](),
	}, p.Implements) {
		return nil
	}
	return appendMembers(nil, t, 0, 0)
}

func appendMembers(ms []member, t reflect.Type, base uintptr, depth int) []member {
	for f := range t.Fields() {
		raw, tagged := f.Tag.Lookup("json")
		name, opts, _ := strings.Cut(raw, ",")
		name = strings.Trim(name, "'")
		inline := (f.Anonymous && name == "") || slices.Contains(strings.Split(opts, ","), "inline")
		switch {
		case raw == "-":
			continue
		case inline && f.Type.Kind() == reflect.Struct:
			ms = appendMembers(ms, f.Type, base+f.Offset, depth+1)
			continue
		case !f.IsExported() || f.Type.Size() == 0 || (tagged && slices.Contains(strings.Split(opts, ","), "unknown")) || inline:
			continue
		}
		if name == "" {
			name = f.Name
		}
		m := member{name, base + f.Offset, f.Type, depth}
		i := slices.IndexFunc(ms, func(o member) bool { return o.name == name })
		switch {
		case i < 0:
			ms = append(ms, m)
		case ms[i].depth > depth: // the outer field hides the inner one
			ms[i] = m
		}
	}
	return ms
}

// encode writes a value with every member: what omitempty or omitzero left out is there as null, which reads as zero. Without
// it the default would shine through where zero was set.
func (d *document) encode(v any) (jsontext.Value, error) {
	if err := validate(v); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(v, marshalOptions)
	if err != nil || len(d.members) == 0 {
		return raw, err
	}
	have, err := jsonobject.Split(raw)
	if err != nil {
		return nil, err
	}
	for _, m := range d.members {
		if !slices.ContainsFunc(have, func(h jsonobject.Member) bool { return h.Name == m.name }) {
			have = append(have, jsonobject.Member{Name: m.name, Value: jsontext.Value("null")})
		}
	}
	return jsonobject.Join(have)
}

// patch writes only the members that are set, as the whole value would write them: tag options such as string hold.
func (d *document) patch(sets []Assignment) (jsontext.Value, error) {
	if d.err != nil {
		return nil, d.err
	}
	if d.members == nil {
		return nil, fmt.Errorf("document %q: Patch needs a struct that does not write its own JSON: use Set", d.name)
	}
	v := reflect.New(d.typ)
	v.Elem().Set(d.def)
	names := make([]string, 0, len(sets))
	for i := range sets {
		a := &sets[i]
		m, err := d.member(a)
		if err != nil {
			return nil, err
		}
		if slices.Contains(names, m.name) {
			return nil, fmt.Errorf("document %q: member %q is set twice", d.name, m.name)
		}
		names = append(names, m.name)
		reflect.NewAt(m.typ, unsafe.Add(v.UnsafePointer(), m.offset)).Elem().Set(reflect.NewAt(m.typ, a.val).Elem())
		if err := m.validate(v.UnsafePointer()); err != nil {
			return nil, fmt.Errorf("document %q: %w", d.name, err)
		}
	}
	raw, err := json.Marshal(v.Interface(), marshalOptions)
	if err != nil {
		return nil, err
	}
	have, err := jsonobject.Split(raw)
	if err != nil {
		return nil, err
	}
	changed := make([]jsonobject.Member, 0, len(names))
	for _, n := range names {
		c := jsonobject.Member{Name: n, Value: jsontext.Value("null")} // left out by omitempty or omitzero: it is zero now
		if i := slices.IndexFunc(have, func(h jsonobject.Member) bool { return h.Name == n }); i >= 0 {
			c = have[i]
		}
		changed = append(changed, c)
	}
	return jsonobject.Join(changed)
}

// member finds the member an assignment names.
func (d *document) member(a *Assignment) (member, error) {
	switch {
	case a.col.ptr == nil:
		return member{}, fmt.Errorf("document %q: an assignment is empty: make it with Set(&doc.Row.Field, value)", d.name)
	case a.val == nil:
		return member{}, fmt.Errorf("document %q: Patch takes values only: make them with Set", d.name)
	}
	off := uintptr(a.col.ptr) - uintptr(d.base)
	for _, m := range d.members {
		if m.offset == off && m.typ == a.col.typ {
			return m, nil
		}
	}
	if off < d.typ.Size() {
		if f := fieldAt(d.typ, off, a.col.typ); f != "" {
			return member{}, fmt.Errorf("document %q: field %s is no member of the value's top level", d.name, f)
		}
	}
	return member{}, fmt.Errorf("document %q: the address, a *%s, is none of its fields: take it from its own Row, as &doc.Row.Field",
		d.name, a.col.typ)
}

// clearMembers zeroes the fields whose members raw has.
func clearMembers(ms []member, raw jsontext.Value, p unsafe.Pointer) error {
	have, err := jsonobject.Split(raw)
	if err != nil {
		return err
	}
	for _, h := range have {
		for _, m := range ms {
			if m.name == h.Name {
				reflect.NewAt(m.typ, unsafe.Add(p, m.offset)).Elem().SetZero()
			}
		}
	}
	return nil
}
