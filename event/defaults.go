package event

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// defaulter is implemented by arguments that have defaults.
type defaulter interface{ SetDefaults() }

// overDefaults decodes members over the defaults: what the arguments have replaces a default as a whole. Without it a slice would be read
// into the array of the default, which may be shared, and a map would keep the entries of the default.
var overDefaults = json.WithUnmarshalers(json.UnmarshalFromFunc(func(dec *jsontext.Decoder, v any) error {
	if dec.StackDepth() == 1 {
		if p := reflect.ValueOf(v); p.Kind() == reflect.Pointer && !p.IsNil() {
			p.Elem().SetZero()
		}
	}
	return errors.ErrUnsupported
}))

var asV1Defaults = json.JoinOptions(asV1, overDefaults)

// setDefaults sets the defaults of *v where its type has them.
func setDefaults(d *Definition, v any) {
	if !d.defaults {
		return
	}
	if s, ok := v.(defaulter); ok {
		s.SetDefaults()
		return
	}
	p := reflect.ValueOf(v).Elem() // the arguments are a pointer: nil so far
	p.Set(reflect.New(p.Type().Elem()))
	p.Interface().(defaulter).SetDefaults()
}

// hasDefaults says whether arguments of type t have defaults, and refuses a SetDefaults that could set none.
func hasDefaults(t reflect.Type) (bool, error) {
	of, base := reflect.TypeFor[defaulter](), t
	if t.Kind() == reflect.Pointer {
		base = t.Elem()
	}
	switch {
	case base.Kind() != reflect.Interface && base.Implements(of):
		return false, fmt.Errorf("SetDefaults of %s has no pointer receiver, so what it sets is lost: declare it on *%[1]s", base)
	case t.Implements(of):
		return true, nil
	}
	return reflect.PointerTo(t).Implements(of), nil
}

// Defaults returns what SetDefaults of the arguments sets, by the names of the members in JSON; nil when they have no such method.
func (d *Definition) Defaults() map[string]jsontext.Value {
	if !d.defaults {
		return nil
	}
	v, zero := reflect.New(d.args), d.zero()
	setDefaults(d, v.Interface())
	set, unset := map[string]jsontext.Value{}, map[string]jsontext.Value{}
	for p, to := range map[reflect.Value]*map[string]jsontext.Value{v: &set, zero: &unset} {
		raw, err := json.Marshal(p.Interface(), asV1, json.Deterministic(true))
		if err == nil {
			err = json.Unmarshal(raw, to)
		}
		if err != nil {
			return nil // no object: it has no members
		}
	}
	maps.DeleteFunc(set, func(name string, raw jsontext.Value) bool { return bytes.Equal(raw, unset[name]) })
	return set
}

// zero returns a pointer to arguments that are all zero, and not nil themselves.
func (d *Definition) zero() reflect.Value {
	zero := reflect.New(d.args)
	if d.args.Kind() == reflect.Pointer {
		zero.Elem().Set(reflect.New(d.args.Elem()))
	}
	return zero
}

// checkDefaults refuses a default for a member that is left out when it is zero: a zero that is committed would come back as the default.
func (d *Definition) checkDefaults() error {
	if !d.defaults {
		return nil
	}
	in, err := json.Marshal(d.zero().Interface(), asV1, json.Deterministic(true))
	if err != nil {
		return nil //nolint:nilerr // zeros can not be encoded, so nobody commits them
	}
	v := reflect.New(d.args)
	setDefaults(d, v.Interface())
	if err := json.Unmarshal(in, v.Interface(), asV1Defaults); err != nil {
		return nil //nolint:nilerr // as above
	}
	out, err := json.Marshal(v.Interface(), asV1, json.Deterministic(true))
	if err == nil && !bytes.Equal(in, out) {
		return fmt.Errorf("event %s: SetDefaults sets a member of %s that is left out when it is zero, so a zero would come back as the "+
			"default: take omitzero or omitempty from it (zeros are written %s and read %s)", d.name, d.args, in, out)
	}
	return nil
}
