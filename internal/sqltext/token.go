package sqltext

import (
	"errors"
	"fmt"
	"strings"
)

// Fold brings a name into the form SQLite compares names in.
func Fold(name string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, name)
}

// token is a word, a quoted name or text, or one character of anything else.
type token struct {
	text   string // lower case for words
	raw    string
	quoted bool
	punct  bool
}

func tokenize(sql string) ([]token, error) {
	var toks []token
	for i := 0; i < len(sql); {
		c := sql[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f':
			i++
		case strings.HasPrefix(sql[i:], "--"):
			if n := strings.IndexByte(sql[i:], '\n'); n >= 0 {
				i += n + 1
			} else {
				i = len(sql)
			}
		case strings.HasPrefix(sql[i:], "/*"):
			n := strings.Index(sql[i+2:], "*/")
			if n < 0 {
				return nil, errors.New("a comment does not end")
			}
			i += n + 4
		case c == '\'' || c == '"' || c == '`' || c == '[':
			text, n, err := quotedText(sql[i:])
			if err != nil {
				return nil, err
			}
			toks = append(toks, token{text: text, raw: text, quoted: true})
			i += n
		case isWord(c):
			n := i
			for n < len(sql) && isWord(sql[n]) {
				n++
			}
			toks = append(toks, token{text: Fold(sql[i:n]), raw: sql[i:n]})
			i = n
		default:
			toks = append(toks, token{text: sql[i : i+1], raw: sql[i : i+1], punct: true})
			i++
		}
	}
	return toks, nil
}

func isWord(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || ('0' <= c && c <= '9') || ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z')
}

// quotedText reads a quoted name or text at the beginning of s, in which the closing quote is doubled, and its length.
func quotedText(s string) (text string, n int, err error) {
	closing := s[0]
	if closing == '[' {
		closing = ']'
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != closing {
			b.WriteByte(s[i])
			continue
		}
		if closing != ']' && i+1 < len(s) && s[i+1] == closing {
			b.WriteByte(closing)
			i++
			continue
		}
		return b.String(), i + 1, nil
	}
	return "", 0, fmt.Errorf("a quote %c does not end", s[0])
}
