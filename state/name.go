package state

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/livestore-go/livestore/internal/sqltext"
)

// checkName refuses names SQLite or LiveStore keeps for itself.
func checkName(name string) error {
	switch f := sqltext.Fold(name); {
	case name == "":
		return errors.New("the name is empty")
	case !utf8.ValidString(name) || strings.ContainsRune(name, 0):
		return fmt.Errorf("name %q holds invalid UTF-8 or a zero byte", name)
	case f == "rowid" || f == "oid" || f == "_rowid_":
		return fmt.Errorf("name %q is what SQLite calls its own row number: choose another", name)
	case strings.HasPrefix(f, "sqlite_"):
		return fmt.Errorf("name %q begins with sqlite_, which SQLite keeps for itself", name)
	case strings.HasPrefix(f, "__livestore_"):
		return fmt.Errorf("name %q begins with __livestore_, which LiveStore keeps for itself", name)
	}
	return nil
}

// maxEventName is the greatest length of an event's name in bytes. The name is stored and sent with every event.
const maxEventName = 200

// checkEventName refuses names that would not come back from a log, the wire or a file as they went in.
func checkEventName(name string) error {
	switch {
	case name == "":
		return errors.New("an event definition has no name")
	case len(name) > maxEventName:
		return fmt.Errorf("event name %q… has %d bytes: the greatest length is %d", name[:20], len(name), maxEventName)
	case !utf8.ValidString(name):
		return fmt.Errorf("event name %q is not valid UTF-8", name)
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("event name %q holds a control character", name)
	}
	return nil
}
