package wire

import (
	"net/url"

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

func (e *QueryError) Error() string { return "query of the sync protocol: " + e.Param + " " + e.Why }

// ParseQuery reads the parameters of a URL. Those it does not know are ignored. The error is a *[QueryError].
func ParseQuery(v url.Values) (Query, error) { panic("soon") }

// Encode returns the query as the official client writes it, the payload percent-encoded twice.
func (q Query) Encode() string { panic("soon") }
