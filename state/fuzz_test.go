package state

import (
	"strings"
	"testing"
)

// A tag is the app's own text, but no text of it may do more than be refused.

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
