package sqlite

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// asNobody runs f with the rights of a user who owns nothing: to root no directory is read-only.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Getuid() != 0 {
		f()
		return
	}
	runtime.LockOSThread() // the rights are those of a thread
	defer runtime.UnlockOSThread()
	syscall.RawSyscall(syscall.SYS_SETFSUID, 65534, 0, 0)
	defer syscall.RawSyscall(syscall.SYS_SETFSUID, 0, 0, 0)
	f()
}

func TestADirectoryThatIsReadOnly(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "there.db")
	c := opened(t, path, nil)
	execAll(t, c, Internal, "CREATE TABLE v (x)")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o444); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o755)
	asNobody(t, func() {
		for _, name := range []string{"there.db", "new.db"} {
			c, err := Open(filepath.Join(dir, name), nil)
			if err == nil {
				c.Close()
			}
			if !IsReadOnly(err) || IsCorrupt(err) || IsFull(err) {
				t.Errorf("%s: %v, want that it is read-only", name, err)
			}
		}
		c, err := Open(path, &Options{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := one(t, c, Read, "SELECT count(*) FROM v"); got != "0" {
			t.Errorf("%s rows", got)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}
