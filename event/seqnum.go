package event

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// SeqNum is the position of an event in the log of one store, as one client sees it.
//
// Global counts synced events and is the number the sync backend knows. Client counts the client-only events
// since that synced event. Generation is the rebase generation under which the number was given: it grows each
// time pending events are numbered anew, so a number that was withdrawn never comes back.
//
// It is written e5, e5.1, e5r2 or e5.1r2. The zero value, e0, is the position before the first event.
type SeqNum struct {
	Global     int64 `json:"global"`
	Client     int64 `json:"client,omitzero"`
	Generation int64 `json:"generation,omitzero"`
}

// String returns n in event notation.
func (n SeqNum) String() string {
	b := make([]byte, 0, 16)
	b = append(b, 'e')
	b = strconv.AppendInt(b, n.Global, 10)
	if n.Client != 0 {
		b = append(b, '.')
		b = strconv.AppendInt(b, n.Client, 10)
	}
	if n.Generation != 0 {
		b = append(b, 'r')
		b = strconv.AppendInt(b, n.Generation, 10)
	}
	return string(b)
}

// ParseSeqNum reads event notation as [SeqNum.String] writes it. Anything else is a *[SyntaxError].
func ParseSeqNum(s string) (SeqNum, error) {
	rest, ok := strings.CutPrefix(s, "e")
	if !ok {
		return SeqNum{}, &SyntaxError{Text: s}
	}
	var n SeqNum
	rest, gen, hasGen := strings.Cut(rest, "r")
	rest, client, hasClient := strings.Cut(rest, ".")
	var err error
	if n.Global, err = parsePart(rest, true); err != nil {
		return SeqNum{}, &SyntaxError{Text: s}
	}
	if hasClient {
		if n.Client, err = parsePart(client, false); err != nil {
			return SeqNum{}, &SyntaxError{Text: s}
		}
	}
	if hasGen {
		if n.Generation, err = parsePart(gen, false); err != nil {
			return SeqNum{}, &SyntaxError{Text: s}
		}
	}
	return n, nil
}

// parsePart accepts only the canonical form: no sign, no leading zero; zero only where it is written out.
func parsePart(s string, zero bool) (int64, error) {
	if s == "" || s[0] < '0' || s[0] > '9' || (s[0] == '0' && (len(s) > 1 || !zero)) {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseInt(s, 10, 64)
}

// SyntaxError says that a text is no sequence number.
type SyntaxError struct{ Text string }

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("event: %q is no sequence number: write it e5, e5.1, e5r2 or e5.1r2", e.Text)
}

// Compare orders by Global, then Client, then Generation: -1, 0 or 1.
func (n SeqNum) Compare(m SeqNum) int {
	return cmp.Or(n.ComparePosition(m), cmp.Compare(n.Generation, m.Generation))
}

// ComparePosition orders by Global, then Client. Two numbers of the same position differ only in generation.
func (n SeqNum) ComparePosition(m SeqNum) int {
	return cmp.Or(cmp.Compare(n.Global, m.Global), cmp.Compare(n.Client, m.Client))
}

// IsClientOnly says whether n is the number of a client-only event.
func (n SeqNum) IsClientOnly() bool { return n.Client > 0 }

// Next returns the number after n in the given scope and generation, and the parent it has there. The parent of a
// client-only event is n itself. The parent of a synced event is the synced event before it, written without a
// generation: that is all the sync backend knows of it.
func (n SeqNum) Next(scope Scope, generation int64) (num, parent SeqNum) {
	if scope == ScopeClientOnly {
		return SeqNum{Global: n.Global, Client: n.Client + 1, Generation: generation}, n
	}
	return SeqNum{Global: n.Global + 1, Generation: generation}, SeqNum{Global: n.Global}
}
