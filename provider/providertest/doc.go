// Package providertest holds what tests of sync need: a sync backend in memory with its provider, faults for any provider, and the
// suite that every provider passes.
//
// [NewBackend] makes a [Backend] that works in the process of the test, without sockets, files, clock or goroutines. It arbitrates order as
// a real one does, so that an app can test several clients of a store, also under testing/synctest. [Faults] stands between a
// provider and its user and does what networks do: it drops, delays, loses answers, goes silent, refuses. [Run] is the conformance suite of
// provider.Provider.
package providertest
