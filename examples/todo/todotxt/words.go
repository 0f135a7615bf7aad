package todotxt

import (
	"iter"
	"strings"
)

// Word is a piece of a task's text with the meaning it has.
type Word struct {
	Kind  Kind
	Text  string // as written, "+house"
	Key   string // of a tag: "due"
	Value string // of a tag "2026-12-01"; of a project "house"; of a context "phone"
}

// Kind says what a word is.
type Kind uint8

// The kinds of word. Space is what stands between two others.
const (
	Plain   Kind = iota
	Project      // +house
	Context      // @phone
	Tag          // due:2026-12-01
	Space
)

// Words takes the text apart. The words joined give the text again.
func Words(text string) iter.Seq[Word] {
	return func(yield func(Word) bool) {
		for len(text) > 0 {
			n := strings.IndexFunc(text, func(r rune) bool { return isSpace(r) != isSpace(rune(text[0])) })
			if n < 0 {
				n = len(text)
			}
			if !yield(wordOf(text[:n])) {
				return
			}
			text = text[n:]
		}
	}
}

// isSpace knows the two spaces that end a word. Others, as the ideographic one, belong to the word.
func isSpace(r rune) bool { return r == ' ' || r == '\t' }

func wordOf(s string) Word {
	if isSpace(rune(s[0])) {
		return Word{Kind: Space, Text: s}
	}
	if len(s) > 1 && s[0] == '+' {
		return Word{Kind: Project, Text: s, Value: s[1:]}
	}
	if len(s) > 1 && s[0] == '@' {
		return Word{Kind: Context, Text: s, Value: s[1:]}
	}
	key, value, found := strings.Cut(s, ":")
	if found && key != "" && value != "" && !strings.Contains(value, ":") && !strings.HasPrefix(value, "//") {
		return Word{Kind: Tag, Text: s, Key: key, Value: value}
	}
	return Word{Kind: Plain, Text: s}
}

// Projects returns the projects of the task without their plus signs, in order, each once.
func (t Task) Projects() []string { return t.values(Project) }

// Contexts returns the contexts of the task without their at signs, in order, each once.
func (t Task) Contexts() []string { return t.values(Context) }

func (t Task) values(k Kind) []string {
	var all []string
	seen := map[string]bool{}
	for w := range Words(t.Text) {
		if w.Kind == k && !seen[w.Value] {
			seen[w.Value] = true
			all = append(all, w.Value)
		}
	}
	return all
}

// Tag returns the value of the first tag with the given key.
func (t Task) Tag(key string) (value string, ok bool) {
	for w := range Words(t.Text) {
		if w.Kind == Tag && w.Key == key {
			return w.Value, true
		}
	}
	return "", false
}

// Due returns the day of the tag due:, empty when there is none or it is no date.
func (t Task) Due() Date {
	s, _ := t.Tag("due")
	d, err := ParseDate(s)
	if err != nil {
		return ""
	}
	return d
}
