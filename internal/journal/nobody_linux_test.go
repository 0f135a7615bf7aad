package journal_test

import (
	"os"
	"runtime"
	"syscall"
	"testing"
)

// asNobody runs f as a user who owns no file: permissions mean nothing to the superuser, as whom tests in a container run.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only the superuser can become somebody else")
	}
	// The user of one thread only: the kernel keeps it by thread, and a thread whose goroutine ends locked is thrown away.
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		const nobody = 65534
		syscall.RawSyscall(syscall.SYS_SETFSGID, nobody, 0, 0)
		syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0)
		f()
	}()
	<-done
}
