package livestore_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// serve builds livestore and runs livestore serve as a process of its own, with its data below dir. It returns the address for
// clients, and how to stop it.
func serve(dir string) (url string, stop func(), err error) {
	binary := filepath.Join(dir, "livestore")
	build := exec.Command("go", "build", "-o", binary, "github.com/livestore-go/livestore/cmd/livestore")
	if out, err := build.CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("build livestore: %w\n%s", err, out)
	}
	cmd := exec.Command(binary, "serve", "--listen", "127.0.0.1:0", "--storage", "sqlite:"+filepath.Join(dir, "server"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended, which Wait says
		if err := cmd.Wait(); err != nil {
			fmt.Fprintln(os.Stderr, "livestore serve:", err)
		}
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		stop()
		return "", nil, fmt.Errorf("livestore serve says %q: %w", line, err)
	}
	return address, stop, nil
}
