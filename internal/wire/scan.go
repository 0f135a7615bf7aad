package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is how deep the arguments of an event may nest. Frames and files wrap them in more levels, and each reader must
// still get through.
const MaxDepth = 1000

// scanner walks JSON that is known to be valid, so it checks shapes only. Its methods stand at the first byte of a value and
// leave behind its last.
type scanner struct {
	b []byte
	i int
}

// shapeError is a value that is not what the protocol wants in its place.
type shapeError struct {
	why  string
	path string // ["batch"][0]["name"]
}

func (e *shapeError) Error() string {
	if e.path == "" {
		return e.why
	}
	return e.why + "\n  at " + e.path
}

func missing(key string) error { return &shapeError{why: "Missing key", path: step(key)} }

func unexpected(want string, got []byte) error {
	return &shapeError{why: "Expected " + want + ", got " + clip(got, 40)}
}

// at puts the key an error happened under in front of its path.
func at(err error, key string) error {
	if err == nil {
		return nil
	}
	return below(err, step(key))
}

// atIndex is [at] for an element of an array.
func atIndex(err error, i int) error { return below(err, "["+strconv.Itoa(i)+"]") }

func below(err error, step string) error {
	if e, ok := err.(*shapeError); ok { //nolint:errorlint // never wrapped
		e.path = step + e.path
	}
	return err
}

func step(key string) string { return fmt.Sprintf("[%q]", key) }

// clip keeps texts of others short in errors and answers.
func clip[T ~[]byte | ~string](s T, n int) string {
	if len(s) <= n {
		return string(bytes.ToValidUTF8([]byte(s), []byte("\ufffd")))
	}
	return string(bytes.ToValidUTF8([]byte(s[:n]), nil)) + "…"
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

// kind returns the first byte of the value.
func (s *scanner) kind() byte {
	s.space()
	return s.b[s.i]
}

// open enters an object or array.
func (s *scanner) open(kind byte, want string) error {
	if s.kind() != kind {
		return unexpected(want, s.skip())
	}
	s.i++
	return nil
}

// more says whether there is another member or element, and goes to it; if there is none it leaves the object or array.
func (s *scanner) more() bool {
	switch s.kind() {
	case ',':
		s.i++
		s.space()
		return true
	case '}', ']':
		s.i++
		return false
	default:
		return true
	}
}

// key reads the name of a member.
func (s *scanner) key() []byte {
	raw := s.quoted()
	s.space()
	s.i++ // the colon
	s.space()
	return unquoted(raw)
}

// quoted passes a string and returns it with its quotes.
func (s *scanner) quoted() []byte {
	start := s.i
	for s.i++; ; s.i++ {
		n := bytes.IndexByte(s.b[s.i:], '"')
		s.i += n
		if s.b[s.i-1] != '\\' || !escaped(s.b[start+1:s.i]) {
			s.i++
			return s.b[start:s.i]
		}
	}
}

// escaped says whether what follows b is escaped: an odd number of backslashes ends it.
func escaped(b []byte) bool {
	n := len(b)
	for n > 0 && b[n-1] == '\\' {
		n--
	}
	return (len(b)-n)%2 == 1
}

// skip passes a value and returns it as it stands.
func (s *scanner) skip() jsontext.Value {
	v, _ := s.skipDepth()
	return v
}

// skipDepth is [scanner.skip], and says how deep the value nests.
func (s *scanner) skipDepth() (jsontext.Value, int) {
	kind := s.kind()
	start := s.i
	switch kind {
	case '"':
		return s.quoted(), 0
	case '{', '[':
		depth, deepest := 0, 0
		for {
			switch s.b[s.i] {
			case '"':
				s.quoted()
				continue
			case '{', '[':
				depth++
				deepest = max(deepest, depth)
			case '}', ']':
				depth--
			}
			s.i++
			if depth == 0 {
				return s.b[start:s.i], deepest
			}
		}
	default:
		for s.i < len(s.b) {
			switch s.b[s.i] {
			case ',', '}', ']', ' ', '\t', '\n', '\r':
				return s.b[start:s.i], 0
			}
			s.i++
		}
		return s.b[start:s.i], 0
	}
}

// text reads a string; when it equals last, it is last, so that runs of the same name cost one allocation.
func (s *scanner) text(last string) (string, error) {
	if s.kind() != '"' {
		return "", unexpected("string", s.skip())
	}
	text := unquoted(s.quoted())
	if string(text) == last {
		return last, nil
	}
	return string(text), nil
}

// name reads a string that may not be empty.
func (s *scanner) name() (string, error) {
	text, err := s.text("")
	if err == nil && text == "" {
		return "", &shapeError{why: `Expected non-empty string, got ""`}
	}
	return text, err
}

// flag reads a boolean.
func (s *scanner) flag() (bool, error) {
	v := s.skip()
	switch v[0] {
	case 't':
		return true, nil
	case 'f':
		return false, nil
	}
	return false, unexpected("boolean", v)
}

// number reads an integer between 0 and [MaxNumber], written in digits only.
func (s *scanner) number() (int64, error) {
	v := s.skip()
	n := int64(0)
	for i, c := range v {
		if c < '0' || c > '9' || i == 16 {
			return 0, unexpected(integer, v)
		}
		n = n*10 + int64(c-'0')
	}
	if n > MaxNumber {
		return 0, unexpected(integer, v)
	}
	return n, nil
}

const integer = "integer between 0 and 9007199254740991"

// id reads the id of a request.
func (s *scanner) id() (ID, error) {
	switch c := s.kind(); {
	case c == '"':
		text, err := s.name()
		if err == nil && len(text) > MaxIDBytes {
			err = unexpected("id of at most "+strconv.Itoa(MaxIDBytes)+" bytes", []byte(text))
		}
		return StringID(text), err
	case c == '-' || c >= '0' && c <= '9':
		n, err := s.number()
		return NumberID(uint64(n)), err
	default:
		return ID{}, unexpected("string or number", s.skip())
	}
}

// expect guesses from the first element of an array, which began at start, how many elements there are, up to [MaxEvents].
func (s *scanner) expect(start int) int {
	return min(MaxEvents, 1+(len(s.b)-s.i)/(s.i-start+1))
}

// tagged reads the members of an object and returns its _tag, and the raw member of a name. Other members are passed.
func (s *scanner) tagged(want, member string) (tag []byte, value jsontext.Value, err error) {
	if err := s.open('{', want); err != nil {
		return nil, nil, err
	}
	for s.more() {
		switch key := s.key(); {
		case string(key) == "_tag":
			if s.kind() != '"' {
				return nil, nil, at(unexpected("string", s.skip()), "_tag")
			}
			tag = unquoted(s.quoted())
		case string(key) == member:
			value = s.skip()
		default:
			s.skip()
		}
	}
	if tag == nil {
		return nil, nil, missing("_tag")
	}
	return tag, value, nil
}

// unquoted returns the text of a string; it copies only where there are escapes.
func unquoted(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	text, _ := jsontext.AppendUnquote([]byte{}, raw)
	return text
}

// option reads an Option and returns its raw value, nil for none.
func (s *scanner) option() (jsontext.Value, error) {
	tag, value, err := s.tagged("Option", "value")
	switch {
	case err != nil:
		return nil, err
	case string(tag) == "None":
		return nil, nil
	case string(tag) != "Some":
		return nil, at(unexpected(`"None" or "Some"`, tag), "_tag")
	case value == nil:
		return nil, missing("value")
	}
	return value, nil
}

// validate says what keeps a frame from being JSON as the protocol wants it: nil when nothing does.
func validate(frame []byte) error {
	v := jsontext.Value(frame)
	if !v.IsValid() {
		return explain(v)
	}
	// Counting is fast, and few frames have so many values that they could nest too deep.
	if bytes.Count(frame, []byte{'['})+bytes.Count(frame, []byte{'{'}) > maxNesting {
		if _, depth := (&scanner{b: frame}).skipDepth(); depth > maxNesting {
			return fmt.Errorf("JSON nests deeper than %d levels", maxNesting)
		}
	}
	return nil
}

// maxNesting is how deep a frame may nest. It leaves room below the 10,000 levels the parser takes, for what is read from one
// frame to be written into another.
const maxNesting = 9_000

// explain finds the words for what makes JSON invalid.
func explain(v jsontext.Value) error {
	d := jsontext.NewDecoder(bytes.NewReader(v))
	if _, err := d.ReadValue(); err != nil {
		return err
	}
	return errors.New("more than one JSON value")
}
