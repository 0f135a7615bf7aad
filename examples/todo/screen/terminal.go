// Package screen shows tasks on a terminal, in colour where that is wanted, and keeps a part of the terminal up to date.
package screen

import (
	"io"
	"os"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"
)

// Terminal is where tasks are shown. On anything that is no terminal, such as a pipe or a file, it writes plain text of any
// width.
type Terminal struct {
	io.Writer
	file *os.File // nil when it is no terminal
	bold bool     // colours and weights are wanted
}

// New returns the terminal behind w, if there is one. Colours are left out when the environment variable NO_COLOR is set to
// anything, or TERM is dumb.
func New(w io.Writer) *Terminal {
	t := &Terminal{Writer: w}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		t.file = f
		t.bold = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	return t
}

// Interactive says whether a person looks at it.
func (t *Terminal) Interactive() bool { return t.file != nil && os.Getenv("TERM") != "dumb" }

// Size returns the width and height in characters: 80 and 24 where nobody knows.
func (t *Terminal) Size() (width, height int) {
	if t.file != nil {
		if w, h, err := term.GetSize(int(t.file.Fd())); err == nil && w > 0 && h > 0 {
			return w, h
		}
	}
	return 80, 24
}

// fit cuts a line to the width of the terminal; on anything else it leaves it whole.
func (t *Terminal) fit(line string) string {
	if t.file == nil {
		return line
	}
	width, _ := t.Size()
	return ansi.Truncate(line, width-1, "…")
}

// Style is a way to show a piece of text.
type Style string

// The styles, as the numbers a terminal knows them by.
const (
	Plain   Style = ""
	Strong  Style = "1"
	Dim     Style = "2"
	Red     Style = "31"
	Green   Style = "32"
	Yellow  Style = "33"
	Blue    Style = "34"
	Magenta Style = "35"
	Cyan    Style = "36"
)

// Paint shows text in a style, or as it is where no colours are wanted.
func (t *Terminal) Paint(s Style, text string) string {
	if !t.bold || s == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[m"
}
