//go:build unix

package screen

import (
	"syscall"
	"testing"
)

func TestOnResize(t *testing.T) {
	called := make(chan struct{}, 10)
	stop := OnResize(func() { called <- struct{}{} })
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGWINCH); err != nil {
		t.Fatal(err)
	}
	<-called
	stop()
}
