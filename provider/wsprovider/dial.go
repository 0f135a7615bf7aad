package wsprovider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/internal/wire"
	"github.com/livestore-go/livestore/provider"
)

const (
	watchInterval = time.Second // between two looks at the addresses of the machine
	maxWhy        = 300         // of what a backend says in clear text, in runes
)

// ownClient returns the HTTP client of a client that was given none: it does what the default one does, and has connections of its own that
// can be ended with it. nil when the app has put something else in the place of the default.
func ownClient() *http.Client {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok || http.DefaultClient.Transport != nil {
		return nil
	}
	own := *http.DefaultClient
	own.Transport = t.Clone()
	return &own
}

// dial makes one attempt to connect. Its errors are a *provider.RefusedError and a *provider.OfflineError.
func (c *client) dial() (socket, error) {
	ctx, cancel := context.WithTimeout(c.ctx, c.opts.ConnectTimeout)
	defer cancel()
	c.update(func() { c.attempting = true })
	payload := jsontext.Value(c.cfg.Payload)
	if c.opts.Credentials != nil {
		p, err := c.opts.Credentials(ctx, c.cfg.StoreID)
		if err == nil && p != nil && !jsontext.Value(p).IsValid() {
			err = errors.New("they are not JSON")
		}
		if err != nil {
			if refused, ok := errors.AsType[*provider.RefusedError](err); ok {
				return nil, refused
			}
			return nil, c.offline(fmt.Errorf("ask for credentials: %w", err))
		}
		payload = jsontext.Value(p)
	}
	c.payload = payload
	u := *c.base
	query := wire.Query{StoreID: c.cfg.StoreID, Payload: payload, Transport: "ws"}.Encode()
	if u.RawQuery != "" {
		query = u.RawQuery + "&" + query
	}
	u.RawQuery = query

	ws, resp, err := open(ctx, u.String(), &c.opts) //nolint:bodyclose // Dial says that there is nothing to close
	if err == nil {
		return ws, nil
	}
	if ctx.Err() != nil && c.ctx.Err() == nil {
		err = fmt.Errorf("no answer within %v", c.opts.ConnectTimeout)
	}
	if resp == nil || resp.StatusCode == http.StatusSwitchingProtocols {
		return nil, c.offline(withoutQuery(err))
	}
	why := readWhy(resp)
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		return nil, &provider.RefusedError{StoreID: c.cfg.StoreID, Status: resp.StatusCode, Why: why}
	}
	if why != "" {
		why = ": " + why
	}
	return nil, c.offline(fmt.Errorf("it answers with status %d%s", resp.StatusCode, why))
}

// readWhy reads what a backend says in the body of a response.
func readWhy(resp *http.Response) string {
	if resp.Body == nil {
		return ""
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 4*maxWhy)) // what came before an error is better than nothing
	return clean(string(text))
}

// clean makes text from outside fit for one line of an error.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r) || r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > maxWhy {
		s = string(r[:maxWhy]) + "…"
	}
	return s
}

// pause waits before the next attempt. It says whether the pause was over, as opposed to cut short.
func (c *client) pause(attempt int, err error, addresses string) bool {
	_, refused := errors.AsType[*provider.RefusedError](err)
	d := c.opts.RefusedInterval
	if !refused {
		d = backoff(c.opts.BackoffMin, c.opts.BackoffMax, attempt, rand.Float64())
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	watch := time.NewTicker(watchInterval)
	defer watch.Stop()
	for {
		select {
		case <-timer.C:
			return true
		case <-c.hurry:
			return false
		case <-c.ctx.Done():
			return true
		case <-watch.C:
			if !refused && c.addresses() != addresses {
				c.log.Debug("the addresses of the machine have changed", "store", c.cfg.StoreID)
				return false
			}
		}
	}
}

// backoff returns the pause after an attempt, counted from 0. Chance is in [0,1): it varies the pause by up to a fifth.
func backoff(low, high time.Duration, attempt int, chance float64) time.Duration {
	d := low
	for range attempt {
		if d >= high/2 {
			d = high
			break
		}
		d *= 2
	}
	return time.Duration(float64(d) * (0.8 + 0.4*chance))
}

// addresses returns a text that changes when the addresses of the machine do.
func (c *client) addresses() string {
	list, err := c.opts.Addresses()
	if err != nil {
		return ""
	}
	texts := make([]string, len(list))
	for i, a := range list {
		texts[i] = a.String()
	}
	slices.Sort(texts)
	return strings.Join(texts, " ")
}

// withoutQuery takes the URL out of an error of net/http: its query holds the credentials.
func withoutQuery(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
