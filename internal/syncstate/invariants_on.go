//go:build invariants

package syncstate

// invariants says whether violations panic and everything is checked.
const invariants = true
