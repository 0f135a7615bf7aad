// Package sim runs the whole system from one seed: the real step machines on real files that lose power. How to use it says
// docs/simulator.md.
//
// [Run] is a schedule of one client, three sessions and a leader, with a sync backend in memory to which other clients write as well, and
// which misbehaves. It draws actions from a seeded generator: commits, the delivery of one message, a foreign event, a crash, a
// restart, another schema. Messages lie in queues until the schedule takes them, late, twice or never. There is no goroutine, so a seed
// replays exactly; [Result.Hash] is over everything that happened.
//
// After each action the session that moved is looked at as a watcher would: no commit may be half there. In the end faults stop, what is
// under way is delivered until nothing moves any more, and everything is compared: sessions, leader, a rebuild from the log, the backend's
// log, and what each receipt said.
//
// [RunFleet] is a schedule of the whole system: one store or two, one to six clients with one to four sessions each, and the server
// between them, which is a real room for each store on a log that outlives it. Their connections carry frames of the protocol in both
// dialects, and are slow, drop, become half open, or end with either process. The sync provider and the driver of the leader's backend
// steps are imitated (peer): what waits for what is as it is there, and when a timer runs out the schedule says. Some others only pull,
// and check each event they get. In the end all clients must be equal to the server and to each other, and each commit be in its log once,
// or set aside.
//
// In a fleet each client runs an app: a version of it, of which the older ones do not know every event, and one stumbles over some; a
// policy for what it does not know; files, or memory alone; limits of a push; few names to choose from, or many. It is upgraded in
// mid-run, and at times set back. Sessions have live queries, which are marked and read as a store does it. There is a clock, and it jumps.
//
// The log of the server outlives it. In a third of the fleets that is package sqlitestore on a disk that fails, fills up and loses power,
// and what it took is what must be there; else it is imitated (shelf, drawer). The server dies between any two effects of its room (dooms).
// In a sixth of the fleets an older copy of the log takes its place, or another log with another identity: each connection belongs to one
// log, a client that finds another one stops, and its app brings it there, or throws away what it has (another.go).
//
// Where each rule of the design is looked at says rules.go. What clients and readers hear of the log of a server is a history of
// operations, and in the end porcupine must find an order for them in which a log does what they saw (linear.go).
//
// The tests run some hundred schedules, cmd/simulate as many as one likes. This prints one with all that happens:
//
//	go test ./internal/sim -run TestSeed -seed 7183 -v
//	go test ./internal/sim -run TestFleet$ -seed 85 -v
package sim
