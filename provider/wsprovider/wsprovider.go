package wsprovider

import (
	"context"
	"log/slog"
	"net/url"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/provider"
)

// Provider makes clients of one backend.
type Provider struct {
	url  string
	opts Options
}

var _ provider.Provider = (*Provider)(nil)

// New returns a provider for the backend at a URL of scheme ws, wss, http or https, without touching the network. What the URL has as
// query stays; storeId, payload and transport are added. Nil options are the defaults. What is wrong with either, [Provider.Client] says.
func New(url string, opts *Options) *Provider {
	return &Provider{url: url, opts: opts.withDefaults()}
}

// Client returns a client of a store that connects in the background from now on. The error is a *[URLError] or an *[OptionError]. The
// client must be closed.
func (p *Provider) Client(cfg provider.Config) (provider.Client, error) {
	if err := p.opts.check(); err != nil {
		return nil, err
	}
	base, err := parseURL(p.url)
	if err != nil {
		return nil, err
	}
	if cfg.StoreID == "" {
		return nil, &OptionError{Option: "StoreID", Why: "it is empty, and the backend has a log for each store id"}
	}
	if cfg.Payload != nil && !jsontext.Value(cfg.Payload).IsValid() {
		return nil, &OptionError{Option: "Payload", Why: "it is not JSON"}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := &client{
		opts: p.opts, cfg: cfg, base: base, log: cfg.Logger,
		attempting: true, moved: make(chan struct{}), changed: make(chan struct{}), hurry: make(chan struct{}, 1),
	}
	if c.opts.HTTPClient == nil {
		c.own = ownClient()
		c.opts.HTTPClient = c.own
	}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	c.wg.Go(c.run)
	return c, nil
}

func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		if e, ok := err.(*url.Error); ok { //nolint:errorlint // Parse returns no other
			err = e.Err
		}
		return nil, &URLError{URL: text, Why: err.Error()}
	case u.Scheme != "ws" && u.Scheme != "wss" && u.Scheme != "http" && u.Scheme != "https":
		return nil, &URLError{URL: u.Redacted(), Why: "its scheme is none of ws, wss, http and https"}
	case u.Host == "":
		return nil, &URLError{URL: u.Redacted(), Why: "it names no host"}
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, &URLError{URL: u.Redacted(), Why: err.Error()}
	}
	for _, name := range []string{"storeId", "payload", "transport"} {
		if query.Has(name) {
			return nil, &URLError{URL: u.Redacted(), Why: "the client itself adds " + name}
		}
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}
