package wire_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/wire"
)

// ids compares ids as what they are.
var ids = cmp.Comparer(func(a, b wire.ID) bool { return a == b })

func todo(n int64) event.Global {
	return event.Global{
		Name: "v1.TodoCreated", Args: jsontext.Value(`{"id":"t1","text":"T 1"}`), SeqNum: n, ParentSeqNum: n - 1,
		ClientID: "raw", SessionID: "s1",
	}
}

const todo1 = `{"name":"v1.TodoCreated","args":{"id":"t1","text":"T 1"},"seqNum":1,"parentSeqNum":0,"clientId":"raw","sessionId":"s1"}`

// What the official client of each dialect writes, without its keys for tracing. The captures have each of these shapes.
func TestClientMessagesOnTheWire(t *testing.T) {
	token := jsontext.Value(`{"authToken":"secret"}`)
	for _, c := range []struct {
		d    wire.Dialect
		m    wire.ClientMessage
		want string
	}{
		{
			wire.E3, &wire.Pull{ID: wire.StringID("0"), StoreID: "S", Live: true},
			`{"_tag":"Request","id":"0","tag":"SyncWsRpc.Pull","payload":{"storeId":"S","live":true,"cursor":{"_tag":"None"}},"headers":[]}`,
		},
		{
			wire.E3, &wire.Pull{ID: wire.StringID("7"), StoreID: "S", Payload: token, Cursor: &wire.Cursor{BackendID: "B", After: 12}},
			`{"_tag":"Request","id":"7","tag":"SyncWsRpc.Pull","payload":{"storeId":"S","payload":{"authToken":"secret"},"live":false,` +
				`"cursor":{"_tag":"Some","value":{"backendId":"B","eventSequenceNumber":12}}},"headers":[]}`,
		},
		{
			wire.E4, &wire.Pull{ID: wire.NumberID(0), StoreID: "S", Live: true},
			`{"_tag":"Request","id":0,"tag":"SyncWsRpc.Pull","payload":{"storeId":"S","payload":null,"live":true,"cursor":{"_tag":"None"}},` +
				`"headers":[]}`,
		},
		{
			wire.E3, &wire.Pull{ID: wire.StringID("2"), StoreID: "S", HTTP: true},
			`{"_tag":"Request","id":"2","tag":"SyncHttpRpc.Pull","payload":{"storeId":"S","cursor":{"_tag":"None"}},"headers":[]}`,
		},
		{
			wire.E3, &wire.Push{ID: wire.StringID("3"), StoreID: "S", Batch: []event.Global{todo(1)}},
			`{"_tag":"Request","id":"3","tag":"SyncWsRpc.Push","payload":{"storeId":"S","batch":[` + todo1 +
				`],"backendId":{"_tag":"None"}},"headers":[]}`,
		},
		{
			wire.E4, &wire.Push{ID: wire.NumberID(3), StoreID: "S", Batch: []event.Global{todo(1)}, BackendID: "B", HTTP: true},
			`{"_tag":"Request","id":3,"tag":"SyncHttpRpc.Push","payload":{"storeId":"S","payload":null,"batch":[` + todo1 +
				`],"backendId":{"_tag":"Some","value":"B"}},"headers":[]}`,
		},
		{
			wire.E3, &wire.Push{ID: wire.StringID("4"), StoreID: "S", Payload: token},
			`{"_tag":"Request","id":"4","tag":"SyncWsRpc.Push","payload":{"storeId":"S","payload":{"authToken":"secret"},"batch":[],` +
				`"backendId":{"_tag":"None"}},"headers":[]}`,
		},
		{
			wire.E3, &wire.HTTPPing{ID: wire.StringID("5"), StoreID: "S"},
			`{"_tag":"Request","id":"5","tag":"SyncHttpRpc.Ping","payload":{"storeId":"S"},"headers":[]}`,
		},
		{
			wire.E4, &wire.HTTPPing{ID: wire.NumberID(5), StoreID: "S", Payload: token},
			`{"_tag":"Request","id":5,"tag":"SyncHttpRpc.Ping","payload":{"storeId":"S","payload":{"authToken":"secret"}},"headers":[]}`,
		},
		{wire.E3, &wire.Ack{ID: wire.StringID("0")}, `{"_tag":"Ack","requestId":"0"}`},
		{wire.E4, &wire.Ack{ID: wire.NumberID(0)}, `{"_tag":"Ack","requestId":0}`},
		{wire.E3, &wire.Interrupt{ID: wire.StringID("0")}, `{"_tag":"Interrupt","requestId":"0"}`},
		{wire.E4, &wire.Interrupt{ID: wire.NumberID(0)}, `{"_tag":"Interrupt","requestId":0}`},
		{wire.E3, wire.Ping{}, `{"_tag":"Ping"}`},
		{wire.E4, wire.Eof{}, `{"_tag":"Eof"}`},
	} {
		got := wire.AppendClient(nil, c.d, c.m)
		if string(got) != c.want {
			t.Errorf("%T\n got %s\nwant %s", c.m, got, c.want)
		}
		back, err := wire.DecodeClient(got)
		if diff := cmp.Diff([]wire.ClientMessage{c.m}, back, ids); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", got, err, diff)
		}
	}
}

// A server that answers each of these cannot be left hanging by any client.
func TestRequestsThatAreRefused(t *testing.T) {
	push := func(id, events string) string {
		return `{"_tag":"Request","id":` + id + `,"tag":"SyncWsRpc.Push","payload":{"storeId":"S","batch":[` + events +
			`],"backendId":{"_tag":"None"}}}`
	}
	with := func(old, replaced string) string { return strings.Replace(todo1, old, replaced, 1) }
	for _, c := range []struct{ frame, id, why string }{ // no id: the connection is to blame
		{``, "", "EOF"},
		{`{`, "", "EOF"},
		{`{"_tag":"Ping"}{}`, "", "more than one JSON value"},
		{`null`, "", "Expected message, got null"},
		{`5`, "", "Expected message, got 5"},
		{`"Ping"`, "", `Expected message, got "Ping"`},
		{`[[]]`, "", "Expected message, got []"},
		{`{}`, "", "Unknown request tag: undefined"},
		{`{"_tag":7}`, "", "Unknown request tag: 7"},
		{`{"_tag":"Ack"}`, "", "Missing key\n  at [\"requestId\"]"},
		{`{"_tag":"Ack","requestId":null}`, "", "Expected string or number, got null"},
		{`{"_tag":"Interrupt","requestId":-1}`, "", "got -1"},
		{`{"_tag":"Interrupt","requestId":""}`, "", "Expected non-empty string"},
		{`{"_tag":"Request"}`, "", "Missing key\n  at [\"id\"]"},
		{`{"_tag":"Request","id":1.5}`, "", "got 1.5"},
		{`{"_tag":"Request","id":9007199254740992}`, "", "got 9007199254740992"},
		{`{"_tag":"Request","id":1e999999999}`, "", "got 1e999999999"},
		{`{"_tag":"Request","id":"` + strings.Repeat("1", 513) + `"}`, "", "at most 512 bytes"},
		{`{"_tag":"Request","id":"1","id":"2"}`, "", "duplicate"},
		{"{\"_tag\":\"Request\",\"id\":\"1\xff\"}", "", "UTF-8"},
		{`{"_tag":"Request","id":"1"}`, "", "Unknown request tag: undefined"},
		{`{"_tag":"Request","id":"1","tag":"SyncWsRpc.Nope"}`, "", "Unknown request tag: SyncWsRpc.Nope"},
		{`{"_tag":"Request","id":1,"tag":"SyncWsRpc.Nope"}`, "1", "Unknown request tag: SyncWsRpc.Nope"},
		{`{"_tag":"Request","id":"abc","tag":"SyncWsRpc.Nope"}`, "abc", "Unknown request tag: SyncWsRpc.Nope"},
		{`{"_tag":"Request","id":"1","tag":"SyncWsRpc.Pull"}`, "1", "Expected object, got null"},
		{`{"_tag":"Request","id":"1","tag":"SyncWsRpc.Pull","payload":{"storeId":1}}`, "1", "got 1\n  at [\"storeId\"]"},
		{`{"_tag":"Request","id":"1","tag":"SyncWsRpc.Pull","payload":{"live":true,"cursor":{"_tag":"None"}}}`, "1", `at ["storeId"]`},
		{`{"_tag":"Request","id":"1","tag":"SyncWsRpc.Pull","payload":{"storeId":"S","live":1,"cursor":{"_tag":"None"}}}`, "1", `at ["live"]`},
		{`{"_tag":"Request","id":"1","tag":"SyncHttpRpc.Pull","payload":{"storeId":"S","cursor":null}}`, "1", `at ["cursor"]`},
		{`{"_tag":"Request","id":"1","tag":"SyncHttpRpc.Pull","payload":{"storeId":"S","cursor":{"_tag":"Some"}}}`, "1", `at ["cursor"]["value"]`},
		{`{"_tag":"Request","id":"1","tag":"SyncHttpRpc.Ping","payload":{}}`, "1", `at ["storeId"]`},
		{
			`{"_tag":"Request","id":"1","tag":"SyncHttpRpc.Pull","payload":{"storeId":"S","cursor":{"_tag":"Some","value":{"backendId":"",` +
				`"eventSequenceNumber":1}}}}`, "1", `at ["cursor"]["value"]["backendId"]`,
		},
		{
			`{"_tag":"Request","id":"1","tag":"SyncWsRpc.Push","payload":{"storeId":"S","batch":[],"backendId":{"_tag":"Some","value":""}}}`,
			"1", `at ["backendId"]["value"]`,
		},
		{push(`"1"`, `null`), "1", `at ["batch"][0]`},
		{push(`"1"`, todo1+`,`+with(`"seqNum":1`, `"seqNum":-1`)), "1", "got -1\n  at [\"batch\"][1][\"seqNum\"]"},
		{push(`"1"`, with(`"seqNum":1`, `"seqNum":9007199254740992`)), "1", `at ["batch"][0]["seqNum"]`},
		{push(`"1"`, with(`"seqNum":1`, `"seqNum":1.0`)), "1", `at ["batch"][0]["seqNum"]`},
		{push(`"1"`, with(`"parentSeqNum":0,`, ``)), "1", "Missing key\n  at [\"batch\"][0][\"parentSeqNum\"]"},
		{push(`"1"`, with(`"v1.TodoCreated"`, `null`)), "1", `at ["batch"][0]["name"]`},
		{push(`1`, with(`"args":{"id":"t1","text":"T 1"},`, ``)), "1", "Missing key\n  at [\"batch\"][0][\"args\"]"},
		{push(`"1"`, with(`{"id":"t1"`, `{"id":"t1","id":"t1"`)), "1", "duplicate"},
		{push(`"1"`, with(`"seqNum":1`, `"seqNum":1,"seqNum":2`)), "1", "duplicate"},
		{push(`"1"`, with(`"T 1"`, `"\ud800"`)), "1", "invalid surrogate pair"},
		{push(`"1"`, with(`"T 1"`, "\"\xff\"")), "1", "invalid UTF-8"},
		{push(`"1"`, with(`"T 1"`, strings.Repeat("[", 1000)+strings.Repeat("]", 1000))), "1", "Expected at most 1000 levels, got 1001"},
		{push(`"1"`, with(`"T 1"`, strings.Repeat("[", 9500)+strings.Repeat("]", 9500))), "1", "deeper than 9000"},
		{push(`"1"`, with(`"T 1"`, strings.Repeat("[", 200_000)+strings.Repeat("]", 200_000))), "", "depth"},
	} {
		messages, err := wire.DecodeClient([]byte(c.frame))
		shown := c.frame[:min(len(c.frame), 200)]
		if len(messages) > 0 || err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s\n got %v, %v\nwant %s", shown, messages, err, c.why)
		}
		if request, ok := errors.AsType[*wire.RequestError](err); ok != (c.id != "") || ok && request.ID.String() != c.id {
			t.Errorf("%s: blames %T %v", shown, err, err)
		}
		if frame, ok := errors.AsType[*wire.FrameError](err); ok == (c.id != "") || ok && !frame.Defect.IsValid() {
			t.Errorf("%s: blames %T %v", shown, err, err)
		}
		if a := answer(err); !jsontext.Value(a).IsValid() || len(a) > 1000 {
			t.Errorf("%s: answered with %s", shown, a)
		}
	}
}

func TestArrayOfMessagesHasItsGoodOnes(t *testing.T) {
	nope := `{"_tag":"Request","id":%d,"tag":"Nope"}`
	frame := `[{"_tag":"Ping"},` + fmt.Sprintf(nope, 1) + `,{"_tag":"Ack","requestId":7},` + fmt.Sprintf(nope, 2) + `,{"_tag":"Nope"},{"_tag":"Eof"}]`
	messages, err := wire.DecodeClient([]byte(frame))
	if diff := cmp.Diff([]wire.ClientMessage{wire.Ping{}, &wire.Ack{ID: wire.NumberID(7)}}, messages, ids); diff != "" {
		t.Error(diff)
	}
	requests, lost := wire.Faults(err)
	if len(requests) != 2 || requests[0].ID != wire.NumberID(1) || requests[1].ID != wire.NumberID(2) || lost == nil {
		t.Errorf("faults: %v, %v", requests, lost)
	}
	for _, frame := range []string{"[]", " [ ] "} {
		if messages, err := wire.DecodeClient([]byte(frame)); len(messages) > 0 || err != nil {
			t.Errorf("%s: %v, %v", frame, messages, err)
		}
	}
	if requests, lost := wire.Faults(nil); requests != nil || lost != nil {
		t.Errorf("faults of nothing: %v, %v", requests, lost)
	}
	_, err = wire.DecodeClient([]byte(`[` + fmt.Sprintf(nope, 1) + `]`))
	if requests, lost := wire.Faults(err); len(requests) != 1 || lost != nil {
		t.Errorf("one fault: %v, %v", requests, lost)
	}
}

// Requests of one transport are not known to the other, as in the probe ws-tag-on-http.
func TestRequestsKeepToTheirTransport(t *testing.T) {
	n, s := wire.NumberID(1), wire.StringID("1")
	for _, c := range []struct {
		m        wire.ClientMessage
		ws       string // answer there, empty where it is served
		overPOST string
	}{
		{&wire.Pull{ID: n}, "", `{"_tag":"Exit","requestId":1,"exit":{"_tag":"Failure","cause":[{"_tag":"Die","defect":"Unknown request tag: SyncWsRpc.Pull"}]}}`},
		{&wire.Pull{ID: s}, "", `{"_tag":"Defect","defect":"Unknown request tag: SyncWsRpc.Pull"}`},
		{&wire.Pull{ID: s, HTTP: true}, `{"_tag":"Defect","defect":"Unknown request tag: SyncHttpRpc.Pull"}`, ""},
		{&wire.Push{ID: s}, "", `{"_tag":"Defect","defect":"Unknown request tag: SyncWsRpc.Push"}`},
		{&wire.Push{ID: s, HTTP: true}, `{"_tag":"Defect","defect":"Unknown request tag: SyncHttpRpc.Push"}`, ""},
		{&wire.HTTPPing{ID: s}, `{"_tag":"Defect","defect":"Unknown request tag: SyncHttpRpc.Ping"}`, ""},
		{wire.Ping{}, "", ""},
		{&wire.Ack{ID: s}, "", ""},
	} {
		if got := answer(wire.CheckTransport(c.m, wire.WS)); got != c.ws {
			t.Errorf("%#v by WebSocket: %s", c.m, got)
		}
		if got := answer(wire.CheckTransport(c.m, wire.HTTP)); got != c.overPOST {
			t.Errorf("%#v by HTTP: %s", c.m, got)
		}
	}
}

func TestIDs(t *testing.T) {
	for _, c := range []struct {
		id   wire.ID
		text string
		d    wire.Dialect
	}{
		{wire.StringID("0"), "0", wire.E3},
		{wire.StringID("007"), "7", wire.E3},
		{wire.StringID("000"), "0", wire.E3},
		{wire.StringID("123456789012345678901234567890"), "123456789012345678901234567890", wire.E3},
		{wire.StringID("abc"), "abc", wire.E4},
		{wire.StringID("-1"), "-1", wire.E4},
		{wire.NumberID(7), "7", wire.E4},
	} {
		if c.id.String() != c.text || c.id.Dialect() != c.d || c.id.IsZero() {
			t.Errorf("%v: %s %s", c, c.id, c.id.Dialect())
		}
	}
	if wire.StringID("7") == wire.NumberID(7) || !(wire.ID{}).IsZero() {
		t.Error("ids of two dialects are the same")
	}
}

// The arguments of an event pass through all of it as they are: numbers, order of keys, escapes and space.
func TestArgumentsStayByteForByte(t *testing.T) {
	args := "{ \"z\": 1.50e+2, \"a\" : 12345678901234567890123, \"\\u0061b\":\"\\/\\u00e9\u00e9\", \"n\":-0 ,\"deep\":[[]], \"\\\\\": \"\\\\\\\"]}\\\\\\\\\"}"
	e := todo(1)
	e.Args = jsontext.Value(args)
	client := wire.AppendClient(nil, wire.E3, &wire.Push{ID: wire.StringID("1"), StoreID: "S", Batch: []event.Global{e}})
	messages, err := wire.DecodeClient(client)
	if err != nil {
		t.Fatal(err)
	}
	e = messages[0].(*wire.Push).Batch[0]
	server := wire.AppendServer(nil, &wire.Chunk{
		ID: wire.StringID("0"), Items: []wire.Item{{Events: []wire.Event{{Global: e}}, BackendID: "B"}},
	})
	answers, err := wire.DecodeServer(server)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(answers[0].(*wire.Chunk).Items[0].Events[0].Args); got != args {
		t.Errorf("got %s\nwant %s", got, args)
	}
}

// text draws what may stand in a string of the protocol.
var text = rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "S", "v1.TodoCreated", "\x00\"\\\n\u2028\x7f<é😀"}))

var value = rapid.Map(rapid.SampledFrom([]string{`null`, `{}`, `{"a":[1,"\u00e9",{}],"b":-1.5e3}`, `"]},\""`, `[[],[{}]]`, `true`, `0`}),
	func(s string) jsontext.Value { return jsontext.Value(s) })

var number = rapid.Int64Range(0, wire.MaxNumber)

func drawGlobal(t *rapid.T) event.Global {
	return event.Global{
		Name: text.Draw(t, "name"), Args: value.Draw(t, "args"), SeqNum: number.Draw(t, "seqNum"), ParentSeqNum: number.Draw(t, "parent"),
		ClientID: text.Draw(t, "client"), SessionID: text.Draw(t, "session"),
	}
}

func drawID(t *rapid.T) (wire.ID, wire.Dialect) {
	if rapid.Bool().Draw(t, "number") {
		return wire.NumberID(uint64(number.Draw(t, "id"))), wire.E4
	}
	return wire.StringID(rapid.StringMatching(`[0-9]{1,30}`).Draw(t, "id")), wire.E3
}

func TestClientMessagesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id, d := drawID(t)
		store, http := text.Draw(t, "store"), rapid.Bool().Draw(t, "http")
		var payload jsontext.Value
		if p := value.Draw(t, "payload"); string(p) != "null" {
			payload = p
		}
		var m wire.ClientMessage
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			p := &wire.Pull{ID: id, StoreID: store, Payload: payload, HTTP: http, Live: !http && rapid.Bool().Draw(t, "live")}
			if rapid.Bool().Draw(t, "cursor") {
				p.Cursor = &wire.Cursor{BackendID: "B" + text.Draw(t, "backend"), After: number.Draw(t, "after")}
			}
			m = p
		case 1:
			p := &wire.Push{ID: id, StoreID: store, Payload: payload, HTTP: http, BackendID: text.Draw(t, "backend")}
			for range rapid.IntRange(0, 5).Draw(t, "events") {
				p.Batch = append(p.Batch, drawGlobal(t))
			}
			m = p
		case 2:
			m = &wire.HTTPPing{ID: id, StoreID: store, Payload: payload}
		case 3:
			m = &wire.Ack{ID: id}
		default:
			m = &wire.Interrupt{ID: id}
		}
		frame := wire.AppendClient(nil, d, m)
		got, err := wire.DecodeClient(frame)
		if diff := cmp.Diff([]wire.ClientMessage{m}, got, ids); err != nil || diff != "" {
			t.Fatalf("%s: %v\n%s", frame, err, diff)
		}
	})
}
