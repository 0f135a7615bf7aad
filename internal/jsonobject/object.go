// Package jsonobject takes JSON objects apart and puts them together, member by member, with each value as it was written.
package jsonobject

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Member is one member of an object, its value as it was written.
type Member struct {
	Name  string
	Value jsontext.Value
}

// ErrNoObject says that JSON is something else.
var ErrNoObject = errors.New("is no JSON object")

// Split returns the members of an object in their order.
func Split(raw jsontext.Value) ([]Member, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	if tok, err := dec.ReadToken(); err != nil {
		return nil, err
	} else if tok.Kind() != '{' {
		return nil, ErrNoObject
	}
	var ms []Member
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		m := Member{Name: name.String()} // the token is gone with the next read
		v, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		m.Value = v.Clone()
		ms = append(ms, m)
	}
	_, err := dec.ReadToken()
	return ms, err
}

// Join writes members as an object.
func Join(ms []Member) (jsontext.Value, error) {
	out := jsontext.Value{'{'}
	for i, m := range ms {
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = jsontext.AppendQuote(out, m.Name); err != nil {
			return nil, err
		}
		out = append(append(out, ':'), m.Value...)
	}
	return append(out, '}'), nil
}

// Merge replaces members of the object base by those of change, and appends new ones. A base that is no object counts as empty.
func Merge(base, change jsontext.Value) (jsontext.Value, error) {
	ms, err := Split(base)
	if err != nil {
		ms = nil
	}
	changes, err := Split(change)
	if err != nil {
		return nil, fmt.Errorf("value of a patch: %w", err)
	}
	for _, c := range changes {
		if i := slices.IndexFunc(ms, func(m Member) bool { return m.Name == c.Name }); i >= 0 {
			ms[i].Value = c.Value
		} else {
			ms = append(ms, c)
		}
	}
	return Join(ms)
}
