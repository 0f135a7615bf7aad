package journal_test

import (
	"io/fs"

	"github.com/livestore-go/livestore/internal/journal"
)

// nowhere is a directory whose files keep their header only.
type nowhere struct{}

type header64 struct{ data []byte }

var kept header64

func (nowhere) Open(string) (journal.File, error)   { return nil, fs.ErrNotExist }
func (nowhere) Edit(string) (journal.File, error)   { return &kept, nil }
func (nowhere) Create(string) (journal.File, error) { kept = header64{}; return &kept, nil }
func (nowhere) Rename(_, _ string) error            { return nil }
func (nowhere) Remove(string) error                 { return nil }
func (nowhere) List() ([]string, error)             { return nil, nil }
func (nowhere) SyncDir() error                      { return nil }

func (h *header64) ReadAt(b []byte, off int64) (int, error) { return copy(b, h.data[off:]), nil }
func (h *header64) WriteAt(b []byte, off int64) (int, error) {
	if off == 0 {
		h.data = append([]byte{}, b...)
	}
	return len(b), nil
}
func (h *header64) Size() (int64, error) { return int64(len(h.data)), nil }
func (h *header64) Truncate(int64) error { return nil }
func (h *header64) Sync() error          { return nil }
func (h *header64) Close() error         { return nil }
