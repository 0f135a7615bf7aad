//go:build race

package crashtest

// slow says that the race detector is on: everything takes several times as long, and there are fewer moments.
const slow = true
