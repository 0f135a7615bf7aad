package journal_test

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livestore-go/livestore/internal/journal"
)

func record200() journal.Record {
	return journal.Record{SchemaHash: "5f3a9c", Events: []journal.Event{
		{Name: "v1.TodoCreated", Args: jsontext.Value(`{"text":"` + strings.Repeat("x", 200-11) + `"}`)},
	}}
}

// BenchmarkAppend appends a commit of one event of 200 bytes to a file.
func BenchmarkAppend(b *testing.B) {
	w := create(b, journal.OS(b.TempDir()), "j1.journal")
	r := record200()
	b.ReportAllocs()
	for b.Loop() {
		r.Ordinal = w.Next()
		if err := w.Append(r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEncode is the part of it that is not the system's.
func BenchmarkEncode(b *testing.B) {
	w := create(b, nowhere{}, "j1.journal")
	r := record200()
	b.ReportAllocs()
	for b.Loop() {
		r.Ordinal = w.Next()
		if err := w.Append(r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRead reads a journal of 10,000 such commits.
func BenchmarkRead(b *testing.B) {
	fsys := journal.OS(b.TempDir())
	w := create(b, fsys, "j1.journal")
	r := record200()
	for range 10_000 {
		r.Ordinal = w.Next()
		add(b, w, r)
	}
	b.SetBytes(w.Size())
	b.ReportAllocs()
	for b.Loop() {
		if got := len(read(b, fsys, "j1.journal")); got != 10_000 {
			b.Fatal(got)
		}
	}
}
