package livestoretest

import (
	"encoding"
	stdjson "encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// node is a JSON Schema (draft 2020-12), as far as Go types need one. Members that begin with x- are ours.
type node struct {
	Schema          string         `json:"$schema,omitzero"`
	Comment         string         `json:"$comment,omitzero"`
	Title           string         `json:"title,omitzero"`   // name of the event or document
	Kind            string         `json:"x-kind,omitzero"`  // what it is the schema of: event or document
	Scope           string         `json:"x-scope,omitzero"` // of the event
	Ref             string         `json:"$ref,omitzero"`
	AnyOf           []*node        `json:"anyOf,omitzero"` // a $ref or null
	Type            types          `json:"type,omitzero"`
	Format          string         `json:"format,omitzero"` // date-time; of numbers, also of those in text, that of their Go type
	ContentEncoding string         `json:"contentEncoding,omitzero"`
	GoType          string         `json:"x-go-type,omitzero"` // a type that writes its own JSON or text
	Default         jsontext.Value `json:"default,omitzero"`
	Items           *node          `json:"items,omitzero"`
	MinItems        *int           `json:"minItems,omitzero"`
	MaxItems        *int           `json:"maxItems,omitzero"`

	Properties           map[string]*node `json:"properties,omitzero"`
	Required             []string         `json:"required,omitzero"` // what is always written
	PropertyNames        *node            `json:"propertyNames,omitzero"`
	AdditionalProperties *node            `json:"additionalProperties,omitzero"`
	Removed              map[string]*node `json:"x-removed,omitzero"` // members of old versions, which old events still have
	Defs                 map[string]*node `json:"$defs,omitzero"`
}

// types is one JSON type, or one and null.
type types []string

func (t types) MarshalJSON() ([]byte, error) {
	if len(t) == 1 {
		return json.Marshal(t[0])
	}
	return json.Marshal([]string(t))
}

func (t *types) UnmarshalJSON(raw []byte) error {
	if jsontext.Value(raw).Kind() == '"' {
		*t = types{""}
		return json.Unmarshal(raw, &(*t)[0])
	}
	return json.Unmarshal(raw, (*[]string)(t))
}

func (t types) nullable() bool { return slices.Contains(t, "null") }

func (n *node) isAny() bool {
	return len(n.Type) == 0 && n.Ref == "" && n.AnyOf == nil && n.GoType == ""
}

// reflection makes schemas of Go types by the rules of package json, with the options of package event.
type reflection struct {
	open map[reflect.Type]string // types on the way down; the name in $defs when one was met again
	defs map[string]*node

	embedding []reflect.Type // structs whose members are being added to another: one may embed a pointer to itself
}

// schemaOf returns the schema of a type.
func schemaOf(t reflect.Type) *node {
	r := &reflection{open: map[reflect.Type]string{}, defs: map[string]*node{}}
	n := r.node(t)
	if len(r.defs) > 0 {
		if n.Ref == "" && n.AnyOf == nil {
			n.Defs = r.defs
		} else {
			n = &node{Ref: n.Ref, AnyOf: n.AnyOf, Defs: r.defs}
		}
	}
	return n
}

// node returns the schema of a type. One that holds itself is moved to $defs.
func (r *reflection) node(t reflect.Type) *node {
	if t.Name() == "" {
		return r.plain(t)
	}
	if name, again := r.open[t]; again {
		if name == "" {
			name, _, _ = strings.Cut(t.Name(), "[")
			for i := 2; r.taken(name); i++ {
				base, _, _ := strings.Cut(t.Name(), "[")
				name = fmt.Sprintf("%s%d", base, i)
			}
			r.open[t] = name
			r.defs[name] = nil // taken
		}
		return &node{Ref: "#/$defs/" + name}
	}
	r.open[t] = ""
	n := r.plain(t)
	name := r.open[t]
	delete(r.open, t)
	if name == "" {
		return n
	}
	// What stood on the way may refer to it: it stays open under its name.
	r.open[t] = name
	r.defs[name] = n
	return &node{Ref: "#/$defs/" + name}
}

func (r *reflection) taken(name string) bool {
	_, ok := r.defs[name]
	return ok
}

var (
	writesJSON = []reflect.Type{
		reflect.TypeFor[json.Marshaler](), reflect.TypeFor[json.MarshalerTo](),
		reflect.TypeFor[json.Unmarshaler](), reflect.TypeFor[json.UnmarshalerFrom](),
	}
	writesText = []reflect.Type{
		reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextAppender](), reflect.TypeFor[encoding.TextUnmarshaler](),
	}
)

// plain returns the schema of a type that is not met before.
func (r *reflection) plain(t reflect.Type) *node {
	switch t {
	case reflect.TypeFor[time.Time]():
		return &node{Type: types{"string"}, Format: "date-time"}
	case reflect.TypeFor[jsontext.Value](), reflect.TypeFor[stdjson.RawMessage]():
		return &node{}
	}
	if t.Kind() == reflect.Pointer {
		return nullable(r.node(t.Elem()))
	}
	switch implements := reflect.PointerTo(t).Implements; {
	case slices.ContainsFunc(writesJSON, implements):
		return &node{GoType: t.String()}
	case slices.ContainsFunc(writesText, implements):
		return &node{Type: types{"string"}, GoType: t.String()}
	}
	switch t.Kind() {
	case reflect.Bool:
		return &node{Type: types{"boolean"}}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr,
		reflect.Float32, reflect.Float64:
		return number(t.Kind())
	case reflect.String:
		return &node{Type: types{"string"}}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return &node{Type: types{"string"}, ContentEncoding: "base64"}
		}
		return &node{Type: types{"array"}, Items: r.node(t.Elem())}
	case reflect.Array:
		length := t.Len()
		return &node{Type: types{"array"}, Items: r.node(t.Elem()), MinItems: &length, MaxItems: &length}
	case reflect.Map:
		n := &node{Type: types{"object"}, AdditionalProperties: r.node(t.Elem())}
		if key := r.node(t.Key()); key.Format != "" || key.GoType != "" {
			n.PropertyNames = inText(key)
		}
		return n
	case reflect.Struct:
		n := &node{Type: types{"object"}, Properties: map[string]*node{}}
		r.members(n, t, 0, map[string]int{})
		slices.Sort(n.Required)
		return n
	case reflect.Interface:
		if t.NumMethod() == 0 {
			return &node{}
		}
	}
	return &node{GoType: t.String()}
}

func nullable(n *node) *node {
	switch {
	case n.Ref != "":
		return &node{AnyOf: []*node{n, {Type: types{"null"}}}}
	case len(n.Type) == 1:
		n.Type = append(n.Type, "null")
	}
	return n
}

// number names the range by the format, as OpenAPI does: int is int64, also where it is smaller.
func number(k reflect.Kind) *node {
	switch k {
	case reflect.Int:
		k = reflect.Int64
	case reflect.Uint, reflect.Uintptr:
		k = reflect.Uint64
	case reflect.Float32:
		return &node{Type: types{"number"}, Format: "float"}
	case reflect.Float64:
		return &node{Type: types{"number"}, Format: "double"}
	}
	return &node{Type: types{"integer"}, Format: k.String()}
}

// inText is n as the option string writes it, and as a key of an object.
func inText(n *node) *node {
	c := *n
	c.Type = slices.Clone(n.Type)
	for i, t := range c.Type {
		if t == "integer" || t == "number" {
			c.Type[i] = "string"
		}
	}
	return &c
}

// members adds the members of a struct to n, those of embedded structs too. The outer one of two with the same name counts.
func (r *reflection) members(n *node, t reflect.Type, depth int, at map[string]int) {
	for f := range t.Fields() {
		tag := f.Tag.Get("json")
		if tag == "-" {
			continue
		}
		name, rest, _ := strings.Cut(tag, ",")
		name = strings.Trim(name, "'")
		opts := strings.Split(rest, ",")
		if f.Anonymous && name == "" || slices.Contains(opts, "embed") {
			r.embedded(n, f.Type, depth, at)
			continue
		}
		if !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		if d, have := at[name]; have && d <= depth {
			continue
		}
		at[name] = depth
		m := r.node(f.Type)
		if slices.Contains(opts, "string") {
			m = inText(m)
		}
		if i := slices.IndexFunc(opts, func(o string) bool { return strings.HasPrefix(o, "format:") }); i >= 0 {
			m = &node{GoType: f.Type.String() + " " + strings.Join(opts[i:], ",")}
		}
		n.Properties[name] = m
		n.Required = slices.DeleteFunc(n.Required, func(r string) bool { return r == name })
		if !slices.Contains(opts, "omitzero") && !slices.Contains(opts, "omitempty") {
			n.Required = append(n.Required, name)
		}
	}
}

// embedded adds what an embedded field holds. A map or a raw value takes all other members.
func (r *reflection) embedded(n *node, t reflect.Type, depth int, at map[string]int) {
	pointer := t.Kind() == reflect.Pointer
	if pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[jsontext.Value]():
		n.AdditionalProperties = &node{}
	case t.Kind() == reflect.Map:
		n.AdditionalProperties = r.node(t.Elem())
	case t.Kind() == reflect.Struct && !slices.Contains(r.embedding, t):
		r.embedding = append(r.embedding, t)
		required := slices.Clone(n.Required)
		r.members(n, t, depth+1, at)
		if pointer { // nil is left out with all members
			n.Required = required
		}
		r.embedding = r.embedding[:len(r.embedding)-1]
	}
}
