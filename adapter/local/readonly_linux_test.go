package local_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/livestore-go/livestore"
	"github.com/livestore-go/livestore/adapter/local"
)

// asNobody is set in the environment of a child process that tries a directory it may not write to.
const asNobody = "LIVESTORE_TEST_AS_NOBODY"

func init() { //nolint:gochecknoinits // TestMain is there on every system, this test on one
	child = func() bool {
		dir := os.Getenv(asNobody)
		if dir == "" {
			return false
		}
		_, err := livestore.Open(context.Background(), schema, local.New(dir, nil), &livestore.Options{StoreID: "store"})
		fmt.Println(err)
		return true
	}
}

func TestReadOnlyDirectory(t *testing.T) {
	base, err := os.MkdirTemp("/tmp", "livestore-readonly-") // t.TempDir lies in directories that others may not enter
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(base)
	if err := os.Chmod(base, 0o555); err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Skipf("no copy of the test binary for another user: %v", err)
	}
	bin, err := os.MkdirTemp("/tmp", "livestore-bin-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(bin)
	exe := filepath.Join(bin, "test")
	if err := os.WriteFile(exe, self, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), asNobody+"="+base)
	if os.Getuid() == 0 { // who is root may write anywhere
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("permission denied")) || !bytes.Contains(out, []byte(base)) {
		t.Errorf("opening a store in a read-only directory says %q, %v", out, err)
	}
}
