package sqlite

import "strings"

// token is a word, a name or a sign of SQL text. Space and comments are none.
type token struct {
	text   string // a word or sign in lower case; what stands in quotes without them
	quoted byte   // the quote: ' " ` or [; 0 when there is none
	end    int    // where it ends in the text
}

func (t token) is(word string) bool { return t.quoted == 0 && t.text == word }

// lex splits SQL text into tokens. It never fails: what it can not read is a sign of one byte, and SQLite will refuse it.
func lex(sql string) []token {
	var all []token
	for i := 0; i < len(sql); {
		start := i
		switch ch := sql[i]; {
		case ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r' || ch == '\f':
			i++
			continue
		case strings.HasPrefix(sql[i:], "--"):
			i = after(sql, i+2, "\n")
			continue
		case strings.HasPrefix(sql[i:], "/*"):
			i = after(sql, i+2, "*/")
			continue
		case ch == '\'' || ch == '"' || ch == '`':
			var text string
			text, i = quoted(sql, i)
			all = append(all, token{text: text, quoted: ch, end: i})
			continue
		case ch == '[':
			i = after(sql, i+1, "]")
			all = append(all, token{text: strings.TrimSuffix(sql[start+1:i], "]"), quoted: ch, end: i})
			continue
		case wordByte(ch):
			for i < len(sql) && wordByte(sql[i]) {
				i++
			}
		default:
			i++
		}
		all = append(all, token{text: strings.ToLower(sql[start:i]), end: i})
	}
	return all
}

func wordByte(ch byte) bool {
	return ch == '_' || ch == '$' || ch >= 0x80 || ch >= '0' && ch <= '9' || ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z'
}

// after returns the place after the next end from i on, or the end of the text.
func after(sql string, i int, end string) int {
	if i > len(sql) {
		return len(sql)
	}
	n := strings.Index(sql[i:], end)
	if n < 0 {
		return len(sql)
	}
	return i + n + len(end)
}

func quoted(sql string, i int) (string, int) {
	q := sql[i]
	var text strings.Builder
	for i++; i < len(sql); i++ {
		if sql[i] == q {
			if i+1 == len(sql) || sql[i+1] != q {
				return text.String(), i + 1
			}
			i++ // doubled: one of it
		}
		text.WriteByte(sql[i])
	}
	return text.String(), i
}

// sequence says whether words stand one after another somewhere in tokens; "a|b" is either.
func sequence(tokens []token, words ...string) bool {
	for i := 0; i+len(words) <= len(tokens); i++ {
		if matches(tokens[i:], words) {
			return true
		}
	}
	return false
}

func matches(tokens []token, words []string) bool {
	for j, w := range words {
		t := tokens[j]
		if t.quoted != 0 || !either(t.text, w) {
			return false
		}
	}
	return true
}

func either(text, words string) bool {
	for {
		w, rest, more := strings.Cut(words, "|")
		if text == w {
			return true
		}
		if !more {
			return false
		}
		words = rest
	}
}

// virtualTable returns the module of a CREATE VIRTUAL TABLE statement, in lower case, and what its content option names.
func virtualTable(sql string) (module, content string) {
	tokens := lex(sql)
	i := 0
	for i < len(tokens) && !tokens[i].is("using") {
		i++
	}
	if i+1 >= len(tokens) {
		return "", ""
	}
	module = strings.ToLower(tokens[i+1].text)
	depth := 0
	for i += 2; i < len(tokens); i++ {
		switch t := tokens[i]; {
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
		case depth != 1 || i+2 >= len(tokens) || !tokens[i+1].is("=") || !(tokens[i-1].is("(") || tokens[i-1].is(",")):
		case t.text != "" && strings.HasPrefix("content", strings.ToLower(t.text)): //nolint:gocritic // FTS5 takes abbreviations
			content = strings.ToLower(tokens[i+2].text)
		}
	}
	return module, content
}
