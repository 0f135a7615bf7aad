//go:build !linux

package eventlog_test

import "testing"

func asNobody(t *testing.T, _ func()) {
	t.Helper()
	t.Skip("a thread has no user of its own on this system")
}
