package event

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// asV1 has the types of the standard library that encoding/json can round-trip, and its successor has no form for or another one, written
// as encoding/json does: a time.Duration in nanoseconds, an array of bytes as an array of numbers.
var asV1 = json.JoinOptions(jsonv1.FormatDurationAsNano(true), jsonv1.FormatByteArrayAsArray(true))

// validator is implemented by arguments that check themselves.
type validator interface{ Validate() error }

// Encode encodes the arguments of an event: JSON without insignificant space, map keys in order, a
// time.Duration in nanoseconds, an array of bytes as an array of numbers. It refuses what does not
// validate, what JSON can not express, invalid UTF-8, and numbers that JavaScript would change. The error is an *[ArgsError].
func Encode(d *Definition, args any) (jsontext.Value, error) {
	if err := validate(d, args); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(args, asV1, json.Deterministic(true))
	if err != nil {
		return nil, argsError(d, err)
	}
	return raw, checkArgs(d, raw)
}

func validate(d *Definition, args any) error {
	v, ok := args.(validator)
	if !ok && d.pointer && reflect.TypeOf(args) == d.args {
		p := reflect.New(d.args)
		p.Elem().Set(reflect.ValueOf(args))
		v, ok = reflect.TypeAssert[validator](p)
	}
	if !ok {
		return nil
	}
	if err := v.Validate(); err != nil {
		return &ArgsError{Event: d.name, Err: err}
	}
	return nil
}

// argsError finds the field an error of the JSON library is about.
func argsError(d *Definition, err error) error {
	if se, ok := errors.AsType[*json.SemanticError](err); ok {
		return &ArgsError{Event: d.name, Field: se.JSONPointer, Err: err}
	}
	if se, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return &ArgsError{Event: d.name, Field: se.JSONPointer, Err: err}
	}
	return &ArgsError{Event: d.name, Err: err}
}

// checkArgs refuses JSON that is malformed or holds a number that does not survive a float64.
func checkArgs(d *Definition, raw jsontext.Value) error {
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	for {
		tok, err := dec.ReadToken()
		if err != nil {
			return argsError(d, err)
		}
		if tok.Kind() == '0' && !exact(tok.String()) {
			return &ArgsError{
				Event: d.name, Field: dec.StackPointer(),
				Err: fmt.Errorf("number %s can not be held exactly by a float64, so JavaScript would change it: "+
					"encode it as text with the json option ,string", tok),
			}
		}
		if dec.StackDepth() > 0 {
			continue
		}
		if len(bytes.TrimLeft(raw[dec.InputOffset():], " \t\r\n")) > 0 {
			return &ArgsError{Event: d.name, Err: errors.New("there is more text after the end of the JSON")}
		}
		return nil
	}
}

// exact says whether JavaScript, which reads every number as a float64, would write s with the same value.
func exact(s string) bool {
	if len(s) <= 15 && !strings.ContainsAny(s, "eE") { // up to 15 significant digits always survive
		return true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return false
	}
	m1, e1 := decimal(s)
	m2, e2 := decimal(strconv.FormatFloat(f, 'e', -1, 64))
	return m1 == m2 && (e1 == e2 || m1 == "" || m1 == "-")
}

// decimal brings a JSON number into the form digits × 10^exp with no zero at either end of the digits.
func decimal(s string) (digits string, exp int) {
	mant, e, hasExp := strings.Cut(strings.ToLower(s), "e")
	if hasExp {
		exp, _ = strconv.Atoi(e)
	}
	neg := strings.HasPrefix(mant, "-")
	whole, frac, _ := strings.Cut(strings.TrimPrefix(mant, "-"), ".")
	exp -= len(frac)
	digits = strings.TrimLeft(whole+frac, "0")
	short := strings.TrimRight(digits, "0")
	exp += len(digits) - len(short)
	if neg {
		short = "-" + short
	}
	return short, exp
}
