package state

import (
	"fmt"
	"time"
	"unsafe"
)

// datetimeLayout is what JavaScript's toISOString writes for the years 0 to 9999.
const datetimeLayout = "2006-01-02T15:04:05.000Z"

// formatDatetime cuts to milliseconds. Years of more than four digits are refused: as text they would sort wrongly.
func formatDatetime(t time.Time) (string, error) {
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return "", fmt.Errorf("year %d is %w 0 to 9999: use datetimeinteger", y, ErrRange)
	}
	var buf [len(datetimeLayout)]byte
	return string(t.AppendFormat(buf[:0], datetimeLayout)), nil
}

// parseDatetime reads toISOString's form fast and every other RFC 3339 form, with or without the T.
func parseDatetime(s string) (time.Time, error) {
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
	if len(s) != len(datetimeLayout) {
		return time.Time{}, false
	}
	for i := range len(datetimeLayout) {
		switch c := s[i]; datetimeLayout[i] {
		case '-', 'T', ':', '.', 'Z':
			if c != datetimeLayout[i] {
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

func encDatetime(p unsafe.Pointer) (any, error) {
	s, err := formatDatetime(*(*time.Time)(p))
	if err != nil {
		return nil, err
	}
	return s, nil
}

func decDatetime(r Rows, i int, p unsafe.Pointer) error {
	t, err := parseDatetime(r.Text(i))
	*(*time.Time)(p) = t
	return err
}

func encDatetimeInteger(p unsafe.Pointer) (any, error) {
	t := *(*time.Time)(p)
	if y := t.Year(); y < -200_000_000 || y > 200_000_000 { // an int64 of milliseconds ends at 292 million
		return nil, fmt.Errorf("year %d is %w", y, ErrRange)
	}
	return t.UnixMilli(), nil
}

func decDatetimeInteger(r Rows, i int, p unsafe.Pointer) error {
	*(*time.Time)(p) = time.UnixMilli(r.Int64(i)).UTC()
	return nil
}

// encTimeText writes RFC 3339 with nanoseconds, in UTC: one instant has one text, so that equal times are found.
func encTimeText(p unsafe.Pointer) (any, error) {
	b, err := (*time.Time)(p).UTC().MarshalText()
	if err != nil {
		return nil, err
	}
	return string(b), nil
}

func decTimeText(r Rows, i int, p unsafe.Pointer) error {
	var t time.Time
	err := t.UnmarshalText([]byte(r.Text(i)))
	*(*time.Time)(p) = t.UTC()
	return err
}
