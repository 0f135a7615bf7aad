package state

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// JSON is written and read as that of events is: what encoding/json can round-trip and its successor has no form for, or another one,
// as encoding/json does.
var (
	asV1           = json.JoinOptions(jsonv1.FormatDurationAsNano(true), jsonv1.FormatByteArrayAsArray(true))
	marshalOptions = json.JoinOptions(asV1, json.Deterministic(true))
)

// codec moves values of one Go type between memory and SQLite. The pointers point to a value of that type.
type codec struct {
	kind kind
	enc  func(p unsafe.Pointer) (any, error)
	dec  func(r Rows, i int, p unsafe.Pointer) error
	zero func(p unsafe.Pointer) bool // says whether the value is nil; nil when the type has no nil
}

var (
	timeType    = reflect.TypeFor[time.Time]()
	bytesType   = reflect.TypeFor[[]byte]()
	jsonType    = reflect.TypeFor[jsontext.Value]()
	marshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	unmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// isMarshaled says whether values of t write and read themselves as text.
func isMarshaled(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(marshaler) && p.Implements(unmarshaler)
}

// isRawJSON says whether t is jsontext.Value or encoding/json's RawMessage, which name each other in no Go version we can rely on.
func isRawJSON(t reflect.Type) bool {
	return t == jsonType || (t.Name() == "RawMessage" && t.PkgPath() == "encoding/json")
}

// newCodec picks the codec of a Go type under the storage option of its tag, which may be empty.
func newCodec(t reflect.Type, option string) (codec, error) {
	if t.Size() == 0 {
		return codec{}, fmt.Errorf("type %s has no size, so its address names nothing", t)
	}
	wrong := fmt.Errorf("option %s does not fit type %s", option, t)
	switch {
	case option == "json":
		return jsonCodec(t), nil
	case strings.HasPrefix(option, "codec:"):
		return valuerCodec(t, option)
	case isRawJSON(t):
		if option == "" || option == "text" {
			return jsonCodec(t), nil
		}
	case t == timeType:
		switch option {
		case "", "datetime":
			return codec{kindDatetime, encDatetime, decDatetime, nil}, nil
		case "datetimeinteger":
			return codec{kindDatetimeInteger, encDatetimeInteger, decDatetimeInteger, nil}, nil
		case "text":
			return codec{kindMarshaled, encTimeText, decTimeText, nil}, nil
		case "integer", "real":
			return codec{}, fmt.Errorf("option %s does not fit a time.Time: use datetimeinteger, which holds Unix milliseconds", option)
		}
		return codec{}, wrong
	case option == "datetime" || option == "datetimeinteger":
		return codec{}, fmt.Errorf("option %s is for time.Time, the field is %s", option, t)
	case isMarshaled(t) && (option == "" || option == "text"):
		return marshaledCodec(t), nil
	}
	c, ok := kindCodec(t, option)
	switch {
	case ok:
		return c, nil
	case option != "":
		return codec{}, wrong
	case isValuer(t):
		return codec{}, fmt.Errorf("type %s is a driver.Valuer: say what its values are stored as, with the option codec:text, codec:integer, "+
			"codec:real or codec:blob", t)
	default:
		return codec{}, fmt.Errorf("type %s is no column: tag the field json, or db:\"-\" to leave it out", t)
	}
}

// kindCodec picks by the underlying kind.
func kindCodec(t reflect.Type, option string) (codec, bool) {
	switch t.Kind() {
	case reflect.Bool:
		switch option {
		case "", "integer":
			return codec{kindBool, encBool, decBool, nil}, true
		case "text":
			return codec{kindBoolText, encBoolText, decBoolText, nil}, true
		}
	case reflect.Int:
		return intCodec[int](option)
	case reflect.Int8:
		return intCodec[int8](option)
	case reflect.Int16:
		return intCodec[int16](option)
	case reflect.Int32:
		return intCodec[int32](option)
	case reflect.Int64:
		return intCodec[int64](option)
	case reflect.Uint:
		return uintCodec[uint](option)
	case reflect.Uint8:
		return uintCodec[uint8](option)
	case reflect.Uint16:
		return uintCodec[uint16](option)
	case reflect.Uint32:
		return uintCodec[uint32](option)
	case reflect.Uint64:
		return uintCodec[uint64](option)
	case reflect.Float32:
		if option == "" || option == "real" {
			return codec{kindReal, encFloat[float32], decFloat32, nil}, true
		}
	case reflect.Float64:
		if option == "" || option == "real" {
			return codec{kindReal, encFloat[float64], decFloat64, nil}, true
		}
	case reflect.String:
		switch option {
		case "", "text":
			return codec{kindText, encString, decString, nil}, true
		case "blob":
			return codec{kindBlob, encStringBlob, decStringBlob, nil}, true
		}
	case reflect.Slice:
		if !t.ConvertibleTo(bytesType) {
			break
		}
		switch option {
		case "", "blob":
			return codec{kindBlob, encBytes, decBytes, isNil}, true
		case "text":
			return codec{kindText, encBytesText, decBytesText, isNil}, true
		}
	}
	return codec{}, false
}

// isNil works for slices, maps, pointers and interfaces: the first word of each is nil when the value is.
func isNil(p unsafe.Pointer) bool { return *(*unsafe.Pointer)(p) == nil }

func encBool(p unsafe.Pointer) (any, error) {
	if *(*bool)(p) {
		return int64(1), nil
	}
	return int64(0), nil
}

func decBool(r Rows, i int, p unsafe.Pointer) error {
	switch r.Int64(i) {
	case 0:
		*(*bool)(p) = false
	case 1:
		*(*bool)(p) = true
	default:
		return fmt.Errorf("%d is neither 0 nor 1", r.Int64(i))
	}
	return nil
}

func encBoolText(p unsafe.Pointer) (any, error) { return strconv.FormatBool(*(*bool)(p)), nil }

func decBoolText(r Rows, i int, p unsafe.Pointer) error {
	switch s := r.Text(i); s {
	case "true":
		*(*bool)(p) = true
	case "false":
		*(*bool)(p) = false
	default:
		return fmt.Errorf("%q is neither true nor false", s)
	}
	return nil
}

type signed interface {
	int | int8 | int16 | int32 | int64
}

func intCodec[T signed](option string) (codec, bool) {
	switch option {
	case "", "integer":
		return codec{
			kindInteger,
			func(p unsafe.Pointer) (any, error) { return int64(*(*T)(p)), nil },
			func(r Rows, i int, p unsafe.Pointer) error {
				n := r.Int64(i)
				if int64(T(n)) != n {
					return fmt.Errorf("%d is %w", n, ErrRange)
				}
				*(*T)(p) = T(n)
				return nil
			}, nil,
		}, true
	case "text":
		return codec{
			kindDecimal,
			func(p unsafe.Pointer) (any, error) { return strconv.FormatInt(int64(*(*T)(p)), 10), nil },
			func(r Rows, i int, p unsafe.Pointer) error {
				n, err := strconv.ParseInt(r.Text(i), 10, int(unsafe.Sizeof(T(0))*8))
				*(*T)(p) = T(n)
				return err
			}, nil,
		}, true
	}
	return codec{}, false
}

type unsigned interface {
	uint | uint8 | uint16 | uint32 | uint64
}

func uintCodec[T unsigned](option string) (codec, bool) {
	switch option {
	case "", "integer":
		return codec{
			kindInteger,
			func(p unsafe.Pointer) (any, error) {
				n := uint64(*(*T)(p))
				if n > math.MaxInt64 {
					return nil, fmt.Errorf("%d is %w for an SQLite integer: tag the field text", n, ErrRange)
				}
				return int64(n), nil
			},
			func(r Rows, i int, p unsafe.Pointer) error {
				n := r.Int64(i)
				if n < 0 || uint64(T(n)) != uint64(n) {
					return fmt.Errorf("%d is %w", n, ErrRange)
				}
				*(*T)(p) = T(n)
				return nil
			}, nil,
		}, true
	case "text":
		return codec{
			kindDecimal,
			func(p unsafe.Pointer) (any, error) { return strconv.FormatUint(uint64(*(*T)(p)), 10), nil },
			func(r Rows, i int, p unsafe.Pointer) error {
				n, err := strconv.ParseUint(r.Text(i), 10, int(unsafe.Sizeof(T(0))*8))
				*(*T)(p) = T(n)
				return err
			}, nil,
		}, true
	}
	return codec{}, false
}

func encFloat[T float32 | float64](p unsafe.Pointer) (any, error) {
	f := float64(*(*T)(p))
	if math.IsNaN(f) {
		return nil, ErrNaN
	}
	return f, nil
}

func decFloat64(r Rows, i int, p unsafe.Pointer) error {
	*(*float64)(p) = r.Float64(i)
	return nil
}

func decFloat32(r Rows, i int, p unsafe.Pointer) error {
	f := r.Float64(i)
	if math.Abs(f) > math.MaxFloat32 && !math.IsInf(f, 0) {
		return fmt.Errorf("%g is %w", f, ErrRange)
	}
	*(*float32)(p) = float32(f)
	return nil
}

func encString(p unsafe.Pointer) (any, error) { return checkText(*(*string)(p)) }

func checkText(s string) (any, error) {
	if !utf8.ValidString(s) {
		return nil, ErrInvalidUTF8
	}
	return s, nil
}

func decString(r Rows, i int, p unsafe.Pointer) error {
	*(*string)(p) = r.Text(i)
	return nil
}

func encStringBlob(p unsafe.Pointer) (any, error) { return []byte(*(*string)(p)), nil }

func decStringBlob(r Rows, i int, p unsafe.Pointer) error {
	*(*string)(p) = string(r.Bytes(i))
	return nil
}

// encBytes copies: the statement may outlive what the caller does with its slice.
func encBytes(p unsafe.Pointer) (any, error) { return append([]byte{}, *(*[]byte)(p)...), nil }

func decBytes(r Rows, i int, p unsafe.Pointer) error {
	b := r.Bytes(i)
	if b == nil {
		b = []byte{}
	}
	*(*[]byte)(p) = b
	return nil
}

func encBytesText(p unsafe.Pointer) (any, error) { return checkText(string(*(*[]byte)(p))) }

func decBytesText(r Rows, i int, p unsafe.Pointer) error {
	*(*[]byte)(p) = []byte(r.Text(i))
	return nil
}

func marshaledCodec(t reflect.Type) codec {
	return codec{
		kindMarshaled,
		func(p unsafe.Pointer) (any, error) {
			b, err := reflect.NewAt(t, p).Interface().(encoding.TextMarshaler).MarshalText()
			if err != nil {
				return nil, err
			}
			return checkText(string(b))
		},
		func(r Rows, i int, p unsafe.Pointer) error {
			return reflect.NewAt(t, p).Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(r.Text(i)))
		}, nil,
	}
}

func jsonCodec(t reflect.Type) codec {
	c := codec{
		kind: kindJSON,
		enc: func(p unsafe.Pointer) (any, error) {
			b, err := json.Marshal(reflect.NewAt(t, p).Interface(), marshalOptions)
			if err != nil {
				if strings.Contains(err.Error(), "invalid UTF-8") { // the library has no error value for it
					err = fmt.Errorf("%w (%w)", ErrInvalidUTF8, err)
				}
				return nil, err
			}
			return string(b), nil
		},
		dec: func(r Rows, i int, p unsafe.Pointer) error {
			return json.Unmarshal([]byte(r.Text(i)), reflect.NewAt(t, p).Interface(), asV1)
		},
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Map, reflect.Interface:
		c.zero = isNil
	}
	return c
}
