//go:build !race

package crashtest

// slow says that the race detector is on.
const slow = false
