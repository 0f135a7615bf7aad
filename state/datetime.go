package state

import (
	"fmt"
	"time"
	"unsafe"

	"github.com/livestore-go/livestore/internal/isotime"
)

// formatDatetime cuts to milliseconds. Years of more than four digits are refused: as text they would sort wrongly.
func formatDatetime(t time.Time) (string, error) {
	s, ok := isotime.Format(t)
	if !ok {
		return "", fmt.Errorf("year %d is %w 0 to 9999: use datetimeinteger", t.UTC().Year(), ErrRange)
	}
	return s, nil
}

func encDatetime(p unsafe.Pointer) (any, error) {
	s, err := formatDatetime(*(*time.Time)(p))
	if err != nil {
		return nil, err
	}
	return s, nil
}

func decDatetime(r Rows, i int, p unsafe.Pointer) error {
	t, err := isotime.Parse(r.Text(i))
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
