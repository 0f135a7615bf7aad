package state

import (
	"errors"
	"fmt"
	"strings"
)

// tag is a parsed db struct tag.
type tag struct {
	name     string
	storage  string // json, datetime, datetimeinteger, text, integer, real, blob, codec:text and so on
	primary  bool
	unique   bool
	nullable bool
	def      *defaultValue
}

// defaultValue is a default as the tag writes it.
type defaultValue struct {
	text   string
	quoted bool // it stood in single quotes: text, whatever it looks like
}

// parseTag reads what follows db: in a struct tag.
func parseTag(s string) (tag, error) {
	var t tag
	var errs []error
	name, rest, more := strings.Cut(s, ",")
	t.name = name
	for more {
		var opt string
		if after, ok := strings.CutPrefix(rest, "default:"); ok {
			var d defaultValue
			var err error
			if d, rest, more, err = parseDefault(after); err != nil {
				return t, err
			}
			t.def = &d
			continue
		}
		opt, rest, more = strings.Cut(rest, ",")
		switch opt {
		case "primarykey":
			t.primary = true
		case "unique":
			t.unique = true
		case "nullable":
			t.nullable = true
		case "json", "datetime", "datetimeinteger", "text", "integer", "real", "blob",
			"codec:text", "codec:integer", "codec:real", "codec:blob":
			if t.storage != "" {
				errs = append(errs, fmt.Errorf("options %s and %s exclude each other", t.storage, opt))
			}
			t.storage = opt
		case "autoincrement":
			errs = append(errs, errors.New("autoincrement is refused: SQLite's counters do not roll back with a rebase, so "+
				"state would differ between clients; put the id into the event, or leave an integer primary key out of the insert"))
		case "":
			errs = append(errs, errors.New("the tag has an empty option"))
		default:
			errs = append(errs, fmt.Errorf("option %q is not known: it is one of primarykey, unique, nullable, default:…, json, "+
				"datetime, datetimeinteger, text, integer, real, blob, codec:text, codec:integer, codec:real, codec:blob", opt))
		}
	}
	return t, errors.Join(errs...)
}

// parseDefault reads a default value up to the next comma, or a quoted one with ” for a quote in it.
func parseDefault(s string) (d defaultValue, rest string, more bool, err error) {
	if !strings.HasPrefix(s, "'") {
		d.text, rest, more = strings.Cut(s, ",")
		return d, rest, more, nil
	}
	d.quoted = true
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != '\'' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		d.text = b.String()
		switch rest = s[i+1:]; {
		case rest == "":
			return d, "", false, nil
		case rest[0] == ',':
			return d, rest[1:], true, nil
		}
		return d, "", false, fmt.Errorf("default %s goes on after its closing quote", s)
	}
	return d, "", false, fmt.Errorf("default %s has no closing quote", s)
}
