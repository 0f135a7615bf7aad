package sqlite

import (
	"encoding/binary"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestADatabaseAsBytes(t *testing.T) {
	for _, path := range []string{":memory:", filepath.Join(t.TempDir(), "file.db")} {
		c := opened(t, path, nil)
		for _, ddl := range []string{"CREATE TABLE v (x)", "CREATE VIRTUAL TABLE f USING fts5(a)"} {
			if err := c.Define(ddl); err != nil {
				t.Fatal(err)
			}
		}
		execAll(t, c, Internal, "INSERT INTO v SELECT value FROM json_each('[1,2,3]')", "INSERT INTO f VALUES ('hello')")
		image := must(c.Serialize())(t)
		if image[18] != 1 || image[19] != 1 {
			t.Errorf("%s: the image asks for a write-ahead log", path)
		}

		copied := memory(t, []string{"CREATE TABLE v (was, here, before)"}, "INSERT INTO v VALUES (9, 9, 9)")
		held := must(copied.Prepare(Read, "SELECT * FROM v"))(t)
		if err := copied.Deserialize(image); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(dump(t, c), dump(t, copied)); diff != "" {
			t.Errorf("%s: the copy differs:\n%s", path, diff)
		}
		rows := must(held.Query(nil))(t)
		if got := strings.Join(rows.Columns(), " "); got != "x" {
			t.Errorf("%s: a statement held from before has the columns %s", path, got)
		}
		rows.Close()
		execAll(t, copied, Materialize, "INSERT INTO f VALUES ('hello again')")
		if got := one(t, copied, Read, "SELECT count(*) FROM f('hello')"); got != "2" {
			t.Errorf("%s: found %s", path, got)
		}
		sound(t, copied)

		// Bytes of a file that was not closed say that it has a log.
		image[18], image[19] = 2, 2
		if err := copied.Deserialize(image); err != nil {
			t.Errorf("%s: with a log: %v", path, err)
		}
		if image[18] != 2 {
			t.Error("the bytes given were changed")
		}
	}
}

func TestBytesThatAreNoDatabase(t *testing.T) {
	c := memory(t, []string{"CREATE TABLE v (x)"}, "INSERT INTO v VALUES (zeroblob(20000))")
	image := must(c.Serialize())(t)
	before := dump(t, c)
	for name, data := range map[string][]byte{
		"nothing":            nil,
		"text":               []byte(strings.Repeat("no database ", 1000)),
		"a header alone":     image[:100],
		"half a page":        image[:len(image)-100],
		"pages cut off":      image[:len(image)-pageSize],
		"an impossible page": slices.Concat(image[:16], []byte{0, 3}, image[18:]),
	} {
		err := c.Deserialize(data)
		if _, ok := errors.AsType[*CorruptError](err); !ok || !IsCorrupt(err) {
			t.Errorf("%s: %v, want a *CorruptError", name, err)
		}
		if dump(t, c) != before {
			t.Fatalf("%s changed the database", name)
		}
	}
	bad := slices.Clone(image)
	copy(bad[100:], make([]byte, 200)) // the first page of the schema
	if err := memory(t, nil).Deserialize(bad); !IsCorrupt(err) {
		t.Errorf("a damaged schema: %v", err)
	}
	bad = slices.Clone(image)
	copy(bad[pageSize:], make([]byte, 64))
	damaged := memory(t, nil)
	if err := damaged.Deserialize(bad); err != nil && !IsCorrupt(err) {
		t.Error(err)
	}
	if _, ok := errors.AsType[*CorruptError](damaged.IntegrityCheck()); !ok {
		t.Errorf("a damaged table: %v", damaged.IntegrityCheck())
	}
	if err := opened(t, filepath.Join(t.TempDir(), "file.db"), nil).Deserialize(image); err == nil {
		t.Error("a file was replaced")
	}
}

func TestManyAtOnceAsBytes(t *testing.T) {
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			c := memory(t, []string{"CREATE TABLE v (x)"})
			for j := range 20 {
				if err := errors.Join(c.Exec(Internal, "DELETE FROM v"), c.Exec(Internal, "INSERT INTO v VALUES (?)", i*100+j)); err != nil {
					t.Error(err)
				}
				image, err := c.Serialize()
				if err != nil {
					t.Error(err)
					return
				}
				if err := c.Deserialize(image); err != nil {
					t.Error(err)
				}
				s, err := c.Prepare(Read, "SELECT x FROM v")
				if err != nil {
					t.Error(err)
					return
				}
				rows, _ := s.Query(nil)
				if !rows.Next() || rows.Int64(0) != int64(i*100+j) {
					t.Errorf("another database came back: %v", rows.Err())
				}
				rows.Close()
			}
		})
	}
	all.Wait()
}

func TestSerializeInsideATransaction(t *testing.T) {
	c := opened(t, filepath.Join(t.TempDir(), "file.db"), nil)
	execAll(t, c, Internal, "CREATE TABLE v (x)")
	if err := c.Begin(); err != nil {
		t.Fatal(err)
	}
	execAll(t, c, Internal, "INSERT INTO v VALUES (1)")
	image, err := c.Serialize()
	if err == nil {
		copied := memory(t, nil)
		if err := copied.Deserialize(image); err != nil {
			t.Fatal(err)
		}
		if got := one(t, copied, Read, "SELECT count(*) FROM v"); got != "1" {
			t.Errorf("the copy has %s rows", got)
		}
		if pages := int(binary.BigEndian.Uint32(image[28:])); pages*pageSize != len(image) {
			t.Errorf("%d pages in %d bytes", pages, len(image))
		}
	}
	if err := c.Commit(); err != nil {
		t.Error(err)
	}
}
