package state

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"reflect"
	"unsafe"
)

// codecKinds are the storage options of types that say themselves how they are stored.
var codecKinds = map[string]kind{
	"codec:text": kindCodecText, "codec:integer": kindCodecInteger, "codec:real": kindCodecReal, "codec:blob": kindCodecBlob,
}

// isValuer says whether values of t are stored and read by their own methods.
func isValuer(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[driver.Valuer]()) && p.Implements(reflect.TypeFor[sql.Scanner]())
}

// valuerCodec stores what Value returns and reads with Scan.
func valuerCodec(t reflect.Type, option string) (codec, error) {
	if !isValuer(t) {
		return codec{}, fmt.Errorf("option %s needs a driver.Valuer and sql.Scanner: give %s the methods Value and Scan", option, t)
	}
	k := codecKinds[option]
	return codec{
		kind: k,
		enc: func(p unsafe.Pointer) (any, error) {
			v, err := reflect.NewAt(t, p).Interface().(driver.Valuer).Value()
			if err != nil {
				return nil, err
			}
			return k.plain().hold(v)
		},
		dec: func(r Rows, i int, p unsafe.Pointer) error {
			var v any
			switch k.plain() {
			case kindInteger:
				v = r.Int64(i)
			case kindReal:
				v = r.Float64(i)
			case kindBlob:
				v = r.Bytes(i)
			default:
				v = r.Text(i)
			}
			return reflect.NewAt(t, p).Interface().(sql.Scanner).Scan(v)
		},
	}, nil
}

// hold brings what a Valuer returned into the type of its column. Only text and bytes stand for each other.
func (k kind) hold(v driver.Value) (any, error) {
	n, err := normalize(v)
	if err != nil {
		return nil, err
	}
	switch n := n.(type) {
	case nil:
		return nil, nil
	case int64:
		if k == kindInteger {
			return n, nil
		}
	case float64:
		if k == kindReal {
			return n, nil
		}
	case string:
		switch k {
		case kindText:
			return n, nil
		case kindBlob:
			return []byte(n), nil
		}
	case []byte:
		switch k {
		case kindText:
			return checkText(string(n))
		case kindBlob:
			return n, nil
		}
	}
	return nil, fmt.Errorf("its Value is a %T, the column is tagged codec:%s", v, k)
}
