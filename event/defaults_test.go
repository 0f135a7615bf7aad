package event_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
)

type planned struct {
	Text     string            `json:"text"`
	Priority int               `json:"priority"`
	Tags     []string          `json:"tags"`
	Colors   map[string]string `json:"colors"`
	Due      *time.Time        `json:"due"`
	Size     plannedSize       `json:"size"`
	plannedBase
}

type plannedBase struct {
	Owner string `json:"owner"`
}

type plannedSize struct{ W, H int }

var (
	plannedTags   = []string{"inbox", "new"}
	plannedColors = map[string]string{"inbox": "blue"}
	plannedDue    = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
)

func (e *planned) SetDefaults() {
	e.Priority, e.Tags, e.Colors, e.Due, e.Size, e.Owner = 3, plannedTags, plannedColors, &plannedDue, plannedSize{1, 2}, "me"
}

// A member that an old event lacks has its default; what an event has replaces it as a whole; and no event changes a default.
func TestDefaults(t *testing.T) {
	def := event.Synced[planned]("v1.Planned")
	if err := def.Definition().Err(); err != nil {
		t.Fatal(err)
	}
	all := planned{Text: "x"}
	all.SetDefaults()
	for args, change := range map[string]func(*planned){
		`{"text":"x"}`:                                func(*planned) {},
		`{"text":"x","priority":0}`:                   func(p *planned) { p.Priority = 0 },
		`{"text":"x","priority":null}`:                func(p *planned) { p.Priority = 0 },
		`{"text":"x","tags":["a"]}`:                   func(p *planned) { p.Tags = []string{"a"} },
		`{"text":"x","tags":[]}`:                      func(p *planned) { p.Tags = []string{} },
		`{"text":"x","colors":{"a":"red"}}`:           func(p *planned) { p.Colors = map[string]string{"a": "red"} },
		`{"text":"x","size":{"H":7}}`:                 func(p *planned) { p.Size = plannedSize{0, 7} },
		`{"text":"x","due":null}`:                     func(p *planned) { p.Due = nil },
		`{"text":"x","due":"2031-01-01T00:00:00Z"}`:   func(p *planned) { d := time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC); p.Due = &d },
		`{"owner":"you","text":"x"}`:                  func(p *planned) { p.Owner = "you" },
		`{"text":"x","unknown":{"priority":[1,2,3]}}`: func(*planned) {},
	} {
		want := all
		change(&want)
		for range 2 {
			if got, err := def.Decode(jsontext.Value(args)); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s reads as %+v, %v, want %+v", args, got, err, want)
			}
		}
		byPointer := event.Synced[*planned]("v1.Planned")
		if got, err := byPointer.Decode(jsontext.Value(args)); err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s reads as %+v, %v, want %+v", args, got, err, want)
		}
	}
	if strings.Join(plannedTags, " ") != "inbox new" || len(plannedColors) != 1 || plannedDue.Year() != 2030 {
		t.Errorf("the defaults are %v, %v, %v now", plannedTags, plannedColors, plannedDue)
	}
}

// What is committed is what was given: defaults are for what is missing.
func TestDefaultsAreNotCommitted(t *testing.T) {
	def := event.Synced[planned]("v1.Planned")
	args, err := def.New(planned{Text: "x"}).Args("s")
	if want := `{"text":"x","priority":0,"tags":[],"colors":{},"due":null,"size":{"W":0,"H":0},"owner":""}`; err != nil || string(args) != want {
		t.Errorf("got %s, %v, want %s", args, err, want)
	}
	got, err := def.Decode(args)
	if err != nil || got.Priority != 0 || got.Due != nil || len(got.Tags) > 0 || got.Owner != "" {
		t.Errorf("%s comes back as %+v, %v", args, got, err)
	}
	raw := jsontext.Value(`{ "text": "x", "gone": 1 }`)
	if args, err := event.Raw(def.Definition(), raw).Args("s"); err != nil || string(args) != string(raw) {
		t.Errorf("encoded arguments become %s, %v", args, err)
	}
}

func TestDefaultsByName(t *testing.T) {
	var got []string
	all := event.Synced[*planned]("v1.Planned").Definition().Defaults()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		got = append(got, name+"="+string(all[name]))
	}
	want := `colors={"inbox":"blue"} due="2030-01-02T03:04:05Z" owner="me" priority=3 size={"W":1,"H":2} tags=["inbox","new"]`
	if s := strings.Join(got, " "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
	if d := ratedV1.Definition().Defaults(); d != nil {
		t.Errorf("what has no defaults has %v", d)
	}
}

type hidden struct {
	Priority int    `json:"priority,omitzero"`
	Text     string `json:"text,omitempty"`
}

func (h *hidden) SetDefaults() { h.Priority = 1 }

type byValue struct{ N int }

func (byValue) SetDefaults() {}

// Defaults that could not hold are refused when a schema is made.
func TestDefaultsThatCanNotBe(t *testing.T) {
	for says, d := range map[string]*event.Definition{
		"left out when it is zero":                                                        event.Synced[hidden]("v1.Hidden").Definition(),
		"SetDefaults of event_test.byValue has no pointer":                                event.Synced[byValue]("v1.ByValue").Definition(),
		"no pointer receiver, so what it sets is lost: declare it on *event_test.byValue": event.Synced[*byValue]("v1.ByValue").Definition(),
	} {
		if err := d.Err(); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), d.Name()) {
			t.Errorf("%s: got %v, want %s", d.Name(), err, says)
		}
	}
}
