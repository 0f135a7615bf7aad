package state

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/livestore-go/livestore/internal/isotime"
)

// computed matches what SQLite would compute anew for each row: a clock word, a call, an expression in parentheses.
var computed = regexp.MustCompile(`(?i)^(current_timestamp|current_date|current_time|\(.*\)|[a-z_][a-z0-9_]*\(.*\))$`)

var errComputed = errors.New("is computed, and state may depend on events only: put the value into the event")

// literal turns a default of the tag into an SQL literal. The value goes through the codec of the field, so a default is
// refused where the same value would be on its way in or out.
func (c *column) literal(d defaultValue) (string, error) {
	if !d.quoted && computed.MatchString(d.text) {
		return "", fmt.Errorf("default %s %w", d.text, errComputed)
	}
	if c.primary {
		return "", errors.New("a primary key with a default would collide with itself")
	}
	if !d.quoted && strings.EqualFold(d.text, "null") {
		if !c.nullable {
			return "", errors.New("default null on a column that is not nullable")
		}
		return "NULL", nil
	}
	v, err := c.parse(d)
	if err != nil {
		return "", fmt.Errorf("default %q: %w", d.text, err)
	}
	return sqlLiteral(v), nil
}

// parse reads a default by the kind of the column and brings it into the form the column writes.
func (c *column) parse(d defaultValue) (any, error) {
	v, err := parseKind(c.codec.kind, d.text)
	if err != nil {
		return nil, err
	}
	p := reflect.New(c.elem).UnsafePointer()
	if err := c.codec.dec(oneValue{v}, 0, p); err != nil {
		return nil, err
	}
	return c.codec.enc(p)
}

func parseKind(k kind, s string) (any, error) {
	switch k.plain() {
	case kindInteger:
		return strconv.ParseInt(s, 10, 64)
	case kindReal:
		return strconv.ParseFloat(s, 64)
	case kindBool:
		switch s {
		case "true", "1":
			return int64(1), nil
		case "false", "0":
			return int64(0), nil
		}
		return nil, errors.New("is neither true nor false")
	case kindDatetimeInteger:
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n, nil
		}
		t, err := isotime.Parse(s)
		return t.UnixMilli(), err
	case kindBlob:
		if h, ok := strings.CutPrefix(strings.ToLower(s), "x'"); ok && strings.HasSuffix(h, "'") {
			return hex.DecodeString(strings.TrimSuffix(h, "'"))
		}
		return nil, errors.New("is no blob: write it x'0aff'")
	default:
		return s, nil
	}
}

// sqlLiteral writes a bound value as a literal.
func sqlLiteral(v any) string {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		if math.IsInf(v, 0) {
			return strings.Replace(strconv.FormatFloat(v, 'g', -1, 64), "Inf", "9e999", 1)
		}
		s := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(s, ".e") {
			s += ".0"
		}
		return s
	case string:
		return "'" + strings.ReplaceAll(v, "'", "''") + "'"
	case []byte:
		return "x'" + hex.EncodeToString(v) + "'"
	}
	return "NULL"
}

// oneValue is a result of one row and column, for running a value through a codec.
type oneValue struct{ v any }

func (o oneValue) Next() bool        { return false }
func (o oneValue) Err() error        { return nil }
func (o oneValue) Columns() []string { return []string{""} }
func (o oneValue) IsNull(int) bool   { return o.v == nil }

func (o oneValue) Int64(int) int64 {
	n, _ := o.v.(int64)
	return n
}

func (o oneValue) Float64(int) float64 {
	f, _ := o.v.(float64)
	return f
}

func (o oneValue) Text(int) string {
	s, _ := o.v.(string)
	return s
}

func (o oneValue) Bytes(int) []byte {
	b, _ := o.v.([]byte)
	return b
}
