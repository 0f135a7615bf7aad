package journal

import (
	"errors"
	"syscall"
)

// IsFull says whether err means that the disk or the quota is used up.
func IsFull(err error) bool {
	return errors.Is(err, syscall.Errno(112)) || // ERROR_DISK_FULL
		errors.Is(err, syscall.Errno(39)) || // ERROR_HANDLE_DISK_FULL
		errors.Is(err, syscall.ENOSPC)
}
