package todotxt

import (
	"fmt"
	"time"
)

// Date is a day of the calendar, written YYYY-MM-DD, or empty for none. Dates compare as strings.
type Date string

// DateOf returns the day of t where t is.
func DateOf(t time.Time) Date { return Date(t.Format(time.DateOnly)) }

// ParseDate reads YYYY-MM-DD. The day must exist.
func ParseDate(s string) (Date, error) {
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		return "", &DateError{Text: s}
	}
	return Date(s), nil
}

// Validate says whether the date exists; no date is valid too.
func (d Date) Validate() error {
	if d == "" {
		return nil
	}
	_, err := ParseDate(string(d))
	return err
}

// Days returns how many days lie between d and other, negative when other is before d. Both must be valid.
func (d Date) Days(other Date) int {
	from, _ := time.Parse(time.DateOnly, string(d))
	to, _ := time.Parse(time.DateOnly, string(other))
	return int(to.Sub(from) / (24 * time.Hour))
}

// DateError says that a text is no date.
type DateError struct{ Text string }

func (e *DateError) Error() string {
	return fmt.Sprintf("%q is no date: write it as 2026-12-01", e.Text)
}
