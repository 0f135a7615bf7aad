package wire

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Transport is how requests travel.
type Transport string

const (
	// WS is the transport of one connection that stays open.
	WS Transport = "ws"
	// HTTP is the transport of one exchange a request.
	HTTP Transport = "http"
)

// Query is what the URL of a connection or exchange says.
type Query struct {
	StoreID   string
	Payload   jsontext.Value // what the app authenticates with; nil when none
	Transport Transport
}

// QueryError is a parameter of a URL that is not as the protocol wants it.
type QueryError struct {
	Param string // "storeId", "payload" or "transport"
	Why   string
}

func (e *QueryError) Error() string { return "query of the sync protocol: " + e.Param + ": " + e.Why }

// ParseQuery reads the parameters of a URL. Those it does not know are ignored. The store's id may be any text, even none: who
// asks decides. The payload was encoded twice, and url.Values undid it once. The error is a *[QueryError].
func ParseQuery(v url.Values) (Query, error) {
	var q Query
	for _, p := range [...]struct {
		name     string
		optional bool
		take     func(string) string // why it is wrong, or nothing
	}{
		{"storeId", false, func(s string) string {
			if !utf8.ValidString(s) {
				return "is no valid UTF-8"
			}
			q.StoreID = s
			return ""
		}},
		{"payload", true, func(s string) (why string) {
			q.Payload, why = parsePayload(s)
			return why
		}},
		{"transport", false, func(s string) string {
			if q.Transport = Transport(s); q.Transport != WS && q.Transport != HTTP {
				return `is neither "ws" nor "http"`
			}
			return ""
		}},
	} {
		switch values := v[p.name]; {
		case len(values) == 1:
			if why := p.take(values[0]); why != "" {
				return Query{}, &QueryError{Param: p.name, Why: why}
			}
		case len(values) > 1:
			return Query{}, &QueryError{Param: p.name, Why: "stands there more than once"}
		case !p.optional:
			return Query{}, &QueryError{Param: p.name, Why: "is missing"}
		}
	}
	return q, nil
}

// parsePayload undoes the second encoding, encodeURIComponent of JSON. JSON null is no payload.
func parsePayload(s string) (jsontext.Value, string) {
	text, err := url.PathUnescape(s) // unlike QueryUnescape it leaves a plus as it is
	if err != nil {
		return nil, clip(err.Error(), 100)
	}
	v := jsontext.Value(text)
	if err := validate(v); err != nil {
		return nil, "is no JSON: " + clip(err.Error(), 200)
	}
	if depth := depthOf(v); depth > MaxDepth {
		return nil, "nests too deep"
	}
	return nullable((&scanner{b: v}).skip()), ""
}

func depthOf(v jsontext.Value) int {
	_, depth := (&scanner{b: v}).skipDepth()
	return depth
}

// Encode returns the query as the official client writes it, the payload percent-encoded twice.
func (q Query) Encode() string {
	var b strings.Builder
	b.WriteString("storeId=")
	escape(&b, q.StoreID, "*-._", true)
	if len(q.Payload) > 0 {
		v := q.Payload.Clone()
		if err := v.Compact(); err != nil {
			v = q.Payload
		}
		var once strings.Builder
		escape(&once, string(v), "-_.!~*'()", false)
		b.WriteString("&payload=")
		escape(&b, once.String(), "*-._", true)
	}
	b.WriteString("&transport=")
	escape(&b, string(q.Transport), "*-._", true)
	return b.String()
}

// escape percent-encodes all but ASCII letters and digits and the bytes in safe; a space becomes a plus in forms. JavaScript has
// two sets of safe bytes, and Go none of them.
func escape(b *strings.Builder, s, safe string, form bool) {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte(safe, c) >= 0:
			b.WriteByte(c)
		case form && c == ' ':
			b.WriteByte('+')
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
}
