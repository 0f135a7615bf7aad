package jsonobject_test

import (
	"errors"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/internal/jsonobject"
)

func TestMerge(t *testing.T) {
	for _, c := range [][3]string{ // base, change, result
		{`{"a":1, "b":[{ }]}`, `{"c":2,"b":null}`, `{"a":1,"b":null,"c":2}`},
		{`{}`, `{}`, `{}`},
		{`[1]`, `{"a\"":1}`, `{"a\"":1}`}, // a base that is no object
	} {
		got, err := jsonobject.Merge(jsontext.Value(c[0]), jsontext.Value(c[1]))
		if err != nil || string(got) != c[2] {
			t.Errorf("%s and %s make %s, %v", c[0], c[1], got, err)
		}
	}
	for _, change := range []string{`[]`, `null`, `1`} {
		if _, err := jsonobject.Merge(jsontext.Value("{}"), jsontext.Value(change)); !errors.Is(err, jsonobject.ErrNoObject) {
			t.Errorf("merged %s: %v", change, err)
		}
	}
}

// A merge of two objects is an object with the members of both, the second's first.
func FuzzMerge(f *testing.F) {
	for _, s := range [][2]string{
		{`{}`, `{}`},
		{`{"a":1,"b":[{}]}`, `{"b":null,"c":"\u0000"}`},
		{`[]`, `{"a":1}`},
		{`null`, `{}`},
		{`{"a":1,"a":2}`, `{"a":3}`},
		{`{}`, `{`},
		{``, ``},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, base, change string) {
		got, err := jsonobject.Merge(jsontext.Value(base), jsontext.Value(change))
		changes, cerr := jsonobject.Split(jsontext.Value(change))
		if (err == nil) != (cerr == nil) {
			t.Fatalf("merge said %v, of the change is said %v", err, cerr)
		}
		if err != nil {
			return
		}
		merged, err := jsonobject.Split(got)
		if err != nil || !got.IsValid() {
			t.Fatalf("%s is no object: %v", got, err)
		}
		have := map[string]string{}
		for _, m := range merged {
			have[m.Name] = string(m.Value)
		}
		for _, c := range changes {
			if have[c.Name] != string(c.Value) {
				t.Errorf("member %q is %s, want %s", c.Name, have[c.Name], c.Value)
			}
		}
		if bases, err := jsonobject.Split(jsontext.Value(base)); err == nil {
			for _, b := range bases {
				if _, ok := have[b.Name]; !ok {
					t.Errorf("member %q is lost", b.Name)
				}
			}
		}
	})
}
