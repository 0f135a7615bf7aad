package local

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Each directory that gets a new entry is synced, from the top down: a loss of power does not take the store away.
func TestNewDirectoriesAreSynced(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "a", "b", "c")
	var synced []string
	sync := func(in string) error {
		synced = append(synced, in)
		return nil
	}
	for range 2 {
		if err := makeDir(dir, sync); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{top, filepath.Join(top, "a"), filepath.Join(top, "a", "b")}; !slices.Equal(synced, want) {
		t.Errorf("synced %v, want %v", synced, want)
	}
	if st, err := os.Stat(dir); err != nil || st.Mode().Perm()&0o077 != 0 && filepath.Separator == '/' {
		t.Errorf("%v, %v", st, err)
	}
	broken := errors.New("the disk is gone")
	if err := makeDir(filepath.Join(top, "x"), func(string) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("a directory that can not be synced: %v", err)
	}
}
