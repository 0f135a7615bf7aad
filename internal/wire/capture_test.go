package wire_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/livestore-go/livestore/internal/wire"
)

// line is a line of a capture: a frame, a query or a note.
type line struct {
	Dir, Text, Query, Note, Probe string
}

func captures(t testing.TB) map[string][]line {
	t.Helper()
	files, err := filepath.Glob("testdata/captures/*.jsonl")
	if err != nil || len(files) != 26 {
		t.Fatalf("captures: %v %v", files, err)
	}
	all := map[string][]line{}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s := bufio.NewScanner(bytes.NewReader(data))
		s.Buffer(nil, 1<<20)
		for s.Scan() {
			var l line
			if err := json.Unmarshal(s.Bytes(), &l); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			all[filepath.Base(name)] = append(all[filepath.Base(name)], l)
		}
		if s.Err() != nil {
			t.Fatal(s.Err())
		}
	}
	return all
}

// malformed are the frames of the probes that a server has to refuse, by a part of their text. The answer is what a server sends:
// to the connection when it is a Defect, else to the request.
var malformed = []struct{ part, answer string }{
	{`{not json`, `{"_tag":"Defect","defect":{"name":"SyntaxError",`},
	{`{nope`, `{"_tag":"Defect","defect":{"name":"SyntaxError",`},
	{`null`, `{"_tag":"Defect","defect":"Expected message, got null"}`},
	{`{"_tag":"Nope"}`, `{"_tag":"Defect","defect":"Unknown request tag: Nope"}`},
	{`{"foo":1}`, `{"_tag":"Defect","defect":"Unknown request tag: undefined"}`},
	{`"tag":"SyncWsRpc.Nope"`, `{"_tag":"Defect","defect":"Unknown request tag: SyncWsRpc.Nope"}`},
	{`"tag":"SyncHttpRpc.Nope"`, `{"_tag":"Defect","defect":"Unknown request tag: SyncHttpRpc.Nope"}`},
	{
		`"id":"6","tag":"SyncWsRpc.Pull","payload":{"storeId":"raw-mwskffnx-4","live":false}`,
		`{"_tag":"Exit","requestId":"6","exit":{"_tag":"Failure","cause":{"_tag":"Die","defect":"Missing key\n  at [\"cursor\"]"}}}`,
	},
	{
		`"id":"7","tag":"SyncWsRpc.Pull","payload":{"storeId":"raw-mwskffnx-4","cursor":{"_tag":"None"}}`,
		`{"_tag":"Exit","requestId":"7","exit":{"_tag":"Failure","cause":{"_tag":"Die","defect":"Missing key\n  at [\"live\"]"}}}`,
	},
	{
		`"eventSequenceNumber":1.5`,
		`{"_tag":"Exit","requestId":"9","exit":{"_tag":"Failure","cause":{"_tag":"Die","defect":"Expected integer between 0 and ` +
			`9007199254740991, got 1.5\n  at [\"cursor\"][\"value\"][\"eventSequenceNumber\"]"}}}`,
	},
	{
		`"id":"13","tag":"SyncHttpRpc.Pull","payload":{"storeId":"rawh-mwskffnx-30"}`,
		`{"_tag":"Exit","requestId":"13","exit":{"_tag":"Failure","cause":{"_tag":"Die","defect":"Missing key\n  at [\"cursor\"]"}}}`,
	},
}

func TestFramesOfClientsSurvive(t *testing.T) {
	refused := map[string]int{}
	for file, lines := range captures(t) {
		for n, l := range lines {
			if l.Dir != "c2s" {
				continue
			}
			messages, err := wire.DecodeClient([]byte(l.Text))
			if want := refusal(l.Text); want != "" {
				refused[want]++
				if got := answer(err); !strings.HasPrefix(got, want) || len(messages) > 0 {
					t.Errorf("%s:%d: %s\n got %s\nwant %s", file, n+1, l.Text, got, want)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s:%d: %s\n%v", file, n+1, l.Text, err)
				continue
			}
			var again [][]byte
			for _, m := range messages {
				d := wire.E3
				if strings.Contains(l.Text, `"payload":null`) {
					d = wire.E4
				}
				again = append(again, wire.AppendClient(nil, d, m))
			}
			same(t, file, n, l.Text, again, asClient)
		}
	}
	for _, m := range malformed {
		if refused[m.answer] == 0 {
			t.Errorf("no capture holds %s", m.part)
		}
	}
}

// refusal returns the answer a frame deserves, if it is malformed. Store ids differ between the probes of the two backends.
func refusal(text string) string {
	text = strings.NewReplacer(`mwsklme7-4"`, `mwskffnx-4"`, "mwsklme7-36", "mwskffnx-30").Replace(text)
	for _, m := range malformed {
		if text == m.part || len(m.part) > 10 && strings.Contains(text, m.part) {
			return m.answer
		}
	}
	return ""
}

// answer returns what a server sends for an error.
func answer(err error) string {
	if e, ok := errors.AsType[*wire.FrameError](err); ok {
		return string(wire.AppendServer(nil, e.Message()))
	}
	if e, ok := errors.AsType[*wire.RequestError](err); ok {
		return string(wire.AppendServer(nil, e.Message()))
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestFramesOfServersSurvive(t *testing.T) {
	for file, lines := range captures(t) {
		for n, l := range lines {
			if l.Dir != "s2c" {
				continue
			}
			messages, err := wire.DecodeServer([]byte(l.Text))
			if err != nil {
				t.Errorf("%s:%d: %s\n%v", file, n+1, l.Text, err)
				continue
			}
			var again [][]byte
			for _, m := range messages {
				again = append(again, wire.AppendServer(nil, m))
			}
			same(t, file, n, l.Text, again, asServer)
		}
	}
}

func TestQueriesSurvive(t *testing.T) {
	refused := map[string]string{ // the parameter that is wrong, by the probe's query
		"":                                       "storeId",
		"storeId=a&storeId=b&transport=ws":       "storeId",
		"transport=ws":                           "storeId",
		"storeId=x":                              "transport",
		"storeId=x&transport=ws&payload=notjson": "payload",
		"storeId=x&transport=foo":                "transport",
	}
	seen := 0
	for file, lines := range captures(t) {
		for n, l := range lines {
			if l.Query == "" && l.Probe != "no-params" {
				continue
			}
			v, err := url.ParseQuery(l.Query)
			if err != nil {
				t.Fatal(err)
			}
			q, err := wire.ParseQuery(v)
			if param, bad := refused[l.Query]; bad {
				seen++
				if e, ok := errors.AsType[*wire.QueryError](err); !ok || e.Param != param {
					t.Errorf("%s:%d: %s: %v", file, n+1, l.Query, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s:%d: %s: %v", file, n+1, l.Query, err)
				continue
			}
			if l.Probe == "" && q.Encode() != l.Query {
				t.Errorf("%s:%d:\n got %s\nwant %s", file, n+1, q.Encode(), l.Query)
			}
		}
	}
	if seen == 0 {
		t.Error("no probe of a query that is refused")
	}
}

// same compares a frame with the messages that were read from it and written again, as JSON.
func same(t *testing.T, file string, n int, text string, again [][]byte, normal func(map[string]any)) {
	t.Helper()
	want := parse(t, []byte(text))
	if _, array := want.([]any); !array {
		want = []any{want}
	}
	got := []any{}
	for _, frame := range again {
		got = append(got, parse(t, frame))
	}
	for _, side := range [][]any{want.([]any), got} {
		for _, m := range side {
			normal(m.(map[string]any))
		}
	}
	if diff := cmp.Diff(want, any(got)); diff != "" {
		t.Errorf("%s:%d: (-captured +written)\n%s", file, n+1, diff)
	}
}

func parse(t *testing.T, b []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return v
}

// asClient takes away what a message of a client may lose: tracing, headers, a payload of null in dialect E3, and the
// difference between null arguments and none.
func asClient(m map[string]any) {
	for _, key := range []string{"traceId", "spanId", "sampled", "headers"} {
		delete(m, key)
	}
	if m["id"] == "007" {
		m["id"] = "7"
	}
	payload, _ := m["payload"].(map[string]any)
	if _, text := m["id"].(string); text && payload["payload"] == nil {
		delete(payload, "payload")
	}
	batch, _ := payload["batch"].([]any)
	for _, e := range batch {
		e := e.(map[string]any)
		delete(e, "foo") // a probe with a key nobody knows
		if _, has := e["args"]; !has {
			e["args"] = nil
		}
	}
}

// asServer brings the two ways of both dialects to write the end of a request to one.
func asServer(m map[string]any) {
	if m["requestId"] == "007" {
		m["requestId"] = "7"
	}
	exit, ok := m["exit"].(map[string]any)
	if !ok {
		return
	}
	if _, has := exit["value"]; exit["_tag"] == "Success" && !has {
		exit["value"] = nil
	}
	if exit["_tag"] == "Failure" {
		exit["cause"] = leaves(exit["cause"])
	}
}

// leaves returns the reasons in a cause, without the fibers and once for all interruptions in a row.
func leaves(cause any) (all []any) {
	switch c := cause.(type) {
	case []any:
		for _, r := range c {
			all = append(all, leaves(r)...)
		}
	case map[string]any:
		switch c["_tag"] {
		case "Empty":
		case "Sequential", "Parallel":
			all = append(leaves(c["left"]), leaves(c["right"])...)
		case "Interrupt":
			all = []any{"interrupted"}
		default:
			all = []any{c}
		}
	}
	for i := len(all) - 1; i > 0; i-- {
		if all[i] == "interrupted" && all[i-1] == "interrupted" {
			all = append(all[:i], all[i+1:]...)
		}
	}
	return all
}
