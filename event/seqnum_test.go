package event_test

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"github.com/livestore-go/livestore/event"
)

func TestNotation(t *testing.T) {
	for text, num := range map[string]event.SeqNum{
		"e0":                   {},
		"e5":                   {Global: 5},
		"e5.1":                 {Global: 5, Client: 1},
		"e5r2":                 {Global: 5, Generation: 2},
		"e5.1r2":               {Global: 5, Client: 1, Generation: 2},
		"e0.3":                 {Client: 3},
		"e0r1":                 {Generation: 1},
		"e10.20r30":            {Global: 10, Client: 20, Generation: 30},
		"e9223372036854775807": {Global: math.MaxInt64},
	} {
		if got := num.String(); got != text {
			t.Errorf("%+v is written %s, want %s", num, got, text)
		}
		if got, err := event.ParseSeqNum(text); err != nil || got != num {
			t.Errorf("%s reads as %+v, %v, want %+v", text, got, err, num)
		}
	}
}

// What String never writes is refused, so that one number has one spelling.
func TestNotationRefused(t *testing.T) {
	for _, text := range []string{
		"", "e", "5", "E5", "e-1", "e+5", "e05", "e5.", "e5.0", "e5.01", "e5r", "e5r0", "e5r02", "e5r2.1", "e5.1.2", "e5r1r2", "e.1", "er1",
		" e5", "e5 ", "e5,1", "e0x5", "e5_0", "e٣", "e9223372036854775808", "e5.9223372036854775808", "e5r9223372036854775808", "ee5", "e5e",
	} {
		num, err := event.ParseSeqNum(text)
		syntax, ok := errors.AsType[*event.SyntaxError](err)
		if !ok || syntax.Text != text || num != (event.SeqNum{}) {
			t.Errorf("%q reads as %s with error %v, want a SyntaxError about it", text, num, err)
		} else if !strings.Contains(err.Error(), "e5.1r2") {
			t.Errorf("the error does not say how to write it: %v", err)
		}
	}
}

func anySeqNum(t *rapid.T, label string) event.SeqNum {
	part := rapid.OneOf(rapid.Int64Range(0, 3), rapid.Int64Min(0))
	return event.SeqNum{Global: part.Draw(t, label), Client: part.Draw(t, label), Generation: part.Draw(t, label)}
}

func TestNotationRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		num := anySeqNum(t, "num")
		if got, err := event.ParseSeqNum(num.String()); err != nil || got != num {
			t.Fatalf("%+v is written %s, which reads as %+v, %v", num, num, got, err)
		}
		raw, err := json.Marshal(num)
		if err != nil {
			t.Fatal(err)
		}
		var got event.SeqNum
		if err := json.Unmarshal(raw, &got); err != nil || got != num {
			t.Fatalf("%+v is %s in JSON, which reads as %+v, %v", num, raw, got, err)
		}
	})
}

func FuzzParseSeqNum(f *testing.F) {
	for _, text := range []string{"e5", "e5.1", "e5r2", "e5.1r2", "e0", "e05", "e5r", "e-1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		num, err := event.ParseSeqNum(text)
		if err != nil {
			if _, ok := errors.AsType[*event.SyntaxError](err); !ok {
				t.Fatalf("%q: %T", text, err)
			}
			return
		}
		if num.String() != text {
			t.Fatalf("%q reads as a number that is written %s", text, num)
		}
		if min(num.Global, num.Client, num.Generation) < 0 {
			t.Fatalf("%q reads as %+v", text, num)
		}
	})
}

func TestCompare(t *testing.T) {
	ascending := []event.SeqNum{
		{},
		{Generation: 1},
		{Client: 1},
		{Client: 1, Generation: 7},
		{Client: 2},
		{Global: 1},
		{Global: 1, Generation: 3},
		{Global: 1, Client: 1},
		{Global: 2},
		{Global: 10},
	}
	for i, a := range ascending {
		for j, b := range ascending {
			if got := a.Compare(b); got != cmp.Compare(i, j) {
				t.Errorf("%s compared with %s is %d", a, b, got)
			}
			b.Generation = a.Generation + 1
			if a.Global == b.Global && a.Client == b.Client && a.ComparePosition(b) != 0 {
				t.Errorf("%s and %s are not at one position", a, b)
			}
		}
	}
	shuffled := slices.Clone(ascending)
	slices.Reverse(shuffled)
	slices.SortFunc(shuffled, event.SeqNum.Compare)
	if !slices.Equal(shuffled, ascending) {
		t.Errorf("sorted to %v", shuffled)
	}
}

func TestCompareIsAnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := anySeqNum(t, "a"), anySeqNum(t, "b"), anySeqNum(t, "c")
		if a.Compare(b) != -b.Compare(a) || (a.Compare(b) == 0) != (a == b) {
			t.Fatalf("%s and %s: %d and %d", a, b, a.Compare(b), b.Compare(a))
		}
		if a.Compare(b) <= 0 && b.Compare(c) <= 0 && a.Compare(c) > 0 {
			t.Fatalf("%s, %s, %s", a, b, c)
		}
		if p := a.ComparePosition(b); p != 0 && p != a.Compare(b) {
			t.Fatalf("%s and %s: position %d", a, b, p)
		}
	})
}

func TestNext(t *testing.T) {
	for _, c := range []struct {
		after       string
		scope       event.Scope
		generation  int64
		num, parent string
	}{
		{"e0", event.ScopeSynced, 0, "e1", "e0"},
		{"e5", event.ScopeSynced, 0, "e6", "e5"},
		{"e5", event.ScopeClientOnly, 0, "e5.1", "e5"},
		{"e5.1", event.ScopeClientOnly, 0, "e5.2", "e5.1"},
		{"e5.2", event.ScopeSynced, 0, "e6", "e5"},   // a synced event's parent is the synced event before it
		{"e5r2", event.ScopeSynced, 2, "e6r2", "e5"}, // … without generation
		{"e5.2r2", event.ScopeSynced, 3, "e6r3", "e5"},
		{"e5r2", event.ScopeClientOnly, 3, "e5.1r3", "e5r2"}, // that of a client-only event is exactly what is before it
	} {
		after, err := event.ParseSeqNum(c.after)
		if err != nil {
			t.Fatal(err)
		}
		num, parent := after.Next(c.scope, c.generation)
		if num.String() != c.num || parent.String() != c.parent {
			t.Errorf("after %s a %s event is %s (parent %s), want %s (parent %s)", c.after, c.scope, num, parent, c.num, c.parent)
		}
		if num.IsClientOnly() != (c.scope == event.ScopeClientOnly) {
			t.Errorf("%s is client-only: %v", num, num.IsClientOnly())
		}
	}
}

// Numbers ascend, and a log can be checked from its numbers and parents alone.
func TestNextAscends(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := event.SeqNum{Global: rapid.Int64Range(0, 1<<53).Draw(t, "global"), Client: rapid.Int64Range(0, 1<<53).Draw(t, "client")}
		for range rapid.IntRange(1, 8).Draw(t, "events") {
			scope := rapid.SampledFrom([]event.Scope{event.ScopeSynced, event.ScopeClientOnly}).Draw(t, "scope")
			num, parent := n.Next(scope, rapid.Int64Range(0, 3).Draw(t, "generation"))
			if num.ComparePosition(n) <= 0 || parent.ComparePosition(n) > 0 {
				t.Fatalf("%s (parent %s) follows %s", num, parent, n)
			}
			if scope == event.ScopeSynced && parent != (event.SeqNum{Global: num.Global - 1}) {
				t.Fatalf("the parent of %s is %s", num, parent)
			}
			n = num
		}
	})
}
