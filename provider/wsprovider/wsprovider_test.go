package wsprovider_test

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/livestore-go/livestore/provider"
	"github.com/livestore-go/livestore/provider/providertest"
	"github.com/livestore-go/livestore/provider/wsprovider"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestFake runs the suite on the backend of this package, over sockets.
func TestFake(t *testing.T) {
	for _, d := range []wsprovider.Dialect{wsprovider.E3, wsprovider.E4} {
		t.Run(d.String(), func(t *testing.T) {
			f := newFake()
			srv := httptest.NewServer(f)
			defer srv.Close()
			defer f.drop()
			providertest.Run(t, providertest.Target{
				Provider: wsprovider.New(srv.URL, &wsprovider.Options{
					Dialect: d, HTTPClient: srv.Client(), BackoffMin: 5 * time.Millisecond,
				}),
				Payload: []byte(`{"authToken":"secret"}`),
				Drop:    f.drop,
				Refuse: func(on bool) {
					f.set(func() {
						f.status = 0
						if on {
							f.status, f.body = 400, "Invalid auth token"
						}
					})
				},
				Reset: func(storeID string) { f.log.Reset(storeID) },
			})
		})
	}
}

func TestURLs(t *testing.T) {
	for url, why := range map[string]string{
		"":                              "its scheme is none of",
		"127.0.0.1:8787":                "can not be used",
		"ftp://sync.example.com":        "its scheme is none of",
		"ws://":                         "it names no host",
		"http:///path":                  "it names no host",
		"ws://a b":                      "invalid character",
		"ws://h/?storeId=x":             "adds storeId",
		"ws://h/?payload=x":             "adds payload",
		"ws://h/?a=1&transport=http":    "adds transport",
		"ws://h/?a=%zz":                 "invalid URL escape",
		"wss://user:secret@h/?storeId=": "adds storeId",
	} {
		_, err := wsprovider.New(url, nil).Client(provider.Config{StoreID: "s"})
		e, ok := errors.AsType[*wsprovider.URLError](err)
		if !ok || !strings.Contains(e.Error(), why) {
			t.Errorf("URL %q: %v (%T), want an error with %q", url, err, err, why)
		}
		if ok && strings.Contains(e.Error(), "secret") {
			t.Errorf("the error tells the password: %v", e)
		}
	}
}

func TestOptions(t *testing.T) {
	ok := provider.Config{StoreID: "s"}
	for name, c := range map[string]struct {
		opts wsprovider.Options
		cfg  provider.Config
	}{
		"Dialect":         {wsprovider.Options{Dialect: 7}, ok},
		"PingInterval":    {wsprovider.Options{PingInterval: -1}, ok},
		"ConnectTimeout":  {wsprovider.Options{ConnectTimeout: -1}, ok},
		"BackoffMin":      {wsprovider.Options{BackoffMin: -1}, ok},
		"BackoffMax":      {wsprovider.Options{BackoffMin: 2, BackoffMax: 1}, ok},
		"RefusedInterval": {wsprovider.Options{RefusedInterval: -1}, ok},
		"MaxMessage":      {wsprovider.Options{MaxMessage: 1000}, ok},
		"StoreID":         {wsprovider.Options{}, provider.Config{}},
		"Payload":         {wsprovider.Options{}, provider.Config{StoreID: "s", Payload: json.RawMessage(`{`)}},
	} {
		_, err := wsprovider.New("ws://127.0.0.1", &c.opts).Client(c.cfg)
		if e, ok := errors.AsType[*wsprovider.OptionError](err); !ok || e.Option != name {
			t.Errorf("%s: %v (%T)", name, err, err)
		}
	}
}
