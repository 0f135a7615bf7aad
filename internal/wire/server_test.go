package wire_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/internal/wire"
)

func fails(err error) []wire.Reason { return []wire.Reason{{Kind: wire.Fail, Err: err}} }

// What the official server of each dialect writes. The captures have each of these shapes.
func TestServerMessagesOnTheWire(t *testing.T) {
	e3, e4 := wire.StringID("0"), wire.NumberID(0)
	at := "2026-11-23T01:01:01.245Z"
	some := `"metadata":{"_tag":"Some","value":{"_tag":"SyncMessage.SyncMetadata","createdAt":"2026-11-23T01:01:01.245Z"}}`
	for _, c := range []struct {
		m    wire.ServerMessage
		want string
	}{
		{
			&wire.Chunk{ID: e3, Items: []wire.Item{{BackendID: "B"}}},
			`{"_tag":"Chunk","requestId":"0","values":[{"batch":[],"pageInfo":{"_tag":"NoMore"},"backendId":"B"}]}`,
		},
		{
			&wire.Chunk{ID: e4, Items: []wire.Item{{
				Events: []wire.Event{{Global: todo(1), CreatedAt: at}, {Global: todo(1)}},
				Page:   wire.Page{Kind: wire.MoreKnown, Remaining: 250}, BackendID: "B",
			}}},
			`{"_tag":"Chunk","requestId":0,"values":[{"batch":[{"eventEncoded":` + todo1 + `,` + some + `},{"eventEncoded":` + todo1 +
				`,"metadata":{"_tag":"None"}}],"pageInfo":{"_tag":"MoreKnown","remaining":250},"backendId":"B"}]}`,
		},
		{
			&wire.Chunk{ID: e3, Items: []wire.Item{
				{Events: []wire.Event{{Global: todo(1), CreatedAt: at, Metadata: jsontext.Value(`{"createdAt":"` + at + `","by":1}`)}}, BackendID: "B"},
				{Page: wire.Page{Kind: wire.MoreUnknown}, BackendID: "B"},
			}},
			`{"_tag":"Chunk","requestId":"0","values":[{"batch":[{"eventEncoded":` + todo1 + `,"metadata":{"_tag":"Some","value":{"createdAt":"` + at +
				`","by":1}}}],"pageInfo":{"_tag":"NoMore"},"backendId":"B"},{"batch":[],"pageInfo":{"_tag":"MoreUnknown"},"backendId":"B"}]}`,
		},
		{&wire.Exit{ID: e3}, `{"_tag":"Exit","requestId":"0","exit":{"_tag":"Success","value":null}}`},
		{&wire.Exit{ID: e4}, `{"_tag":"Exit","requestId":0,"exit":{"_tag":"Success","value":null}}`},
		{
			&wire.Exit{ID: e3, Value: jsontext.Value(wire.PushValue)},
			`{"_tag":"Exit","requestId":"0","exit":{"_tag":"Success","value":{}}}`,
		},
		{
			&wire.Exit{ID: e4, Value: jsontext.Value(wire.PingValue)},
			`{"_tag":"Exit","requestId":0,"exit":{"_tag":"Success","value":{"_tag":"SyncMessage.Pong"}}}`,
		},
		{
			&wire.Exit{ID: e3, Failure: fails(&wire.ServerAheadError{MinimumExpectedNum: 2, ProvidedNum: 1})},
			`{"_tag":"Exit","requestId":"0","exit":{"_tag":"Failure","cause":{"_tag":"Fail","error":{"minimumExpectedNum":2,"providedNum":1,` +
				`"_tag":"ServerAheadError"}}}}`,
		},
		{
			&wire.Exit{ID: e4, Failure: fails(&wire.ServerAheadError{MinimumExpectedNum: 2, ProvidedNum: 1})},
			`{"_tag":"Exit","requestId":0,"exit":{"_tag":"Failure","cause":[{"_tag":"Fail","error":{"_tag":"ServerAheadError",` +
				`"minimumExpectedNum":2,"providedNum":1}}]}}`,
		},
		{
			&wire.Exit{ID: e3, Failure: fails(&wire.BackendIDMismatchError{Expected: "B", Received: "nope"})},
			`{"_tag":"Exit","requestId":"0","exit":{"_tag":"Failure","cause":{"_tag":"Fail","error":{"expected":"B","received":"nope",` +
				`"_tag":"BackendIdMismatchError"}}}}`,
		},
		{
			&wire.Exit{ID: e4, Failure: fails(&wire.BackendIDMismatchError{Expected: "B", Received: "nope"})},
			`{"_tag":"Exit","requestId":0,"exit":{"_tag":"Failure","cause":[{"_tag":"Fail","error":{"_tag":"BackendIdMismatchError",` +
				`"expected":"B","received":"nope"}}]}}`,
		},
		{
			&wire.Exit{ID: e4, Failure: fails(&wire.UnknownError{Cause: wire.Cause("~@livestore/common/OversizeChunkItemError", "")})},
			`{"_tag":"Exit","requestId":0,"exit":{"_tag":"Failure","cause":[{"_tag":"Fail","error":{"_tag":"UnknownError","cause":` +
				`{"name":"~@livestore/common/OversizeChunkItemError","message":""}}}]}}`,
		},
		{
			&wire.Exit{ID: e3, Failure: fails(&wire.UnknownError{Cause: jsontext.Value(`"x"`), Note: "n", Payload: jsontext.Value(`[1]`)})},
			`{"_tag":"Exit","requestId":"0","exit":{"_tag":"Failure","cause":{"_tag":"Fail","error":{"cause":"x","note":"n","payload":[1],` +
				`"_tag":"UnknownError"}}}}`,
		},
		{
			&wire.Exit{ID: e3, Failure: []wire.Reason{{Kind: wire.Interrupted}}},
			`{"_tag":"Exit","requestId":"0","exit":{"_tag":"Failure","cause":{"_tag":"Interrupt","fiberId":{"_tag":"None"}}}}`,
		},
		{
			&wire.Exit{ID: e4, Failure: []wire.Reason{{Kind: wire.Interrupted}}},
			`{"_tag":"Exit","requestId":0,"exit":{"_tag":"Failure","cause":[{"_tag":"Interrupt","fiberId":null}]}}`,
		},
		{
			&wire.Exit{ID: e3, Failure: []wire.Reason{{Kind: wire.Die, Defect: jsontext.Value(`"a"`)}, {Kind: wire.Interrupted}, {Kind: wire.Die, Defect: jsontext.Value(`1`)}}},
			`{"_tag":"Exit","requestId":"0","exit":{"_tag":"Failure","cause":{"_tag":"Sequential","left":{"_tag":"Sequential","left":` +
				`{"_tag":"Die","defect":"a"},"right":{"_tag":"Interrupt","fiberId":{"_tag":"None"}}},"right":{"_tag":"Die","defect":1}}}}`,
		},
		{
			&wire.Exit{ID: e4, Failure: []wire.Reason{{Kind: wire.Die, Defect: jsontext.Value(`"a"`)}, {Kind: wire.Interrupted}}},
			`{"_tag":"Exit","requestId":0,"exit":{"_tag":"Failure","cause":[{"_tag":"Die","defect":"a"},{"_tag":"Interrupt","fiberId":null}]}}`,
		},
		{&wire.Defect{Defect: jsontext.Value(`"x"`)}, `{"_tag":"Defect","defect":"x"}`},
		{wire.Pong{}, `{"_tag":"Pong"}`},
	} {
		got := wire.AppendServer(nil, c.m)
		if string(got) != c.want {
			t.Errorf("%T\n got %s\nwant %s", c.m, got, c.want)
		}
		back, err := wire.DecodeServer(got)
		if diff := cmp.Diff([]wire.ServerMessage{c.m}, back, ids); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", got, err, diff)
		}
	}
}

// An error that the protocol does not know still reaches the client.
func TestForeignErrorsBecomeUnknown(t *testing.T) {
	got := string(wire.AppendServer(nil, &wire.Exit{ID: wire.NumberID(0), Failure: fails(errors.New("disk is full"))}))
	if want := `"error":{"_tag":"UnknownError","cause":{"name":"Error","message":"disk is full"}}`; !strings.Contains(got, want) {
		t.Errorf("got %s", got)
	}
}

// What other servers may send, and what a client makes of it.
func TestAnswersAreReadTolerantly(t *testing.T) {
	exit := func(rest string) string { return `{"_tag":"Exit","requestId":1,"exit":` + rest + `}` }
	cause := func(c string) string { return exit(`{"_tag":"Failure","cause":` + c + `}`) }
	failed := func(r ...wire.Reason) wire.ServerMessage { return &wire.Exit{ID: wire.NumberID(1), Failure: r} }
	interrupted := wire.Reason{Kind: wire.Interrupted}
	died := func(d string) wire.Reason { return wire.Reason{Kind: wire.Die, Defect: jsontext.Value(d)} }
	for _, c := range []struct {
		frame string
		want  []wire.ServerMessage
	}{
		{`{ "extra": [{}], "_tag" : "Pong" }`, []wire.ServerMessage{wire.Pong{}}},
		{`[{"_tag":"Pong"},` + exit(`{"_tag":"Success"}`) + `]`, []wire.ServerMessage{wire.Pong{}, &wire.Exit{ID: wire.NumberID(1)}}},
		{cause(`[]`), []wire.ServerMessage{failed(died(`"no cause given"`))}},
		{cause(`{"_tag":"Empty"}`), []wire.ServerMessage{failed(died(`"no cause given"`))}},
		{
			cause(`{"left":{"_tag":"Parallel","left":{"_tag":"Die","defect":{"a":1}},"right":{"_tag":"Empty"}},"right":{"_tag":"Interrupt"},"_tag":"Sequential"}`),
			[]wire.ServerMessage{failed(died(`{"a":1}`), interrupted)},
		},
		{cause(`[{"_tag":"Interrupt","fiberId":7},{"_tag":"Interrupt","fiberId":null}]`), []wire.ServerMessage{failed(interrupted)}},
		{
			cause(`[{"_tag":"Fail","error":{"_tag":"IsOfflineError","x":1}}]`),
			[]wire.ServerMessage{failed(wire.Reason{Kind: wire.Fail, Err: &wire.UnknownError{Cause: jsontext.Value(`{"_tag":"IsOfflineError","x":1}`)}})},
		},
		{
			`{"_tag":"Chunk","requestId":"1","values":[{"batch":[{"metadata":{"_tag":"None"},"eventEncoded":{"name":"n","seqNum":1,"parentSeqNum":0,` +
				`"clientId":"c","sessionId":"s"}}],"pageInfo":{"_tag":"MoreUnknown","x":1},"backendId":"B","x":{}}]}`,
			[]wire.ServerMessage{&wire.Chunk{ID: wire.StringID("1"), Items: []wire.Item{{
				Events: []wire.Event{{Global: event.Global{Name: "n", Args: jsontext.Value("null"), SeqNum: 1, ClientID: "c", SessionID: "s"}}},
				Page:   wire.Page{Kind: wire.MoreUnknown}, BackendID: "B",
			}}}},
		},
	} {
		got, err := wire.DecodeServer([]byte(c.frame))
		if diff := cmp.Diff(c.want, got, ids); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", c.frame, err, diff)
		}
	}
}

func TestAnswersThatAreRefused(t *testing.T) {
	chunk := func(item string) string { return `{"_tag":"Chunk","requestId":0,"values":[` + item + `]}` }
	item := func(batch, page, backend string) string {
		return chunk(`{"batch":` + batch + `,"pageInfo":` + page + `,"backendId":` + backend + `}`)
	}
	noMore := `{"_tag":"NoMore"}`
	for _, c := range []struct{ frame, why string }{
		{``, "EOF"},
		{`null`, "Expected message, got null"},
		{`{"_tag":"ClientProtocolError"}`, "got ClientProtocolError"},
		{`{"_tag":"Defect"}`, `at ["defect"]`},
		{`{"_tag":"Exit","exit":{"_tag":"Success"}}`, `at ["requestId"]`},
		{`{"_tag":"Exit","requestId":0}`, `at ["exit"]`},
		{`{"_tag":"Exit","requestId":0,"exit":{"_tag":"Perhaps"}}`, `at ["exit"]["_tag"]`},
		{`{"_tag":"Exit","requestId":0,"exit":{"_tag":"Failure"}}`, `at ["exit"]["cause"]`},
		{`{"_tag":"Exit","requestId":0,"exit":{"_tag":"Failure","cause":[{"_tag":"Empty"}]}}`, `at ["exit"]["cause"][0]["_tag"]`},
		{`{"_tag":"Exit","requestId":0,"exit":{"_tag":"Failure","cause":{"_tag":"Parallel","left":{"_tag":"Empty"}}}}`, `at ["exit"]["cause"]["right"]`},
		{
			`{"_tag":"Exit","requestId":0,"exit":{"_tag":"Failure","cause":[{"_tag":"Fail","error":{"_tag":"ServerAheadError","minimumExpectedNum":1}}]}}`,
			`["providedNum"]`,
		},
		{`{"_tag":"Chunk","requestId":0,"values":[]}`, "Expected at least one value"},
		{chunk(`7`), `at ["values"][0]`},
		{item(`[]`, noMore, `""`), `at ["values"][0]["backendId"]`},
		{item(`[]`, `{"_tag":"MoreKnown"}`, `"B"`), `at ["values"][0]["pageInfo"]["remaining"]`},
		{item(`[]`, `{"_tag":"MoreKnown","remaining":-1}`, `"B"`), "got -1"},
		{item(`[{"eventEncoded":`+todo1+`}]`, noMore, `"B"`), `at ["values"][0]["batch"][0]["metadata"]`},
		{item(`[{"metadata":{"_tag":"None"}}]`, noMore, `"B"`), `at ["values"][0]["batch"][0]["eventEncoded"]`},
		{item(`[{"eventEncoded":{},"metadata":{"_tag":"None"}}]`, noMore, `"B"`), `["eventEncoded"]["name"]`},
		{item(`[{"eventEncoded":`+todo1+`,"metadata":{"_tag":"Some","value":{"createdAt":1}}}]`, noMore, `"B"`), `["metadata"]["value"]["createdAt"]`},
		{`{"_tag":"Pong","_tag":"Pong"}`, "duplicate"},
		{"{\"_tag\":\"Pong\",\"x\":\"\xff\"}", "UTF-8"},
		{`{"_tag":"Defect","defect":` + strings.Repeat("[", 9500) + strings.Repeat("]", 9500) + `}`, "deeper than 9000"},
	} {
		_, err := wire.DecodeServer([]byte(c.frame))
		if e, ok := errors.AsType[*wire.FrameError](err); !ok || !strings.Contains(e.Why, c.why) {
			t.Errorf("%s\n got %v\nwant %s", c.frame[:min(len(c.frame), 200)], err, c.why)
		}
	}
	messages, err := wire.DecodeServer([]byte(`[{"_tag":"Pong"},{"_tag":"Nope"}]`))
	if len(messages) != 1 || err == nil || !strings.Contains(err.Error(), `at [1]["_tag"]`) {
		t.Errorf("got %v, %v", messages, err)
	}
}

// Metadata that says more than the time, or not as the official backend says it, is kept as it is.
func TestMetadata(t *testing.T) {
	official := `{"_tag":"SyncMessage.SyncMetadata","createdAt":"T"}`
	for _, c := range []struct{ metadata, createdAt, raw string }{
		{official, "T", ""},
		{`{"createdAt":"T","_tag":"SyncMessage.SyncMetadata"}`, "T", ""},
		{`{"createdAt":"T"}`, "T", `{"createdAt":"T"}`},
		{`{"createdAt":"T","_tag":"Other"}`, "T", `{"createdAt":"T","_tag":"Other"}`},
		{`{"x":1,"createdAt":"T","_tag":"SyncMessage.SyncMetadata"}`, "T", `{"x":1,"createdAt":"T","_tag":"SyncMessage.SyncMetadata"}`},
		{`{"createdAt":"T","_tag":"SyncMessage.SyncMetadata","x":1}`, "T", `{"createdAt":"T","_tag":"SyncMessage.SyncMetadata","x":1}`},
		{`{"_tag":"SyncMessage.SyncMetadata","createdAt":""}`, "", `{"_tag":"SyncMessage.SyncMetadata","createdAt":""}`},
		{`{}`, "", `{}`},
	} {
		frame := `{"_tag":"Chunk","requestId":0,"values":[{"batch":[{"eventEncoded":` + todo1 + `,"metadata":{"_tag":"Some","value":` +
			c.metadata + `}}],"pageInfo":{"_tag":"NoMore"},"backendId":"B"}]}`
		got, err := wire.DecodeServer([]byte(frame))
		if err != nil {
			t.Errorf("%s: %v", c.metadata, err)
			continue
		}
		if e := got[0].(*wire.Chunk).Items[0].Events[0]; e.CreatedAt != c.createdAt || string(e.Metadata) != c.raw {
			t.Errorf("%s: %q %s", c.metadata, e.CreatedAt, e.Metadata)
		}
		if again := string(wire.AppendServer(nil, got[0])); c.raw != "" && again != frame {
			t.Errorf("got %s\nwant %s", again, frame)
		}
	}
}

// A tree of causes as deep as a frame may be is read in one pass.
func TestDeepCause(t *testing.T) {
	const depth = 8_000
	frame := `{"_tag":"Exit","requestId":"0","exit":{"_tag":"Failure","cause":` + strings.Repeat(`{"_tag":"Sequential","left":`, depth) +
		`{"_tag":"Empty"}` + strings.Repeat(`,"right":{"_tag":"Die","defect":1}}`, depth) + `}}`
	messages, err := wire.DecodeServer([]byte(frame))
	if err != nil {
		t.Fatal(err)
	}
	e := messages[0].(*wire.Exit)
	if len(e.Failure) != 64 {
		t.Errorf("%d reasons", len(e.Failure))
	}
	if back, err := wire.DecodeServer(wire.AppendServer(nil, e)); err != nil || cmp.Diff(messages, back, ids) != "" {
		t.Error(err)
	}
}

func drawEvent(t *rapid.T) wire.Event {
	e := wire.Event{Global: drawGlobal(t)}
	if rapid.Bool().Draw(t, "has time") {
		e.CreatedAt = text.Draw(t, "createdAt")
	}
	return e
}

func drawItem(t *rapid.T) wire.Item {
	i := wire.Item{BackendID: "B" + text.Draw(t, "backend")}
	i.Page.Kind = rapid.SampledFrom([]wire.PageKind{wire.NoMore, wire.MoreKnown, wire.MoreUnknown}).Draw(t, "page")
	if i.Page.Kind == wire.MoreKnown {
		i.Page.Remaining = int(number.Draw(t, "remaining"))
	}
	for range rapid.IntRange(0, 4).Draw(t, "events") {
		i.Events = append(i.Events, drawEvent(t))
	}
	return i
}

func TestServerMessagesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id, _ := drawID(t)
		var m wire.ServerMessage
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 0:
			c := &wire.Chunk{ID: id}
			for range rapid.IntRange(1, 3).Draw(t, "items") {
				c.Items = append(c.Items, drawItem(t))
			}
			m = c
		case 1:
			e := &wire.Exit{ID: id}
			for range rapid.IntRange(0, 4).Draw(t, "reasons") {
				switch rapid.IntRange(0, 4).Draw(t, "reason") {
				case 0:
					e.Failure = append(e.Failure, fails(&wire.ServerAheadError{number.Draw(t, "head"), number.Draw(t, "parent")})...)
				case 1:
					e.Failure = append(e.Failure, fails(&wire.BackendIDMismatchError{text.Draw(t, "ours"), text.Draw(t, "theirs")})...)
				case 2:
					e.Failure = append(e.Failure, fails(&wire.UnknownError{value.Draw(t, "cause"), text.Draw(t, "note"), value.Draw(t, "payload")})...)
				case 3:
					e.Failure = append(e.Failure, wire.Reason{Kind: wire.Die, Defect: value.Draw(t, "defect")})
				default:
					if n := len(e.Failure); n == 0 || e.Failure[n-1].Kind != wire.Interrupted {
						e.Failure = append(e.Failure, wire.Reason{Kind: wire.Interrupted})
					}
				}
			}
			if v := value.Draw(t, "value"); len(e.Failure) == 0 && string(v) != "null" {
				e.Value = v
			}
			m = e
		default:
			m = &wire.Defect{Defect: value.Draw(t, "defect")}
		}
		frame := wire.AppendServer(nil, m)
		got, err := wire.DecodeServer(frame)
		if diff := cmp.Diff([]wire.ServerMessage{m}, got, ids); err != nil || diff != "" {
			t.Fatalf("%s: %v\n%s", frame, err, diff)
		}
	})
}
