package state

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// Tags and DDL are the app's own text, but no text of theirs may do more than be refused.

func FuzzParseTag(f *testing.F) {
	for _, s := range []string{"", "a", "a,primarykey", "a,default:'x''y',unique", "a,default:,", ",default:'", "a,default:'x'y", "-,"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tag, err := parseTag(s)
		if err == nil && tag.name != "" && !strings.HasPrefix(s, tag.name) {
			t.Errorf("%q has the name %q", s, tag.name)
		}
	})
}

func FuzzParseCreate(f *testing.F) {
	for _, s := range []string{
		"CREATE TABLE a(b)", "create view [a b] as select 1", `CREATE TRIGGER "a""b" AFTER INSERT ON c BEGIN SELECT 1; END;`,
		"CREATE VIRTUAL TABLE f USING fts5(a)", "CREATE/**/TABLE--\n`x`(a)", "CREATE TABLE '", "CREATE TABLE a.b", "/*/",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if o, err := parseCreate(s); err == nil && (o.name == "" || o.kind == "") {
			t.Errorf("%q creates %v", s, o)
		}
	})
}

// A merge of two objects is an object with the members of both, the second's first.
func FuzzMergeMembers(f *testing.F) {
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
		got, err := mergeMembers(jsontext.Value(base), jsontext.Value(change))
		changes, cerr := splitMembers(jsontext.Value(change))
		if (err == nil) != (cerr == nil) {
			t.Fatalf("merge said %v, of the change is said %v", err, cerr)
		}
		if err != nil {
			return
		}
		merged, err := splitMembers(got)
		if err != nil || !got.IsValid() {
			t.Fatalf("%s is no object: %v", got, err)
		}
		have := map[string]string{}
		for _, m := range merged {
			have[m.name] = string(m.value)
		}
		for _, c := range changes {
			if have[c.name] != string(c.value) {
				t.Errorf("member %q is %s, want %s", c.name, have[c.name], c.value)
			}
		}
		if bases, err := splitMembers(jsontext.Value(base)); err == nil {
			for _, b := range bases {
				if _, ok := have[b.name]; !ok {
					t.Errorf("member %q is lost", b.name)
				}
			}
		}
	})
}
