package wire_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/livestore-go/livestore/internal/wire"
)

func TestQueryIsEncodedTwice(t *testing.T) {
	for _, c := range []struct {
		q    wire.Query
		want string
	}{
		{wire.Query{StoreID: "S", Transport: wire.WS}, "storeId=S&transport=ws"},
		{
			wire.Query{StoreID: "S-1_a", Payload: jsontext.Value(`{ "authToken" : "bad" }`), Transport: wire.HTTP},
			"storeId=S-1_a&payload=%257B%2522authToken%2522%253A%2522bad%2522%257D&transport=http",
		},
		{ // + and space, what JavaScript leaves alone once and not twice, and more than ASCII
			wire.Query{StoreID: "a b+~*", Payload: jsontext.Value(`"+ ~*'é&"`), Transport: wire.WS},
			"storeId=a+b%2B%7E*&payload=%2522%252B%2520%7E*%27%25C3%25A9%2526%2522&transport=ws",
		},
	} {
		got := c.q.Encode()
		if got != c.want {
			t.Errorf("got %s\nwant %s", got, c.want)
		}
		v, err := url.ParseQuery(got)
		if err != nil {
			t.Fatal(err)
		}
		back, err := wire.ParseQuery(v)
		if len(c.q.Payload) > 0 {
			_ = c.q.Payload.Compact()
		}
		if diff := cmp.Diff(c.q, back); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", got, err, diff)
		}
	}
}

func TestQueryThatIsRefused(t *testing.T) {
	for query, want := range map[string]string{
		"storeId=S":                                      "transport: is missing",
		"storeId=S&transport=WS":                         "transport: is neither",
		"storeId=S&transport=ws&transport=ws":            "transport: stands there more than once",
		"storeId=%FF&transport=ws":                       "storeId: is no valid UTF-8",
		"storeId=S&transport=ws&payload=":                "payload: is no JSON",
		"storeId=S&transport=ws&payload=1&payload=1":     "payload: stands there more than once",
		"storeId=S&transport=ws&payload=%25zz":           "payload: invalid URL escape",
		"storeId=S&transport=ws&payload=%2522%25FF%2522": "payload: is no JSON",
		"storeId=S&transport=ws&payload={}{}":            "payload: is no JSON: more than one JSON value",
		"storeId=S&transport=ws&payload=" + strings.Repeat("[", 1001) + strings.Repeat("]", 1001): "payload: nests too deep",
	} {
		v, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if q, err := wire.ParseQuery(v); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.100s: %v, %v", query, q, err)
		}
	}
	for _, query := range []string{"storeId=&transport=ws", "storeId=S&transport=ws&payload=null&x=1&x=2"} {
		v, _ := url.ParseQuery(query)
		if q, err := wire.ParseQuery(v); err != nil || q.Payload != nil {
			t.Errorf("%s: %v %v", query, q, err)
		}
	}
}
