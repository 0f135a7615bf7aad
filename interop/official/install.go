// Package official runs the official JavaScript packages of LiveStore, and their sync backend, as processes of their own.
package official

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Install is where the packages are: the folder interop of this repository after scripts/interop install.
type Install struct {
	dir  string // interop
	node string
}

// ErrNotInstalled says that the official packages are not here.
var ErrNotInstalled = errors.New("the official packages are not installed: run scripts/interop install")

// Find looks for the packages.
func Find() (*Install, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		return nil, errors.New("find interop: this program does not know its sources")
	}
	in := &Install{dir: filepath.Dir(filepath.Dir(file))}
	arch := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	in.node = filepath.Join(in.dir, "node_modules", fmt.Sprintf("node-%s-%s", runtime.GOOS, arch), "bin", "node")
	for _, need := range []string{in.node, filepath.Join(in.dir, "node_modules", ".livestore", "worker.mjs")} {
		if _, err := os.Stat(need); err != nil {
			return nil, fmt.Errorf("%w (%w)", ErrNotInstalled, err)
		}
	}
	return in, nil
}

// script returns the path of one of the programs in js.
func (in *Install) script(name string) string { return filepath.Join(in.dir, "js", name) }

// Node is one of the programs in js, ready to be started: for those that answer lines and end with their input.
func (in *Install) Node(ctx context.Context, name string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, in.node, in.script(name))
	cmd.Dir = in.dir
	cmd.Stderr = os.Stderr
	return cmd
}
