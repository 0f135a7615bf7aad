// Package crashtest holds the tests that end a store in the middle of its work and look at what is left.
//
// Processes that commit, rebuild or rebase are killed with SIGKILL at random moments; and the whole client runs, step by step, on files
// that lose power or fill up at an operation with a number. Afterwards each test opens the directory again and asks the same: what was
// promised is there, once, in order, and state is what the eventlog says.
//
// It has no code of its own outside of tests.
package crashtest
