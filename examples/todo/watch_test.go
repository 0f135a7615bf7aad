package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestPageFitsEveryTerminal draws lists of all lengths on terminals of all heights. The prompt takes the last row.
func TestPageFitsEveryTerminal(t *testing.T) {
	more := func(hidden int) string { return fmt.Sprintf("%d more", hidden) }
	for height := range 12 {
		for tasks := range 14 {
			for said := range 4 {
				lines := slices.Repeat([]string{"task"}, tasks)
				foot := append([]string{"summary"}, slices.Repeat([]string{"said"}, said)...)
				got := page(lines, foot, height, more)
				if len(got) > max(height-1, 0) {
					t.Errorf("%d rows hold a prompt and\n%s", height, strings.Join(got, "\n"))
				}
				if height > 1 && !slices.Contains(got, "summary") {
					t.Errorf("%d rows do not hold the summary: %q", height, got)
				}
			}
		}
	}
	got := page([]string{"a", "b", "c", "d"}, []string{"4 open"}, 6, more)
	if want := []string{"a", "b", "2 more", "--", "4 open"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
