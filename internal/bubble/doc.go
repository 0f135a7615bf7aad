// Package bubble holds tests only: real stores, the real provider over WebSocket and the real server, in a bubble of testing/synctest and
// connected by pipes.
//
// In a bubble time stands still while anybody works, and jumps to the next timer when all wait: an hour without network takes
// milliseconds. Two rules of a bubble are what these tests are about. It ends only when every goroutine that was started in it has ended,
// so whatever a driver leaves behind fails the test. And a goroutine that waits for a mutex does not count as waiting: so a lock that is
// held across a wait, and wanted by somebody meanwhile, makes time stand still for good, and the test runs into its limit of real time.
//
// The steady load runs half an hour of the bubble's clock. A day of it, which takes some minutes and compares memory hour by hour, is
//
//	go test ./internal/bubble -run TestSteadyLoad -v -hours 24
//
// and -moments N closes a store at N moments of each scene instead of ten.
package bubble
