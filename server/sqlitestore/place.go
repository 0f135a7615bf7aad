package sqlitestore

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/livestore-go/livestore/internal/storedir"
	"github.com/livestore-go/livestore/server"
)

var _ = storedir.Provide(func(d storedir.Dir) server.Storage { return &Storage{place: &d, files: map[string]*file{}} })

// make brings the file into being, so that its name survives a loss of power as soon as what is in it does.
func (f *file) make() error {
	if d := f.place; d != nil {
		created, err := d.Files.Create(f.path)
		if err != nil {
			return err
		}
		return errors.Join(created.Close(), d.Files.SyncDir())
	}
	created, err := os.OpenFile(f.path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(created.Close(), syncDir(filepath.Dir(f.path)))
}

// headLen covers the header of the file and that of its first page.
const headLen = 112

// inspect looks at a file before SQLite does, which would change it and create files beside it. isNew says that there is none.
func (f *file) inspect() (isNew bool, err error) {
	if f.place != nil {
		return f.inspectPlace()
	}
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() {
		return false, &FormatError{Path: f.path, Reason: "it is no regular file"}
	}
	beside, err := os.Stat(f.path + "-wal")
	return false, f.accept(file, info.Size(), err == nil && beside.Size() > 0)
}

// inspectPlace is inspect elsewhere than in the operating system.
func (f *file) inspectPlace() (isNew bool, err error) {
	file, err := f.place.Files.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	size, err := file.Size()
	if err != nil {
		return false, err
	}
	unsettled := false
	if beside, err := f.place.Files.Open(f.path + "-wal"); err == nil {
		n, err := beside.Size()
		unsettled = err == nil && n > 0
		_ = beside.Close()
	}
	return false, f.accept(file, size, unsettled)
}

// accept reads the head of a file and judges it.
func (f *file) accept(r io.ReaderAt, size int64, unsettled bool) error {
	head := make([]byte, headLen)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return accept(f.path, head[:n], size, unsettled)
}
