package livestoretest_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/livestoretest"
	"github.com/livestore-go/livestore/state"
)

// recorder is a test that remembers its errors.
type recorder struct {
	testing.TB
	said []string
}

func (r *recorder) Helper() {}

func (r *recorder) Error(args ...any) { r.said = append(r.said, fmt.Sprint(args...)) }

func (r *recorder) Errorf(format string, args ...any) {
	r.said = append(r.said, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatal(args ...any) {
	r.Error(args...)
	panic(r)
}

// check runs CheckEvolution and returns what it says.
func check(t *testing.T, update bool, dir string, parts ...state.Part) string {
	t.Helper()
	return checkSchema(t, update, dir, state.MustSchema(parts...))
}

func checkSchema(t *testing.T, update bool, dir string, s *state.Schema) (said string) {
	t.Helper()
	t.Setenv(livestoretest.UpdateEnv, map[bool]string{true: "1"}[update])
	r := &recorder{TB: t}
	defer func() {
		if p := recover(); p != nil && p != any(r) {
			panic(p)
		}
		said = strings.Join(r.said, "\n")
	}()
	livestoretest.CheckEvolution(r, s, dir)
	return ""
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func says(t *testing.T, what, said string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(said, want) {
			t.Errorf("%s:\n%s\nwant it to say: %s", what, said, want)
		}
	}
	if len(wants) == 0 && said != "" {
		t.Errorf("%s:\n%s\nwant nothing", what, said)
	}
}

func of[T any]() state.Part { return state.NoState(event.Synced[T]("v1.Happened")) }

type wide struct {
	I int64 `json:"x"`
}

// What becomes of the arguments of an event, in one member x.
func TestChangesOfAType(t *testing.T) {
	type text struct {
		X string `json:"x"`
	}
	type node struct {
		Name string `json:"name"`
		Sub  []node `json:"sub"`
	}
	type Nodes struct {
		Name string  `json:"name"`
		Sub  []Nodes `json:"sub"`
		More string  `json:"more"`
	}
	type branch struct {
		Name int      `json:"name"`
		Sub  []branch `json:"sub"`
	}
	const same, fits, breaks = "same", "fits", "breaks"
	for name, c := range map[string]struct {
		old, now state.Part
		is       string
		says     []string
	}{
		"nothing": {of[text](), of[struct {
			Other string `json:"x"`
		}](), same, nil},
		"order":        {of[struct{ A, B int }](), of[struct{ B, A int }](), same, nil},
		"named types":  {of[struct{ A time.Month }](), of[struct{ A int }](), same, nil},
		"embedded":     {of[struct{ wide }](), of[wide](), same, nil},
		"type changed": {of[text](), of[wide](), breaks, []string{"/x: was string and is integer (int64)", "v2.Happened", "event.Upcast"}},
		"added": {of[text](), of[struct {
			text
			Y int `json:"y"`
		}](), fits, []string{"/y: was added: it is zero in old events"}},
		"removed": {of[text](), of[struct {
			_ struct{}
			Y *int `json:"-"`
		}](), fits, []string{"/x: was removed: it is ignored"}},
		"renamed": {of[text](), of[struct{ Text string }](), fits, []string{
			"/x: was removed: it is ignored in old events. Should /Text be its new name", "/Text: was added",
		}},
		"int to float":    {of[struct{ X int }](), of[struct{ X float64 }](), fits, []string{"/X: was integer (int64) and is number (double)"}},
		"int to float32":  {of[struct{ X int }](), of[struct{ X float32 }](), breaks, nil},
		"short to float":  {of[struct{ X int16 }](), of[struct{ X float32 }](), fits, nil},
		"float to int":    {of[struct{ X float64 }](), of[struct{ X int }](), breaks, []string{"/X: was number (double) and is integer"}},
		"narrower":        {of[struct{ X int64 }](), of[struct{ X int32 }](), breaks, []string{"int64", "int32"}},
		"wider":           {of[struct{ X int32 }](), of[struct{ X int64 }](), fits, nil},
		"unsigned":        {of[struct{ X int8 }](), of[struct{ X uint64 }](), breaks, nil},
		"signed":          {of[struct{ X uint32 }](), of[struct{ X int64 }](), fits, nil},
		"signed too soon": {of[struct{ X uint64 }](), of[struct{ X int64 }](), breaks, nil},
		"float to double": {of[struct{ X float32 }](), of[struct{ X float64 }](), fits, nil},
		"double to float": {of[struct{ X float64 }](), of[struct{ X float32 }](), breaks, nil},
		"in text": {of[struct{ X int64 }](), of[struct {
			X int64 `json:",string"`
		}](), breaks, []string{"was integer (int64) and is string (int64)"}},
		"wider in text": {of[struct {
			X int32 `json:",string"`
		}](), of[struct {
			X int64 `json:",string"`
		}](), fits, nil},
		"out of text": {of[struct {
			X int64 `json:",string"`
		}](), of[struct{ X string }](), fits, nil},
		"nullable":     {of[struct{ X string }](), of[struct{ X *string }](), fits, []string{"null is allowed now"}},
		"not nullable": {of[struct{ X *string }](), of[struct{ X string }](), fits, []string{"reads as zero now"}},
		"left out": {of[struct{ X int }](), of[struct {
			X int `json:",omitzero"`
		}](), fits, []string{"may be left out now"}},
		"always there": {of[struct {
			X int `json:",omitempty"`
		}](), of[struct{ X int }](), fits, []string{"always written now"}},
		"time":           {of[struct{ X time.Time }](), of[struct{ X string }](), fits, []string{"was string (date-time) and is string"}},
		"to time":        {of[struct{ X string }](), of[struct{ X time.Time }](), breaks, nil},
		"duration":       {of[struct{ X time.Duration }](), of[struct{ X int64 }](), same, nil},
		"bytes":          {of[struct{ X []byte }](), of[struct{ X string }](), breaks, []string{"bytes in base64"}},
		"bytes of array": {of[struct{ X [4]byte }](), of[struct{ X []uint16 }](), fits, nil},
		"length":         {of[struct{ X [4]int }](), of[struct{ X [5]int }](), breaks, []string{"array of 4 and is array of 5"}},
		"from length":    {of[struct{ X [4]int }](), of[struct{ X []int }](), fits, nil},
		"to length":      {of[struct{ X []int }](), of[struct{ X [4]int }](), breaks, nil},
		"element":        {of[struct{ X [][]string }](), of[struct{ X [][]bool }](), breaks, []string{"/X/*/*: was string and is boolean"}},
		"value of a map": {of[map[string]int](), of[map[string]bool](), breaks, []string{"/*: was integer"}},
		"key of a map":   {of[map[string]int](), of[map[int]int](), breaks, []string{"the whole: was map and is map with keys string (int64)"}},
		"any key":        {of[map[int]int](), of[map[string]int](), fits, nil},
		"map to struct":  {of[map[string]int](), of[struct{ X int }](), breaks, []string{"was map and is object"}},
		"struct to map":  {of[struct{ X int }](), of[map[string]int](), breaks, nil},
		"to anything":    {of[struct{ X int }](), of[struct{ X any }](), fits, []string{"may be anything now"}},
		"raw":            {of[struct{ X any }](), of[struct{ X jsontext.Value }](), same, nil},
		"from anything":  {of[struct{ X any }](), of[struct{ X int }](), breaks, []string{"was anything and is integer"}},
		"text of a type": {of[struct{ X level }](), of[struct{ X string }](), fits, []string{"text of livestoretest_test.level"}},
		"to such text":   {of[struct{ X string }](), of[struct{ X level }](), breaks, nil},
		"JSON of a type": {of[struct{ X money }](), of[struct{ X int }](), breaks, []string{"JSON of livestoretest_test.money"}},
		"the same JSON":  {of[struct{ X money }](), of[struct{ X *money }](), same, nil},
		"recursive":      {of[node](), of[Nodes](), fits, []string{"/more: was added"}},
		"recursion ends": {of[node](), of[branch](), breaks, []string{"/name: was string and is integer"}},
		"by pointer":     {of[node](), of[*node](), fits, []string{"the whole: null is allowed now"}},
		"a strange name": {of[struct {
			X int `json:"a/b"`
		}](), of[struct {
			X bool `json:"a/b"`
		}](), breaks, []string{"/a~1b: was integer"}},
		"scope": {of[text](), state.NoState(event.ClientOnly[text]("v1.Happened")), breaks, []string{
			"was synced and is client-only",
		}},
		"default added":   {of[struct{ N int }](), of[defaulted](), fits, []string{"/N: has the default 7 now: events that lack it had zero"}},
		"with a default":  {of[struct{}](), of[defaulted](), fits, []string{"/N: was added: it is 7 in old events"}},
		"default changed": {of[defaulted](), of[otherwise](), breaks, []string{"/N: the default was 7 and is 8"}},
		"default gone":    {of[defaulted](), of[struct{ N int }](), breaks, []string{"/N: the default was 7 and is zero"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			says(t, "the first time", check(t, true, dir, c.old))
			says(t, "the same again", check(t, false, dir, c.old))
			before := read(t, dir, "v1.Happened.json")
			said := check(t, false, dir, c.now)
			switch c.is {
			case same:
				says(t, "a change that is none", said)
				return
			case fits:
				says(t, "a change that fits", said, append(c.says, "event v1.Happened: it has changed", "v1.Happened.json", "LIVESTORE_UPDATE=1")...)
			case breaks:
				says(t, "a change that does not fit", said, append(c.says, "event v1.Happened: what is in logs", "does not fit", "v1.Happened.json")...)
			}
			if after := read(t, dir, "v1.Happened.json"); after != before {
				t.Errorf("the golden file was written:\n%s", after)
			}
			said = check(t, true, dir, c.now)
			if c.is == breaks {
				says(t, "a change that does not fit, with update", said, "does not fit")
				if after := read(t, dir, "v1.Happened.json"); after != before {
					t.Errorf("the golden file was written:\n%s", after)
				}
				return
			}
			says(t, "a change that fits, with update", said)
			says(t, "after the update", check(t, false, dir, c.now))
		})
	}
}

type level int

func (l level) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "level %d", l), nil }

func (l *level) UnmarshalText(b []byte) error {
	_, err := fmt.Sscanf(string(b), "level %d", (*int)(l))
	return err
}

type money struct{ cents int }

func (m money) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, "%d", m.cents), nil }

func (m *money) UnmarshalJSON(b []byte) error {
	_, err := fmt.Sscanf(string(b), "%d", &m.cents)
	return err
}

type defaulted struct{ N int }

func (d *defaulted) SetDefaults() { d.N = 7 }

type otherwise struct{ N int }

func (d *otherwise) SetDefaults() { d.N = 8 }

// A name that was removed comes back only with a type that the old events fit, however long ago it was.
func TestRemovedMembersAreRemembered(t *testing.T) {
	type sub struct {
		Deep []struct{ A, B string }
		Self *sub
	}
	type less struct {
		Deep []struct{ B string }
	}
	type again struct {
		Deep []struct {
			A int
			B string
		}
	}
	type selfAgain struct {
		Deep []struct{ A, B string }
		Self *int
	}
	dir := t.TempDir()
	says(t, "first", check(t, true, dir, of[sub]()))
	says(t, "less", check(t, true, dir, of[less]()))
	says(t, "with one more", check(t, true, dir, of[struct {
		less
		More int
	}]()))
	says(t, "A is back", check(t, true, dir, of[again]()), "/Deep/*/A: was string and is integer")
	says(t, "Self is back", check(t, true, dir, of[selfAgain]()), "/Self: was object and is integer")
	says(t, "all is back", check(t, false, dir, of[sub]()), "/Deep/*/A: is back", "/Self: is back", "/More: was removed")
	says(t, "all is back", check(t, true, dir, of[sub]()))
	says(t, "all is back", check(t, false, dir, of[sub]()))
}

var (
	made   = event.Synced[wide]("v1.Made")
	madeV2 = event.Synced[struct{ Y string }]("v2.Made", event.Upcast(made, func(o wide) struct{ Y string } {
		return struct{ Y string }{fmt.Sprint(o.I)}
	}))
)

// An event may go from the schema only into an upcast.
func TestEventsThatAreGone(t *testing.T) {
	dir := t.TempDir()
	says(t, "with no golden file", check(t, false, dir, state.NoState(made)), "event v1.Made: it has no golden file", "LIVESTORE_UPDATE=1")
	if files, _ := os.ReadDir(dir); len(files) > 0 {
		t.Errorf("files were written: %v", files)
	}
	says(t, "new", check(t, true, dir, state.NoState(made)))
	says(t, "another", check(t, false, dir, state.NoState(madeV2)), "event v2.Made: it has no golden file")
	says(t, "upcast", check(t, true, dir, state.NoState(madeV2)))
	says(t, "upcast", check(t, false, dir, state.NoState(madeV2)))
	changed := event.Synced[struct {
		I string `json:"x"`
	}]("v1.Made")
	says(t, "upcast and changed", check(t, true, dir, state.NoState(event.Synced[struct{ Y string }]("v2.Made", event.Upcast(changed,
		func(struct {
			I string `json:"x"`
		},
		) (v struct{ Y string }) {
			return v
		})))), "event v1.Made: what is in logs", "/x: was integer (int64) and is string")
	for _, update := range []bool{false, true} {
		says(t, "gone", check(t, update, dir, state.NoState(event.Synced[struct{ Y string }]("v2.Made"))),
			"event v1.Made has golden file", "is not in the schema", "event.Upcast", "state.NoState")
	}
}

type view struct {
	Filter string `json:"filter"`
}

// A document counts by its value.
func TestDocuments(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not yet", "there")
	says(t, "new", check(t, true, dir, state.NewDocument("view", view{"all"})))
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 || files[0].Name() != "view.document.json" {
		t.Errorf("got files %v, %v", files, err)
	}
	says(t, "the same", check(t, false, dir, state.NewDocument("view", view{"other"})))
	says(t, "another type", check(t, true, dir, state.NewDocument("view", struct {
		Filter int `json:"filter"`
	}{})), "document view:", "/filter: was string and is integer", "read as the default")
	says(t, "gone", check(t, true, dir), "document view has golden file")
}

// What can not be a golden file is said with its name, and wrong use at once.
func TestFilesThatAreNone(t *testing.T) {
	for text, want := range map[string]string{
		"{": "no golden file", `{"type":"object"}`: "it lacks $schema", "": "no golden file", `{"type":1}`: "no golden file",
		`{"$schema":"https://json-schema.org/draft/2020-12/schema","title":"v1.made","x-kind":"event"}`: "is that of event v1.made",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "v1.Made.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, update := range []bool{false, true} {
			says(t, text, check(t, update, dir, state.NoState(made)), "event v1.Made: golden file", "v1.Made.json", want)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "other.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, "a foreign file", check(t, false, dir), "other.json", "keep other files elsewhere")
	says(t, "no schema", checkSchema(t, false, dir, nil), "the schema is nil")
	says(t, "no directory", checkSchema(t, false, "", state.MustSchema()), "the directory is empty")
	says(t, "a file for a directory", checkSchema(t, true, filepath.Join(dir, "other.json"), state.MustSchema(state.NoState(made))),
		"event v1.Made: golden file", "golden files of events")
}

// Names of events are any text, those of files are not.
func TestFileNames(t *testing.T) {
	dir := t.TempDir()
	says(t, "new", check(t, true, dir, state.NoState(
		event.Synced[wide]("../a b:c\\ä"), event.Synced[wide](".."), event.Synced[wide]("v1.Made-it_now"))))
	var got []string
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		got = append(got, f.Name())
	}
	if want := []string{"..%2Fa%20b%3Ac%5C%C3%A4.json", "...json", "v1.Made-it_now.json"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A golden file is a JSON Schema that stays as it is: a change of this test's text makes every app bring its files up to date.
func TestGoldenFile(t *testing.T) {
	dir := t.TempDir()
	says(t, "new", check(t, true, dir, state.NoState(event.ClientOnly[everything]("v1.Everything"))))
	got, want := read(t, dir, "v1.Everything.json"), read(t, "testdata", "v1.Everything.json")
	if got != want {
		t.Errorf("got\n%s", got)
	}
}

type everything struct {
	wide
	*tree
	ID     string            `json:"id"`
	Parent *tree             `json:"parent,omitzero"`
	When   *time.Time        `json:"when"`
	Took   time.Duration     `json:"took"`
	Big    uint64            `json:"big,string"`
	Ratio  float32           `json:"ratio"`
	Hash   [32]byte          `json:"hash"`
	Blob   []byte            `json:"blob"`
	Level  level             `json:"level"`
	Price  money             `json:"price"`
	Counts map[level]int8    `json:"counts"`
	Any    []any             `json:"any"`
	Other  map[string]string `json:",embed"`
	Not    string            `json:"-"`
	note   string
}

func (e *everything) SetDefaults() { e.ID, e.note = "none", "" }

type tree struct {
	Leaves []*tree `json:"leaves"`
	ID     int     `json:"id"` // hidden by the outer one
}

func TestTheTableIsWhole(t *testing.T) {
	// Every schema kind of the golden file is compared with itself above; here the whole of one is.
	dir := t.TempDir()
	says(t, "new", check(t, true, dir, of[everything]()))
	says(t, "again", check(t, false, dir, of[everything]()))
	var names []string
	for name := range maps.Keys(event.Synced[everything]("x").Definition().Defaults()) {
		names = append(names, name)
	}
	if !slices.Equal(names, []string{"id"}) {
		t.Errorf("got defaults of %v", names)
	}
}
