package state_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/state"
)

type Panel struct {
	Width int  `json:"width,omitzero"`
	Open  bool `json:"open"`
}

type Common struct {
	Theme string `json:"theme,omitempty"`
}

type Settings struct {
	Common
	Filter string         `json:"filter"`
	Draft  string         `json:"draft,omitempty"`
	Panel  Panel          `json:"panel"`
	Tags   []string       `json:"tags"`
	Sizes  map[string]int `json:"sizes"`
	Big    int64          `json:"big,string"`
	At     *time.Time     `json:"at"`
	Plain  int64
	Skip   string `json:"-"`
	secret int
}

func standard() Settings {
	return Settings{
		Common: Common{"dark"}, Filter: "all", Draft: "hello", Panel: Panel{100, true}, Tags: []string{"a"},
		Sizes: map[string]int{"x": 1}, Big: 1 << 60, Plain: 1,
	}
}

var settings = state.NewDocument("settings", standard())

func TestDocuments(t *testing.T) {
	e := open(t, settings)
	r := settings.Row
	equal := func(when, id string, want Settings) {
		t.Helper()
		if diff := cmp.Diff(want, get(e, settings.Get(id)), cmp.AllowUnexported(Settings{})); diff != "" {
			t.Errorf("%s: %s", when, diff)
		}
	}
	equal("never set", "a", standard())

	e.commit(settings.Patch("a", state.Set(&r.Filter, "done"), state.Set(&r.Panel, Panel{0, false}), state.Set(&r.Big, 1<<61)))
	want := standard()
	want.Filter, want.Panel, want.Big = "done", Panel{}, 1<<61
	equal("patched", "a", want)
	equal("another one", "b", standard())

	e.commit(settings.Patch("a", state.Set(&r.Theme, "light"), state.Set(&r.Sizes, map[string]int{"y": 2}), state.Set(&r.At, new(day(1)))))
	want.Theme, want.Sizes, want.At = "light", map[string]int{"y": 2}, new(day(1))
	equal("patched again", "a", want)

	// What omitempty leaves out is zero, not the default.
	e.commit(settings.Patch("a", state.Set(&r.Draft, ""), state.Set(&r.Theme, "")))
	want.Draft, want.Theme = "", ""
	equal("patched to zero", "a", want)
	e.commit(settings.Set("b", Settings{}))
	equal("set to zero", "b", Settings{Tags: []string{}, Sizes: map[string]int{}})

	e.commit(settings.Set("a", standard()))
	equal("set", "a", standard())
	e.commit(settings.Patch("a"))
	equal("patched with nothing", "a", standard())
}

func TestDocumentOfTheSession(t *testing.T) {
	e := open(t, settings)
	e.commit(settings.Patch(state.SessionID, state.Set(&settings.Row.Filter, "mine")))
	for name, q := range map[string]state.Query[Settings]{
		"by session": settings.Get(state.SessionID), "by id": settings.Get("session"), "as it is": settings,
	} {
		if got := get(e, q); got.Filter != "mine" {
			t.Errorf("%s: read %v", name, got)
		}
	}
	if s, err := settings.Statement("other"); err != nil || s.Args[0] != "other" {
		t.Errorf("bound %v, %v", s, err)
	}
	fixed := state.NewDocument("fixed", 7, state.DefaultID("main"))
	if s, err := fixed.Statement("other"); err != nil || s.Args[0] != "main" {
		t.Errorf("bound %v, %v", s, err)
	}
}

func TestEventsOfDocuments(t *testing.T) {
	r := settings.Row
	for want, d := range map[string]event.Draft{
		`settingsPatched {"id":"me","value":{"filter":"x","big":"7","theme":null}}`: settings.Patch(
			state.SessionID, state.Set(&r.Filter, "x"), state.Set(&r.Big, 7), state.Set(&r.Theme, "")),
		`settingsPatched {"id":"a","value":{}}`: settings.Patch("a"),
		`settingsPatched {"id":"a","value":{"at":null,"Plain":3,"panel":{"open":true}}}`: settings.Patch(
			"a", state.Set(&r.At, nil), state.Set(&r.Plain, 3), state.Set(&r.Panel, Panel{Open: true})),
		`settingsSet {"id":"a","value":{"filter":"f","panel":{"open":false},"tags":[],"sizes":{"a":1,"b":2},"big":"0","at":null,` +
			`"Plain":0,"theme":null,"draft":null}}`: settings.Set("a", Settings{Filter: "f", Sizes: map[string]int{"b": 2, "a": 1}}),
		`numberSet {"id":"a","value":3}`: state.NewDocument("number", 1).Set("a", 3),
	} {
		args, err := d.Args("me")
		if got := d.Definition().Name() + " " + string(args); err != nil || got != want {
			t.Errorf("event is\n%s, %v\nwant\n%s", got, err, want)
		}
		if d.Definition().Scope() != event.ScopeClientOnly {
			t.Error("a document would leave the client")
		}
	}
}

func TestStoredDocumentsOfOtherVersions(t *testing.T) {
	e := open(t, settings)
	r := settings.Row
	put := func(json string) {
		e.do(state.Exec("INSERT OR REPLACE INTO settings (id, value) VALUES ('a', ?)", json))
	}
	stored := func() string { return get(e, state.Scalar[string]("SELECT value FROM settings")) }

	put(`{"filter":"old","removed":[1],"sizes":{"z":1}}`)
	want := standard()
	want.Filter, want.Sizes = "old", map[string]int{"z": 1}
	if diff := cmp.Diff(want, get(e, settings.Get("a")), cmp.AllowUnexported(Settings{})); diff != "" {
		t.Errorf("members that are missing or unknown: %s", diff)
	}
	e.commit(settings.Patch("a", state.Set(&r.Plain, 2), state.Set(&r.Filter, "new")))
	if got := stored(); got != `{"filter":"new","removed":[1],"sizes":{"z":1},"Plain":2}` {
		t.Errorf("a patch left %s", got)
	}
	for _, broken := range []string{`{"filter":7}`, `[]`, `null`} {
		put(broken)
		if diff := cmp.Diff(standard(), get(e, settings.Get("a")), cmp.AllowUnexported(Settings{})); diff != "" {
			t.Errorf("%s is not the default: %s", broken, diff)
		}
		e.commit(settings.Patch("a", state.Set(&r.Filter, "new")))
		if got := stored(); !strings.Contains(got, `"filter":"new"`) {
			t.Errorf("a patch of %s left %s", broken, got)
		}
	}
}

// Reading a value must not write into what the default refers to.
func TestTheDefaultStaysAsItIs(t *testing.T) {
	e := open(t, settings)
	e.commit(settings.Patch("a", state.Set(&settings.Row.Sizes, map[string]int{"x": 2, "y": 3}), state.Set(&settings.Row.Tags, []string{"z"})))
	get(e, settings.Get("a"))
	if diff := cmp.Diff(standard(), get(e, settings.Get("b")), cmp.AllowUnexported(Settings{})); diff != "" {
		t.Error(diff)
	}
}

func TestDocumentsThatAreNoStructs(t *testing.T) {
	numbers := state.NewDocument("numbers", map[string]int{"a": 1})
	stamp := state.NewDocument("stamp", day(1))
	text := state.NewDocument("text", "x")
	e := open(t, numbers, stamp, text)
	e.commit(numbers.Set("n", map[string]int{"b": 2}))
	e.commit(stamp.Set("n", day(2)))
	e.commit(text.Set("n", ""))
	if diff := cmp.Diff(map[string]int{"b": 2}, get(e, numbers.Get("n"))); diff != "" {
		t.Error(diff)
	}
	if got := get(e, stamp.Get("n")); !got.Equal(day(2)) {
		t.Error(got)
	}
	if got := get(e, text.Get("n")); got != "" {
		t.Error(got)
	}
	if got := get(e, text.Get("never")); got != "x" {
		t.Error(got)
	}
	_, err := numbers.Patch("n").Args("")
	if err == nil || !strings.Contains(err.Error(), "Patch needs a struct") {
		t.Error(err)
	}
}

type strict struct {
	N int64 `json:"n"`
}

func (s strict) Validate() error {
	if s.N < 0 {
		return errors.New("n is negative")
	}
	return nil
}

func TestWrongDocuments(t *testing.T) {
	r := settings.Row
	doc := state.NewDocument("strict", strict{})
	patch := func(sets ...state.Assignment) event.Draft { return settings.Patch("a", sets...) }
	const patched = `event settingsPatched: argument /value: document "settings": `
	for want, d := range map[string]event.Draft{
		patched + `the address, a *string, is none of its fields`:                   patch(state.Set(new(""), "x")),
		patched + `field Skip is no member of the value's top level`:                patch(state.Set(&r.Skip, "x")),
		patched + `field secret is no member`:                                       patch(state.Set(&r.secret, 1)),
		patched + `field Panel.Open is no member`:                                   patch(state.Set(&r.Panel.Open, true)),
		patched + `member "filter" is set twice`:                                    patch(state.Set(&r.Filter, ""), state.Set(&r.Filter, "")),
		patched + `an assignment is empty`:                                          patch(state.Assignment{}),
		patched + `Patch takes values only`:                                         patch(state.SetSQL(&r.Filter, "1")),
		`event settingsPatched: argument /value: json`:                              patch(state.Set(&r.Filter, "\xff")),
		`event settingsSet: argument /value: json`:                                  settings.Set("a", Settings{Filter: "\xff"}),
		`event settingsSet: argument /id: json`:                                     settings.Set("\xff", Settings{}),
		`event settingsPatched: argument /value/Plain: number 9007199254740993 can`: patch(state.Set(&r.Plain, 1<<53+1)),
		`event strictSet: argument /value: n is negative`:                           doc.Set("a", strict{-1}),
		`event strictSet: argument /value/n: number 9007199254740993 can`:           doc.Set("a", strict{1<<53 + 1}),
	} {
		_, err := d.Args("session")
		if ae, ok := errors.AsType[*event.ArgsError](err); !ok || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error is %v (%v)\nwant %s", err, ae, want)
		}
	}
	if _, err := settings.Get("\xff").Statement(""); !errors.Is(err, state.ErrInvalidUTF8) {
		t.Errorf("error is %v", err)
	}
	for want, p := range map[string]state.Part{
		`table "sqlite_doc": name "sqlite_doc" begins with sqlite_`: state.NewDocument("sqlite_doc", 1),
		`table "fn": the default of the document: json`:             state.NewDocument("fn", func() {}),
		`table "neg": the default of the document: n is negative`:   state.NewDocument("neg", strict{-1}),
		`table "nil": an option is nil`:                             state.NewDocument("nil", 1, nil),
	} {
		if _, err := state.NewSchema(p); err == nil || !strings.HasPrefix(err.Error(), "schema: "+want) {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
	if _, err := state.NewDocument("fn", func() {}).Get("a").Statement(""); err == nil {
		t.Error("a document without a default was read")
	}
}

// A new default reads the same whether state was kept or is derived anew.
func TestADefaultIsNotStored(t *testing.T) {
	type view struct {
		Filter string `json:"filter"`
		Size   int    `json:"size"`
	}
	before, after := state.NewDocument("view", view{"all", 10}), state.NewDocument("view", view{"all", 20})
	if state.MustSchema(before).Hash() != state.MustSchema(after).Hash() {
		t.Fatal("the default is in the hash")
	}
	e := open(t, before)
	e.commit(before.Patch("a", state.Set(&before.Row.Filter, "done")))
	if got := get(e, state.Scalar[string]("SELECT value FROM view")); got != `{"filter":"done"}` {
		t.Errorf("stored %s", got)
	}
	if got := get(e, after.Get("a")); got != (view{"done", 20}) {
		t.Errorf("read %v", got)
	}
}

type percent int

func (p percent) Validate() error {
	if p > 100 {
		return errors.New("is more than 100")
	}
	return nil
}

type span struct {
	From  int      `json:"from"`
	To    int      `json:"to"`
	Zoom  percent  `json:"zoom"`
	Other *percent `json:"other"`
}

func (s *span) Validate() error {
	if s.From > s.To {
		return errors.New("from is after to")
	}
	return nil
}

func TestPatchesAreValidated(t *testing.T) {
	doc := state.NewDocument("span", span{From: 0, To: 10})
	e := open(t, doc)
	r := doc.Row
	for want, d := range map[string]event.Draft{
		`event spanPatched: argument /value: from is after to`: doc.Patch("a", state.Set(&r.From, 11)),
		`event spanPatched: argument /value: document "span": member "zoom": is more than 100`: doc.Patch(
			"a", state.Set(&r.Zoom, 101)),
		`event spanPatched: argument /value: document "span": member "other": is more than 100`: doc.Patch(
			"a", state.Set(&r.Other, new(percent(101)))),
	} {
		err := e.tryCommit(d)
		if _, ok := errors.AsType[*event.ArgsError](err); !ok || err.Error() != want {
			t.Errorf("error is %v\nwant %s", err, want)
		}
	}
	// What the default would refuse is right after another change.
	e.commit(doc.Set("a", span{From: 20, To: 30}))
	e.commit(doc.Patch("a", state.Set(&r.From, 25), state.Set(&r.Other, nil)))
	if got := get(e, doc.Get("a")); got != (span{From: 25, To: 30}) {
		t.Errorf("read %v", got)
	}
}

func TestRawChangesOfDocuments(t *testing.T) {
	doc, number := state.NewDocument("span", span{From: 0, To: 10}), state.NewDocument("number", 1)
	e := open(t, doc, number)
	def := func(name string) *event.Definition {
		d, _ := e.schema.Definition(name)
		return d
	}
	for _, c := range []struct{ name, args, want string }{
		{"spanSet", `{"id":"a"}`, "value is missing"},
		{"spanSet", `{"id":"a","value":[]}`, "is no JSON object"},
		{"spanSet", `{"id":"a","value":null}`, "is no JSON object"},
		{"spanSet", `{"id":"a","value":{"from":"x"}}`, "/from"},
		{"spanSet", `{"id":"a","value":{"from":2,"to":1}}`, "from is after to"},
		{"spanPatched", `{"id":"a"}`, "value is missing"},
		{"spanPatched", `{"id":"a","value":7}`, "is no JSON object"},
		{"spanPatched", `{"id":"a","value":{"from":"x"}}`, "/from"},
		{"spanPatched", `{"id":"a","value":{"zoom":101}}`, `member "zoom": is more than 100`},
		{"spanPatched", `{"id":"a","value":{"from":11}}`, "from is after to"},
		{"numberSet", `{"id":"a","value":"x"}`, "numberSet"},
		{"numberPatched", `{"id":"a","value":{}}`, "needs a struct"},
	} {
		err := e.tryCommit(event.Raw(def(c.name), jsontext.Value(c.args)))
		if _, ok := errors.AsType[*event.ArgsError](err); !ok || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: error is %v, want %s in it", c.name, c.args, err, c.want)
		}
	}
	for _, c := range [][2]string{
		{"spanSet", `{"id":"a","value":{"from":1,"to":3}}`},
		{"spanPatched", `{"id":"a","value":{"to":4,"later":1}}`},
		{"numberSet", `{"id":"a","value":7}`},
	} {
		e.commit(event.Raw(def(c[0]), jsontext.Value(c[1])))
	}
	if got := get(e, doc.Get("a")); got != (span{From: 1, To: 4}) || get(e, number.Get("a")) != 7 {
		t.Errorf("read %v", got)
	}
	// An event of a version in which the value was another is no error: it reads as the default.
	for _, args := range []string{`{"id":"b","value":{"from":"x"}}`, `{"id":"b","value":[]}`} {
		if err := e.schema.Materialize(e, event.Client{Name: "spanSet", Args: jsontext.Value(args)}); err != nil {
			t.Error(err)
		}
		if got := get(e, doc.Get("b")); got != (span{To: 10}) {
			t.Errorf("%s: read %v", args, got)
		}
	}
	err := e.schema.Materialize(e, event.Client{Name: "spanSet", Args: jsontext.Value(`{"id":"b"}`)})
	if _, ok := errors.AsType[*event.ArgsError](err); !ok {
		t.Errorf("error is %v", err)
	}
}
