package event_test

import (
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/livestore-go/livestore/event"
)

func TestScopeString(t *testing.T) {
	if event.ScopeSynced.String() != "synced" || event.ScopeClientOnly.String() != "client-only" {
		t.Errorf("got %s and %s", event.ScopeSynced, event.ScopeClientOnly)
	}
}

func TestIdentity(t *testing.T) {
	var none event.ID
	if !none.IsZero() || !none.Commit.IsZero() || none.String() != "-" || none.Commit.String() != "-" {
		t.Errorf("an event that is not from here is %s of commit %s", none, none.Commit)
	}
	id := event.ID{Commit: event.CommitID{Journal: "j1", Ordinal: 7}, Index: 2}
	if id.IsZero() || id.Commit.IsZero() || id.String() != "j1/7#2" || id.Commit.String() != "j1/7" {
		t.Errorf("got %s of commit %s", id, id.Commit)
	}
	if first := (event.ID{Commit: id.Commit}); first.IsZero() || first.String() != "j1/7#0" {
		t.Errorf("the first event of a commit is %s", first)
	}
}

func own() event.Client {
	return event.Client{
		Num: event.SeqNum{Global: 6, Generation: 2}, Parent: event.SeqNum{Global: 5},
		Name: "v1.TodoCreated", Args: jsontext.Value(`{"id":"1","n":1}`), ClientID: "c1", SessionID: "s1",
		ID:    event.ID{Commit: event.CommitID{Journal: "j", Ordinal: 3}, Index: 1},
		Cause: "retry j/1", SchemaHash: "h", SyncMeta: jsontext.Value(`{"createdAt":"2026-11-23"}`),
	}
}

// On the wire an event has its global number only, and what comes back is confirmed and without identity.
func TestWireShape(t *testing.T) {
	g := own().Global()
	want := event.Global{
		Name: "v1.TodoCreated", Args: jsontext.Value(`{"id":"1","n":1}`), SeqNum: 6, ParentSeqNum: 5, ClientID: "c1", SessionID: "s1",
	}
	if diff := cmp.Diff(want, g); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	back := event.Client{
		Num: event.SeqNum{Global: 6}, Parent: event.SeqNum{Global: 5},
		Name: "v1.TodoCreated", Args: jsontext.Value(`{"id":"1","n":1}`), ClientID: "c1", SessionID: "s1",
	}
	if diff := cmp.Diff(back, g.Client()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	raw, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	const text = `{"name":"v1.TodoCreated","args":{"id":"1","n":1},"seqNum":6,"parentSeqNum":5,"clientId":"c1","sessionId":"s1"}`
	if string(raw) != text {
		t.Errorf("got  %s\nwant %s", raw, text)
	}
}

// Client events cross the link between session and leader as JSON, with everything they have.
func TestClientShapeSurvivesJSON(t *testing.T) {
	for _, e := range []event.Client{own(), own().Global().Client()} {
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var got event.Client
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, got); diff != "" {
			t.Errorf("%s (-sent +received)\n%s", raw, diff)
		}
	}
}

func TestGlobalEqual(t *testing.T) {
	e := own().Global()
	for name, c := range map[string]struct {
		change func(*event.Global)
		equal  bool
	}{
		"the same":            {func(*event.Global) {}, true},
		"members reordered":   {func(g *event.Global) { g.Args = jsontext.Value(`{"n":1,"id":"1"}`) }, true},
		"space":               {func(g *event.Global) { g.Args = jsontext.Value("{ \"id\" : \"1\",\n\t\"n\": 1 }") }, true},
		"number spelled 1.0":  {func(g *event.Global) { g.Args = jsontext.Value(`{"id":"1","n":1.0}`) }, true},
		"number spelled 1e0":  {func(g *event.Global) { g.Args = jsontext.Value(`{"id":"1","n":1e0}`) }, true},
		"text escaped":        {func(g *event.Global) { g.Args = jsontext.Value(`{"id":"\u0031","n":1}`) }, true},
		"another value":       {func(g *event.Global) { g.Args = jsontext.Value(`{"id":"1","n":2}`) }, false},
		"another type":        {func(g *event.Global) { g.Args = jsontext.Value(`{"id":"1","n":"1"}`) }, false},
		"a member more":       {func(g *event.Global) { g.Args = jsontext.Value(`{"id":"1","n":1,"m":null}`) }, false},
		"a member less":       {func(g *event.Global) { g.Args = jsontext.Value(`{"id":"1"}`) }, false},
		"malformed arguments": {func(g *event.Global) { g.Args = jsontext.Value(`{"id":"1","n":`) }, false},
		"no arguments":        {func(g *event.Global) { g.Args = nil }, false},
		"name":                {func(g *event.Global) { g.Name = "v2.TodoCreated" }, false},
		"number":              {func(g *event.Global) { g.SeqNum++ }, false},
		"parent":              {func(g *event.Global) { g.ParentSeqNum-- }, false},
		"client":              {func(g *event.Global) { g.ClientID = "c2" }, false},
		"session":             {func(g *event.Global) { g.SessionID = "s2" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := e
			c.change(&o)
			args, before := string(e.Args), string(o.Args)
			if e.Equal(o) != c.equal || o.Equal(e) != c.equal {
				t.Errorf("%s and %s: equal %v and %v, want %v", e.Args, o.Args, e.Equal(o), o.Equal(e), c.equal)
			}
			if string(e.Args) != args || string(o.Args) != before {
				t.Errorf("comparing changed the arguments to %s and %s", e.Args, o.Args)
			}
		})
	}
	broken, again := event.Global{Args: jsontext.Value(`{`)}, event.Global{Args: jsontext.Value(`{`)}
	if !broken.Equal(again) {
		t.Error("the same malformed arguments are not the same")
	}
}
