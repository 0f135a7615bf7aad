package state

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// checkName refuses names SQLite or LiveStore keeps for itself.
func checkName(name string) error {
	switch f := fold(name); {
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
