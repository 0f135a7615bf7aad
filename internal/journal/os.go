package journal

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// OS is the directory dir of the operating system, which must exist. Files are readable by their owner only.
func OS(dir string) FS { return osFS{dir} }

type osFS struct{ dir string }

func (o osFS) path(op, name string) (string, error) {
	if name == "" || name == "." || name == ".." || filepath.Base(name) != name {
		return "", &fs.PathError{Op: op, Path: name, Err: fmt.Errorf("a journal is named by a plain file name: %w", fs.ErrInvalid)}
	}
	return filepath.Join(o.dir, name), nil
}

func (o osFS) open(op, name string, flag int) (File, error) {
	path, err := o.path(op, name)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (o osFS) Open(name string) (File, error) { return o.open("open", name, os.O_RDONLY) }
func (o osFS) Edit(name string) (File, error) { return o.open("open", name, os.O_RDWR) }
func (o osFS) Create(name string) (File, error) {
	return o.open("create", name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

func (o osFS) Rename(from, to string) error {
	old, err := o.path("rename", from)
	if err != nil {
		return err
	}
	path, err := o.path("rename", to)
	if err != nil {
		return err
	}
	return os.Rename(old, path)
}

func (o osFS) Remove(name string) error {
	path, err := o.path("remove", name)
	if err != nil {
		return err
	}
	return os.Remove(path)
}

func (o osFS) List() ([]string, error) {
	entries, err := os.ReadDir(o.dir) // sorted by name
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
