package event_test

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"github.com/livestore-go/livestore/event"
)

type rated struct {
	ID    string             `json:"id"`
	Stars int                `json:"stars"`
	By    map[string]float64 `json:"by,omitzero"`
	Tags  []int64            `json:"tags,omitzero"`
	Big   int64              `json:"big,omitzero,string"`
}

var errStars = errors.New("stars must be 0 to 5")

func (r rated) Validate() error {
	if r.Stars < 0 || r.Stars > 5 {
		return errStars
	}
	return nil
}

var (
	ratedV1  = event.Synced[rated]("v1.Rated")
	dragged  = event.ClientOnly[struct{ X float64 }]("v1.Dragged")
	renamed  = event.Synced[map[string]any]("v1.Renamed", event.Deprecated("use v2.Renamed"))
	anything = event.Synced[any]("v1.Anything")
)

func TestDefinition(t *testing.T) {
	d := ratedV1.Definition()
	if ratedV1.Name() != "v1.Rated" || d.Name() != "v1.Rated" || d.Scope() != event.ScopeSynced || d.Deprecated() != "" {
		t.Errorf("got %s, %s, %s, %q", ratedV1.Name(), d.Name(), d.Scope(), d.Deprecated())
	}
	if d.ArgsType() != reflect.TypeFor[rated]() {
		t.Errorf("got arguments of %s", d.ArgsType())
	}
	if dragged.Definition().Scope() != event.ScopeClientOnly {
		t.Error("an event made by ClientOnly is not")
	}
	if renamed.Definition().Deprecated() != "use v2.Renamed" {
		t.Errorf("got %q", renamed.Definition().Deprecated())
	}
	if (event.Def[rated]{}).Definition() != nil {
		t.Error("the zero Def has a definition")
	}
}

// The same arguments are the same bytes, always: no space, map keys in order, omitted fields left out.
func TestEncodeIsDeterministic(t *testing.T) {
	args := rated{ID: "a<b>&c", Stars: 3, By: map[string]float64{}, Tags: []int64{2, 1}, Big: math.MaxInt64}
	for i := range 20 {
		args.By[fmt.Sprintf("k%02d", 19-i)] = float64(i) / 8
	}
	first, err := ratedV1.New(args).Args("s")
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"id":"a<b>&c","stars":3,"by":{"k00":2.375,"k01":2.25,`; !strings.HasPrefix(string(first), want) {
		t.Errorf("got %s, want it to begin with %s", first, want)
	}
	if want := `,"tags":[2,1],"big":"9223372036854775807"}`; !strings.HasSuffix(string(first), want) {
		t.Errorf("got %s, want it to end with %s", first, want)
	}
	for range 50 {
		if again, err := ratedV1.New(args).Args("other"); err != nil || string(again) != string(first) {
			t.Fatalf("got %s, %v, and before %s", again, err, first)
		}
	}
}

func TestArgsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		args := rated{
			ID: rapid.String().Draw(t, "id"), Stars: rapid.IntRange(0, 5).Draw(t, "stars"),
			By: rapid.MapOfN(rapid.String(), rapid.Float64(), 1, 4).Draw(t, "by"),
			// What is within 2^53 either way every client holds exactly.
			Tags: rapid.SliceOfN(rapid.Int64Range(-1<<53, 1<<53), 1, 4).Draw(t, "tags"),
			Big:  rapid.Int64().Draw(t, "big"),
		}
		raw, err := ratedV1.New(args).Args("s")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ratedV1.Decode(raw); err != nil || !reflect.DeepEqual(got, args) {
			t.Fatalf("%s reads as %+v, %v, want %+v", raw, got, err, args)
		}
		// JavaScript reads numbers as float64 and writes them in RFC 8785 form; nothing may change by that.
		js := raw.Clone()
		if err := js.Canonicalize(); err != nil {
			t.Fatal(err)
		}
		if got, err := ratedV1.Decode(js); err != nil || !reflect.DeepEqual(got, args) {
			t.Fatalf("after JavaScript %s reads as %+v, %v, want %+v", js, got, err, args)
		}
	})
}

func TestValidate(t *testing.T) {
	_, err := ratedV1.New(rated{Stars: 6}).Args("s")
	checkArgsError(t, err, "v1.Rated", "", "stars must be 0 to 5")
	if !errors.Is(err, errStars) {
		t.Errorf("%v does not wrap what Validate returned", err)
	}
	_, err = ratedV1.Decode(jsontext.Value(`{"id":"1","stars":-1}`))
	checkArgsError(t, err, "v1.Rated", "", "stars must be 0 to 5")
	if _, err := event.Encode(ratedV1.Definition(), rated{Stars: 7}); !errors.Is(err, errStars) {
		t.Errorf("Encode: %v", err)
	}
}

// checkArgsError checks that an error names event and field and says what is wrong.
func checkArgsError(t *testing.T, err error, name string, field jsontext.Pointer, says string) {
	t.Helper()
	a, ok := errors.AsType[*event.ArgsError](err)
	switch {
	case !ok:
		t.Errorf("got %v, want an ArgsError", err)
	case a.Event != name || a.Field != field:
		t.Errorf("%v names %q and field %q, want %q and %q", err, a.Event, a.Field, name, field)
	case !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), string(field)) || !strings.Contains(err.Error(), says):
		t.Errorf("%q does not say %q, %q and %q", err, name, field, says)
	}
}

type trimmed struct{ Text string }

func (e *trimmed) Validate() error {
	if strings.TrimSpace(e.Text) != e.Text {
		return errors.New("space around it")
	}
	return nil
}

// A Validate method counts whatever its receiver is.
func TestValidateOfPointer(t *testing.T) {
	def := event.Synced[trimmed]("v1.Trimmed")
	_, err := def.New(trimmed{Text: " x"}).Args("s")
	checkArgsError(t, err, "v1.Trimmed", "", "space around it")
	_, err = def.Decode(jsontext.Value(`{"Text":" x"}`))
	checkArgsError(t, err, "v1.Trimmed", "", "space around it")
	if _, err := def.New(trimmed{Text: "x"}).Args("s"); err != nil {
		t.Error(err)
	}
	byPointer := event.Synced[*trimmed]("v1.Trimmed")
	_, err = byPointer.New(&trimmed{Text: " x"}).Args("s")
	checkArgsError(t, err, "v1.Trimmed", "", "space around it")
}

func TestDecodeErrors(t *testing.T) {
	for _, c := range []struct {
		args  string
		field jsontext.Pointer
		says  string
	}{
		{`{"id":1}`, "/id", "string"},
		{`{"stars":"many"}`, "/stars", "int"},
		{`{"stars":1.5}`, "/stars", "1.5"},
		{`{"tags":[1,2,"x"]}`, "/tags/2", "int64"},
		{`{"by":{"a/b":"x"}}`, "/by/a~1b", "float64"},
		{`{"id":"1","id":"2"}`, "/id", "duplicate"},
		{"{\"id\":\"\xff\"}", "/id", "UTF-8"},
		{`{"id":`, "/id", "EOF"},
		{`[]`, "", "array"},
		{``, "", "EOF"},
	} {
		_, err := ratedV1.Decode(jsontext.Value(c.args))
		checkArgsError(t, err, "v1.Rated", c.field, c.says)
	}
}

// Members that a newer version of the app added are no error.
func TestDecodeToleratesMore(t *testing.T) {
	if got, err := ratedV1.Decode(jsontext.Value(`{"id":"1","stars":2,"new":{"x":[]}}`)); err != nil || got.ID != "1" || got.Stars != 2 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestNumbers(t *testing.T) {
	for number, exact := range map[string]bool{
		"0": true, "-0": true, "1": true, "-1.5": true, "0.1": true, "1e3": true, "1E+3": true, "100": true, "0.10": true, "1e15": true,
		"123456789012345":                      true, // 15 digits
		"9007199254740991":                     true,
		"9007199254740992":                     true, // 2^53
		"9007199254740993":                     false,
		"-9007199254740993":                    false,
		"9007199254740994":                     true,
		"9007199254740993e0":                   false,
		"9.007199254740993e15":                 false,
		"900719925474099300e-2":                false,
		"900719925474099200e-2":                true,
		"1152921504606846976":                  false, // 2^60, which JavaScript writes 1152921504606847000
		"1152921504606847000":                  true,
		"100000000000000000000":                true,
		"9223372036854775807":                  false,
		"3.141592653589793":                    true,
		"3.14159265358979323846":               false,
		"0.1000000000000000055511151231257827": false, // what 0.1 is; written 0.1
		"1.7976931348623157e308":               true,
		"1.7976931348623159e308":               false,
		"1e309":                                false,
		"5e-324":                               true,
		"2e-324":                               false,
		"1e-400":                               false,
		"0e400":                                true,
		"0.0000e-400":                          true,
		"-0.00000000000000000000":              true,
		"1e99999999999999999999":               false,
		"0.00000000000000000000000000000001":   true,
		"100000000000000000000000000000e-29":   true,
	} {
		for _, place := range []struct {
			before, after string
			field         jsontext.Pointer
		}{
			{"", "", ""}, {`{"n":`, `}`, "/n"}, {`{"a":[1,{"b/c":`, `}]}`, "/a/1/b~1c"},
		} {
			args := jsontext.Value(place.before + number + place.after)
			got, err := event.Raw(anything.Definition(), args).Args("s")
			if exact {
				if err != nil || string(got) != string(args) {
					t.Errorf("%s: got %s, %v", args, got, err)
				}
				continue
			}
			checkArgsError(t, err, "v1.Anything", place.field, strings.TrimSuffix(number, "0"))
			checkArgsError(t, err, "v1.Anything", place.field, ",string")
		}
	}
}

// Every float64 is exact in the form Go writes it, and so is every integer up to 2^53.
func TestNumbersThatGoWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64().Draw(t, "float")
		if _, err := anything.New(f).Args("s"); err != nil {
			t.Fatal(err)
		}
		i := rapid.Int64().Draw(t, "int")
		_, err := anything.New(i).Args("s")
		text, _ := json.Marshal(float64(i))
		js := jsontext.Value(text)
		if err := js.Canonicalize(); err != nil {
			t.Fatal(err)
		}
		if same := string(js) == fmt.Sprint(i); same != (err == nil) {
			t.Fatalf("%d is %s in JavaScript: %v", i, js, err)
		}
	})
}

func TestEncodeErrors(t *testing.T) {
	for _, c := range []struct {
		args  any
		field jsontext.Pointer
		says  string
	}{
		{map[string]any{"s": "\xff"}, "/s", "UTF-8"},
		{map[string]any{"a": []any{"ok", "a\xc3"}}, "/a/1", "UTF-8"},
		{math.NaN(), "", "NaN"},
		{map[string]any{"f": math.Inf(1)}, "/f", "+Inf"},
		{map[string]any{"c": make(chan int)}, "/c", "chan"},
		{map[string]any{"f": func() {}}, "/f", "func"},
		{map[string]any{"n": int64(math.MaxInt64)}, "/n", "9223372036854775807"},
		{map[string]any{"n": uint64(math.MaxUint64)}, "/n", "18446744073709551615"},
	} {
		_, err := anything.New(c.args).Args("s")
		checkArgsError(t, err, "v1.Anything", c.field, c.says)
	}
}

func TestDrafts(t *testing.T) {
	var empty event.Draft
	if empty.Definition() != nil {
		t.Error("an empty draft has a definition")
	}
	_, err := empty.Args("s")
	checkArgsError(t, err, "", "", "make one with New")
	_, err = event.Def[rated]{}.New(rated{}).Args("s")
	checkArgsError(t, err, "", "", "make one with New")

	d := event.NewDraft(dragged.Definition(), func(sessionID string) (jsontext.Value, error) {
		return event.Encode(dragged.Definition(), map[string]string{"id": sessionID})
	})
	if d.Definition() != dragged.Definition() {
		t.Errorf("got %v", d.Definition())
	}
	for _, session := range []string{"s1", "s2"} {
		if got, err := d.Args(session); err != nil || string(got) != `{"id":"`+session+`"}` {
			t.Errorf("got %s, %v", got, err)
		}
	}
}

// Raw keeps the arguments byte by byte, and refuses what is no JSON.
func TestRaw(t *testing.T) {
	for _, args := range []string{`{"b":1, "a":2}`, `null`, ` {} `, `{"a":"\u0041"}`} {
		if got, err := event.Raw(renamed.Definition(), jsontext.Value(args)).Args("s"); err != nil || string(got) != args {
			t.Errorf("got %s, %v, want %s", got, err, args)
		}
	}
	if _, err := event.Raw(ratedV1.Definition(), jsontext.Value(`{"id":"1","stars":9}`)).Args("s"); !errors.Is(err, errStars) {
		t.Errorf("arguments that do not validate: %v", err)
	}
	for _, c := range []struct {
		args  string
		field jsontext.Pointer
		says  string
	}{
		{``, "", "EOF"},
		{` `, "", "EOF"},
		{`{"a":`, "/a", "EOF"},
		{`{"a":1,"a":2}`, "/a", "duplicate"},
		{`{"a":01}`, "", "invalid character"},
		{"{\"a\":\"\xff\"}", "/a", "UTF-8"},
		{`{} x`, "", "more text"},
		{`{}}`, "", "more text"},
		{`{} {}`, "", "more text"},
		{`1 2`, "", "more text"},
	} {
		_, err := event.Raw(renamed.Definition(), jsontext.Value(c.args)).Args("s")
		checkArgsError(t, err, "v1.Renamed", c.field, c.says)
	}
}

func FuzzRaw(f *testing.F) {
	for _, args := range []string{`{}`, `{"n":9007199254740993}`, `[1,"a",null]`, `{"a":{"b":1e400}}`, `{} {}`, "\"\xff\""} {
		f.Add([]byte(args))
	}
	f.Fuzz(func(t *testing.T, args []byte) {
		got, err := event.Raw(anything.Definition(), args).Args("s")
		if err != nil {
			if _, ok := errors.AsType[*event.ArgsError](err); !ok {
				t.Fatalf("%q: %T", args, err)
			}
			return
		}
		// What is taken reads the same before and after JavaScript.
		js := got.Clone()
		if err := js.Canonicalize(); err != nil {
			t.Fatalf("%q was taken: %v", args, err)
		}
		again, err := event.Raw(anything.Definition(), js).Args("s")
		if err != nil {
			t.Fatalf("%q was taken, and %s, what JavaScript writes, was not: %v", args, js, err)
		}
		if !(event.Global{Args: got}).Equal(event.Global{Args: again}) {
			t.Fatalf("%q is %s after JavaScript", args, js)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ratedV1.New(rated{ID: "hello", Stars: 2}).Args("s"); err != nil {
			b.Fatal(err)
		}
	}
}

// Check is what a schema asks of arguments it does not use.
func TestCheck(t *testing.T) {
	def := event.Synced[pointed]("v1.Pointed").Definition()
	if err := def.Check(jsontext.Value(`{"n":1}`)); err != nil {
		t.Error(err)
	}
	for args, want := range map[string]string{`{"n":0}`: "n is zero", `{"n":""}`: "/n", `{`: "v1.Pointed"} {
		err := def.Check(jsontext.Value(args))
		if _, ok := errors.AsType[*event.ArgsError](err); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want %s in it", args, err, want)
		}
	}
	if err := new(event.Definition).Check(nil); err == nil {
		t.Error("an empty definition accepts arguments")
	}
}

type pointed struct {
	N int `json:"n"`
}

func (p *pointed) Validate() error {
	if p.N == 0 {
		return errors.New("n is zero")
	}
	return nil
}

// Arguments may be of any type encoding/json can round-trip, also where its successor has another form or none.
func TestTypesThatOnlyEncodingJSONTakes(t *testing.T) {
	type args struct {
		Wait time.Duration            `json:"wait"`
		Each map[string]time.Duration `json:"each"`
		Key  [3]byte                  `json:"key"`
		Raw  []byte                   `json:"raw"`
	}
	def := event.Synced[args]("v1.Waited")
	in := args{time.Second, map[string]time.Duration{"a": 1}, [3]byte{1, 2, 3}, []byte{4}}
	raw, err := def.New(in).Args("")
	old, oldErr := stdjson.Marshal(in)
	if err != nil || oldErr != nil || string(raw) != string(old) {
		t.Fatalf("encoded as %s, %v, want %s", raw, err, old)
	}
	if out, err := def.Decode(raw); err != nil || !reflect.DeepEqual(in, out) {
		t.Errorf("decoded as %v, %v", out, err)
	}
}
