package journal_test

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"

	"github.com/livestore-go/livestore/internal/journal"
	"github.com/livestore-go/livestore/internal/journal/faultfs"
)

// FuzzRead reads any bytes as a journal: no panic, typed errors only, and no record whose checksum is not right.
func FuzzRead(f *testing.F) {
	data, ends := file(f, 5)
	f.Add(data)
	f.Add(data[:ends[0]])
	f.Add(data[:ends[3]-3])
	f.Add([]byte{})
	f.Add([]byte("LSJOURNL"))
	f.Fuzz(func(t *testing.T, data []byte) {
		check(t, data)
	})
}

// FuzzRecords does the same with any bytes behind a good header, each record given the checksum it should have.
func FuzzRecords(f *testing.F) {
	data, ends := file(f, 5)
	f.Add(data[ends[0]:], false)
	f.Add([]byte{2, 0, 0, 0, 1, 0, 1, 2, 3, 4}, true)
	f.Add([]byte{7, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 2, 3, 4}, true)
	f.Fuzz(func(t *testing.T, records []byte, right bool) {
		file := append(append([]byte{}, data[:ends[0]]...), records...)
		if right {
			table := crc32.MakeTable(crc32.Castagnoli)
			sum := binary.LittleEndian.Uint32(file[ends[0]-4:])
			for at := ends[0]; at+4 <= len(file); {
				end := at + 4 + int(binary.LittleEndian.Uint32(file[at:]))
				if end+4 > len(file) {
					break
				}
				sum = crc32.Update(sum, table, file[at:end])
				binary.LittleEndian.PutUint32(file[end:], sum)
				at = end + 4
			}
		}
		check(t, file)
	})
}

func check(t *testing.T, data []byte) {
	fsys := faultfs.New()
	fsys.Put("j", data)
	_, seq, err := journal.Read(fsys, "j")
	if err != nil {
		typed(t, err)
		return
	}
	var last uint64
	for r, err := range seq {
		if err != nil {
			typed(t, err)
			return
		}
		if r.Ordinal == 0 || last != 0 && r.Ordinal != last+1 {
			t.Fatalf("ordinal %d follows %d", r.Ordinal, last)
		}
		if len(r.Events) == 0 {
			t.Fatal("a record without events")
		}
		last = r.Ordinal
	}
	w, s, err := journal.Reopen(fsys, "j")
	if err != nil {
		t.Fatalf("readable and not to be reopened: %v", err)
	}
	defer w.Close()
	if s.Last != last {
		t.Fatalf("Reopen finds %d, Read %d", s.Last, last)
	}
	// What was accepted is what a writer writes: the whole records, written anew behind the same header, give the same sums.
	table := crc32.MakeTable(crc32.Castagnoli)
	kept := fsys.Snapshot("j")
	if int64(len(kept)) != w.Size() {
		t.Fatalf("%d bytes are left, the writer is at %d", len(kept), w.Size())
	}
	at := 16 + int(binary.LittleEndian.Uint32(kept[12:])) + 4
	sum := crc32.Checksum(kept[:at-4], table)
	for at < len(kept) {
		end := at + 4 + int(binary.LittleEndian.Uint32(kept[at:]))
		sum = crc32.Update(sum, table, kept[at:end])
		if sum != binary.LittleEndian.Uint32(kept[end:]) {
			t.Fatalf("the record at byte %d was accepted with a wrong checksum", at)
		}
		at = end + 4
	}
}

func typed(t *testing.T, err error) {
	_, version := errors.AsType[*journal.VersionError](err)
	if !isFormat(err) && !version {
		t.Fatalf("%T: %v", err, err)
	}
}
