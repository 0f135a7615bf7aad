package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Version is the version of the format this package writes, and the newest it reads.
const Version = 1

// Ext is how the name of a journal ends; the file of journal id x is x + Ext. Unfinished is appended while its header is written.
const (
	Ext        = ".journal"
	Unfinished = ".new"
)

const (
	magic     = "LSJOURNL"
	prefixLen = len(magic) + 4 + 4 // magic, version, length
	sumLen    = 4
	maxHeader = 64 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Header says whose journal a file is.
type Header struct {
	Version   uint32    `json:"-"`         // of the format; set when read, ignored when written
	Journal   string    `json:"journal"`   // id of the journal: the first half of the identity of its commits
	ClientID  string    `json:"clientId"`  // client of the session
	SessionID string    `json:"sessionId"` // session that writes it
	StoreID   string    `json:"storeId"`   // store the events belong to
	Created   time.Time `json:"created"`   // when the session started, by the caller's clock
}

// appendHeader appends the start of a file.
func appendHeader(b []byte, h Header) ([]byte, error) {
	if h.Journal == "" {
		return nil, errors.New("the journal has no id")
	}
	h.Created = h.Created.Round(0).UTC()
	raw, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	if len(raw) > maxHeader {
		return nil, fmt.Errorf("the header takes %d bytes, more than %d", len(raw), maxHeader)
	}
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint32(b, Version)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(raw)))
	b = append(b, raw...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)), nil
}

// readHeader reads the start of a file. It returns where the records begin and the checksum the first of them goes on from. The error is
// a *FormatError, a *VersionError, or one of the file.
func readHeader(f File, name string) (h Header, end int64, sum uint32, err error) {
	bad := func(offset int64, reason string) (Header, int64, uint32, error) {
		return Header{}, 0, 0, &FormatError{Name: name, Offset: offset, Reason: reason}
	}
	var prefix [prefixLen]byte
	n, err := f.ReadAt(prefix[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return Header{}, 0, 0, err
	}
	if !strings.HasPrefix(string(prefix[:n]), magic) {
		return bad(0, fmt.Sprintf("it does not begin with %q", magic))
	}
	if n < prefixLen {
		return bad(int64(n), "the header is cut short")
	}
	version := binary.LittleEndian.Uint32(prefix[len(magic):])
	if version > Version {
		return Header{}, 0, 0, &VersionError{Name: name, Version: version}
	}
	if version == 0 {
		return bad(int64(len(magic)), "there is no version 0")
	}
	size := binary.LittleEndian.Uint32(prefix[len(magic)+4:])
	if size > maxHeader {
		return bad(int64(len(magic)+4), fmt.Sprintf("a header of %d bytes is longer than any", size))
	}
	rest := make([]byte, int(size)+sumLen)
	if n, err := f.ReadAt(rest, int64(prefixLen)); n < len(rest) {
		if err != nil && !errors.Is(err, io.EOF) {
			return Header{}, 0, 0, err
		}
		return bad(int64(prefixLen+n), "the header is cut short")
	}
	raw := rest[:size]
	sum = crc32.Update(crc32.Checksum(prefix[:], castagnoli), castagnoli, raw)
	if sum != binary.LittleEndian.Uint32(rest[size:]) {
		return bad(int64(prefixLen), "the checksum of the header does not match")
	}
	if err := json.UnmarshalRead(bytes.NewReader(raw), &h); err != nil {
		return bad(int64(prefixLen), "the header is no JSON of this format: "+err.Error())
	}
	if h.Journal == "" {
		return bad(int64(prefixLen), "the header names no journal")
	}
	h.Version = version
	return h, int64(prefixLen + len(rest)), sum, nil
}
