package sqlite

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sampleChanges(t testing.TB) Changes {
	c := memory(t, []string{
		"CREATE TABLE v (id INTEGER PRIMARY KEY, x)", "CREATE TABLE w (k PRIMARY KEY, v) WITHOUT ROWID",
		"CREATE VIRTUAL TABLE f USING fts5(a)",
	},
		"INSERT INTO v(x) VALUES (1), (2.5), ('text'), (x'00ff'), (NULL)", "INSERT INTO w VALUES ('k', 1), ('l', NULL)")
	return apply(t, c, []string{
		"UPDATE v SET x = 'new' WHERE id < 3", "DELETE FROM v", "INSERT INTO v(x) VALUES (1)",
		"UPDATE w SET k = k || '!'",
		"DELETE FROM w WHERE v IS NULL", "INSERT INTO w VALUES ('m', 3)", "INSERT INTO f VALUES ('x')",
	})
}

func TestChangesAreReadAsTheyWereWritten(t *testing.T) {
	ch := sampleChanges(t)
	data := ch.Append([]byte("prefix"))
	if !strings.HasPrefix(string(data), "prefix") {
		t.Fatalf("appended to something else: %q", data)
	}
	read := must(ParseChanges(data[len("prefix"):]))(t)
	if read.Len() != ch.Len() || ch.Len() == 0 {
		t.Errorf("%d changes, want %d", read.Len(), ch.Len())
	}
	if diff := cmp.Diff(ch.Tables(), read.Tables()); diff != "" || strings.Join(read.Tables(), " ") != "f v w" {
		t.Errorf("tables %v: %s", read.Tables(), diff)
	}
	if diff := cmp.Diff(data[len("prefix"):], read.Append(nil)); diff != "" {
		t.Errorf("written again it is something else:\n%s", diff)
	}
}

func TestChangesThatAreNone(t *testing.T) {
	good := sampleChanges(t).Append(nil)
	for i := range good { // cut off anywhere, or with any byte changed
		if _, err := ParseChanges(good[:i]); err == nil {
			t.Errorf("cut off after %d bytes it is accepted", i)
		}
		bad := append([]byte(nil), good...)
		bad[i] ^= 0x41
		if _, err := ParseChanges(bad); err == nil {
			t.Errorf("with another byte %d it is accepted", i)
		}
	}
	seal := func(body ...byte) []byte {
		return binary.LittleEndian.AppendUint32(body, crc32.Checksum(body, castagnoli))
	}
	const huge = "\xff\xff\xff\xff\xff\xff\xff\xff\x7f"
	for name, tc := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":              {nil, "too short"},
		"another version":      {seal(2, 0, 0), "version 2 is not known"},
		"a wrong checksum":     {[]byte{1, 0, 0, 1, 2, 3, 4}, "checksum"},
		"too many tables":      {seal(append([]byte{1}, huge...)...), "count"},
		"a table without name": {seal(1, 1, 0, 1, 'x', 0), "no name"},
		"too many entries":     {seal(append([]byte{1, 0}, huge...)...), "count"},
		"an unknown table":     {seal(1, 1, 1, 'a', 1, 'a', 1, 1, 1, 0), "not among those named"},
		"an unknown kind":      {seal(1, 1, 1, 'a', 1, 'a', 1, 9, 0, 0), "entry is of no known kind"},
		"too many values":      {seal(append([]byte{1, 1, 1, 'a', 1, 'a', 1, 2, 0, 0}, huge...)...), "count"},
		"an unknown value":     {seal(1, 1, 1, 'a', 1, 'a', 1, 2, 0, 0, 1, 9), "value is of no known kind"},
		"a float cut off":      {seal(1, 1, 1, 'a', 1, 'a', 1, 2, 0, 0, 1, 2, 0), "float"},
		"a text cut off":       {seal(1, 1, 1, 'a', 1, 'a', 1, 2, 0, 0, 1, 3, 5, 'x'), "count"},
		"something more":       {seal(1, 0, 0, 0), "after the last entry"},
	} {
		_, err := ParseChanges(tc.data)
		if e, ok := errors.AsType[*ChangesError](err); !ok || !strings.Contains(e.Reason, tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

// FuzzParseChanges reads arbitrary bytes, with a checksum that is right, so that what is behind it is reached.
func FuzzParseChanges(f *testing.F) {
	good := sampleChanges(f).Append(nil)
	f.Add(good[:len(good)-4])
	f.Add(Changes{}.Append(nil))
	f.Add([]byte{1, 1, 1, 'v', 1, 'v', 1, 2, 0, 14, 1, 9})
	c := memory(f, []string{
		"CREATE TABLE v (id INTEGER PRIMARY KEY, x)", "CREATE TABLE w (k PRIMARY KEY, v) WITHOUT ROWID",
		"CREATE VIRTUAL TABLE f USING fts5(a)",
	})
	f.Fuzz(func(t *testing.T, body []byte) {
		data := binary.LittleEndian.AppendUint32(append([]byte(nil), body...), crc32.Checksum(body, castagnoli))
		ch, err := ParseChanges(data)
		if err != nil {
			if _, ok := errors.AsType[*ChangesError](err); !ok {
				t.Fatalf("%v is no *ChangesError", err)
			}
			return
		}
		if cap(ch.entries) > len(body) || cap(ch.names) > len(body) {
			t.Fatalf("%d bytes made room for %d entries", len(body), cap(ch.entries))
		}
		ch.Tables()
		if again, err := ParseChanges(ch.Append(nil)); err != nil || again.Len() != ch.Len() {
			t.Fatalf("written again: %v", err)
		}
		if err := c.Savepoint(); err != nil {
			t.Fatal(err)
		}
		c.Undo(ch) // whatever it is, it must not be fatal
		if err := c.RollbackTo(); err != nil {
			t.Fatal(err)
		}
	})
}
