package main

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/livestore-go/livestore/examples/todo/screen"
)

// column is the width of what one machine shows: two of them and a line between fit into 80.
const column = 37

// panel shows two machines side by side: name, standing with the server, and list. Tasks that are not the same on both are marked.
func panel(term *screen.Terminal, left, right view) []string {
	row := func(a, b string, style screen.Style) string {
		return "  " + term.Paint(style, pad(a)) + "│ " + term.Paint(style, strings.TrimRight(pad(b), " "))
	}
	standing := func(v view) screen.Style {
		if strings.HasPrefix(v.standing, "synced") {
			return screen.Green
		}
		return screen.Yellow
	}
	lines := []string{
		row(left.name, right.name, screen.Strong),
		"  " + term.Paint(standing(left), pad(left.standing)) + "│ " + term.Paint(standing(right), strings.TrimRight(pad(right.standing), " ")),
		"  " + strings.Repeat("─", column) + "┼" + strings.Repeat("─", column+1),
	}
	for i := range max(len(left.tasks), len(right.tasks)) {
		a, b := at(left.tasks, i), at(right.tasks, i)
		style := screen.Plain
		if a != b {
			style = screen.Yellow
		}
		lines = append(lines, row(a, b, style))
	}
	return lines
}

// view is what a panel shows of a machine.
type view struct {
	name, standing string
	tasks          []string
}

// pad cuts or fills a text to the width of a column.
func pad(text string) string {
	text = ansi.Truncate(text, column-1, "…")
	return text + strings.Repeat(" ", column-ansi.StringWidth(text))
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

// brief takes the dates off the lines of a list, and what stands below it. Everything in the story happens on one day.
func brief(list []string) []string {
	var lines []string
	for _, line := range list {
		if line == "--" {
			break
		}
		lines = append(lines, strings.ReplaceAll(line, " "+string(today), ""))
	}
	return lines
}
