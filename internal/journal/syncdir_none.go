//go:build windows || js || wasip1

package journal

// SyncDir does nothing: these systems can not sync a directory, and keep names in order by themselves.
func (o osFS) SyncDir() error { return nil }
