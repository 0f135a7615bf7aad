// Package isotime writes and reads times as JavaScript's toISOString does.
package isotime

import (
	"fmt"
	"time"
)

// layout is what JavaScript's toISOString writes for the years 0 to 9999.
const layout = "2006-01-02T15:04:05.000Z"

// Format writes a time in UTC, cut to milliseconds. It refuses years of more than four digits: as text they would sort wrongly.
func Format(t time.Time) (s string, ok bool) {
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return "", false
	}
	var buf [len(layout)]byte
	return string(t.AppendFormat(buf[:0], layout)), true
}

// Parse reads toISOString's form fast and every other RFC 3339 form, with or without the T.
func Parse(s string) (time.Time, error) {
	if t, ok := parseISO(s); ok {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t, err = time.ParseInLocation(time.DateTime, s, time.UTC) // SQLite's own
	}
	if err != nil {
		return t, fmt.Errorf("%q is no ISO 8601 date and time", s)
	}
	return t.UTC(), nil
}

func parseISO(s string) (time.Time, bool) {
	if len(s) != len(layout) {
		return time.Time{}, false
	}
	for i := range len(layout) {
		switch c := s[i]; layout[i] {
		case '-', 'T', ':', '.', 'Z':
			if c != layout[i] {
				return time.Time{}, false
			}
		default:
			if c < '0' || c > '9' {
				return time.Time{}, false
			}
		}
	}
	two := func(i int) int { return int(s[i]-'0')*10 + int(s[i+1]-'0') }
	year, month, day := two(0)*100+two(2), time.Month(two(5)), two(8)
	hour, minute, sec, ms := two(11), two(14), two(17), two(20)*10+int(s[22]-'0')
	t := time.Date(year, month, day, hour, minute, sec, ms*1e6, time.UTC)
	if t.Day() != day || t.Month() != month || hour > 23 || minute > 59 || sec > 59 {
		return time.Time{}, false
	}
	return t, true
}
