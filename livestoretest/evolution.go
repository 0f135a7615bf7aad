package livestoretest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/state"
)

// UpdateEnv is the environment variable that makes [CheckEvolution] write golden files: LIVESTORE_UPDATE=1 go test.
const UpdateEnv = "LIVESTORE_UPDATE"

// CheckEvolution fails t when events that are in logs do not fit the definitions of the schema any more. What they hold is kept in dir, one
// golden file <name>.json for each event: a JSON Schema of its arguments, made of their Go type. Keep the files in version control.
// A client document has a file <name>.document.json, of its value, in place of its two events.
//
// A change is one of two kinds.
//
// Compatible ones also fail t, until the test is run with LIVESTORE_UPDATE=1 in the environment: a new event; a member added, which is
// zero in old events or what SetDefaults says; a member removed, which is ignored in them; a wider type, such as float64 for int; null
// allowed, or no longer allowed, which then reads as zero. The golden file remembers removed members: a name may come back with a type
// that fits only.
//
// Incompatible ones fail t with the environment variable too, and leave the file as it is: any other change of a type, another scope,
// another default of a member, and an event that is gone, in that the schema neither defines nor upcasts it. The cure is a new event
// that upcasts the old one ([event.Upcast]). Where no log anywhere has events of the old form, as before a first release, delete
// the golden file and write it anew.
//
// It knows types, not code: what a method that writes JSON or text writes, what Validate refuses and what an upcast does is for the
// app's own tests. Such a type is known by its name.
func CheckEvolution(t testing.TB, schema *state.Schema, dir string) {
	t.Helper()
	update := os.Getenv(UpdateEnv) != "" && os.Getenv(UpdateEnv) != "0"
	c := &check{dir: dir, update: update, found: map[string]bool{}}
	if schema == nil {
		t.Fatal("livestoretest: CheckEvolution: the schema is nil")
	}
	if dir == "" {
		t.Fatal(`livestoretest: CheckEvolution: the directory is empty: name one for the golden files, such as "testdata/events"`)
	}
	for _, s := range subjects(schema) {
		if err := c.subject(s); err != nil {
			t.Errorf("%s %s: %v", s.Kind, s.Title, err)
		}
	}
	gone, err := c.gone()
	if err != nil {
		t.Errorf("golden files of events: %v", err)
	}
	for _, text := range gone {
		t.Error(text)
	}
}

// subjects returns the schemas of what has a golden file.
func subjects(schema *state.Schema) []*node {
	var all []*node
	internal := map[*event.Definition]bool{}
	for _, d := range schema.Documents() {
		internal[d.Set], internal[d.Patched] = true, true
		n := schemaOf(d.Value)
		n.Schema, n.Comment, n.Title, n.Kind = draft, comment, d.Name, "document"
		all = append(all, n)
	}
	for d := range schema.Definitions() {
		if internal[d] {
			continue
		}
		n := schemaOf(d.ArgsType())
		n.Schema, n.Comment, n.Title, n.Kind, n.Scope = draft, comment, d.Name(), "event", d.Scope().String()
		root, _ := resolve(n, n)
		for name, value := range d.Defaults() {
			if m := root.Properties[name]; m != nil {
				m.Default = value
			}
		}
		all = append(all, n)
	}
	return all
}

// check compares a schema with the golden files of a directory.
type check struct {
	dir    string
	update bool
	found  map[string]bool // files that belong to the schema
}

func (c *check) path(n *node) string {
	name := n.Title
	if n.Kind == "document" {
		name += ".document"
	}
	return filepath.Join(c.dir, fileName(name))
}

// subject compares one event or document with its golden file.
func (c *check) subject(now *node) error {
	path := c.path(now)
	c.found[filepath.Base(path)] = true
	old, err := readGolden(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if c.update {
			return c.write(path, now)
		}
		return fmt.Errorf("it has no golden file %s: if it is new, write one with %s", path, rerun)
	case err != nil:
		return fmt.Errorf("golden file %s: %w", path, err)
	case old.Title != now.Title || old.Kind != now.Kind:
		return fmt.Errorf("golden file %s is that of %s %s: names of events differ in more than upper and lower case", path, old.Kind, old.Title)
	}
	changes := compare(old, now)
	var breaking, others []string
	for _, ch := range changes {
		if ch.breaking {
			breaking = append(breaking, ch.String())
		} else {
			others = append(others, ch.String())
		}
	}
	if len(breaking) > 0 {
		return &incompatibleError{now, path, breaking}
	}
	before, err := render(old)
	if err != nil {
		return fmt.Errorf("golden file %s: %w", path, err)
	}
	remember(old, now)
	after, err := render(now)
	if err != nil {
		return fmt.Errorf("golden file %s: %w", path, err)
	}
	switch {
	case bytes.Equal(before, after):
		return nil
	case c.update:
		return c.write(path, now)
	case len(others) == 0:
		others = []string{"the file has another form than it is written in now"}
	}
	return fmt.Errorf("it has changed, in a way that old events fit. If that is meant, bring golden file %s up to date with %s"+
		"\n\t%s", path, rerun, strings.Join(others, "\n\t"))
}

const rerun = UpdateEnv + "=1 go test"

func (c *check) write(path string, n *node) error {
	raw, err := render(n)
	if err == nil {
		err = os.MkdirAll(c.dir, 0o777)
	}
	if err == nil {
		err = os.WriteFile(path, raw, 0o666)
	}
	if err != nil {
		return fmt.Errorf("write golden file: %w", err)
	}
	return nil
}

// incompatibleError says that old events do not fit.
type incompatibleError struct {
	now     *node
	path    string // of the golden file
	changes []string
}

func (e *incompatibleError) Error() string {
	cure := fmt.Sprintf("Leave its arguments as they were, give the changed event a new name%s, and let that upcast the old one with "+
		"event.Upcast", next(e.now.Title))
	if e.now.Kind == "document" {
		cure = "Old values would read as the default: leave the member as it was and add one with another name"
	}
	return fmt.Sprintf("what is in logs, as golden file %s has it, does not fit\n\t%s\n%s. If no log has the old form, delete the file and "+
		"write it anew with %s", e.path, strings.Join(e.changes, "\n\t"), cure, rerun)
}

var versioned = regexp.MustCompile(`^v([0-9]{1,6})\.`)

// next suggests the name of the next version of an event.
func next(name string) string {
	m := versioned.FindStringSubmatch(name)
	if m == nil {
		return ""
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return ""
	}
	return fmt.Sprintf(" such as v%d.%s", n+1, name[len(m[0]):])
}

// gone says which golden files are of nothing in the schema.
func (c *check) gone() ([]string, error) {
	files, err := os.ReadDir(c.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var out []string
	for _, f := range files {
		if c.found[f.Name()] || filepath.Ext(f.Name()) != ".json" {
			continue
		}
		path := filepath.Join(c.dir, f.Name())
		old, err := readGolden(path)
		switch {
		case err != nil:
			out = append(out, fmt.Sprintf("golden file %s: %v: keep other files elsewhere", path, err))
		case old.Kind == "document":
			out = append(out, fmt.Sprintf("document %s has golden file %s and is not in the schema: its events in logs would be unknown. "+
				"Keep the document; or delete the file, if its values may be forgotten", old.Title, path))
		default:
			out = append(out, fmt.Sprintf("event %s has golden file %s and is not in the schema: such events in logs would be unknown. Keep its "+
				"definition: another event can upcast it with event.Upcast, and state.NoState is for one that changes no state any more. If no log "+
				"has such an event, delete the file", old.Title, path))
		}
	}
	return out, nil
}
