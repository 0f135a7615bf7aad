package state

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"sync/atomic"
	"unsafe"
)

// plan says which field each result column goes to, in the order of the result. It is made once, so that reading a
// row is a walk over offsets.
type plan []step

type step struct {
	*column
	null   bool // NULL is possible
	noNull bool // NULL is possible and an error: the field can not hold it
	check  bool // the result may be of any type: raw SQL
}

// scan reads one row into the memory of a row at base, which holds the zero value.
func (p plan) scan(r Rows, base unsafe.Pointer, table string) error {
	for i := range p {
		s := &p[i]
		if s.null && r.IsNull(i) {
			if s.noNull {
				return s.scanError(table, ErrNull)
			}
			continue
		}
		var err error
		if s.check {
			if err = checkNumber(r, i, s.codec.kind); err != nil {
				return s.scanError(table, err)
			}
		}
		if s.pointer {
			err = s.decodePointer(r, i, unsafe.Add(base, s.offset))
		} else {
			err = s.codec.dec(r, i, unsafe.Add(base, s.offset))
		}
		if err != nil {
			return s.scanError(table, err)
		}
	}
	return nil
}

// checkNumber refuses what SQLite would turn into a number silently: text that is none, and a fraction read as an integer.
func checkNumber(r Rows, i int, k kind) error {
	switch k.plain() {
	case kindInteger, kindBool, kindDatetimeInteger:
		n := r.Int64(i)
		f := r.Float64(i)
		// SQLite cuts what is beyond an int64 to its end, and float64 rounds that end to 2^63: only the text tells them apart.
		if f >= 1<<63 || f < -1<<63 {
			if _, err := strconv.ParseInt(r.Text(i), 10, 64); err != nil {
				return fmt.Errorf("%v is %w", f, ErrRange)
			}
		}
		if f != float64(n) {
			return fmt.Errorf("%v is no integer", f)
		}
		if n != 0 {
			return nil
		}
	case kindReal:
		if r.Float64(i) != 0 {
			return nil
		}
	default:
		return nil
	}
	if s := r.Text(i); s != "0" {
		if _, err := strconv.ParseFloat(s, 64); err != nil {
			return fmt.Errorf("%q is no number", s)
		}
	}
	return nil
}

func (s *step) scanError(table string, err error) error {
	typ := s.typ.String()
	if s.field != "" {
		typ = "field " + s.field + " (" + typ + ")"
	}
	return &ScanError{Table: table, Column: s.name, Type: typ, Err: err}
}

// sizeHint is how many rows the last result of a query had. The next one has about as many, so its slice need not grow.
type sizeHint struct{ n atomic.Int32 }

const maxHint = 1024 // rows; a query that once found many must not take room for them for ever

// decodeRows reads a whole result. It is empty, not nil, when there is no row: so equal results are equal in every way.
func decodeRows[R any](r Rows, p plan, table string, size *sizeHint) ([]R, error) {
	rows := make([]R, 0, size.n.Load())
	for r.Next() {
		var zero R
		rows = append(rows, zero)
		if err := p.scan(r, unsafe.Pointer(&rows[len(rows)-1]), table); err != nil {
			return nil, err
		}
	}
	size.n.Store(int32(min(len(rows), maxHint)))
	return slices.Clip(rows), r.Err() // shared results: an append of one reader must not reach the other
}

// decodeFirst reads the first row of a result, the zero value when there is none.
func decodeFirst[R any](r Rows, p plan, table string) (v R, found bool, err error) {
	if !r.Next() {
		return v, false, r.Err()
	}
	if err = p.scan(r, unsafe.Pointer(&v), table); err != nil {
		var zero R
		return zero, false, err
	}
	return v, true, nil
}

// newValueColumn makes a column of a value that stands alone, by the default storage of its type.
func newValueColumn(t reflect.Type) (*column, error) {
	c := &column{typ: t, elem: t}
	if t.Kind() == reflect.Pointer {
		c.pointer, c.nullable, c.elem = true, true, t.Elem()
	}
	var err error
	c.codec, err = newCodec(c.elem, "")
	return c, err
}
