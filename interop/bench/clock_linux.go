package main

import (
	"syscall"
	"unsafe"
)

// now returns the monotonic clock of the machine in microseconds. It is the clock of process.hrtime, so times of all processes compare.
func now() int64 {
	const monotonic = 1
	var t syscall.Timespec
	//nolint:gosec // a pointer for the kernel
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, monotonic, uintptr(unsafe.Pointer(&t)), 0); errno != 0 {
		panic(errno) // there is such a clock
	}
	return t.Nano() / 1000
}
