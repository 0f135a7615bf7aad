// Package wire holds the messages of the sync-cf protocol, in both dialects of it, and their JSON.
//
// A connection carries requests of the client ([Pull], [Push], [HTTPPing], and what steers them: [Ack], [Interrupt],
// [Ping], [Eof]) and answers of the server ([Chunk], [Exit], [Defect], [Pong]). A frame is one JSON object. Clients of
// LiveStore 0.4 speak dialect [E3]; later ones speak [E4], may put several messages into a frame as an array, and write
// the ids of requests as numbers. The JSON type of a request's id therefore tells in which dialect to answer: see [ID].
//
// The package decodes strictly and encodes as the official peers do. Duplicate keys, invalid UTF-8 (unpaired surrogates in
// escapes among them) and numbers that are no integer between 0 and 2^53-1 are typed errors, wherever a number of the
// protocol stands; such numbers are written in digits only. Arguments of events stay what they were, byte for byte.
//
// Decoded messages share memory with the frame they came from: who decodes a frame must not write to it again.
package wire

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Dialect is one of the two ways peers write the protocol.
type Dialect uint8

const (
	// E3 is what LiveStore 0.4 speaks (effect 3): ids are decimal strings, a failure is a tree of causes.
	E3 Dialect = iota + 3
	// E4 is what later versions speak (effect 4): ids are numbers, a failure is a list of reasons.
	E4
)

// String returns "E3" or "E4".
func (d Dialect) String() string { return "E" + strconv.Itoa(int(d)) }

// MaxNumber is the largest number of the protocol, 2^53-1: peers hold numbers as JavaScript does.
const MaxNumber = 1<<53 - 1

// MaxIDBytes is the length of the longest id of a request.
const MaxIDBytes = 512

// ID is the id of a request, with the JSON type it came in. IDs are comparable; the zero value means no id.
type ID struct {
	text   string
	number bool
}

// NumberID returns an id as clients of dialect [E4] count them.
func NumberID(n uint64) ID { return ID{text: strconv.FormatUint(n, 10), number: true} }

// StringID returns an id that is a JSON string. A decimal one loses its leading zeros, as in the official server: "007" is "7".
func StringID(s string) ID {
	if isDecimal(s) {
		for len(s) > 1 && s[0] == '0' {
			s = s[1:]
		}
	}
	return ID{text: s}
}

func isDecimal(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// IsZero says whether there is no id.
func (id ID) IsZero() bool { return id == ID{} }

// String returns the digits or the text of the id, without quotes.
func (id ID) String() string { return id.text }

// Dialect returns the dialect in which to answer the request: [E3] for a decimal string, [E4] for a number, and for any other
// string too, as only peers of that dialect take one.
func (id ID) Dialect() Dialect {
	if id.number || !isDecimal(id.text) {
		return E4
	}
	return E3
}

// append writes the id as JSON.
func (id ID) append(dst []byte) []byte {
	if id.number {
		return append(dst, id.text...)
	}
	return appendString(dst, id.text)
}

// appendString writes a JSON string as JavaScript does. Invalid UTF-8 becomes U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s)
	return dst
}

// appendValue writes raw JSON, and null for none.
func appendValue(dst []byte, v jsontext.Value) []byte {
	if len(v) == 0 {
		return append(dst, "null"...)
	}
	return append(dst, v...)
}
