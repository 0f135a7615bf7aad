//go:build !windows

package journal

import (
	"errors"
	"syscall"
)

// IsFull says whether err means that the disk or the quota is used up.
func IsFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
