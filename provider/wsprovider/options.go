package wsprovider

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/livestore-go/livestore/internal/wire"
)

// Dialect says which of the two forms of the protocol a client speaks.
type Dialect uint8

const (
	// E3 is what @livestore/sync-cf 0.4 speaks, and every backend understands. It is the default.
	E3 Dialect = iota
	// E4 is what versions of @livestore/sync-cf after 0.4 speak. A backend of version 0.4 does not understand it.
	E4
)

// String returns "E3" or "E4".
func (d Dialect) String() string {
	switch d {
	case E3:
		return "E3"
	case E4:
		return "E4"
	}
	return fmt.Sprintf("Dialect(%d)", uint8(d))
}

func (d Dialect) wire() wire.Dialect {
	if d == E4 {
		return wire.E4
	}
	return wire.E3
}

// Options change how clients connect. The zero value of each means its default.
type Options struct {
	// Dialect is the form of the protocol. Default: E3, which all backends understand.
	Dialect Dialect

	// Credentials is asked at each attempt to connect for what the backend gets to decide who may read and write: any JSON, nil for
	// none. It overrides provider.Config.Payload. Its ctx ends with ConnectTimeout. An error counts as an attempt without connection,
	// and is tried again; a *provider.RefusedError counts as the backend's refusal. Default: the payload of the config.
	Credentials func(ctx context.Context, storeID string) (json.RawMessage, error)

	// Header goes with the request that opens the connection. It does nothing in browsers. Default: none.
	Header http.Header

	// HTTPClient opens the connection: for proxies, certificates, tests. It does nothing in browsers. net/http goes on with an attempt
	// that nobody waits for any more, until its dialer gives up; CloseIdleConnections of the HTTP client ends that. Default: one that does
	// what http.DefaultClient does, and with which no attempt outlasts Close.
	HTTPClient *http.Client

	// PingInterval is the time between two signs of life that are asked for. A connection over which nothing has come for one
	// interval after a ping is given up. Default: 10 s.
	PingInterval time.Duration

	// AnswerTimeout is how long a push may go without its answer, and a pull without the next of the pages that the backend has, while
	// nothing else of any size comes in. Then the connection is given up, even when pings are answered. Default: 30 s.
	AnswerTimeout time.Duration

	// ConnectTimeout is how long one attempt to connect may take, credentials included. Default: 10 s.
	ConnectTimeout time.Duration

	// BackoffMin is the pause after the first attempt that did not work, and after a connection that has ended. It doubles with each
	// attempt up to BackoffMax, and is varied by up to a fifth. A connection that lasted for PingInterval lets it begin anew.
	// Defaults: 1 s and 30 s.
	BackoffMin, BackoffMax time.Duration

	// RefusedInterval is the pause after an attempt that the backend refused for its credentials. Default: 60 s.
	RefusedInterval time.Duration

	// MaxMessage is the largest message the backend may send, in bytes; a larger one ends the connection. Backends send up to 900,000
	// bytes of events with a little around them. Default: 4 MiB.
	MaxMessage int

	// Addresses returns the addresses of the machine's network interfaces. It is asked once a second in the pause between two
	// attempts, and when they have changed the next attempt is made at once. Default: net.InterfaceAddrs.
	Addresses func() ([]net.Addr, error)
}

func (o *Options) withDefaults() Options {
	var c Options
	if o != nil {
		c = *o
	}
	c.Header = c.Header.Clone()
	setDefault(&c.PingInterval, 10*time.Second)
	setDefault(&c.AnswerTimeout, 30*time.Second)
	setDefault(&c.ConnectTimeout, 10*time.Second)
	setDefault(&c.BackoffMin, time.Second)
	setDefault(&c.BackoffMax, max(30*time.Second, c.BackoffMin))
	setDefault(&c.RefusedInterval, time.Minute)
	setDefault(&c.MaxMessage, 4<<20)
	if c.Addresses == nil {
		c.Addresses = net.InterfaceAddrs
	}
	return c
}

func setDefault[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

func (o *Options) check() error {
	if o.Dialect > E4 {
		return &OptionError{Option: "Dialect", Why: o.Dialect.String() + " is neither E3 nor E4"}
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"PingInterval", o.PingInterval},
		{"AnswerTimeout", o.AnswerTimeout},
		{"ConnectTimeout", o.ConnectTimeout},
		{"BackoffMin", o.BackoffMin},
		{"RefusedInterval", o.RefusedInterval},
	} {
		if d.value < 0 {
			return &OptionError{Option: d.name, Why: d.value.String() + " is negative"}
		}
	}
	if o.BackoffMax < o.BackoffMin {
		return &OptionError{Option: "BackoffMax", Why: fmt.Sprintf("%v is less than BackoffMin, %v", o.BackoffMax, o.BackoffMin)}
	}
	if o.MaxMessage < minMessage {
		return &OptionError{Option: "MaxMessage", Why: fmt.Sprintf("%d is less than the %d bytes that backends send", o.MaxMessage, minMessage)}
	}
	return nil
}

// minMessage is what a chunk of the largest size has with its envelope.
const minMessage = wire.MaxBytes + 1024

// OptionError says that an option or a part of the config can not be used.
type OptionError struct {
	Option string // name of the field
	Why    string
}

func (e *OptionError) Error() string {
	return fmt.Sprintf("wsprovider: %s can not be used: %s", e.Option, e.Why)
}

// URLError says that the URL of the backend can not be used.
type URLError struct {
	URL string
	Why string
}

func (e *URLError) Error() string {
	return fmt.Sprintf("wsprovider: URL %q can not be used: %s: it looks like wss://sync.example.com", e.URL, e.Why)
}
