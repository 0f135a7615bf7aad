package screen

import (
	"fmt"
	"strings"
	"sync"
)

// Live is a part of the terminal that is drawn again and again. Where there is no terminal, each drawing follows the one before.
// It may be used from any goroutine.
type Live struct {
	term  *Terminal
	whole bool // the whole screen, else some lines at the cursor

	mu   sync.Mutex
	last int // lines the last drawing took
}

// Whole takes over the whole terminal until [Live.Close], and then gives it back as it was.
func (t *Terminal) Whole() *Live {
	if t.Interactive() {
		fmt.Fprint(t, "\x1b[?1049h")
	}
	return &Live{term: t, whole: true}
}

// Block draws at the cursor and leaves its last drawing on the terminal. All drawings should be of one height.
func (t *Terminal) Block() *Live { return &Live{term: t} }

// Draw shows lines in place of those shown before. The cursor stays behind the last one when prompt is not empty, which is then
// shown there.
func (l *Live) Draw(lines []string, prompt string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	if l.term.Interactive() {
		b.WriteString("\x1b[?2026h") // show it when it is complete
		switch {
		case l.whole:
			b.WriteString("\x1b[H\x1b[J")
		case l.last > 0:
			fmt.Fprintf(&b, "\x1b[%dA\r\x1b[J", l.last)
		}
	}
	for _, line := range lines {
		b.WriteString(l.term.fit(line) + "\n")
	}
	if l.term.Interactive() {
		b.WriteString(prompt + "\x1b[?2026l")
	}
	l.last = len(lines)
	fmt.Fprint(l.term, b.String())
}

// Close gives the terminal back.
func (l *Live) Close() {
	if l.whole && l.term.Interactive() {
		fmt.Fprint(l.term, "\x1b[?1049l")
	}
}
