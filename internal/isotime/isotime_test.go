package isotime_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/livestore-go/livestore/internal/isotime"
)

// What is written is what the standard library writes, and comes back.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := time.UnixMilli(rapid.Int64Range(-62167219200000, 253402300799999).Draw(t, "ms"))
		s, ok := isotime.Format(want.In(time.FixedZone("", 3600)))
		if !ok || s != want.UTC().Format("2006-01-02T15:04:05.000Z") {
			t.Fatalf("%v is written %q, %t", want, s, ok)
		}
		if got, err := isotime.Parse(s); err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Fatalf("%s is read %v, %v", s, got, err)
		}
	})
}

func TestForms(t *testing.T) {
	for s, want := range map[string]string{ // an empty one is refused
		"2026-02-28T23:59:59.999Z":       "2026-02-28T23:59:59.999Z",
		"2026-02-28T23:59:59.9996+01:00": "2026-02-28T22:59:59.999Z",
		"2026-02-28 23:59:59":            "2026-02-28T23:59:59.000Z",
		"2026-02-29T23:59:59.999Z":       "",
		"2026-02-28T24:00:00.000Z":       "",
		"2026-02-28":                     "",
		"":                               "",
	} {
		got, err := isotime.Parse(s)
		if want == "" {
			if err == nil {
				t.Errorf("%q is read as %v", s, got)
			}
			continue
		}
		if text, ok := isotime.Format(got); err != nil || !ok || text != want {
			t.Errorf("%q is %q, %v", s, text, err)
		}
	}
	for _, year := range []int{-1, 10000} {
		if s, ok := isotime.Format(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)); ok {
			t.Errorf("year %d is written %q", year, s)
		}
	}
}
