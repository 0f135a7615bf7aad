package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxRecord is the greatest size of an encoded commit, in bytes.
const MaxRecord = 256 << 20

const sizeLen = 4

// flagClientOnly is the one bit of an event's flags.
const flagClientOnly = 1

// Record is one commit.
type Record struct {
	Ordinal    uint64  // place in the journal, counted from 1
	Cause      string  // what produced it: empty for a commit, else "retry …" and so on
	SchemaHash string  // hash of the schema it was committed under
	Events     []Event // at least one
}

// Event is one event of a commit, as far as it does not depend on the numbers it gets.
type Event struct {
	Name       string
	Args       jsontext.Value // raw JSON
	ClientOnly bool           // its scope, so that it can be numbered where its definition is not known
}

// appendRecord appends r as it stands in the file after a record or header with the given checksum. It returns the checksum of r.
func appendRecord(b []byte, r *Record, sum uint32) ([]byte, uint32) {
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	b = binary.AppendUvarint(b, r.Ordinal)
	b = appendText(b, r.Cause)
	b = appendText(b, r.SchemaHash)
	b = binary.AppendUvarint(b, uint64(len(r.Events)))
	for i := range r.Events {
		var flags byte
		if r.Events[i].ClientOnly {
			flags |= flagClientOnly
		}
		b = append(b, flags)
		b = appendText(b, r.Events[i].Name)
		b = appendText(b, r.Events[i].Args)
	}
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start-sizeLen))
	sum = crc32.Update(sum, castagnoli, b[start:])
	return binary.LittleEndian.AppendUint32(b, sum), sum
}

func appendText[T ~string | ~[]byte](b []byte, s T) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// encodedBound is at least what appendRecord appends, so that a commit that is too large is refused before it is encoded.
func encodedBound(r *Record) int {
	n := sizeLen + sumLen + 4*binary.MaxVarintLen64 + len(r.Cause) + len(r.SchemaHash)
	for i := range r.Events {
		n += 1 + 2*binary.MaxVarintLen32 + len(r.Events[i].Name) + len(r.Events[i].Args)
	}
	return n
}

var errMalformed = errors.New("the record is malformed though its checksum matches")

// decodeRecord reads a body whose checksum has been found right. The record keeps slices of body.
func decodeRecord(body []byte) (Record, error) {
	var r Record
	var ok bool
	if r.Ordinal, body, ok = cutUvarint(body); !ok {
		return Record{}, errMalformed
	}
	var cause, hash []byte
	if cause, body, ok = cutText(body); !ok {
		return Record{}, errMalformed
	}
	if hash, body, ok = cutText(body); !ok {
		return Record{}, errMalformed
	}
	r.Cause, r.SchemaHash = string(cause), string(hash)
	count, body, ok := cutUvarint(body)
	if !ok || count == 0 || count > uint64(len(body))/3 { // an event takes three bytes at least
		return Record{}, errMalformed
	}
	r.Events = make([]Event, count)
	for i := range r.Events {
		if len(body) == 0 || body[0]&^flagClientOnly != 0 {
			return Record{}, errMalformed
		}
		clientOnly := body[0]&flagClientOnly != 0
		body = body[1:]
		var name, args []byte
		if name, body, ok = cutText(body); !ok {
			return Record{}, errMalformed
		}
		if args, body, ok = cutText(body); !ok {
			return Record{}, errMalformed
		}
		r.Events[i] = Event{Name: string(name), Args: slices.Clip(args), ClientOnly: clientOnly}
	}
	if len(body) != 0 {
		return Record{}, fmt.Errorf("%w: %d bytes too many", errMalformed, len(body))
	}
	return r, nil
}

func cutUvarint(b []byte) (uint64, []byte, bool) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, false
	}
	return v, b[n:], true
}

func cutText(b []byte) (text, rest []byte, ok bool) {
	n, b, ok := cutUvarint(b)
	if !ok || n > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}
