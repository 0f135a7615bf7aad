package event_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
)

type (
	titledV1 struct {
		Text string `json:"text"`
	}
	titledV2 struct {
		Title string `json:"title"`
	}
	titledV3 struct {
		Title string `json:"title"`
		Words int    `json:"words"`
	}
)

func (e titledV1) Validate() error { return refuseText("v1", e.Text) }

func (e titledV2) Validate() error { return refuseText("v2", e.Title) }

func (e *titledV3) Validate() error { return refuseText("v3", e.Title) }

func refuseText(version, text string) error {
	if strings.Contains(text, "bad in "+version) {
		return errors.New(version + " refuses it")
	}
	return nil
}

var (
	titledByV1 = event.Synced[titledV1]("v1.Titled", event.Deprecated("use v3.Titled"))
	titledByV2 = event.Synced[titledV2]("v2.Titled", event.Upcast(titledByV1, titledToV2))
	titledByV3 = event.Synced[titledV3]("v3.Titled", event.Upcast(titledByV2, titledToV3))
)

func titledToV2(o titledV1) titledV2 { return titledV2{o.Text} }

func titledToV3(o titledV2) titledV3 { return titledV3{o.Title, len(strings.Fields(o.Title))} }

// Old arguments go through the whole chain, and are validated at each step; errors name the event that is in the log.
func TestUpcastChain(t *testing.T) {
	for name, args := range map[string]string{
		"v1.Titled": `{"text":"buy milk"}`, "v2.Titled": `{"title":"buy milk"}`, "v3.Titled": `{"title":"buy milk","words":2}`,
	} {
		got, err := titledByV3.Decoder(name)(jsontext.Value(args))
		if want := (titledV3{"buy milk", 2}); err != nil || got != want {
			t.Errorf("%s %s reads as %+v, %v, want %+v", name, args, got, err, want)
		}
	}
	for says, args := range map[string]string{
		"v1 refuses it": `{"text":"bad in v1"}`, "upcast to v2.Titled: v2 refuses it": `{"text":"bad in v2"}`,
		"upcast to v3.Titled: v3 refuses it": `{"text":"bad in v3"}`,
	} {
		_, err := titledByV3.Decoder("v1.Titled")(jsontext.Value(args))
		checkArgsError(t, err, "v1.Titled", "", says)
	}
	_, err := titledByV3.Decoder("v1.Titled")(jsontext.Value(`{"text":1}`))
	checkArgsError(t, err, "v1.Titled", "/text", "string")
	for _, read := range []func(jsontext.Value) (titledV2, error){
		titledByV2.Decoder("v3.Titled"), titledByV2.Decoder(""), event.Def[titledV2]{}.Decoder(""), event.Def[titledV2]{}.Decoder("v1.Titled"),
	} {
		if read != nil {
			t.Error("a definition reads what it does not upcast")
		}
	}
	var chain []string
	for old, by := range titledByV3.Definition().Upcasts() {
		chain = append(chain, old.Name()+" by "+by.Name())
	}
	if got := strings.Join(chain, ", "); got != "v2.Titled by v3.Titled, v1.Titled by v2.Titled" {
		t.Errorf("got %s", got)
	}
	for range titledByV3.Definition().Upcasts() {
		break
	}
	for _, d := range []*event.Definition{titledByV1.Definition(), titledByV2.Definition(), titledByV3.Definition()} {
		if err := d.Err(); err != nil {
			t.Error(err)
		}
	}
}

// One event may take the place of several.
func TestUpcastOfSeveral(t *testing.T) {
	other := event.Synced[titledV1]("v1.Headed")
	both := event.Synced[titledV2]("v9.Titled", event.Upcast(titledByV1, titledToV2),
		event.Upcast(other, func(o titledV1) titledV2 { return titledV2{"# " + o.Text} }))
	for name, want := range map[string]string{"v1.Titled": "x", "v1.Headed": "# x"} {
		if got, err := both.Decoder(name)(jsontext.Value(`{"text":"x"}`)); err != nil || got.Title != want {
			t.Errorf("%s reads as %+v, %v", name, got, err)
		}
	}
	if err := both.Definition().Err(); err != nil {
		t.Error(err)
	}
}

// Old drafts are encoded as they ever were.
func TestUpcastLeavesOldDraftsAlone(t *testing.T) {
	args, err := titledByV1.New(titledV1{"buy milk"}).Args("s")
	if err != nil || string(args) != `{"text":"buy milk"}` {
		t.Errorf("got %s, %v", args, err)
	}
}

func TestUpcastsThatCanNotBe(t *testing.T) {
	local := event.ClientOnly[titledV1]("v1.Local")
	for says, d := range map[string]*event.Definition{
		"event v2.A: Upcast: the old definition is empty": event.Synced[titledV2]("v2.A",
			event.Upcast(event.Def[titledV1]{}, titledToV2)).Definition(),
		"event v2.A: Upcast of v1.Titled: the function is nil": event.Synced[titledV2]("v2.A",
			event.Upcast[titledV1, titledV2](titledByV1, nil)).Definition(),
		"Upcast of v1.Titled: the function returns event_test.titledV2 and the arguments are event_test.titledV3": event.Synced[titledV3](
			"v2.A", event.Upcast(titledByV1, titledToV2)).Definition(),
		"Upcast of v1.Local: the old one is client-only and this one synced": event.Synced[titledV2]("v2.A",
			event.Upcast(local, titledToV2)).Definition(),
		"the old one is synced and this one client-only": event.ClientOnly[titledV2]("v2.A",
			event.Upcast(titledByV1, titledToV2)).Definition(),
		"both have the name v1.Titled": event.Synced[titledV2]("v1.Titled", event.Upcast(titledByV1, titledToV2)).Definition(),
		"Upcast of v2.Titled: both have the name v1.Titled": event.Synced[titledV3]("v1.Titled", // a cycle can only be made of names
			event.Upcast(titledByV2, titledToV3)).Definition(),
		"events v1.Titled are upcast twice": event.Synced[titledV2]("v9.Titled", event.Upcast(titledByV2, func(o titledV2) titledV2 { return o }),
			event.Upcast(titledByV1, titledToV2)).Definition(),
	} {
		err := d.Err()
		if e, ok := errors.AsType[*event.UpcastError](err); !ok || e.Event != d.Name() || errors.Unwrap(e) == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want an UpcastError: %s", err, says)
		}
	}
	if err := event.Synced[titledV1]("v1.A", nil).Definition().Err(); err == nil || !strings.Contains(err.Error(), "v1.A: an option is nil") {
		t.Errorf("a nil option: %v", err)
	}
}
