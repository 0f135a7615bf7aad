package state

import (
	"database/sql/driver"
	"encoding"
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// normalizeAll turns the arguments of raw SQL into what is bound: numbers, text, bytes and bool as columns hold them, times as
// datetime text, pointers as what they point to or NULL, values that marshal themselves as text, and what else is a driver.Valuer.
func normalizeAll(sql string, args []any) ([]any, error) {
	out := make([]any, len(args))
	for i, a := range args {
		v, err := normalize(a)
		if err != nil {
			return nil, &ArgError{SQL: sql, Index: i, Err: err}
		}
		out[i] = v
	}
	return out, nil
}

func normalize(a any) (any, error) {
	switch a := a.(type) {
	case nil:
		return nil, nil
	case string:
		return checkText(a)
	case int:
		return int64(a), nil
	case int64:
		return a, nil
	case bool:
		if a {
			return int64(1), nil
		}
		return int64(0), nil
	case float64:
		if math.IsNaN(a) {
			return nil, ErrNaN
		}
		return a, nil
	case []byte:
		if a == nil {
			return nil, nil
		}
		return append([]byte{}, a...), nil
	case time.Time:
		return formatDatetime(a)
	case jsontext.Value:
		return checkText(string(a))
	}
	v := reflect.ValueOf(a)
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil, nil
		}
		return normalize(v.Elem().Interface())
	}
	if m, ok := a.(encoding.TextMarshaler); ok {
		b, err := m.MarshalText()
		if err != nil {
			return nil, err
		}
		return checkText(string(b))
	}
	return normalizeKind(v)
}

func normalizeKind(v reflect.Value) (any, error) {
	switch v.Kind() {
	case reflect.String:
		return checkText(v.String())
	case reflect.Bool:
		return normalize(v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if v.Uint() > math.MaxInt64 {
			return nil, fmt.Errorf("%d is %w for an SQLite integer", v.Uint(), ErrRange)
		}
		return int64(v.Uint()), nil
	case reflect.Float32, reflect.Float64:
		return normalize(v.Float())
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return normalize(v.Bytes())
		}
	}
	if m, ok := reflect.TypeAssert[driver.Valuer](v); ok {
		n, err := m.Value()
		if err != nil {
			return nil, err
		}
		return normalize(n)
	}
	return nil, fmt.Errorf("a %s can not be bound: encode it first", v.Type())
}
