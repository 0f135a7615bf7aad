package livestoretest

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	draft   = "https://json-schema.org/draft/2020-12/schema"
	comment = "What events in logs hold. Written by livestoretest.CheckEvolution; keep it in version control."
)

// fileName makes a file name of the name of an event, good on every file system.
func fileName(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._-", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String() + ".json"
}

// render writes a schema as it stands in a golden file.
func render(n *node) ([]byte, error) {
	raw, err := json.Marshal(n, json.Deterministic(true), jsontext.WithIndent("\t"))
	return append(raw, '\n'), err
}

// readGolden reads a golden file.
func readGolden(path string) (*node, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	n := new(node)
	if err := json.Unmarshal(raw, n); err != nil {
		return nil, fmt.Errorf("it is no golden file of an event: %w", err)
	}
	if n.Schema != draft || n.Title == "" || n.Kind == "" {
		return nil, fmt.Errorf("it is no golden file of an event: it lacks $schema %s, title or x-kind", draft)
	}
	return n, nil
}

// remembering makes now remember the members that old has and it has not: they are in old events, and the name must not come back with
// another type.
type remembering struct {
	old, now *node
	seen     map[[2]*node]bool
}

func remember(old, now *node) {
	r := &remembering{old: old, now: now, seen: map[[2]*node]bool{}}
	r.nodes(old, now)
}

func (r *remembering) nodes(o, n *node) {
	o, _ = resolve(o, r.old)
	n, _ = resolve(n, r.now)
	if r.seen[[2]*node{o, n}] {
		return
	}
	r.seen[[2]*node{o, n}] = true
	if o.Items != nil && n.Items != nil {
		r.nodes(o.Items, n.Items)
	}
	if o.AdditionalProperties != nil && n.AdditionalProperties != nil {
		r.nodes(o.AdditionalProperties, n.AdditionalProperties)
	}
	if n.Properties == nil {
		return
	}
	for _, all := range []map[string]*node{o.Removed, o.Properties} {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if after, ok := n.Properties[name]; ok {
				r.nodes(all[name], after)
				continue
			}
			if n.Removed == nil {
				n.Removed = map[string]*node{}
			}
			n.Removed[name] = r.keep(all[name])
		}
	}
}

// keep copies a schema of the old file, with the $defs it refers to.
func (r *remembering) keep(o *node) *node {
	if o == nil {
		return nil
	}
	c := *o
	if name, ok := strings.CutPrefix(o.Ref, refPrefix); ok {
		name = strings.TrimPrefix(name, "old.")
		c.Ref = refPrefix + "old." + name
		if r.now.Defs == nil {
			r.now.Defs = map[string]*node{}
		}
		if _, have := r.now.Defs["old."+name]; !have {
			def := r.old.Defs[strings.TrimPrefix(o.Ref, refPrefix)]
			r.now.Defs["old."+name] = &node{} // taken, while what it holds is copied
			r.now.Defs["old."+name] = r.keep(def)
		}
	}
	c.AnyOf = nil
	for _, a := range o.AnyOf {
		c.AnyOf = append(c.AnyOf, r.keep(a))
	}
	c.Items, c.AdditionalProperties = r.keep(o.Items), r.keep(o.AdditionalProperties)
	c.Properties, c.Removed = r.keepAll(o.Properties), r.keepAll(o.Removed)
	return &c
}

func (r *remembering) keepAll(all map[string]*node) map[string]*node {
	if all == nil {
		return nil
	}
	out := make(map[string]*node, len(all))
	for name, o := range all {
		out[name] = r.keep(o)
	}
	return out
}
