package livestoretest

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// change is one difference between what old events hold and what the app reads now.
type change struct {
	path     string // JSON pointer, * for any element or key
	text     string
	breaking bool
}

func (c change) String() string {
	return cmp.Or(c.path, "the whole") + ": " + c.text
}

// comparison goes through two schemas side by side.
type comparison struct {
	old, now *node // with their $defs
	changes  []change
	seen     map[[2]*node]bool
}

func compare(old, now *node) []change {
	c := &comparison{old: old, now: now, seen: map[[2]*node]bool{}}
	if old.Scope != now.Scope {
		c.breaksf("", "was %s and is %s: an event keeps its scope", old.Scope, now.Scope)
	}
	c.nodes("", old, now)
	return c.changes
}

func (c *comparison) breaksf(path, format string, args ...any) {
	c.changes = append(c.changes, change{path, fmt.Sprintf(format, args...), true})
}

func (c *comparison) notesf(path, format string, args ...any) {
	c.changes = append(c.changes, change{path, fmt.Sprintf(format, args...), false})
}

// resolve follows a $ref, and says whether null is allowed besides.
func resolve(n, root *node) (to *node, null bool) {
	if len(n.AnyOf) > 0 {
		n, null = n.AnyOf[0], true
	}
	if name, ok := strings.CutPrefix(n.Ref, refPrefix); ok {
		if to := root.Defs[name]; to != nil {
			n = to
		}
	}
	return n, null || n.Type.nullable()
}

const refPrefix = "#/$defs/"

// nodes compares what may stand at a path.
func (c *comparison) nodes(path string, o, n *node) {
	o, wasNull := resolve(o, c.old)
	n, isNull := resolve(n, c.now)
	if c.seen[[2]*node{o, n}] {
		return
	}
	c.seen[[2]*node{o, n}] = true
	switch was, is := describe(o), describe(n); {
	case o.isAny() && n.isAny():
		return
	case n.isAny():
		c.notesf(path, "was %s and may be anything now", was)
		return
	case o.isAny(), !reads(o, n):
		c.breaksf(path, "was %s and is %s", was, is)
		return
	case was != is:
		c.notesf(path, "was %s and is %s", was, is)
	}
	switch {
	case wasNull && !isNull:
		c.notesf(path, "null, which was allowed, reads as zero now")
	case !wasNull && isNull:
		c.notesf(path, "null is allowed now")
	}
	if o.Items != nil && n.Items != nil {
		c.nodes(path+"/*", o.Items, n.Items)
	}
	if o.AdditionalProperties != nil && n.AdditionalProperties != nil {
		c.nodes(path+"/*", o.AdditionalProperties, n.AdditionalProperties)
	}
	c.members(path, o, n)
}

// members compares two objects.
func (c *comparison) members(path string, o, n *node) {
	for _, name := range slices.Sorted(maps.Keys(o.Properties)) {
		at := path + "/" + escaped(name)
		before := o.Properties[name]
		after, ok := n.Properties[name]
		switch {
		case ok:
			c.nodes(at, before, after)
			c.defaults(at, before, after)
			if was, is := slices.Contains(o.Required, name), slices.Contains(n.Required, name); was != is {
				c.notesf(at, "%s", map[bool]string{true: "is always written now", false: "may be left out now"}[is])
			}
		case n.AdditionalProperties != nil:
			c.nodes(at, before, n.AdditionalProperties)
		default:
			c.notesf(at, "was removed: it is ignored in old events%s", c.renamed(path, before, o, n))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(n.Properties)) {
		if _, ok := o.Properties[name]; ok {
			continue
		}
		at, after := path+"/"+escaped(name), n.Properties[name]
		if removed, ok := o.Removed[name]; ok {
			c.notesf(at, "is back: events of versions that had it before are read with it")
			c.nodes(at, removed, after)
			c.defaults(at, removed, after)
			continue
		}
		if o.AdditionalProperties != nil {
			c.nodes(at, o.AdditionalProperties, after)
		}
		if len(after.Default) > 0 {
			c.notesf(at, "was added: it is %s in old events", after.Default)
		} else {
			c.notesf(at, "was added: it is zero in old events")
		}
	}
}

// renamed warns of a member that was added in place of one that was removed: old events have it under its old name only.
func (c *comparison) renamed(path string, removed, o, n *node) string {
	was, _ := resolve(removed, c.old)
	for _, name := range slices.Sorted(maps.Keys(n.Properties)) {
		added, _ := resolve(n.Properties[name], c.now)
		if _, old := o.Properties[name]; !old && describe(added) == describe(was) {
			return fmt.Sprintf(". Should %s/%s be its new name: they have nothing there, a new name needs a new event", path, escaped(name))
		}
	}
	return ""
}

// defaults compares what an event has that lacks a member.
func (c *comparison) defaults(path string, o, n *node) {
	switch {
	case bytes.Equal(o.Default, n.Default):
	case len(o.Default) == 0:
		c.notesf(path, "has the default %s now: events that lack it had zero", n.Default)
	case len(n.Default) == 0:
		c.breaksf(path, "the default was %s and is zero: events that lack it would change their meaning", o.Default)
	default:
		c.breaksf(path, "the default was %s and is %s: events that lack it would change their meaning", o.Default, n.Default)
	}
}

// reads says whether n can read what o wrote, apart from what they hold.
func reads(o, n *node) bool {
	was, is := o.kind(), n.kind()
	switch {
	case o.GoType != n.GoType || o.ContentEncoding != n.ContentEncoding:
		// What writes its own text is text; all else only its type can read.
		return is == "string" && n.GoType == "" && was == "string" && n.Format == "" && o.ContentEncoding == "" && n.ContentEncoding == ""
	case was == "integer" && is == "number", was == is && o.Format != n.Format && isNumber(o.Format) && isNumber(n.Format):
		return within(o.Format, n.Format)
	case was != is:
		return false
	case was == "string":
		return o.Format == n.Format || n.Format == ""
	case was == "array":
		return n.MinItems == nil || o.MinItems != nil && *o.MinItems == *n.MinItems
	case was == "object":
		return o.isMap() == n.isMap() && // any key is a text
			(n.PropertyNames == nil || o.PropertyNames != nil && reads(o.PropertyNames, n.PropertyNames))
	}
	return true
}

// kind is the type without null.
func (n *node) kind() string {
	for _, t := range n.Type {
		if t != "null" {
			return t
		}
	}
	return ""
}

// isMap says whether n is an object of any members.
func (n *node) isMap() bool { return n.Properties == nil && n.AdditionalProperties != nil }

// bits is how many bits of a whole number a Go type holds exactly, and whether it has a sign.
var bits = map[string]struct {
	n      int
	signed bool
}{
	"int8": {7, true}, "int16": {15, true}, "int32": {31, true}, "int64": {63, true},
	"uint8": {8, false}, "uint16": {16, false}, "uint32": {32, false}, "uint64": {64, false},
}

func isNumber(format string) bool {
	return bits[format].n > 0 || format == "float" || format == "double"
}

// within says whether every number of one Go type is one of another.
func within(old, now string) bool {
	o, n := bits[old], bits[now]
	switch {
	case now == "double":
		return true // numbers that a float64 does not hold are refused at commit
	case now == "float":
		return old == "float" || o.n > 0 && o.n <= 24
	case o.n == 0:
		return false
	}
	return o.n <= n.n && (n.signed || !o.signed)
}

// describe names a type in a few words.
func describe(n *node) string {
	kind := n.kind()
	switch {
	case n.isAny():
		return "anything"
	case kind == "" && n.GoType != "":
		return "JSON of " + n.GoType
	case n.GoType != "":
		return "text of " + n.GoType
	case n.ContentEncoding != "":
		return "bytes in " + n.ContentEncoding
	case n.Format != "":
		return kind + " (" + n.Format + ")"
	case n.MinItems != nil:
		return fmt.Sprintf("array of %d", *n.MinItems)
	case n.isMap():
		if n.PropertyNames != nil {
			return "map with keys " + describe(n.PropertyNames)
		}
		return "map"
	}
	return kind
}

func escaped(name string) string { return string(jsontext.Pointer("").AppendToken(name))[1:] }
