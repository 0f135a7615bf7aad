package sqlitestore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livestore-go/livestore/event"
	"github.com/livestore-go/livestore/server"
)

func first() []server.Event {
	return []server.Event{{Global: event.Global{SeqNum: 1, Name: "n", Args: []byte("1"), ClientID: "c", SessionID: "s"}}}
}

// After a commit of which nobody can say whether it is on the disk, the file says: it is opened anew before it is used again. While it
// can not be opened everything fails, and once it can be everything is as it was.
func TestDoubt(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	opened, err := s.Open(t.Context(), "s")
	if err != nil {
		t.Fatal(err)
	}
	l := opened.(*log)
	defer l.Close()
	if err := l.Append(t.Context(), 0, first()); err != nil {
		t.Fatal(err)
	}
	connection, id := l.file.conn, l.BackendID()
	l.file.suspect = true
	if head, err := l.Head(t.Context()); head != 1 || err != nil {
		t.Errorf("the head is e%d (%v)", head, err)
	}
	if l.file.conn == connection || l.BackendID() != id {
		t.Error("it was not opened anew, or it is another log")
	}
	path := filepath.Join(s.Dir(), "store-s.sqlite")
	l.file.suspect = true
	if err := l.file.conn.Close(); err != nil { // SQLite writes into its file at the end
		t.Fatal(err)
	}
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("garbage ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := l.Read(t.Context(), 0, 1, 1); err == nil {
			t.Error("it read garbage")
		} else if _, ok := errors.AsType[*FormatError](err); !ok {
			t.Errorf("%v, want a *FormatError", err)
		}
	}
	if err := os.WriteFile(path, kept, 0o600); err != nil {
		t.Fatal(err)
	}
	if events, err := l.Read(t.Context(), 0, 10, 1000); len(events) != 1 || err != nil {
		t.Errorf("%d events (%v)", len(events), err)
	}
	if err := l.Append(t.Context(), 1, nil); err != nil {
		t.Error(err)
	}
}

// What a store is called is never the same file as another one, nor more than a file system takes.
func TestFileNames(t *testing.T) {
	ids := []string{"a", "A", "aA", "Aa", "con", strings.Repeat("a", 128), strings.Repeat("A", 128), strings.Repeat("A", 127) + "a", strings.Repeat("aA", 64)}
	seen := map[string]string{}
	for _, id := range ids {
		name, err := fileName(id)
		if err != nil {
			t.Fatal(err)
		}
		if other, twice := seen[strings.ToLower(name)]; twice {
			t.Errorf("%s and %s are both %s", id, other, name)
		}
		if len(name) > 200 || name != strings.ToLower(name) || !strings.HasPrefix(name, "store-") {
			t.Errorf("%s is %s", id, name)
		}
		seen[name] = id
	}
}
