// Package interop holds the tests that run the official JavaScript packages of LiveStore beside ours: our server with official clients, and
// our clients with the official sync backend on workerd.
//
// The packages come from npm, pinned in package.json and package-lock.json, Node included. scripts/interop install brings them, and
// scripts/interop runs the tests. Without the install the tests are skipped, and say so.
//
// The official programs are small and driven by lines: js/client.mjs is a client, js/backend.mjs the backend. Package official starts
// them, package todomvc is a Go client that does the same, package relay disturbs the network between them, and bench compares how
// fast both sides are.
//
// Defects of the official packages that the scenarios keep away from or mend, each said where that is done: a client that gives up a
// connection on which nothing came does not pull on the next one (attendant); one that rebases while it commits leaves out an event when
// it pushes on (world.turn); one takes what its backend sends ahead of older pages for all there is (world.loses, TestEarlyChunk).
package interop
